"""The steps of an import that people take: upload, match the columns, confirm, undo."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import IO, Final

from django.conf import settings
from django.db import transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.jobs.actions import start
from backoffice.projects.models import Platform, Project
from backoffice.staff.models import StaffMember
from users.imports.applying import apply
from users.imports.checking import Silent, check
from users.imports.columns import IGNORE, ImportColumns, comparable
from users.imports.sources import PART_BYTES, keep, survey
from users.imports.undoing import undo
from users.models import ImportHeading, UserImport

State = UserImport.State

# An import of so many rows is over before a worker would have looked at it.
ROWS_AT_ONCE: Final = 2_000
LONGEST_FILE_NAME: Final = 200
STEPS: Final = {
    "users.check_import": check,
    "users.apply_import": apply,
    "users.undo_import": undo,
}


class NotThatFar(Exception):
    """The import is not in a state in which that can be done; nothing was changed."""


def upload(
    *, file: IO[bytes], name: str, project: Project, actor: StaffMember, now: datetime
) -> UserImport:
    """
    Keep the file and what it is; its columns are guessed.

    :raises Unreadable: if it is no table; nothing is kept.
    """
    found = survey(file)
    size, sha256 = _digest(file)
    columns = ImportColumns(project, now).guess(found.headings)
    with transaction.atomic():
        made = UserImport.objects.create(
            project=project,
            actor=actor,
            file_name=name[:LONGEST_FILE_NAME],
            file_bytes=size,
            sha256=sha256,
            encoding=found.form.encoding if found.form else "",
            separator=found.form.separator if found.form else "",
            headings=found.headings,
            columns=columns,
            rows=found.rows,
            platform=Platform.objects.filter(project=project).order_by("pk").first(),
            created_at=now,
            expires_at=now + timedelta(hours=settings.IMPORT_HOURS),
        )
        keep(made, file)
        record(
            AuditEvent.Kind.IMPORT_UPLOADED,
            actor=actor,
            now=now,
            project=project,
            target=made,
            data={"rows": found.rows, "bytes": size, "sha256": sha256},
        )
    return made


@transaction.atomic
def match_columns(
    *,
    user_import: UserImport,
    columns: Sequence[str],
    mode: str,
    platform: Platform | None,
    sends_invitations: bool,
    actor: StaffMember,
    now: datetime,
) -> UserImport:
    """
    Begin the dry run with these columns; what was matched by hand is remembered.

    :raises ColumnsRefused: if the columns cannot be matched so.
    :raises NotThatFar: if the import is past its dry run, or one is being made.
    """
    ImportColumns(user_import.project, now).check(columns)
    user_import = _held(user_import, State.UPLOADED, State.CHECKED)
    _remember(user_import, columns)
    user_import.columns = list(columns)
    user_import.mode = UserImport.Mode(mode)
    user_import.platform = platform
    user_import.sends_invitations = sends_invitations
    user_import.state = State.CHECKING
    user_import.save()
    return _go_on(user_import, "users.check_import", actor=actor, now=now)


@transaction.atomic
def confirm(*, user_import: UserImport, actor: StaffMember, now: datetime) -> UserImport:
    """
    Apply what the dry run showed, in the background if it is much.

    Confirmed twice, it happens once.

    :raises NotThatFar: if there is no dry run to confirm, or not any more.
    """
    user_import = _held(user_import, State.CHECKED, State.APPLYING, State.APPLIED)
    if user_import.state != State.CHECKED:
        return user_import
    user_import.state = State.APPLYING
    user_import.done_to_line = 0
    user_import.save()
    record(
        AuditEvent.Kind.IMPORT_CONFIRMED,
        actor=actor,
        now=now,
        project=user_import.project,
        target=user_import,
        data={
            "new": user_import.new,
            "changed": user_import.changed,
            "unchanged": user_import.unchanged,
            "refused": user_import.refused,
            "sha256": user_import.sha256,
        },
    )
    return _go_on(user_import, "users.apply_import", actor=actor, now=now)


@transaction.atomic
def take_back(*, user_import: UserImport, actor: StaffMember, now: datetime) -> UserImport:
    """
    Undo the import, in the background if it is much. Asked for twice, it happens once.

    :raises NotThatFar: if it was not applied, or too long ago.
    """
    user_import = _held(user_import, State.APPLIED, State.UNDOING, State.UNDONE)
    if user_import.state != State.APPLIED:
        return user_import
    if not may_be_undone(user_import, now):
        raise NotThatFar
    user_import.state = State.UNDOING
    user_import.done_to_line = 0
    user_import.undone = {"removed": 0, "restored": 0, "kept": 0, "mails": 0}
    user_import.save()
    return _go_on(user_import, "users.undo_import", actor=actor, now=now)


def may_be_undone(user_import: UserImport, now: datetime) -> bool:
    """Tell whether the import was applied recently enough, and its rows are still there."""
    return (
        user_import.state == State.APPLIED
        and user_import.forgotten_at is None
        and now < user_import.expires_at
    )


def _held(user_import: UserImport, *states: UserImport.State) -> UserImport:
    """Return the import locked, as it is now, if it is in one of the states."""
    held = (
        UserImport.objects.select_for_update(of=("self",))
        .select_related("project", "platform", "actor")
        .get(pk=user_import.pk)
    )
    if held.state not in states or (held.forgotten_at and held.state in states[:1]):
        raise NotThatFar
    return held


def _go_on(user_import: UserImport, step: str, *, actor: StaffMember, now: datetime) -> UserImport:
    """Take the step at once, in the transaction at hand, or have a job take it."""
    if user_import.rows <= ROWS_AT_ONCE:
        STEPS[step](user_import_id=user_import.pk, actor=actor, pulse=Silent(), now=now)
        user_import.refresh_from_db()
    else:
        user_import.job = start(
            step,
            project=user_import.project,
            actor=actor,
            arguments={"import": user_import.pk},
            now=now,
        )
        user_import.save(update_fields=["job"])
    return user_import


def _remember(user_import: UserImport, columns: Sequence[str]) -> None:
    """Keep what somebody matched by hand; never that a column is ignored."""
    known = ImportColumns(user_import.project, user_import.created_at)
    keys = [comparable(heading) for heading in user_import.headings]
    by_hand = {
        key: name
        for key, name in zip(keys, columns, strict=True)
        if name != IGNORE and known.may_be_remembered(key)
    }
    ImportHeading.objects.filter(project=user_import.project, heading__in=keys).delete()
    ImportHeading.objects.bulk_create(
        ImportHeading(project=user_import.project, heading=key, column=name)
        for key, name in by_hand.items()
    )


def _digest(file: IO[bytes]) -> tuple[int, str]:
    """Return the file's length in bytes and its SHA-256 in hex."""
    file.seek(0)
    size, made = 0, hashlib.sha256()
    while block := file.read(PART_BYTES):
        size += len(block)
        made.update(block)
    return size, made.hexdigest()
