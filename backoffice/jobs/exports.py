"""
The files of people: where they lie, how they come to be there, when they go.

A file that is being made is called *.part and is nobody's; it gets its name when it is whole and
on the disk, and its row says READY in the same transaction that leaves the audit line. Whatever
is in the folder without such a row is swept away.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext_noop

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.core.exports import MadeFile
from backoffice.core.permissions import Permission
from backoffice.core.sealing import SealBroken, seal, unseal
from backoffice.jobs.actions import start
from backoffice.jobs.mailing import post
from backoffice.jobs.models import Export, Job
from backoffice.jobs.running import KINDS, JobFailed, Running
from backoffice.projects.models import Project
from backoffice.staff.access import access_of
from backoffice.staff.models import StaffMember

PURPOSE: Final = "export"
KEPT: Final = timedelta(hours=24)
# A file in the making is touched all the time; an older one has lost its maker.
ABANDONED: Final = timedelta(hours=1)
FORGOTTEN: Final = gettext_noop("It was asked for too long ago: ask for the file anew.")
# The number under which deletions and the beginnings of files wait for each other.
_LOCK: Final = 7_302_611
_OWNER_ONLY: Final = 0o600

# Each of these counts against the files that a person may take in a day.
FILES_TAKEN: Final = (
    AuditEvent.Kind.USERS_EXPORTED,
    AuditEvent.Kind.CHART_EXPORTED,
    AuditEvent.Kind.VIEWING_EXPORTED,
    AuditEvent.Kind.PAYMENTS_EXPORTED,
)


def file_name(what: str, project_slug: str, today: date, extension: str = "csv") -> str:
    return f"{project_slug}-{what}-{today:%Y-%m-%d}.{extension}"


class Outdated(Exception):
    """A user was deleted while the file was made: what was read may still hold them."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks for: which file, over which rows."""

    what: str
    file_name: str
    query: str
    """The parameters of the address."""
    language: str
    """In which its words are written."""
    filter_words: Mapping[str, list[str]]


def folder() -> Path:
    path: Path = settings.DATA_DIR / "exports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


@transaction.atomic
def order_file(
    kind: str,
    order: Order,
    *,
    project: Project,
    actor: StaffMember,
    origin: str,
    now: datetime,
) -> Export:
    """
    Have a file made in the background; one that is being made already is not begun twice.

    :param kind: of the job that makes it.
    :param origin: "https://host", for the link in the mail.
    """
    # One order at a time of one person: the second of two clicks finds the first.
    StaffMember.objects.select_for_update(no_key=True).get(pk=actor.pk)
    waiting = Export.objects.in_states(Export.State.MAKING).filter(
        project=project, actor=actor, what=order.what, file_name=order.file_name
    )
    for known in waiting:
        if _unsealed(known) == order.query:
            return known
    made = Export.objects.create(
        project=project,
        actor=actor,
        what=order.what,
        file_name=order.file_name,
        state=Export.State.MAKING,
        filter_words=order.filter_words,
        sealed_query=seal(order.query, purpose=PURPOSE),
        origin=origin,
        created_at=now,
    )
    arguments = {"export": made.pk, "language": order.language}
    made.job = start(kind, project=project, actor=actor, arguments=arguments, now=now)
    made.save(update_fields=["job"])
    return made


def note_sent(
    order: Order,
    made: MadeFile,
    *,
    manifest: Mapping[str, Any],
    project: Project,
    actor: StaffMember,
    with_identity: bool,
    now: datetime,
) -> Export:
    """Note a file that is made and sent within its request."""
    return Export.objects.create(
        project=project,
        actor=actor,
        what=order.what,
        file_name=order.file_name,
        state=Export.State.SENT,
        filter_words=order.filter_words,
        manifest=manifest,
        with_identity=with_identity,
        rows=made.rows,
        size=made.size,
        sha256=made.sha256,
        created_at=now,
        made_at=now,
        fetched=1,
        last_fetched_at=now,
    )


def query_of(export: Export) -> str:
    """
    Return the parameters that were asked for.

    :raises JobFailed: if they are forgotten.
    """
    query = _unsealed(export)
    if query is None:
        raise JobFailed(FORGOTTEN)
    return query


def _unsealed(export: Export) -> str | None:
    try:
        return unseal(export.sealed_query, purpose=PURPOSE) if export.sealed_query else None
    except SealBroken:
        return None


def making_since(since: datetime, *, actor: StaffMember, project: Project) -> int:
    """Return how many files of the person, asked for since then, are still being made."""
    making = Export.objects.in_states(Export.State.MAKING)
    return making.filter(project=project, actor=actor, created_at__gte=since).count()


def manifest_link(export: Export) -> str:
    """Return the header Link of a file: where its manifest is."""
    return f'<{reverse("jobs:export-manifest", args=[export.pk])}>; rel="describedby"'


# --- Making ----------------------------------------------------------------------------------


@transaction.atomic
def begin(export: Export) -> int:
    """
    Return how often the file was outdated, before its rows are read.

    Waits for deletions that did not know of it: what is read afterwards has seen their end.
    """
    _lock_deletions(export.project_id, "pg_advisory_xact_lock")
    return Export.objects.values_list("outdated", flat=True).get(pk=export.pk)


def _lock_deletions(project_id: int, function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s::int)", [_LOCK, project_id])


@contextlib.contextmanager
def new_file(extension: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """Give a file for the owner's eyes; it is removed unless it was given its name."""
    path = folder() / f"{secrets.token_hex(16)}.{extension}.part"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def keep(
    export: Export,
    path: Path,
    made: MadeFile,
    *,
    running: Running,
    begun: int,
    manifest: Mapping[str, Any],
    audit: Mapping[str, Any],
    audit_kind: AuditEvent.Kind,
    with_identity: bool,
) -> None:
    """
    Give a whole file its name, and say so in its row, in the trail and in a mail: all or none.

    :param begun: what `begin` gave before its first row was read.
    :raises Outdated: if a user was deleted since.
    """
    os.fsync(made.file.fileno())
    final = path.with_suffix("")
    try:
        with transaction.atomic():
            _check_current(export, begun)
            path.rename(final)
            _sync_folder()
            now = running.now()
            Export.objects.filter(pk=export.pk).update(
                state=Export.State.READY,
                rows=made.rows,
                size=made.size,
                sha256=made.sha256,
                stored_name=final.name,
                manifest=manifest,
                with_identity=with_identity,
                sealed_query="",
                made_at=now,
                expires_at=now + KEPT,
            )
            record(
                audit_kind,
                actor=running.recorded_actor,
                now=now,
                project=export.project,
                data=dict(audit) | {"rows": made.rows, "sha256": made.sha256},
            )
            _tell(export, now)
            running.fence()
    except BaseException:
        final.unlink(missing_ok=True)
        raise


def _check_current(export: Export, begun: int) -> None:
    if Export.objects.select_for_update().get(pk=export.pk).outdated != begun:
        raise Outdated


def _sync_folder() -> None:
    """Have the disk remember the name, too."""
    descriptor = os.open(folder(), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tell(export: Export, now: datetime) -> None:
    post(
        "export_ready",
        project=export.project,
        email=export.actor.email,
        language=export.actor.language,
        values={"url": f"{export.origin}{reverse('jobs:export', args=[export.pk])}"},
        now=now,
    )


# --- Fetching --------------------------------------------------------------------------------


def opened(export: Export) -> IO[bytes] | None:
    """Return the file, open; `None` if it is not there as it was made."""
    try:
        file = (folder() / export.stored_name).open("rb")
    except OSError:
        return None
    if os.fstat(file.fileno()).st_size != export.size:
        file.close()
        return None
    return file


@transaction.atomic
def note_fetched(export: Export, *, actor: StaffMember, now: datetime) -> None:
    """Record that its owner takes the file."""
    locked = Export.objects.select_for_update().get(pk=export.pk)
    Export.objects.filter(pk=export.pk).update(fetched=locked.fetched + 1, last_fetched_at=now)
    record(
        AuditEvent.Kind.EXPORT_FETCHED,
        actor=actor,
        now=now,
        project=export.project,
        target=export,
        data={"file": export.what, "rows": export.rows, "sha256": export.sha256},
    )


def may_hold(export: Export) -> bool:
    """Return whether its owner's roles still allow to hold the file."""
    held = access_of(export.actor).permissions_on(export.project)
    kind = KINDS.get(export.job.kind) if export.job else None
    if export.with_identity and Permission.USERS_SEE_IDENTITY not in held:
        return False
    return kind is not None and kind.needs <= held


# --- Going -----------------------------------------------------------------------------------


@transaction.atomic
def forget_files(*, project: Project) -> int:
    """
    Remove every file of the project; return how many there were. Those being made begin anew.

    To be called in the transaction that deletes users: any of the files may hold them.
    """
    # Until this transaction ends, no file begins that would not see what it deletes.
    _lock_deletions(project.pk, "pg_advisory_xact_lock_shared")
    making = Export.objects.filter(project=project, state=Export.State.MAKING)
    making.update(outdated=F("outdated") + 1)
    ready = Export.objects.select_for_update().filter(project=project, state=Export.State.READY)
    return sum(_remove(export, Export.Gone.USER_DELETED) for export in ready)


def clear_files(*, now: datetime) -> None:
    """Remove what has expired, what its owner may not hold any more, and what is nobody's."""
    with transaction.atomic():
        ready = Export.objects.filter(state=Export.State.READY)
        ready = ready.select_related("actor", "project", "job")
        for export in ready.select_for_update(of=("self",)):
            if export.expires_at and export.expires_at <= now:
                _remove(export, Export.Gone.EXPIRED)
            elif not may_hold(export):
                _remove(export, Export.Gone.ROLE_LOST)
        # What failed or was stopped can be begun again for a day; then its filter goes, too.
        old = Export.objects.filter(state=Export.State.MAKING, created_at__lt=now - KEPT)
        old.exclude(job__state__in=Job.UNFINISHED).update(
            state=Export.State.GONE, gone=Export.Gone.EXPIRED, sealed_query=""
        )
    _sweep(now)


def _remove(export: Export, why: Export.Gone) -> int:
    """Take the file off its row, and off the disk once that is stored."""
    Export.objects.filter(pk=export.pk).update(
        state=Export.State.GONE, gone=why, stored_name="", sealed_query=""
    )
    path = folder() / export.stored_name
    transaction.on_commit(lambda: path.unlink(missing_ok=True))
    return 1


def _sweep(now: datetime) -> None:
    """Remove files without a row: of makers that died, and of removals that were cut off."""
    known = set(
        Export.objects.filter(state=Export.State.READY).values_list("stored_name", flat=True)
    )
    for path in folder().iterdir():
        with contextlib.suppress(FileNotFoundError):
            age = now.timestamp() - path.stat().st_mtime
            if path.name not in known and age > ABANDONED.total_seconds():
                path.unlink()
