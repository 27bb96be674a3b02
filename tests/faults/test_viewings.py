"""A batch of viewings whose web server or database is killed in the middle: all or nothing."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from django.db import connection, transaction

from analytics.known import forget_all
from analytics.models import UserViewing, Viewing, ViewingDay
from backoffice.postgres import Cluster
from bench.harness import site
from bench.soak import check_figures
from tests.factories.projects import ApiKeyFactory, PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]
WAITING = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND relation = 'analytics_viewingday'::regclass
"""
# What a batch comes to last.
LOCK = "LOCK TABLE analytics_viewingday IN ACCESS EXCLUSIVE MODE"


def items(public_ids):
    """A minute each, on one film."""
    return [
        {
            "id": f"00000000-0000-0000-0000-{number:012}",
            "user": str(public_id),
            "content": "film",
            "started_at": "2026-03-20T09:00:00Z",
            "watched_seconds": 60,
        }
        for number, public_id in enumerate(public_ids)
    ]


def wait_until(condition):
    limit = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


# --- The web server --------------------------------------------------------------------------


@pytest.fixture
def committed(transactional_db):
    """Rows are committed; what Django does not know to empty is emptied here."""
    yield
    forget_all()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE analytics_viewing")


def address_of_test_database():
    database = connection.settings_dict
    return (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
        f"?host={database['HOST']}&port={database['PORT'] or 5432}"
    )


def send(port, body):
    """Return the status, or nothing where the line broke."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": "Bearer fault-key", "Content-Type": "application/json"}
    with contextlib.closing(line):
        try:
            line.request("POST", "/api/v1/viewings", body, headers)
            return line.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


@pytest.mark.usefixtures("committed")
def test_a_killed_web_server_leaves_nothing_and_the_repeat_completes_it(monkeypatch):
    platform = PlatformFactory(project=ProjectFactory(minimum_view_seconds=5))
    ApiKeyFactory(platform=platform, raw="fault-key")
    users = UserFactory.create_batch(3, platform=platform)
    body = json.dumps({"viewings": items(user.public_id for user in users)})
    monkeypatch.setenv("DATABASE_URL", address_of_test_database())
    monkeypatch.setenv("WEB_PROCESSES", "1")
    answers = []

    with site() as web:
        sender = threading.Thread(target=lambda: answers.append(send(web.port, body)))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK)
            sender.start()
            wait_until(lambda: cursor.execute(WAITING).fetchone() != (0,))
            for worker in web.workers():
                os.kill(worker, signal.SIGKILL)
            sender.join()
        wait_until(nobody_writes)

        assert answers == [None]
        assert not Viewing.objects.exists()
        assert not UserViewing.objects.exists()
        wait_until(lambda: send(web.port, body) == http.client.OK)

    assert Viewing.objects.count() == 3
    assert ViewingDay.objects.get().viewing_seconds == 180
    check_figures()


def nobody_writes():
    """Return whether the server has undone what the dead one began."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        return cursor.fetchone() == (0,)


# --- The database ----------------------------------------------------------------------------

# Makes a service, then stores a batch while somebody holds what it comes to last.
BEGUN = f"""
import json, sys
import django, psycopg
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory
from tests.faults.test_viewings import items
web = PlatformFactory(slug="web", project=ProjectFactory(slug="north", minimum_view_seconds=5))
users = UserFactory.create_batch(3, platform=web)
with open(sys.argv[1], "w") as file:
    json.dump({{"viewings": items(user.public_id for user in users)}}, file)
with connection.cursor() as cursor:
    cursor.execute("CHECKPOINT")
    other = psycopg.connect(sys.argv[2])
    other.execute({LOCK!r})
    print("locked", flush=True)
    call_command("replay", sys.argv[1], project="north", platform="web")
"""
REPEATED = """
import sys
import django
django.setup()
from django.core.management import call_command
from analytics.models import UserViewing, Viewing, ViewingDay
def counts():
    return [model.objects.count() for model in (Viewing, UserViewing, ViewingDay)]
print(counts())
call_command("replay", sys.argv[1], project="north", platform="web")
print(counts(), ViewingDay.objects.get().viewing_seconds)
call_command("check_figures")
"""


def python(program, cluster, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": cluster.url, "DJANGO_SETTINGS_MODULE": "backoffice.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_database_leaves_nothing_and_the_repeat_completes_it(short_folder, tmp_path):
    file = tmp_path / "bodies"
    # Nothing committed is at stake after the checkpoint: it need not wait for the disk.
    cluster = Cluster(short_folder / f"viewings-{time.monotonic_ns()}", durable=False)
    try:
        cluster.enter()
        begun = python(BEGUN, cluster, file, cluster.url)
        assert begun.stdout.readline() == "locked\n"
        with psycopg.connect(cluster.url) as looking:
            wait_until(lambda: looking.execute(WAITING).fetchone() != (0,))
        os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        begun.communicate()
        cluster.enter()

        said, _ = python(REPEATED, cluster, file).communicate()
    finally:
        cluster.leave()
        shutil.rmtree(cluster.folder.parent, ignore_errors=True)

    assert begun.returncode != 0
    assert said.splitlines()[:3] == ["[0, 0, 0]", "3 accepted, 0 rejected", "[3, 3, 1] 180"]
    assert said.endswith("All figures are right.\n")
