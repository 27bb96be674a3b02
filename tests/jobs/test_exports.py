"""Files made in the background: asked for, built by a real worker, fetched, gone again."""

import base64
import csv
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from backoffice.audit.models import AuditEvent
from backoffice.core.exports import TooSlow
from backoffice.core.permissions import Role
from backoffice.jobs import exports
from backoffice.jobs.exports import clear_files, forget_files
from backoffice.jobs.models import Export, Job, Mail
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.users import UserFactory
from users.models import User

BASIC = "/users/export/basic.csv?period=all&columns=email,id"


@pytest.fixture
def folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    # Every file of a list is made in the background.
    settings.EXPORT_SECONDS_AT_ONCE = 0
    return tmp_path / "exports"


@pytest.fixture
def people(project):
    web = PlatformFactory(project=project, slug="web", name="Web")
    return [
        UserFactory(platform=web, email=f"{name}@example.com", last_name=name)
        for name in ("ada", "grace")
    ]


@pytest.fixture
def admin(client, staff_with, project):
    admin = staff_with(Role.ADMIN, project)
    client.force_login(admin)
    return admin


@pytest.fixture
def made(run_jobs, folder, people, admin, client):
    """The basic list as the admin asked for it, made."""
    client.get(BASIC)
    run_jobs()
    return Export.objects.get()


def body(response):
    return b"".join(response.streaming_content)


def test_a_long_file_is_made_in_the_background_and_fetched_whole(
    run_jobs, folder, people, admin, client
):
    asked = client.get(BASIC)
    export = Export.objects.get()
    assert (asked.status_code, asked["Location"]) == (303, f"/exports/{export.pk}/")
    waiting = client.get(asked["Location"])
    assert waiting.context_data["export"].state == "MAKING"
    assert client.get(f"/exports/{export.pk}/file/").status_code == 409

    run_jobs()

    page = client.get(asked["Location"])
    assert page.context_data["export"].state == "READY"
    response = client.get(page.context_data["export"].download_url)
    data = body(response)
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row[0] for row in rows] == ["email", "grace@example.com", "ada@example.com"]
    assert response["Content-Length"] == str(len(data))
    assert response["X-Row-Count"] == "2"
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert response["Repr-Digest"] == f"sha-256=:{digest}:"
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    today = timezone.now().astimezone(export.project.zone).date()
    expected = f'attachment; filename="north-users-basic-{today}.csv"'
    assert response["Content-Disposition"] == expected
    assert Job.objects.get().state == "DONE"


def test_the_trail_names_filter_rows_and_digest_and_each_fetching(made, client):
    body(client.get(f"/exports/{made.pk}/file/"))

    built = AuditEvent.objects.get(kind="users.list.exported")
    assert built.actor_label == "admin@example.com"
    assert built.data == {
        "file": "users-basic",
        "filter": {"period": ["all"], "columns": ["email,id"]},
        "columns": ["email", "id"],
        "rows": 2,
        "sha256": made.sha256,
    }
    fetched = AuditEvent.objects.get(kind="jobs.export.fetched")
    assert (fetched.target_id, fetched.data["rows"]) == (str(made.pk), 2)
    made.refresh_from_db()
    assert made.fetched == 1


def test_a_mail_says_that_it_is_ready(made):
    mail = Mail.objects.get()

    assert (mail.kind, mail.recipient) == ("export_ready", "admin@example.com")
    assert mail.values["url"] == f"http://testserver/exports/{made.pk}/"


def test_what_was_searched_for_is_sealed_and_then_forgotten(
    run_jobs, folder, people, admin, client
):
    client.get("/users/export/basic.csv?q=grace")
    waiting = Export.objects.get()
    assert "grace" not in waiting.sealed_query
    assert waiting.filter_words["en"] == ["All dates", "Search: given"]

    run_jobs()

    export = Export.objects.get()
    assert (export.state, export.rows, export.sealed_query) == ("READY", 1, "")


def test_machines_are_told_where_it_will_be(run_jobs, folder, people, admin, client):
    asked = client.get(BASIC, headers={"accept": "application/json"})
    address = asked["Location"]
    assert (asked.status_code, asked["Retry-After"]) == (202, "2")
    waiting = client.get(address, headers={"accept": "application/json"})
    assert (waiting.status_code, waiting.json()["state"]) == (202, "MAKING")

    run_jobs()

    ready = client.get(address, headers={"accept": "application/json"})
    assert (ready.status_code, ready.json()["rows"]) == (200, 2)
    assert ready.json()["file"] == f"{address}file/"


def test_two_clicks_make_one_file(folder, people, admin, client, transactional_db):
    first, second, other = client.get(BASIC), client.get(BASIC), client.get(f"{BASIC}&sort=name")

    assert first["Location"] == second["Location"] != other["Location"]
    assert Job.objects.count() == 2


def test_what_waits_counts_for_the_limit_of_a_day(
    folder, people, admin, client, settings, transactional_db
):
    settings.EXPORTS_A_DAY = 1
    client.get(BASIC)

    assert client.get(f"{BASIC}&sort=name").status_code == 429


def test_a_time_that_runs_out_leads_to_the_background(
    folder, people, admin, client, settings, monkeypatch, transactional_db
):
    settings.EXPORT_SECONDS_AT_ONCE = 8

    def run_out(*_args, **_kwargs):
        raise TooSlow

    monkeypatch.setattr("users.exports.write_list", run_out)

    assert client.get(BASIC).status_code == 303
    assert AuditEvent.objects.filter(kind="users.list.exported").count() == 0


@pytest.mark.parametrize(
    ("role", "page", "file"),
    [(Role.OWNER, 200, 404), (Role.ANALYST, 404, 404), (Role.SUPPORT, 403, 403)],
)
def test_a_file_is_of_one_person(made, client, staff_with, project, role, page, file):
    client.force_login(staff_with(role, project, "other@example.com"))

    assert client.get(f"/exports/{made.pk}/").status_code == page
    assert client.get(f"/exports/{made.pk}/file/").status_code == file
    assert "/file/" not in client.get(f"/exports/{made.pk}/").content.decode()


def test_it_goes_after_a_day(made, folder, client):
    assert len(list(folder.iterdir())) == 1

    clear_files(now=made.made_at + timedelta(hours=24))

    made.refresh_from_db()
    assert (made.state, made.gone, list(folder.iterdir())) == ("GONE", "EXPIRED", [])
    assert client.get(f"/exports/{made.pk}/file/").status_code == 410
    assert client.get(f"/exports/{made.pk}/").status_code == 200


def test_it_goes_with_the_role(made, folder, admin, client, staff_with, project):
    admin.roles.all().delete()
    staff_with(Role.ANALYST, project, admin.email)
    # An analyst may export, but this file shows names in clear.
    assert client.get(f"/exports/{made.pk}/file/").status_code == 410

    clear_files(now=timezone.now())

    made.refresh_from_db()
    assert (made.gone, list(folder.iterdir())) == ("ROLE_LOST", [])


def test_it_goes_with_the_deletion_of_a_user(made, folder, project, client):
    assert forget_files(project=project) == 1

    made.refresh_from_db()
    assert (made.gone, list(folder.iterdir())) == ("USER_DELETED", [])
    assert client.get(f"/exports/{made.pk}/file/").status_code == 410


def test_a_user_deleted_while_it_is_made_is_not_in_it(
    run_jobs, folder, people, admin, client, project, monkeypatch
):
    client.get(BASIC)
    fsync = exports.os.fsync
    deleted = []

    def delete_in_between(descriptor):
        fsync(descriptor)
        if not deleted:
            deleted.append(people[0].pk)
            people[0].delete()
            forget_files(project=project)

    monkeypatch.setattr(exports.os, "fsync", delete_in_between)
    run_jobs()

    export = Export.objects.get()
    assert (export.state, export.rows) == ("READY", 1)
    assert b"ada@" not in (folder / export.stored_name).read_bytes()
    assert len(list(folder.iterdir())) == 1


def test_a_file_waits_for_a_deletion_that_did_not_know_of_it(
    folder, people, admin, client, project, transactional_db
):
    client.get(BASIC)
    export = Export.objects.get()
    with ThreadPoolExecutor(1) as pool:

        def begin_and_count():
            try:
                return exports.begin(export), User.objects.present().count()
            finally:
                connection.close()

        with transaction.atomic():
            people[0].delete()
            exports._lock_deletions(project.pk, "pg_advisory_xact_lock_shared")
            begun = pool.submit(begin_and_count)
            with pytest.raises(TimeoutError):
                begun.result(timeout=0.3)

        assert begun.result() == (0, 1)


def test_a_full_disk_leaves_no_file_and_can_be_tried_again(
    run_jobs, folder, people, admin, client, monkeypatch
):
    client.get(BASIC)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(exports.os, "fsync", full)
        run_jobs()

    export = Export.objects.get()
    page = client.get(f"/exports/{export.pk}/").content.decode()
    assert "The disk is full." in page
    assert list(folder.iterdir()) == []
    assert client.get(f"/exports/{export.pk}/file/").status_code == 410
    assert AuditEvent.objects.filter(kind="users.list.exported").count() == 0

    client.post(f"/jobs/{export.job_id}/retry/")
    run_jobs()
    export.refresh_from_db()
    assert export.state == "READY"


@pytest.mark.parametrize("moment", ["_check_current", "_sync_folder", "_tell"])
def test_a_database_that_dies_at_any_moment_leaves_no_file(
    run_jobs, folder, people, admin, client, monkeypatch, moment
):
    client.get(BASIC)

    def die(*_args):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patched:
        patched.setattr(exports, moment, die)
        run_jobs()

    export = Export.objects.get()
    assert (export.state, export.job.state) == ("MAKING", "WAITING")
    assert list(folder.iterdir()) == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
    run_jobs()
    export.refresh_from_db()
    assert (export.state, export.rows, len(list(folder.iterdir()))) == ("READY", 2, 1)


def test_a_run_that_was_cut_off_after_its_last_act_makes_no_second_file(run_jobs, made, folder):
    # As if the worker had died between the file's transaction and the job's end.
    Job.objects.update(
        state="RUNNING", finished_at=None, arguments={"export": made.pk, "language": "en"}
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('long', 'jobs.run', 0, NULL, NULL,"
            " jsonb_build_object('job_id', %s::bigint), NULL)"
            "::procrastinate_job_to_defer_v1])",
            [made.job_id],
        )

    run_jobs()

    assert Job.objects.get().result == {"export": made.pk, "rows": 2}
    assert AuditEvent.objects.filter(kind="users.list.exported").count() == 1
    assert len(list(folder.iterdir())) == 1


def test_what_is_cut_short_on_the_disk_is_not_sent(made, folder, client):
    path = folder / made.stored_name
    path.write_bytes(path.read_bytes()[:-10])

    assert client.get(f"/exports/{made.pk}/file/").status_code == 410


def test_files_are_for_their_owners_eyes(made, folder):
    assert (folder / made.stored_name).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_a_dead_maker_left_is_swept_away(made, folder):
    left = folder / "x.csv.part"
    left.touch()

    clear_files(now=timezone.now())
    assert left.exists()
    clear_files(now=timezone.now() + timedelta(hours=2))

    assert [path.name for path in folder.iterdir()] == [made.stored_name]


def test_one_that_failed_is_forgotten_after_a_day(run_jobs, folder, people, admin, client):
    client.get(BASIC)
    Job.objects.update(state="FAILED", finished_at=NOW, failure="x")

    clear_files(now=timezone.now() + timedelta(hours=25))

    export = Export.objects.get()
    assert (export.state, export.gone, export.sealed_query) == ("GONE", "EXPIRED", "")


def test_the_register_shows_ones_own_files_or_all(made, client, staff_with, project):
    own = client.get("/exports/").context_data["lines"]
    assert [(line.state, line.rows, line.filter_words) for line in own] == [
        ("READY", "2", ["All dates"])
    ]

    client.force_login(staff_with(Role.ANALYST, project))
    assert client.get("/exports/").context_data["lines"] == []
    client.force_login(staff_with(Role.OWNER))
    assert len(client.get("/exports/").context_data["lines"]) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=READY", 1),
        ("state=MAKING", 0),
        ("state=FAILED", 0),
        ("state=FAILED&state=READY", 1),
        ("what=basic", 1),
        ("what=complete", 0),
        ("who=admin", 1),
        ("who=owner", 0),
        ("to=2000-01-01", 0),
    ],
)
def test_the_register_is_narrowed(made, client, query, found):
    assert len(client.get(f"/exports/?{query}").context_data["lines"]) == found


def test_a_file_sent_at_once_is_in_the_register_too(
    folder, people, admin, client, settings, transactional_db
):
    settings.EXPORT_SECONDS_AT_ONCE = 8

    response = client.get("/users/export/basic.csv?period=all&status=registered&q=grace")

    data = body(response)
    export = Export.objects.get()
    assert (export.state, export.rows, export.sha256) == (
        "SENT",
        1,
        hashlib.sha256(data).hexdigest(),
    )
    assert export.filter_words == {
        "en": ["All dates", "Status: Registered", "Search: given"],
        "fr": ["Toutes les dates", "Statut\xa0: Inscrit", "Recherche\xa0: fourni"],
    }
    assert response["Link"] == f'</exports/{export.pk}/manifest.json>; rel="describedby"'


def test_the_manifest_says_what_the_file_is(made, client):
    response = client.get(f"/exports/{made.pk}/manifest.json")

    told = json.loads(response.content)
    assert told["rows"] == 2
    assert told["sha256"] == made.sha256
    assert told["time_zone"] == "Europe/Paris"
    assert told["filter"] == ["All dates"]
    assert told["names_and_emails_masked"] is False
    assert told["columns"] == [
        {"name": "email", "words": "E-mail"},
        {"name": "id", "words": "Unique identifier"},
    ]
