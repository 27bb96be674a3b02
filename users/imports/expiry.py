"""When the personal data of imports goes: in time, and when a user in it is deleted."""

import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower

from backoffice.audit.recording import SYSTEM
from backoffice.core.text import fold
from users.imports.applying import record_applied
from users.imports.checking import counts_of
from users.imports.columns import IGNORE, ImportColumns, comparable
from users.imports.undoing import record_undone
from users.models import ImportHeading, ImportPart, ImportRow, User, UserImport

State = UserImport.State


# What an import that stopped in the middle did not come to any more.
LEFT: Final = """
    SELECT count(*) FILTER (WHERE verdict = 1), count(*) FILTER (WHERE verdict = 2)
    FROM users_importrow
    WHERE user_import_id = %(import)s AND verdict IN (1, 2) AND line > %(after)s
"""


def expire_imports(*, now: datetime) -> int:
    """Remove files and rows of imports whose time is over and none is at work; return how many."""
    due = UserImport.objects.filter(forgotten_at=None, expires_at__lte=now)
    return sum(_expire(pk, now) for pk in due.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _expire(pk: int, now: datetime) -> bool:
    user_import = (
        UserImport.objects.select_for_update(of=("self",))
        .select_related("project", "job")
        .get(pk=pk)
    )
    if user_import.forgotten_at or user_import.expires_at > now:
        return False
    if user_import.state in UserImport.AT_WORK:
        if user_import.job is not None and not user_import.job.is_finished:
            return False
        _end_early(user_import, now)
    elif user_import.state in UserImport.WAITING_FOR_SOMEBODY:
        user_import.state = State.EXPIRED
    _empty(user_import, now)
    return True


def _end_early(user_import: UserImport, now: datetime) -> None:
    """Give an import that stopped in the middle, and that nobody had go on, its end."""
    if user_import.state == State.CHECKING:
        user_import.state = State.EXPIRED
        return
    with connection.cursor() as cursor:
        cursor.execute(LEFT, {"import": user_import.pk, "after": user_import.done_to_line})
        new, changed = cursor.fetchone()
    if user_import.state == State.APPLYING:
        counts = counts_of(user_import)
        user_import.new, user_import.changed = counts[0] - new, counts[1] - changed
        user_import.refused_late = counts[3] + new + changed - user_import.refused
        user_import.refused += user_import.refused_late
        user_import.state, user_import.applied_at = State.APPLIED, now
        record_applied(user_import, SYSTEM, now)
    else:
        user_import.undone["kept"] += new + changed
        user_import.state, user_import.undone_at = State.UNDONE, now
        record_undone(user_import, SYSTEM, now)


def _empty(user_import: UserImport, now: datetime) -> None:
    """Remove all that may be personal; the counts stay."""
    ImportPart.objects.filter(user_import=user_import).delete()
    ImportRow.objects.filter(user_import=user_import).delete()
    user_import.file_name = ""
    user_import.headings = []
    user_import.columns = []
    user_import.forgotten_at = now
    user_import.save()


# A row is about a user if it found or made them, or has their address; a refused one may have it
# anywhere, beside other words. Nothing is indexed for this question, because every import would
# pay for that: the rows of the imports of a day are read once, whatever the number of users, by as
# many processes as the database gives.
ABOUT: Final = """
    SELECT user_import_id, line FROM users_importrow AS r
    WHERE user_import_id = ANY (%(imports)s) AND (
        user_key = ANY (%(keys)s) OR public_id = ANY (%(public_ids)s)
        OR lower(btrim(email)) = ANY (%(emails)s)
        OR verdict = 4 AND EXISTS (
            SELECT FROM unnest(%(emails)s::text[]) AS e WHERE strpos(lower(r::text), e) > 0
        )
    )
"""

# By whatever verdict: one that is applied meanwhile may be refused now.
BLANK: Final = """
    UPDATE users_importrow AS r
    SET email = '', first_name = '', last_name = '', language = '', country = '', custom = NULL,
        before = NULL, version = NULL, user_key = NULL, public_id = NULL,
        reasons = CASE WHEN reasons IS NULL THEN NULL ELSE '[]'::jsonb END
    FROM unnest(%(found)s::bigint[], %(lines)s::integer[]) AS found (user_import_id, line)
    WHERE r.user_import_id = found.user_import_id AND r.line = found.line
      AND r.verdict IN (1, 2, 3, 4)
"""


@transaction.atomic
def forget_in_imports(user_ids: Collection[int], *, now: datetime) -> None:
    """
    Remove what imports hold about these users. Called by their deletion, while they have a name.

    Files go whole: those with a row about one of the users, and those of which nobody can tell,
    because they were not checked yet or have columns that were ignored. Rows about the users are
    emptied; the verdicts stay, and the users can no more be restored by undoing. One reading of
    the rows of the day's imports.
    """
    users = User.objects.filter(pk__in=user_ids)
    named = _naming(users)
    _forget_headings(users, named)
    live = UserImport.objects.filter(project__in=users.values("project"), forgotten_at=None)
    if not live.exists():
        return
    _forget_unread(live, now)
    _forget_words(live, named, now)
    names = list(users.values_list("pk", "public_id", Lower("email")))
    with connection.cursor() as cursor:
        cursor.execute(
            ABOUT,
            {
                "imports": list(live.values_list("pk", flat=True)),
                "keys": [key for key, _public_id, _email in names],
                "public_ids": [public_id for _key, public_id, _email in names],
                "emails": [email for _key, _public_id, email in names if email],
            },
        )
        found = cursor.fetchall()
        if found:
            imports, lines = map(list, zip(*found, strict=True))
            cursor.execute(BLANK, {"found": imports, "lines": lines})
            ImportPart.objects.filter(user_import__in=set(imports)).delete()


def _forget_unread(live: QuerySet[UserImport], now: datetime) -> None:
    """
    Remove the files that nobody has read to their end, because nobody can tell who is in them.

    A dry run that is at work on one finds that out at its end (`checking.check`), and is not
    waited for; one whose end came first is waited for, so that its rows are seen afterwards.
    """
    unread = live.filter(state__in=(State.UPLOADED, State.CHECKING))
    ImportPart.objects.filter(user_import__in=list(unread.values_list("pk", flat=True))).delete()
    waiting = live.filter(state=State.UPLOADED).select_for_update(skip_locked=True)
    for user_import in waiting.order_by("pk"):
        user_import.state = State.REFUSED
        user_import.refusal = {"code": "forgotten"}
        _empty(user_import, now)


def _forget_headings(users: QuerySet[User], named: Callable[[str], bool]) -> None:
    """Remove headings that name one of the users: a file may begin with its first row."""
    kept = ImportHeading.objects.filter(project__in=users.values("project"))
    found = [pk for pk, heading in kept.values_list("pk", "heading") if named(heading)]
    ImportHeading.objects.filter(pk__in=found).delete()


def _forget_words(live: QuerySet[UserImport], named: Callable[[str], bool], now: datetime) -> None:
    """
    Remove what names one of the users in file names and headings, and files unread in part.

    An import that is at work at this moment may wait for one of the users: it is not waited for,
    and keeps its words until its time is over.
    """
    columns_of: dict[int, ImportColumns] = {}
    for user_import in live.select_related("project").order_by("pk"):
        project = user_import.project
        columns = columns_of.setdefault(project.pk, ImportColumns(project, now))
        # A declared heading names nobody, though somebody may be called "Name".
        headings = [
            "" if named(heading) and comparable(heading) not in columns.meanings else heading
            for heading in user_import.headings
        ]
        file_name = "" if named(user_import.file_name) else user_import.file_name
        if headings != user_import.headings or _was_read_in_part(user_import, columns):
            ImportPart.objects.filter(user_import=user_import).delete()
        if (headings, file_name) != (user_import.headings, user_import.file_name):
            for held in live.filter(pk=user_import.pk).select_for_update(skip_locked=True):
                held.headings, held.file_name = headings, file_name
                held.save(update_fields=["headings", "file_name"])


def _was_read_in_part(user_import: UserImport, columns: ImportColumns) -> bool:
    """Return whether a column was ignored of which nobody knows what it holds."""
    return any(
        column == IGNORE and columns.meanings.get(comparable(heading)) != IGNORE
        for heading, column in zip(user_import.headings, user_import.columns, strict=True)
    )


def _naming(users: QuerySet[User]) -> Callable[[str], bool]:
    """Return what tells whether a text has the address or a name of one of the users in it."""
    names = users.values_list("email", "first_name", "last_name")
    phrases = {_phrase(name) for of_one in names for name in of_one if _phrase(name).strip()}

    def is_named(text: str) -> bool:
        within = _phrase(text)
        return any(phrase in within for phrase in phrases)

    return is_named


def _phrase(text: str) -> str:
    """Return the words of a text without case and accents, between blanks."""
    words = re.findall(r"[^\W_]+", fold(text))
    return f" {' '.join(words)} "
