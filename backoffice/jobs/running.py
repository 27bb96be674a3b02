"""
What a job is to those who write one: `@job`, and the `Running` that it is given.

    @job("users.delete", label=_("Delete users"), permission=Permission.USERS_DELETE)
    def delete_users(running: Running) -> dict[str, Any]: ...

stands in an app's `tasks.py` and returns counts and ids, without personal data. A job that was
cut off is begun again from the start: what it did before must do no harm when done again.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django_stubs_ext import StrOrPromise

from backoffice.audit.recording import SYSTEM, Actor
from backoffice.core.permissions import Permission
from backoffice.jobs.models import Job
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember


class Cancelled(Exception):
    """Somebody asked this job to stop."""


class Interrupted(Exception):
    """The worker is being stopped: another one begins this job again."""


class Superseded(Exception):
    """This run was taken for dead and another one has begun: it may change nothing more."""


class JobFailed(Exception):
    """
    A job cannot go on; the message says why, and what to do.

    :param message: marked with `gettext_noop`; translated for each reader.
    :param facts: what the message names, without personal data.
    """

    def __init__(self, message: str, **facts: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job."""

    name: str
    label: StrOrPromise
    function: Callable[["Running"], dict[str, Any]]
    needs: frozenset[Permission]
    """What its actor must still be allowed to do when it runs."""
    address: Callable[[Job], str] | None = None
    """Where what comes out of it is found; the job's own page leads there."""
    outcome: Callable[[Mapping[str, Any]], str] | None = None
    """What the result says in words, in the reader's language."""


KINDS: Final[dict[str, Kind]] = {}

# Set when the worker is told to stop; each job learns of it at its next progress.
stopping = threading.Event()


Function = Callable[["Running"], dict[str, Any]]


def job(
    name: str,
    *,
    label: StrOrPromise,
    permission: Permission | None = None,
    also: Permission | None = None,
    address: Callable[[Job], str] | None = None,
    outcome: Callable[[Mapping[str, Any]], str] | None = None,
) -> Callable[[Function], Function]:
    """
    Register the function as the work of a kind of job, named "<app>.<verb>".

    :param permission: what its actor must still be allowed to do when it runs.
    :param also: what else.
    :param address: where what comes out of the job is found, if it has a page of its own.
    :param outcome: what the result says in words.
    """

    needs = frozenset(one for one in (permission, also) if one)

    def register(function: Function) -> Function:
        KINDS[name] = Kind(name, label, function, needs, address, outcome)
        return function

    return register


_PROGRESS_SQL: Final = """
    UPDATE jobs_job SET done = %s, total = %s
    WHERE id = %s AND attempt = %s AND state = 'RUNNING'
    RETURNING cancel_requested_at IS NOT NULL
"""


@dataclass(slots=True)
class Running(AbstractContextManager["Running"]):
    """One run of a job, and its way to tell how far it is."""

    job_id: int
    attempt: int
    project: Project
    actor: StaffMember | None
    arguments: Mapping[str, Any]
    _beside: BaseDatabaseWrapper | None = field(default=None, init=False)

    @property
    def recorded_actor(self) -> Actor:
        """Who the audit trail names: the actor, or the system."""
        return self.actor or SYSTEM

    def now(self) -> datetime:
        return timezone.now()

    def progress(self, *, done: int, total: int | None = None) -> None:
        """
        Store how far it is, at once, whatever transaction is open.

        To be called about once a second: it is also where a job learns that it should stop.

        :raises Cancelled: if somebody asked for that.
        :raises Interrupted: if the worker is being stopped.
        :raises Superseded: if another run has begun.
        """
        if self._beside is None:
            # Another connection: within the job's own transaction nobody would see the row.
            self._beside = connections.create_connection(DEFAULT_DB_ALIAS)
        with self._beside.cursor() as cursor:
            cursor.execute(_PROGRESS_SQL, [done, total, self.job_id, self.attempt])
            row = cursor.fetchone()
        if row is None:
            raise Superseded
        if row[0]:
            raise Cancelled
        if stopping.is_set():
            raise Interrupted

    def fence(self) -> None:
        """
        Make sure, within the transaction of a change, that this run still counts until it ends.

        To be called last: it holds the job's row, which `progress` writes.

        :raises Superseded: if another run has begun.
        """
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError("fence() belongs into a transaction.")
        held = Job.objects.select_for_update().filter(
            pk=self.job_id, attempt=self.attempt, state=Job.State.RUNNING
        )
        if not held.values_list("pk", flat=True):
            raise Superseded

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._beside is not None:
            self._beside.close()
            self._beside = None
