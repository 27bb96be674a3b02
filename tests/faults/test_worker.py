"""The worker process, killed, cut off from the database and told to stop in the middle of work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from backoffice.jobs.actions import start
from backoffice.jobs.models import Job
from backoffice.jobs.running import KINDS, Kind
from tests.conftest import NOW

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]

# A worker that knows one more kind of job: one that goes on until a file lets it end.
WORKER = """
import sys, time
from pathlib import Path
import django
django.setup()
from backoffice.jobs.running import job
from backoffice.jobs.worker import run_worker

@job("test.wait", label="Wait")
def wait(running):
    while not Path(sys.argv[1]).exists():
        running.progress(done=1)
        time.sleep(0.05)
    return {"attempt": running.attempt}

run_worker()
"""


@pytest.fixture
def asked(run_jobs, project):
    """Ask for one job; the fixture `run_jobs` has emptied the queue."""
    KINDS["test.wait"] = Kind("test.wait", "Wait", dict, None)
    yield start("test.wait", project=project, actor=None, arguments={}, now=NOW)
    KINDS.pop("test.wait")


@pytest.fixture
def begin(tmp_path):
    """Start workers; those left are killed in the end."""
    begun = []
    name = connection.settings_dict["NAME"]
    address = f"postgresql://{connection.settings_dict['USER']}@/{name}"

    def make():
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(tmp_path / "go")],
                cwd=ROOT,
                env=os.environ
                | {
                    "DJANGO_SETTINGS_MODULE": "backoffice.settings",
                    "DATABASE_URL": f"{address}?host={connection.settings_dict['HOST']}",
                },
            )
        )
        return begun[-1]

    yield make
    for worker in begun:
        worker.kill()
        worker.wait()


def wait_for(job, state):
    # Longer than a silent worker is waited for before another takes over its job, and than until
    # the next full minute, when a worker whose periodic job was cut off too notices.
    limit = time.monotonic() + 240
    while Job.objects.values_list("state", flat=True).get(pk=job.pk) != state:
        assert time.monotonic() < limit
        time.sleep(0.05)


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_a_killed_worker_left_is_done_by_another(asked, begin, tmp_path):
    killed = begin()
    wait_for(asked, "RUNNING")

    killed.kill()
    killed.wait()
    # As if the twenty seconds of its silence had passed.
    run("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    (tmp_path / "go").touch()
    begin()
    wait_for(asked, "DONE")

    asked.refresh_from_db()
    assert (asked.result, asked.lives) == ({"attempt": 2}, 1)


def test_a_worker_told_to_stop_puts_its_work_back_and_ends_at_once(asked, begin):
    worker = begin()
    wait_for(asked, "RUNNING")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=30) == 0
    asked.refresh_from_db()
    assert (asked.state, asked.lives) == ("WAITING", 3)


def test_a_worker_cut_off_from_the_database_comes_back(asked, begin, tmp_path):
    worker = begin()
    wait_for(asked, "RUNNING")

    # All its connections, those of its jobs included.
    run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    wait_for(asked, "WAITING")
    (tmp_path / "go").touch()
    # As if the five seconds until the next try had passed.
    run("UPDATE procrastinate_jobs SET scheduled_at = NULL")
    wait_for(asked, "DONE")

    assert worker.poll() is None
    asked.refresh_from_db()
    assert asked.result == {"attempt": 2}
