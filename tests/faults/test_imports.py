"""An import whose worker is killed, or cut off from the database, in the middle of each step."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.users import UserFactory
from users.imports import uploading
from users.imports.uploading import confirm, match_columns, take_back, upload
from users.models import User, UserImport

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]
# In batches of three rows, the user who is there already stands in the third.
WORKER = """
import django
django.setup()
from backoffice.jobs.worker import run_worker
from users.imports import applying
applying.ROWS_A_BATCH = 3
run_worker()
"""
ROWS = ["bad", *(f"n{n}@example.com" for n in range(6)), "ada@example.com", "n6@example.com"]
FILE = "".join(f"{row},Nova\n" for row in ["email", *ROWS]).replace(
    "email,Nova", "email,last_name"
)


@pytest.fixture
def worker(run_jobs):
    """A worker process, started anew by calling it; `run_jobs` has emptied the queue."""
    begun = []
    database = connection.settings_dict
    address = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"

    def begin():
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER],
                cwd=ROOT,
                env=os.environ
                | {"DJANGO_SETTINGS_MODULE": "backoffice.settings", "DATABASE_URL": address},
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def holder(transactional_db):
    """Another connection, to hold what the worker comes to."""
    holder = connection.copy()
    holder.set_autocommit(False)
    yield holder
    holder.close()


def run(statement, *values, on=connection):
    with on.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


def wait_until(condition):
    limit = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def is_held():
    return run("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != []


class Killed:
    """SIGKILL for the worker; another one finds its work, as if twenty seconds had passed."""

    def __init__(self, begin):
        self.begin = begin
        self.process = begin()

    def strike(self, holder):
        self.process.kill()
        self.process.wait()

    def recover(self, made):
        run("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
        self.process = self.begin()


class CutOff:
    """An end to all connections of the worker; it tries again, as if five seconds had passed."""

    def __init__(self, begin):
        begin()

    def strike(self, holder):
        ((own,),) = run("SELECT pg_backend_pid()", on=holder)
        run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> %s",
            own,
        )

    def recover(self, made):
        made.refresh_from_db()
        wait_until(lambda: made.job.refresh_from_db() or made.job.state == "WAITING")
        run("UPDATE procrastinate_jobs SET scheduled_at = NULL")


@pytest.mark.parametrize("fault", [Killed, CutOff])
def test_each_step_ends_as_if_nothing_had_happened(
    fault, worker, holder, project, staff_with, client, monkeypatch
):
    monkeypatch.setattr(uploading, "ROWS_AT_ONCE", 0)
    admin = staff_with(Role.ADMIN, project)
    web = PlatformFactory(project=project)
    UserFactory(platform=web, email="ada@example.com", last_name="Lovelace")
    client.force_login(admin)
    made = upload(
        file=io.BytesIO(FILE.encode()), name="x.csv", project=project, actor=admin, now=NOW
    )

    # The dry run: the file is read, the users are not compared yet.
    run("LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE", on=holder)
    made = match_columns(
        user_import=made,
        columns=made.columns,
        mode="update",
        platform=made.platform,
        sends_invitations=False,
        actor=admin,
        now=NOW,
    )
    blow = fault(worker)
    assert struck_while(blow, made, holder) == ("CHECKING", 0)
    assert in_the_end(made, "CHECKED") == (7, 1, 0, 1)

    # Applying: two batches are done for good, the third has begun.
    hold_ada(holder)
    confirm(user_import=made, actor=admin, now=NOW)
    assert struck_while(blow, made, holder, before=lambda: users_are(7)) == ("APPLYING", 8)
    assert in_the_end(made, "APPLIED") == (7, 1, 0, 1)
    assert User.objects.count() == 8
    assert User.objects.get(email="ada@example.com").version == 2
    assert AuditEvent.objects.filter(kind="users.user.created").count() == 7
    assert AuditEvent.objects.filter(kind="users.user.edited").count() == 1

    # Undoing, in the same batches.
    hold_ada(holder)
    take_back(user_import=made, actor=admin, now=made.applied_at)
    struck_while(blow, made, holder, before=lambda: users_are(2))
    in_the_end(made, "UNDONE")
    assert made.undone == {"removed": 7, "restored": 1, "kept": 0, "mails": 0}
    assert User.objects.get().last_name == "Lovelace"
    call_command("check_figures", verbosity=0)
    page = client.get(f"/users/import/{made.public_id}/").content.decode()
    assert "Removed: 7. Restored: 1." in page
    register = client.get("/jobs/").content.decode()
    assert "7 removed, 1 restored, 0 not undone" in register
    assert "7 new, 1 changed, 0 unchanged, 1 refused" in register


def hold_ada(holder):
    run("SELECT FROM users_user WHERE email = 'ada@example.com' FOR UPDATE", on=holder)


def users_are(number):
    return User.objects.count() == number


def counts(made):
    return (made.new, made.changed, made.unchanged, made.refused)


def struck_while(blow, made, holder, before=lambda: True):
    """Strike while the worker waits for the holder; return what the import's row says then."""
    wait_until(is_held)
    wait_until(before)
    blow.strike(holder)
    made.refresh_from_db()
    found = (made.state, made.done_to_line)
    holder.rollback()
    blow.recover(made)
    return found


def in_the_end(made, state):
    wait_until(lambda: UserImport.objects.filter(pk=made.pk, state=state, job__state="DONE"))
    made.refresh_from_db()
    return counts(made)
