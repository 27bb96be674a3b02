"""Jobs, run by a real worker over the real database: their ends, and who may end them."""

import pytest
from django.db import connection, transaction

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Permission, Role
from backoffice.jobs import running as running_module
from backoffice.jobs.actions import (
    JobRefused,
    cancel,
    forget_users_in_jobs,
    retry,
    start,
)
from backoffice.jobs.models import Job
from backoffice.jobs.running import KINDS, Interrupted, JobFailed, Kind, Superseded
from tests.conftest import NOW


@pytest.fixture
def kind():
    """Register the work of a kind of job of this test alone."""

    def make(function, *needs):
        KINDS["test.work"] = Kind("test.work", "Work", function, frozenset(needs))

    yield make
    KINDS.pop("test.work", None)


def ask(project, actor=None, **arguments):
    return start("test.work", project=project, actor=actor, arguments=arguments, now=NOW)


def idle(running):
    return {}


def ask_in_vain(project):
    with transaction.atomic():
        ask(project, depth=0)
        raise ZeroDivisionError


def hurry():
    """Let what is to be tried again in a while be tried now."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")


def test_a_job_runs_and_keeps_its_result_but_not_its_arguments(run_jobs, kind, project):
    def work(running):
        running.progress(done=1, total=2)
        return {"users": len(running.arguments["user_ids"]), "in": running.project.slug}

    kind(work)
    job = ask(project, user_ids=[7, 8])

    run_jobs()

    job.refresh_from_db()
    assert (job.state, job.result, job.arguments) == ("DONE", {"users": 2, "in": "north"}, {})
    assert (job.done, job.total, job.attempt) == (1, 2, 1)
    assert job.finished_at >= job.started_at


def test_a_job_asked_for_in_a_transaction_that_fails_never_was(run_jobs, kind, project):
    calls = []
    kind(lambda running: calls.append(running) or {})

    with pytest.raises(ZeroDivisionError):
        ask_in_vain(project)
    run_jobs()

    assert calls == []
    assert Job.objects.count() == 0


def test_a_job_may_ask_for_another_within_its_own_transaction(run_jobs, kind, project):
    def work(running):
        if running.arguments["depth"]:
            with transaction.atomic():
                ask(running.project, depth=0)
            with pytest.raises(ZeroDivisionError):
                ask_in_vain(running.project)
        return {}

    kind(work)
    ask(project, depth=1)

    run_jobs()

    assert list(Job.objects.values_list("state", flat=True)) == ["DONE", "DONE"]


def test_progress_is_seen_while_the_jobs_own_transaction_is_open(run_jobs, kind, project):
    seen = []

    def work(running):
        with transaction.atomic():
            running.progress(done=3, total=9)
            seen.append(Job.objects.values_list("done", "total", "state").get(pk=running.job_id))
        return {}

    kind(work)
    ask(project)

    run_jobs()

    assert seen == [(3, 9, "RUNNING")]


def test_the_audit_trail_names_who_asked_and_the_request(run_jobs, kind, project, staff_with):
    kind(idle)
    owner = staff_with(Role.OWNER)

    job = ask(project, owner)

    event = AuditEvent.objects.get()
    assert (event.kind, event.actor_id, event.target_id) == (
        "jobs.job.started",
        owner.pk,
        str(job.pk),
    )
    assert event.request_id == job.request_id != ""


def test_one_that_waits_stops_at_once_and_never_runs(run_jobs, kind, project, staff_with):
    calls = []
    kind(lambda running: calls.append(running) or {})
    job = ask(project)

    cancelled = cancel(job=job, actor=staff_with(Role.OWNER), now=NOW)
    run_jobs()

    assert (cancelled.state, cancelled.finished_at, calls) == ("CANCELLED", NOW, [])
    with pytest.raises(JobRefused):
        cancel(job=job, actor=staff_with(Role.ADMIN), now=NOW)


def test_one_that_runs_stops_at_its_next_step(run_jobs, kind, project, staff_with):
    owner = staff_with(Role.OWNER)

    def work(running):
        cancel(job=Job.objects.get(pk=running.job_id), actor=owner, now=NOW)
        running.progress(done=1)
        raise AssertionError

    kind(work)
    job = ask(project)

    run_jobs()

    job.refresh_from_db()
    assert job.state == "CANCELLED"


def test_a_foreseen_failure_is_told_in_words_and_can_be_started_again(
    run_jobs, kind, project, staff_with
):
    outcomes = [JobFailed("Line %(line)s is broken.", line=3), None]

    def work(running):
        if problem := outcomes.pop(0):
            raise problem
        return {"fine": 1}

    kind(work)
    job = ask(project, file=4)

    run_jobs()
    job.refresh_from_db()
    assert (job.state, job.failure_said) == ("FAILED", "Line 3 is broken.")

    retry(job=job, actor=staff_with(Role.OWNER), now=NOW)
    run_jobs()
    job.refresh_from_db()
    assert (job.state, job.failure_said, job.result, job.attempt) == ("DONE", "", {"fine": 1}, 2)
    with pytest.raises(JobRefused):
        retry(job=job, actor=staff_with(Role.ADMIN), now=NOW)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("secret"), "Something went wrong that nobody foresaw; it was logged."),
        (OSError(28, "full"), "The disk is full. Start it again when there is room."),
    ],
)
def test_an_unforeseen_failure_is_told_without_its_own_words(run_jobs, kind, project, error, said):
    def work(running):
        raise error

    kind(work)
    job = ask(project)

    run_jobs()

    job.refresh_from_db()
    assert (job.state, job.failure_said) == ("FAILED", said)


def test_a_role_that_is_gone_ends_the_job_before_it_begins(run_jobs, kind, project, staff_with):
    calls = []
    kind(lambda running: calls.append(running) or {}, Permission.USERS_EXPORT)
    analyst = staff_with(Role.ANALYST, project)
    job = ask(project, analyst)

    analyst.roles.all().delete()
    run_jobs()

    job.refresh_from_db()
    assert (job.state, calls) == ("FAILED", [])
    assert job.failure_said == "The role of who asked for it does not allow it any more."


def test_a_database_that_cuts_the_job_off_is_forgiven_until_the_lives_are_spent(
    run_jobs, kind, project
):
    def work(running):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    kind(work)
    job = ask(project)

    run_jobs()
    job.refresh_from_db()
    assert (job.state, job.lives) == ("WAITING", 2)

    for _ in range(2):
        hurry()
        run_jobs()
    job.refresh_from_db()
    assert (job.state, job.lives) == ("FAILED", 0)
    assert job.failure_said == "The database was away, several times. Start it again."


def test_a_run_taken_for_dead_can_change_nothing_more(run_jobs, kind, project):
    told = []

    def work(running):
        # Another worker begins the job again, as if this one had not been heard of.
        Job.objects.filter(pk=running.job_id).update(attempt=running.attempt + 1)
        with pytest.raises(Superseded):
            running.progress(done=1)
        with pytest.raises(Superseded), transaction.atomic():
            running.fence()
        told.append("held off")
        return {"late": True}

    kind(work)
    job = ask(project)

    run_jobs()

    job.refresh_from_db()
    assert told == ["held off"]
    assert (job.state, job.result) == ("RUNNING", {})


def test_a_worker_told_to_stop_puts_its_job_back_unharmed(run_jobs, kind, project):
    def work(running):
        running_module.stopping.set()
        with pytest.raises(Interrupted):
            running.progress(done=1)
        raise Interrupted

    kind(work)
    job = ask(project)

    run_jobs()

    job.refresh_from_db()
    assert (job.state, job.lives, job.finished_at) == ("WAITING", 3, None)


def test_users_are_forgotten_in_jobs_that_are_not_at_work(kind, project, transactional_db):
    kind(idle)
    failed, at_work = ask(project, user_ids=[1, 2]), ask(project, user_ids=[1, 2])
    Job.objects.filter(pk=failed.pk).update(state="FAILED", finished_at=NOW)
    Job.objects.filter(pk=at_work.pk).update(state="RUNNING")

    forget_users_in_jobs([1])

    failed.refresh_from_db()
    at_work.refresh_from_db()
    assert failed.arguments == {"user_ids": [2]}
    assert at_work.arguments == {"user_ids": [1, 2]}
