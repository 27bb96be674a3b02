"""Deletions that are killed, that meet viewings on their way in, or that take long."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections, transaction

from analytics.devices import known_devices
from analytics.ingest import Beat, prepare, store
from analytics.models import AnonymousViewing, UserViewing, Viewing
from backoffice.audit.recording import SYSTEM
from backoffice.core.permissions import Role
from backoffice.jobs.models import Job
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory
from tests.users.test_deletion import NOW, cells, figures_are_right
from users.deletion import carry_out, confirm, delete_user, preview
from users.models import Deletion, User

pytestmark = pytest.mark.fault


@pytest.fixture
def ada(run_jobs):
    """Somebody with twelve views of two minutes, in rows that are committed."""
    web = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    user = UserFactory(platform=web)
    store(batch_of(user, range(12)))
    yield user
    # What Django does not know to empty.
    known_devices.forget()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE analytics_viewing")


def batch_of(user, numbers):
    beats = [
        Beat(
            id=f"00000000-0000-4000-8000-{number:012}",
            user=str(user.public_id),
            content=f"film-{number % 3}",
            started_at=NOW - timedelta(days=number),
            watched_seconds=120,
        )
        for number in numbers
    ]
    return prepare(beats, platform=user.platform, now=NOW)


SCRIPT = """
import django, sys, time
django.setup()
from datetime import UTC, datetime
from analytics.anonymising import fold_viewings
from backoffice.audit.recording import SYSTEM
from users import deletion
from users.models import User
now = datetime(2026, 3, 20, 12, tzinfo=UTC)
user = User.objects.select_related("project").get(pk=int(sys.argv[1]))
deletion.INLINE_VIEWINGS = int(sys.argv[2])
deletion.delete_user(user=user, actor=SYSTEM, now=now)
print("erased", flush=True)
fold_viewings(user.pk, project_id=user.project_id, chunk=5)
print("folded some", flush=True)
time.sleep(60)
"""


def deleting(user, inline):
    """Delete the user in a process of its own, which folds five viewings and then waits."""
    database = connection.settings_dict
    address = (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
        f"?host={database['HOST']}&port={database['PORT'] or 5432}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(user.pk), str(inline)],
        cwd=Path(__file__).parents[2],
        env=os.environ
        | {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "backoffice.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 90
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.05)


def test_killed_before_its_end_nothing_happened_and_again_all_of_it(ada):
    before = cells()
    # The last thing that a deletion writes is what was watched.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE analytics_anonymousviewing IN ACCESS EXCLUSIVE MODE")
        process = deleting(ada, inline=5000)
        wait_for_lock(cursor, process)
        process.send_signal(signal.SIGKILL)
    kill(process)

    ada.refresh_from_db()
    assert (ada.deleted_at, ada.email != "") == (None, True)
    assert Viewing.objects.count() == 12
    assert figures_are_right()
    delete_user(user=ada, actor=SYSTEM, now=NOW)
    assert not Viewing.objects.exists()
    assert cells() == before
    assert figures_are_right()


def wait_for_lock(cursor, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
            " AND relation = 'analytics_anonymousviewing'::regclass"
        )
        if cursor.fetchone() != (0,):
            return
        time.sleep(0.05)
    pytest.fail("The deletion never came to what was watched.")


def test_killed_while_it_folds_a_worker_comes_to_the_same_end(ada, run_jobs):
    before = cells()
    process = deleting(ada, inline=4)
    assert process.stdout.readline() == "erased\n"
    assert process.stdout.readline() == "folded some\n"
    kill(process)

    # Nobody is there any more, and every figure is right in the middle of it.
    assert User.objects.get(pk=ada.pk).email == ""
    assert Viewing.objects.count() == 7
    assert not UserViewing.objects.exists()
    assert cells() == before
    assert figures_are_right()
    run_jobs()
    assert not Viewing.objects.exists()
    assert cells() == before
    assert figures_are_right()


def test_a_job_deletes_who_has_very_many_viewings(ada, run_jobs, monkeypatch, staff_with):
    monkeypatch.setattr("users.deletion.INLINE_VIEWINGS", 4)
    before = cells()
    staff = staff_with(Role.OWNER)
    deletion, _shown = preview(user_ids=[ada.pk], project=ada.project, staff=staff, now=NOW)
    confirm(deletion=deletion, mode="cancel", staff=staff, now=NOW)

    run_jobs()

    job = Job.objects.get()
    assert (job.state, job.arguments, job.result["views"]) == ("DONE", {}, 12)
    deletion = Deletion.objects.get()
    assert (deletion.user_ids, deletion.sums["users"]) == ([], 1)
    # The first of them had lasted no longer than a minute by then.
    assert (deletion.sums["viewing_seconds"], deletion.sums["contents"]) == (1380, 3)
    assert not Viewing.objects.exists()
    assert cells() == before


def test_a_deletion_cut_off_between_two_users_goes_on_where_it_stopped(ada, staff_with):
    grace = UserFactory(platform=ada.platform)
    staff = staff_with(Role.OWNER)
    ids = [ada.pk, grace.pk]
    deletion, _shown = preview(user_ids=ids, project=ada.project, staff=staff, now=NOW)
    deletion = confirm(deletion=deletion, mode="cancel", staff=staff, now=NOW)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(deletion=deletion, actor=staff, now=lambda: NOW, on_progress=stop)
    assert list(User.objects.present()) == [grace]
    deletion = Deletion.objects.get()

    done = carry_out(deletion=deletion, actor=staff, now=lambda: NOW)

    assert not User.objects.present().exists()
    assert (done.sums["users"], done.sums["views"], done.user_ids) == (2, 12, [])


def test_a_batch_on_its_way_in_is_folded_with_the_rest(ada):
    arrived, stored = threading.Event(), threading.Event()
    batch = batch_of(ada, range(12, 15))

    def send():
        try:
            with transaction.atomic():
                store(batch)
                arrived.set()
                stored.wait(10)
        finally:
            connections.close_all()

    sender = threading.Thread(target=send)
    sender.start()
    arrived.wait(10)
    threading.Timer(0.3, stored.set).start()
    # Waits for the batch, which holds what the user has watched.
    delete_user(user=ada, actor=SYSTEM, now=NOW)
    sender.join()

    assert not Viewing.objects.exists()
    assert sum(AnonymousViewing.objects.values_list("views", flat=True)) == 15
    assert figures_are_right()


def test_a_batch_prepared_before_and_stored_after_brings_nothing_back(ada):
    batch = batch_of(ada, range(12, 15))
    delete_user(user=ada, actor=SYSTEM, now=NOW)

    store(batch)

    assert not Viewing.objects.exists()
    assert not UserViewing.objects.exists()
    assert sum(AnonymousViewing.objects.values_list("views", flat=True)) == 12
    assert figures_are_right()
