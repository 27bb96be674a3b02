"""
The dry run: every row of the file gets its verdict, in sets.

Python cleans the cells and copies them into a table of the transaction; one statement compares
that with the users and writes the rows with their verdicts.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import override

from backoffice.audit.recording import Actor
from backoffice.core.csv_guard import unguarded
from backoffice.core.csv_reading import Record, Unreadable
from backoffice.core.text import email_key
from users.imports.columns import CUSTOM, IGNORE, ImportColumns
from users.imports.sources import hold_file, opened
from users.models import ImportRow, UserImport

# How many rows are read between two words about it.
ROWS_A_PULSE: Final = 20_000
# Cells that come again and again are cleaned once, up to so many different ones of a column.
MOST_REMEMBERED: Final = 2_000
# Longer than any text that is stored, so that what is kept of a cell can be compared with it.
LONGEST_TOLD: Final = 2_000


class Pulse(Protocol):
    """How a step tells how far it is, and learns whether it may go on (`jobs.Running`)."""

    def progress(self, *, done: int, total: int | None = None) -> None: ...

    def fence(self) -> None: ...


class Silent:
    """The pulse of a step that is over before anybody would look."""

    def progress(self, *, done: int, total: int | None = None) -> None:
        """Tell nobody."""

    def fence(self) -> None:
        """Let it go on: whoever asked waits for it."""


STAGE: Final = """
    DROP TABLE IF EXISTS import_staged;
    CREATE TEMPORARY TABLE import_staged (
        line integer NOT NULL, public_id uuid, email text, email_key text, first_name text,
        last_name text, language text, country text, platform_key bigint,
        registered_at timestamptz, custom jsonb, offer_key bigint, free_copy_days integer,
        asides jsonb, reasons jsonb
    ) ON COMMIT DROP
"""
STAGED_COLUMNS: Final = (
    "line", "public_id", "email", "email_key", "first_name", "last_name", "language", "country",
    "platform_key", "registered_at", "custom", "offer_key", "free_copy_days", "asides", "reasons",
)  # fmt: skip
COPY: Final = "COPY import_staged (" + ", ".join(STAGED_COLUMNS) + ") FROM STDIN"

# An aside is what a cell says where cleaning changed or refused it: {column: [text, problem]}.
# A cell that says exactly what stands there already is neither a change nor a mistake, however
# it would be cleaned today; that is what brings a basic list back unchanged.
COMPARE: Final = """
    WITH targets AS MATERIALIZED (
        SELECT s.line, s.email_key, by_mail.id AS mail_key,
               CASE WHEN s.public_id IS NULL THEN by_mail.id ELSE (
                   SELECT by_id.id FROM users_user AS by_id
                   WHERE by_id.public_id = s.public_id AND by_id.project_id = %(project)s
                     AND by_id.deleted_at IS NULL
               ) END AS user_key
        FROM import_staged AS s
        LEFT JOIN users_user AS by_mail
          ON by_mail.email_key = s.email_key AND by_mail.project_id = %(project)s
         AND by_mail.deleted_at IS NULL
    ),
    first_of_mail AS (
        SELECT email_key, min(line) AS line FROM targets
        WHERE email_key IS NOT NULL GROUP BY email_key HAVING count(*) > 1
    ),
    first_of_user AS (
        SELECT user_key, min(line) AS line FROM targets
        WHERE user_key IS NOT NULL GROUP BY user_key HAVING count(*) > 1
    ),
    compared AS (
        SELECT s.*, t.user_key, u.version, u.public_id AS user_id, u.id IS NOT NULL AS is_known,
               u.email AS old_email, u.first_name AS old_first_name,
               u.last_name AS old_last_name, u.language AS old_language,
               u.country AS old_country, u.platform_id AS old_platform_key,
               u.registered_at AS old_registered_at, u.custom AS old_custom,
               u.modified_at AS old_modified_at,
               s.public_id IS NOT NULL AND s.email <> u.email
                   AND (s.asides IS NULL OR s.asides #>> '{email,0}' IS DISTINCT FROM u.email)
                   AS d_email,
               s.first_name <> u.first_name AND (s.asides IS NULL
                   OR s.asides #>> '{first_name,0}' IS DISTINCT FROM u.first_name)
                   AS d_first_name,
               s.last_name <> u.last_name AND (s.asides IS NULL
                   OR s.asides #>> '{last_name,0}' IS DISTINCT FROM u.last_name)
                   AS d_last_name,
               s.language <> u.language AND (s.asides IS NULL
                   OR s.asides #>> '{language,0}' IS DISTINCT FROM u.language) AS d_language,
               s.country <> u.country AND (s.asides IS NULL
                   OR s.asides #>> '{country,0}' IS DISTINCT FROM u.country) AS d_country,
               s.platform_key <> u.platform_id AS d_platform_key,
               s.registered_at <> date_trunc('second', u.registered_at)
                   AND (s.asides IS NULL OR NOT starts_with(
                       to_char(u.registered_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD HH24:MI:SS'),
                       coalesce(s.asides #>> '{registered_at,0}', '-')
                   )) AS d_registered_at,
               new.custom IS NOT NULL AND NOT u.custom @> new.custom AS d_custom,
               new.custom AS new_custom,
               s.offer_key IS NOT NULL AND NOT EXISTS (
                   SELECT FROM subscriptions_freecopy AS f
                   WHERE f.user_id = u.id AND f.offer_id = s.offer_key
                     AND f.days = s.free_copy_days AND f.revoked_at IS NULL
                     AND (f.access_end IS NULL OR f.access_end > %(now)s)
               ) AS gives_copy,
               coalesce(s.reasons, '[]')
               || CASE WHEN s.asides IS NULL THEN '[]' ELSE (
                   SELECT coalesce(jsonb_agg(jsonb_build_array(a.key, a.value ->> 1)), '[]')
                   FROM jsonb_each(s.asides) AS a
                   WHERE a.value ->> 1 IS NOT NULL
                     AND a.value ->> 0 IS DISTINCT FROM CASE a.key
                         WHEN 'email' THEN u.email WHEN 'first_name' THEN u.first_name
                         WHEN 'last_name' THEN u.last_name WHEN 'language' THEN u.language
                         WHEN 'country' THEN u.country ELSE u.custom ->> substr(a.key, 8) END
               ) END
               || CASE WHEN fm.line < s.line THEN jsonb_build_array(jsonb_build_array(
                   'email', 'same-address', jsonb_build_object('first', fm.line, 'second', s.line)
               )) ELSE '[]' END
               || CASE WHEN fu.line < s.line AND coalesce(fm.line = s.line, true)
                   THEN jsonb_build_array(jsonb_build_array(
                   'id', 'same-user', jsonb_build_object('first', fu.line, 'second', s.line)
               )) ELSE '[]' END
               || CASE WHEN s.public_id IS NOT NULL AND u.id IS NULL
                   THEN '[["id", "id-unknown"]]'::jsonb ELSE '[]' END
               || CASE WHEN s.public_id IS NOT NULL AND t.mail_key <> u.id
                   THEN '[["email", "email-taken"]]'::jsonb ELSE '[]' END
               || CASE WHEN u.id IS NULL AND coalesce(s.platform_key, %(platform)s) IS NULL
                   THEN '[["platform", "no-platform"]]'::jsonb ELSE '[]' END
               AS all_reasons
        FROM import_staged AS s
        JOIN targets AS t ON t.line = s.line
        LEFT JOIN users_user AS u ON u.id = t.user_key
        LEFT JOIN first_of_mail AS fm ON fm.email_key = s.email_key
        LEFT JOIN first_of_user AS fu ON fu.user_key = t.user_key
        CROSS JOIN LATERAL (SELECT CASE
            WHEN s.asides IS NULL OR u.id IS NULL THEN s.custom
            ELSE s.custom - ARRAY(
                SELECT substr(a.key, 8) FROM jsonb_each(s.asides) AS a
                WHERE a.key LIKE 'custom.%%' AND a.value ->> 0 = u.custom ->> substr(a.key, 8)
            ) END AS custom) AS new
    ),
    judged AS (
        SELECT *, d_email OR d_first_name OR d_last_name OR d_language OR d_country
                  OR d_platform_key OR d_registered_at OR d_custom AS is_changed
        FROM compared
    ),
    verdicts AS (
        SELECT *, CASE
            WHEN all_reasons <> '[]' THEN 4
            WHEN NOT is_known THEN 1
            WHEN %(skip)s THEN 3
            WHEN is_changed OR gives_copy THEN 2
            ELSE 3 END AS verdict
        FROM judged
    )
    INSERT INTO users_importrow (
        user_import_id, verdict, line, user_key, version, public_id, email, first_name, last_name,
        language, country, platform_key, registered_at, custom, offer_key, free_copy_days, before,
        reasons
    )
    SELECT %(import)s, verdict, line, user_key, version,
           CASE WHEN verdict = 1 THEN gen_random_uuid() ELSE user_id END,
           CASE WHEN d_email OR NOT is_known THEN coalesce(email, asides #>> '{email,0}', '')
                ELSE old_email END,
           CASE WHEN d_first_name OR NOT is_known THEN coalesce(first_name, '')
                ELSE old_first_name END,
           CASE WHEN d_last_name OR NOT is_known THEN coalesce(last_name, '')
                ELSE old_last_name END,
           CASE WHEN d_language OR NOT is_known THEN coalesce(language, '')
                ELSE old_language END,
           CASE WHEN d_country OR NOT is_known THEN coalesce(country, '') ELSE old_country END,
           CASE WHEN d_platform_key OR NOT is_known THEN coalesce(platform_key, %(platform)s)
                ELSE old_platform_key END,
           CASE WHEN d_registered_at OR NOT is_known THEN registered_at
                ELSE old_registered_at END,
           CASE WHEN verdict = 1 THEN coalesce(custom, '{}')
                WHEN verdict = 2 AND d_custom THEN old_custom || new_custom
                WHEN verdict = 2 THEN old_custom END,
           CASE WHEN verdict < 3 AND gives_copy THEN offer_key END,
           CASE WHEN verdict < 3 AND gives_copy THEN free_copy_days END,
           CASE WHEN verdict = 2 AND is_changed THEN jsonb_strip_nulls(jsonb_build_object(
               'email', CASE WHEN d_email THEN old_email END,
               'first_name', CASE WHEN d_first_name THEN old_first_name END,
               'last_name', CASE WHEN d_last_name THEN old_last_name END,
               'language', CASE WHEN d_language THEN old_language END,
               'country', CASE WHEN d_country THEN old_country END,
               'platform_key', CASE WHEN d_platform_key THEN old_platform_key END,
               'registered_at', CASE WHEN d_registered_at THEN old_registered_at END,
               'custom', CASE WHEN d_custom THEN old_custom END,
               'modified_at', old_modified_at
           )) END,
           CASE WHEN verdict = 4 THEN all_reasons END
    FROM verdicts
"""

COUNT: Final = """
    SELECT count(*) FILTER (WHERE verdict = 1), count(*) FILTER (WHERE verdict = 2),
           count(*) FILTER (WHERE verdict = 3), count(*) FILTER (WHERE verdict = 4), count(*)
    FROM users_importrow WHERE user_import_id = %(import)s
"""


@transaction.atomic
def check(
    *,
    user_import_id: int,
    actor: Actor,  # noqa: ARG001  # every step is called alike
    pulse: Pulse,
    now: datetime,
) -> None:
    """
    Give every row of the file its verdict, and the import its counts. Begun again, it starts over.

    A file that turns out to be no table is refused as a whole.
    """
    user_import = (
        UserImport.objects.select_related("project", "platform")
        .select_for_update(of=("self",))
        .get(pk=user_import_id)
    )
    if user_import.state != UserImport.State.CHECKING:
        return
    ImportRow.objects.filter(user_import=user_import).delete()
    try:
        with transaction.atomic(), override(None):
            _stage(user_import, pulse, now)
            _compare(user_import, now)
            hold_file(user_import)
    except Unreadable as refused:
        user_import.state = UserImport.State.REFUSED
        user_import.refusal = {"code": refused.code, "line": refused.line}
    else:
        counts = counts_of(user_import)
        user_import.new, user_import.changed = counts[:2]
        user_import.unchanged, user_import.refused, user_import.rows = counts[2:]
        user_import.state = UserImport.State.CHECKED
    user_import.checked_at = now
    user_import.save()
    pulse.fence()


def counts_of(user_import: UserImport) -> tuple[int, int, int, int, int]:
    """Return how many rows are new, changed, unchanged and refused, and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"import": user_import.pk})
        row: tuple[int, int, int, int, int] = cursor.fetchone()
    return row


def _stage(user_import: UserImport, pulse: Pulse, now: datetime) -> None:
    with connection.cursor() as cursor, opened(user_import) as rows:
        cursor.execute(STAGE)
        next(rows)
        parser = RowParser.of(user_import, now)
        # The driver's own cursor raises its own errors; these are Django's.
        with connection.wrap_database_errors, cursor.cursor.copy(COPY) as copy:
            for count, record in enumerate(rows, start=1):
                copy.write_row(parser.parse(record))
                if count % ROWS_A_PULSE == 0:
                    pulse.progress(done=count, total=user_import.rows)
        cursor.execute("ANALYZE import_staged (line, public_id, email_key)")


def _compare(user_import: UserImport, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            COMPARE,
            {
                "import": user_import.pk,
                "project": user_import.project_id,
                "platform": user_import.platform_id,
                "skip": user_import.mode == UserImport.Mode.SKIP,
                "zone": user_import.project.time_zone,
                "now": now,
            },
        )
        # What is read next, line by line, is planned by what stands here now.
        cursor.execute("ANALYZE users_importrow (user_import_id, verdict, line, user_key)")


# --- One row -------------------------------------------------------------------------------

# Where each column stands in a staged row.
PLACES: Final = {
    "id": 1, "email": 2, "first_name": 4, "last_name": 5, "language": 6, "country": 7,
    "platform": 8, "registered_at": 9, "offer": 11, "free_copy_days": 12,
}  # fmt: skip
EMAIL, EMAIL_KEY, CUSTOM_VALUES, OFFER, DAYS, ASIDES, REASONS = 2, 3, 10, 11, 12, 13, 14
TEXTS: Final = frozenset({"email", "first_name", "last_name", "language", "country"})


# A day, or a time without an offset, says no more than that: the same user at that day or time
# of the clock is unchanged.
LOCAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")


@dataclass(slots=True)
class CellPlan:
    """What becomes of one column's cells."""

    index: int
    """Where the column stands in the file, from 0."""
    name: str
    place: int | None
    """Where it stands in a staged row; none for a sign-up field."""
    clean: Callable[[str], Any]
    known: dict[str, Any] | None
    """Cells cleaned before and what they gave; none where hardly any comes twice."""


@dataclass(slots=True)
class RowParser:
    """Turns the cells of a record into a staged row; every cell passes its column's widget."""

    plans: list[CellPlan]
    width: int
    """How many columns the heading has."""
    is_guarded: bool
    """Whether cells may carry the guard against formulas."""
    _asides: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, user_import: UserImport, now: datetime) -> "RowParser":
        """Return the parser for the columns that the import was matched to."""
        columns = ImportColumns(user_import.project, now)
        plans = []
        for index, name in enumerate(user_import.columns):
            if name == IGNORE:
                continue
            custom = columns.custom_by_name.get(name)
            plans.append(
                CellPlan(
                    index,
                    f"{CUSTOM}{custom.key}" if custom else name,
                    PLACES.get(name) if custom is None else None,
                    columns.by_name[name].widget.clean,
                    None if name in {"id", "email"} else {},
                )
            )
        return cls(plans, len(user_import.headings), bool(user_import.separator))

    def parse(self, record: Record) -> list[Any]:
        """Return the staged row of the record, with what is wrong with it."""
        line, cells = record
        staged: list[Any] = [None] * len(STAGED_COLUMNS)
        staged[0] = line
        asides: dict[str, Any] = {}
        self._fill(staged, cells, asides)
        if asides:
            staged[ASIDES] = json.dumps(asides)
        email = staged[EMAIL]
        if email is not None:
            staged[EMAIL_KEY] = email_key(email)
        elif "email" in asides:
            staged[EMAIL_KEY] = email_key(asides["email"][0])
        is_half_a_copy = (staged[OFFER] is None) != (staged[DAYS] is None)
        if email is None or len(cells) > self.width or is_half_a_copy:
            self._judge(staged, cells, asides)
        return staged

    def _fill(self, staged: list[Any], cells: list[str], asides: dict[str, Any]) -> None:
        """Put the clean cells where they belong; empty ones say nothing."""
        count = len(cells)
        custom: dict[str, Any] = {}
        for plan in self.plans:
            cell = cells[plan.index] if plan.index < count else ""
            if not cell:
                continue
            known = plan.known
            if known is not None and cell in known:
                value = known[cell]
            else:
                value = self._cleaned(plan, cell, asides)
            if plan.place is not None:
                staged[plan.place] = value
            elif value is not None:
                custom[plan.name[len(CUSTOM) :]] = value
        if custom:
            staged[CUSTOM_VALUES] = json.dumps(custom)

    def _cleaned(self, plan: CellPlan, cell: str, asides: dict[str, Any]) -> Any:
        """Clean a cell for the first time; keep beside it what cleaning changed or refused."""
        text = unguarded(cell) if self.is_guarded else cell
        if not text.strip():
            return None
        try:
            value = plan.clean(text)
        except ValidationError as error:
            asides[plan.name] = [_storable(text), error.messages[0]]
            return None
        if isinstance(value, str) and value != text:
            asides[plan.name] = [_storable(text), None]
        elif isinstance(value, datetime) and LOCAL.fullmatch(text.strip()):
            asides[plan.name] = [text.strip().upper().replace("T", " "), None]
        elif plan.known is not None and len(plan.known) < MOST_REMEMBERED:
            plan.known[cell] = value
        return value

    def _judge(self, staged: list[Any], cells: Sequence[str], asides: dict[str, Any]) -> None:
        """Write down what is wrong with the row as a whole."""
        reasons: list[list[Any]] = []
        surplus = [cell for cell in cells[self.width :] if cell.strip()]
        if surplus:
            facts = {"cells": len(cells), "columns": self.width}
            reasons.append(["", "too-many-cells", facts])
        if staged[EMAIL] is None and "email" not in asides:
            reasons.append(["email", "no-email"])
        if staged[OFFER] is None and staged[DAYS] is not None and "offer" not in asides:
            reasons.append(["offer", "days-without-offer"])
        if staged[DAYS] is None and staged[OFFER] is not None and "free_copy_days" not in asides:
            reasons.append(["free_copy_days", "offer-without-days"])
        if reasons:
            staged[REASONS] = json.dumps(reasons)


def _storable(text: str) -> str:
    """Return the text as JSON of the database can hold it, cut where it is endless."""
    return text[:LONGEST_TOLD]
