"""How a worker runs one job: takes it, calls its function, writes down how it ended."""

import errno
import logging
from typing import Any

from django.db import Error as DatabaseProblem
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext_noop

from backoffice.core.logs import set_request_id
from backoffice.jobs.models import Job
from backoffice.jobs.running import (
    KINDS,
    Cancelled,
    Interrupted,
    JobFailed,
    Running,
    Superseded,
)
from backoffice.staff.access import access_of

logger = logging.getLogger(__name__)

# A job reads and writes more at once than a page may.
STATEMENT_TIMEOUT = "10min"

DIED = gettext_noop("Its worker ended in the middle, several times. Start it again.")
NO_DATABASE = gettext_noop("The database was away, several times. Start it again.")
NO_ROOM = gettext_noop("The disk is full. Start it again when there is room.")
NOT_ALLOWED = gettext_noop("The role of who asked for it does not allow it any more.")
UNKNOWN_KIND = gettext_noop("This version of the product does not know this kind of work.")
TOO_LONG = gettext_noop("The database took too long over it. Ask for less at once.")
UNEXPECTED = gettext_noop("Something went wrong that nobody foresaw; it was logged.")


class TryAgain(Exception):
    """The job could not be finished now, through no fault of its own."""


def execute(*, job_id: int) -> None:
    """
    Run a job that waits, or whose worker died, and store how it ended.

    :raises TryAgain: if it is to be begun again in a while.
    """
    try:
        job = _take(job_id)
        if job is None:
            return
        set_request_id(job.request_id)
        end = _run(job)
        # Whatever the job did to its connection, the end is written on a new one.
        connection.close()
        _store(job, end)
    except DatabaseProblem as error:
        # The row says "running" still; the next run counts as another life of it.
        logger.exception("A job lost the database.", extra={"job": job_id})
        raise TryAgain from error
    finally:
        set_request_id("")
    if end["state"] == Job.State.WAITING:
        raise TryAgain


def _run(job: Job) -> dict[str, Any]:
    """Call the job's function; return what is to be written into its row."""
    running = Running(job.pk, job.attempt, job.project, job.actor, job.arguments)
    language = job.actor.language if job.actor else ""
    try:
        with translation.override(language or "en"), running:
            _allow_long_statements()
            result = KINDS[job.kind].function(running)
    except Cancelled:
        return _end(Job.State.CANCELLED)
    except Superseded:
        logger.warning("A job goes on elsewhere.", extra={"job": job.pk})
        return _end(Job.State.CANCELLED)
    except Interrupted:
        return {"state": Job.State.WAITING, "lives": job.lives + 1}
    except JobFailed as failed:
        return _end(Job.State.FAILED, failure=failed.message, failure_facts=failed.facts)
    except Exception as error:
        logger.exception("A job failed.", extra={"job": job.pk, "kind": job.kind})
        return _after(error, job)
    # Nobody needs the arguments any more, and keys of users are not kept without need.
    return _end(Job.State.DONE, result=result, arguments={})


def _allow_long_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [STATEMENT_TIMEOUT])


def _after(error: Exception, job: Job) -> dict[str, Any]:
    """Return what follows from an error that the job did not foresee."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _end(Job.State.FAILED, failure=NO_ROOM)
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "53100":  # disk_full
        return _end(Job.State.FAILED, failure=NO_ROOM)
    if state == "57014":  # query_canceled
        return _end(Job.State.FAILED, failure=TOO_LONG)
    if isinstance(error, OperationalError | InterfaceError):
        if job.lives:
            return {"state": Job.State.WAITING}
        return _end(Job.State.FAILED, failure=NO_DATABASE)
    return _end(Job.State.FAILED, failure=UNEXPECTED)


def _end(state: Job.State, **changes: Any) -> dict[str, Any]:
    return {"state": state, "finished_at": timezone.now()} | changes


def _store(job: Job, changes: dict[str, Any]) -> None:
    """Write into the row, if this run is still the one that counts."""
    Job.objects.filter(pk=job.pk, attempt=job.attempt, state=Job.State.RUNNING).update(**changes)


@transaction.atomic
def _take(job_id: int) -> Job | None:
    """Return the job, now ours to run; `None`, with its end stored, for one that cannot be."""
    job = (
        Job.objects.select_for_update(of=("self",))
        .select_related("project", "actor")
        .filter(pk=job_id, state__in=Job.UNFINISHED)
        .first()
    )
    if job is None:
        return None
    job.attempt += 1
    job.state = Job.State.RUNNING
    job.started_at = timezone.now()
    job.done, job.total = 0, None
    problem = _problem(job)
    end = None
    if job.cancel_requested_at:
        end = _end(Job.State.CANCELLED)
    elif problem:
        end = _end(Job.State.FAILED, failure=problem)
    else:
        job.lives -= 1
    job.save()
    if end:
        _store(job, end)
    return None if end else job


def _problem(job: Job) -> str:
    """Return why the job cannot be begun; empty if it can."""
    kind = KINDS.get(job.kind)
    if kind is None:
        return UNKNOWN_KIND
    if job.actor and not kind.needs <= access_of(job.actor).permissions_on(job.project):
        return NOT_ALLOWED
    return "" if job.lives else DIED
