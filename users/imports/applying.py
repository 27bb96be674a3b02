"""
What a confirmed import does to users, in batches of lines: each is one transaction, and for good.

Sets do here what `subscriptions.actions.register_user` and `change_user` do one by one. Only
what the dry run showed is done: a row whose user changed since is refused, and says so. Locks
are taken as everywhere: addresses, users by id, sources, counters last.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from analytics.actions import move_viewers
from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record, record_each
from backoffice.core.instants import to_second
from backoffice.core.text import email_key, name_sort_key, search_text
from subscriptions.actions import (
    OWN_REFERENCE,
    hand_over_what_waits,
    lock_all_addresses,
    registration_moved,
)
from subscriptions.spans import rebuild_spans
from users.imports.checking import Pulse, counts_of
from users.mailing import invite
from users.models import ImportRow, User, UserImport

# Short enough that nobody who registers meanwhile waits long for the addresses.
ROWS_A_BATCH: Final = 5_000
UNDO_TIME: Final = timedelta(hours=24)
LONGEST_SORT_NAME: Final = User._meta.get_field("sort_name").max_length

# Line, address, first and last name; or what is derived of them: line, key, order and words.
Named: TypeAlias = tuple[int, str, str, str]

# The last line of the next rows that change anything, and the last line of all.
NEXT_LINE: Final = """
    SELECT max(line) FROM (
        (SELECT line FROM users_importrow
         WHERE user_import_id = %(import)s AND verdict = 1 AND line > %(after)s
         ORDER BY line LIMIT %(limit)s)
        UNION ALL
        (SELECT line FROM users_importrow
         WHERE user_import_id = %(import)s AND verdict = 2 AND line > %(after)s
         ORDER BY line LIMIT %(limit)s)
        ORDER BY line LIMIT %(limit)s
    ) AS next_rows
"""

LOCK_CHANGED: Final = """
    SELECT u.id FROM users_user AS u
    JOIN users_importrow AS r ON r.user_key = u.id
    WHERE r.user_import_id = %(import)s AND r.verdict = 2
      AND r.line > %(after)s AND r.line <= %(to)s
    ORDER BY u.id FOR UPDATE OF u
"""

# Rows whose user will be found by other words than before.
NEW_WORDS: Final = """
    SELECT line, email, first_name, last_name FROM users_importrow
    WHERE user_import_id = %(import)s AND line > %(after)s AND line <= %(to)s
      AND (verdict = 1
           OR verdict = 2 AND before ?| ARRAY['email', 'first_name', 'last_name'])
"""
WORDS: Final = """
    DROP TABLE IF EXISTS import_words;
    CREATE TEMPORARY TABLE import_words (
        line integer PRIMARY KEY, email_key text, sort_name text, search text
    ) ON COMMIT DROP
"""
COPY_WORDS: Final = "COPY import_words (line, email_key, sort_name, search) FROM STDIN"

# A new row without an address was about somebody who registered and was deleted meanwhile.
# Materialized, so that the rows are not looked up again where, as nearly always, none is late.
REFUSE_LATE: Final = """
    WITH late AS MATERIALIZED (
        SELECT r.line, CASE
            WHEN r.verdict = 1 THEN '[["email", "created-since"]]'::jsonb
            WHEN taken.id IS NOT NULL THEN '[["email", "email-taken"]]'::jsonb
            ELSE '[["", "changed-since"]]'::jsonb END AS reasons
        FROM users_importrow AS r
        LEFT JOIN import_words AS w
          ON w.line = r.line AND (r.verdict = 1 OR r.before ? 'email')
        -- Row by row: a plan that reads all users for each batch would cost more.
        LEFT JOIN LATERAL (
            SELECT u.id FROM users_user AS u
            WHERE r.verdict = 2 AND u.id = r.user_key AND u.version = r.version
              AND u.deleted_at IS NULL
            LIMIT 1
        ) AS u ON true
        LEFT JOIN LATERAL (
            SELECT u.id FROM users_user AS u
            WHERE u.project_id = %(project)s AND u.email_key = w.email_key
              AND u.deleted_at IS NULL AND u.id IS DISTINCT FROM r.user_key
            LIMIT 1
        ) AS taken ON true
        WHERE r.user_import_id = %(import)s AND r.verdict IN (1, 2)
          AND r.line > %(after)s AND r.line <= %(to)s
          AND (taken.id IS NOT NULL OR r.verdict = 2 AND u.id IS NULL
               OR r.verdict = 1 AND r.email = '')
    )
    UPDATE users_importrow AS r SET verdict = 4, reasons = late.reasons
    FROM late
    WHERE r.user_import_id = %(import)s AND r.verdict IN (1, 2) AND r.line = late.line
"""

CREATE: Final = """
    WITH rows AS (
        SELECT r.*, w.email_key, w.sort_name, w.search,
               nextval((SELECT pg_get_serial_sequence('users_user', 'id')::regclass)) AS id,
               coalesce(r.registered_at, %(now)s) AS at
        FROM users_importrow AS r JOIN import_words AS w ON w.line = r.line
        WHERE r.user_import_id = %(import)s AND r.verdict = 1
          AND r.line > %(after)s AND r.line <= %(to)s
        ORDER BY r.line
    ),
    words AS (
        INSERT INTO users_usersearch (user_id, project_id, registered_at, text)
        SELECT id, %(project)s, at, search FROM rows
    )
    INSERT INTO users_user (
        id, public_id, project_id, platform_id, email, email_key, first_name, last_name,
        sort_name, language, country, registered_at, modified_at, password,
        must_change_password, custom, version, status
    )
    SELECT id, public_id, %(project)s, platform_key, email, email_key, first_name, last_name,
           sort_name, language, country, at, at, '', false, custom, 1, 1
    FROM rows
"""

CHANGE: Final = """
    UPDATE users_user AS u
    SET email = r.email, email_key = coalesce(w.email_key, u.email_key),
        first_name = r.first_name, last_name = r.last_name,
        sort_name = coalesce(w.sort_name, u.sort_name),
        language = r.language, country = r.country, platform_id = r.platform_key,
        registered_at = r.registered_at, custom = r.custom, version = u.version + 1,
        modified_at = greatest(%(now)s, r.registered_at)
    FROM users_importrow AS r
    LEFT JOIN import_words AS w ON w.line = r.line
    WHERE r.user_import_id = %(import)s AND r.verdict = 2 AND r.before IS NOT NULL
      AND r.line > %(after)s AND r.line <= %(to)s AND u.id = r.user_key
"""

# Whose accounts moved in the counts by day.
MOVED: Final = """
    SELECT user_key FROM users_importrow
    WHERE user_import_id = %(import)s AND verdict = 2
      AND line > %(after)s AND line <= %(to)s
      AND before ?| ARRAY['platform_key', 'registered_at']
    ORDER BY user_key
"""

# Of them, those that came to another platform.
RELOCATED: Final = """
    SELECT user_key FROM users_importrow
    WHERE user_import_id = %(import)s AND verdict = 2
      AND line > %(after)s AND line <= %(to)s AND before ? 'platform_key'
    ORDER BY user_key
"""

CHANGE_SEARCH: Final = """
    UPDATE users_usersearch AS s
    SET text = coalesce(w.search, s.text), registered_at = r.registered_at
    FROM users_importrow AS r
    LEFT JOIN import_words AS w ON w.line = r.line
    WHERE r.user_import_id = %(import)s AND r.verdict = 2
      AND r.line > %(after)s AND r.line <= %(to)s AND s.user_id = r.user_key
      AND (w.line IS NOT NULL OR r.before ? 'registered_at')
"""

FORGET_RESETS: Final = """
    WITH readdressed AS (
        SELECT user_key FROM users_importrow
        WHERE user_import_id = %(import)s AND verdict = 2 AND before ? 'email'
          AND line > %(after)s AND line <= %(to)s
    ),
    requests AS (
        DELETE FROM users_resetrequest WHERE user_id IN (SELECT user_key FROM readdressed)
    )
    DELETE FROM users_passwordreset WHERE user_id IN (SELECT user_key FROM readdressed)
"""

# Whose new address something waits for.
AWAITED: Final = """
    SELECT u.id FROM import_words AS w
    JOIN users_user AS u
      ON u.project_id = %(project)s AND u.email_key = w.email_key AND u.deleted_at IS NULL
    WHERE w.email_key IN (
        SELECT recipient_email_key FROM subscriptions_purchase
        WHERE project_id = %(project)s AND recipient_email_key <> ''
        UNION ALL
        SELECT email_key FROM subscriptions_freecopy
        WHERE project_id = %(project)s AND email_key <> ''
    )
    ORDER BY u.id
"""

# The reference names the import and the line, so that the copy is found when it is undone.
GIVE_COPIES: Final = """
    INSERT INTO subscriptions_freecopy (
        project_id, offer_id, user_id, email_key, reference, sent_at, days, access_start,
        access_end
    )
    SELECT %(project)s, r.offer_key, u.id, '', %(copies)s || r.line, %(now)s, r.free_copy_days,
           CASE WHEN NOT p.free_copies_need_activation THEN %(now)s::timestamptz END,
           CASE WHEN NOT p.free_copies_need_activation
                THEN %(now)s::timestamptz + make_interval(hours => 24 * r.free_copy_days) END
    FROM users_importrow AS r
    JOIN users_user AS u ON u.public_id = r.public_id
    JOIN projects_project AS p ON p.id = %(project)s
    WHERE r.user_import_id = %(import)s AND r.verdict IN (1, 2) AND r.offer_key IS NOT NULL
      AND r.line > %(after)s AND r.line <= %(to)s
    RETURNING user_id
"""

# Who comes to a platform's local day and who leaves it.
MOVES: Final = """
    SELECT platform_key,
           (coalesce(registered_at, %(now)s) AT TIME ZONE %(zone)s)::date AS day, 1 AS n
    FROM users_importrow
    WHERE user_import_id = %(import)s AND line > %(after)s AND line <= %(to)s
      AND (verdict = 1 OR verdict = 2 AND before ?| ARRAY['platform_key', 'registered_at'])
    UNION ALL
    SELECT coalesce((before ->> 'platform_key')::bigint, platform_key),
           (coalesce((before ->> 'registered_at')::timestamptz, registered_at)
               AT TIME ZONE %(zone)s)::date, -1
    FROM users_importrow
    WHERE user_import_id = %(import)s AND line > %(after)s AND line <= %(to)s
      AND verdict = 2 AND before ?| ARRAY['platform_key', 'registered_at']
"""

SUM_MOVES: Final = """
    CREATE TEMPORARY TABLE import_moves ON COMMIT DROP AS
    SELECT platform_key, day, sum(n)::integer AS n FROM ({}) AS moves
    GROUP BY platform_key, day HAVING sum(n) <> 0
"""

# The rows first, then what they count: a count below nothing would not be let in.
MAKE_DAYS: Final = """
    INSERT INTO users_registrationday AS d (project_id, platform_id, day, registered, deleted)
    SELECT %(project)s, platform_key, day, 0, 0 FROM import_moves ORDER BY day, platform_key
    ON CONFLICT (project_id, day, platform_id) DO NOTHING
"""
# In key order, so that two writers never wait for each other in a circle.
COUNT_MOVES: Final = """
    WITH days AS (
        SELECT d.id, m.n FROM users_registrationday AS d
        JOIN import_moves AS m ON m.platform_key = d.platform_id AND m.day = d.day
        WHERE d.project_id = %(project)s
        ORDER BY d.day, d.platform_id FOR UPDATE OF d
    )
    UPDATE users_registrationday AS d SET registered = d.registered + days.n
    FROM days WHERE d.id = days.id
"""


# The names of what a row changed, as the audit trail has them, from `before`.
FIELDS: Final = sql.SQL("""
    to_jsonb(array_remove(ARRAY[
        CASE WHEN before ? 'country' THEN 'country' END,
        CASE WHEN before ? 'custom' THEN 'custom' END,
        CASE WHEN before ? 'email' THEN 'email' END,
        CASE WHEN before ? 'first_name' THEN 'first_name' END,
        CASE WHEN before ? 'language' THEN 'language' END,
        CASE WHEN before ? 'last_name' THEN 'last_name' END,
        CASE WHEN before ? 'platform_key' THEN 'platform' END,
        CASE WHEN before ? 'registered_at' THEN 'registered_at' END
    ], NULL))
""")

# What each row did to its user is told as if it had been done by hand.
CREATED: Final = sql.SQL("""
    SELECT public_id::text AS target, jsonb_build_object('import', %(public)s::text) AS data
    FROM users_importrow
    WHERE user_import_id = %(import)s AND verdict = 1 AND line > %(after)s AND line <= %(to)s
    ORDER BY line
""")
EDITED: Final = sql.SQL("""
    SELECT public_id::text AS target,
           jsonb_build_object('import', %(public)s::text, 'fields', {fields}) AS data
    FROM users_importrow
    WHERE user_import_id = %(import)s AND verdict = 2 AND line > %(after)s AND line <= %(to)s
      AND before IS NOT NULL
    ORDER BY line
""").format(fields=FIELDS)
GIVEN: Final = sql.SQL("""
    SELECT public_id::text AS target,
           jsonb_build_object('import', %(public)s::text, 'reference', %(copies)s || line,
                              'days', free_copy_days) AS data
    FROM users_importrow
    WHERE user_import_id = %(import)s AND verdict IN (1, 2) AND offer_key IS NOT NULL
      AND line > %(after)s AND line <= %(to)s
    ORDER BY line
""")
ACTS: Final = (
    (AuditEvent.Kind.USER_CREATED, CREATED),
    (AuditEvent.Kind.USER_EDITED, EDITED),
    (AuditEvent.Kind.FREE_COPY_GIVEN, GIVEN),
)


def apply(*, user_import_id: int, actor: Actor, pulse: Pulse, now: datetime) -> None:
    """
    Apply what is left of a confirmed import, a batch at a time, until nothing is left.

    Stopped at any moment it can be begun again: what was done is not done twice.
    """
    with ThreadPoolExecutor(max_workers=1) as helper:
        _apply_batches(user_import_id, actor, pulse, now, Words(helper))


def _apply_batches(
    user_import_id: int, actor: Actor, pulse: Pulse, now: datetime, words: "Words"
) -> None:
    total = None
    done = 0
    while True:
        with transaction.atomic():
            user_import = locked(user_import_id)
            if user_import.state != UserImport.State.APPLYING:
                return
            total = user_import.new + user_import.changed
            batch = next_batch(user_import, now)
            if batch is None:
                _finish(user_import, actor, now)
                pulse.fence()
                return
            done += _apply_batch(user_import, batch, words, actor, now)
            user_import.done_to_line = batch["to"]
            user_import.save(update_fields=["done_to_line"])
            pulse.fence()
        pulse.progress(done=min(done, total), total=total)


def locked(user_import_id: int) -> UserImport:
    """Return the import, locked until the transaction ends."""
    return (
        UserImport.objects.select_for_update(of=("self",))
        .select_related("project")
        .get(pk=user_import_id)
    )


def copies_of(user_import: UserImport) -> str:
    """Return what the references of the import's free copies begin with; the line follows."""
    return f"{OWN_REFERENCE}import-{user_import.pk}-"


def next_batch(user_import: UserImport, now: datetime) -> dict[str, Any] | None:
    """Return the values that the statements of the next batch are run with; none at the end."""
    values: dict[str, Any] = {
        "import": user_import.pk,
        "public": str(user_import.public_id),
        "project": user_import.project_id,
        "zone": user_import.project.time_zone,
        "now": to_second(now),
        "after": user_import.done_to_line,
        "copies": copies_of(user_import),
    }
    with connection.cursor() as cursor:
        return _bounded(cursor, values)


def _bounded(cursor: CursorWrapper, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the values with the last line of the batch that begins after `after`."""
    cursor.execute(NEXT_LINE, {**values, "limit": ROWS_A_BATCH})
    (to,) = cursor.fetchone()
    return None if to is None else {**values, "to": to}


def _apply_batch(
    user_import: UserImport, batch: Mapping[str, Any], words: "Words", actor: Actor, now: datetime
) -> int:
    """Apply the rows of one batch; return how many users it created or changed."""
    lock_all_addresses(user_import.project_id)
    with connection.cursor() as cursor:
        cursor.execute(LOCK_CHANGED, batch)
        copy_words(cursor, words.of(cursor, batch))
        cursor.execute(REFUSE_LATE, batch)
        cursor.execute(CREATE, batch)
        done: int = cursor.rowcount
        cursor.execute(CHANGE, batch)
        done += cursor.rowcount
        cursor.execute(CHANGE_SEARCH, batch)
        cursor.execute(FORGET_RESETS, batch)
        awaited = keys_of(cursor, AWAITED, batch)
        given = keys_of(cursor, GIVE_COPIES, batch)
        moved = keys_of(cursor, MOVED, batch)
        relocated = keys_of(cursor, RELOCATED, batch)
    for user in User.objects.select_related("project").filter(pk__in=awaited).order_by("pk"):
        hand_over_what_waits(user, now=now)
    if moved:
        registration_moved(moved, now=now)
    if relocated:
        move_viewers(relocated)
    rebuild_spans(sorted(given), now=now)
    record_acts(ACTS, user_import, batch, actor, now)
    if user_import.sends_invitations:
        _invite_new(user_import, batch, actor, now)
    with connection.cursor() as cursor:
        count_registrations(cursor, MOVES, batch)
    return done


def _invite_new(
    user_import: UserImport, batch: Mapping[str, Any], actor: Actor, now: datetime
) -> None:
    rows = ImportRow.objects.filter(
        user_import=user_import,
        verdict=ImportRow.Verdict.NEW,
        line__gt=batch["after"],
        line__lte=batch["to"],
    )
    new = User.objects.select_related("project", "platform").filter(
        public_id__in=rows.values("public_id")
    )
    for user in new.order_by("pk"):
        invite(user=user, actor=actor, now=now)


def keys_of(cursor: CursorWrapper, statement: str, batch: Mapping[str, Any]) -> list[int]:
    """Return the keys of the users that the statement gives."""
    cursor.execute(statement, batch)
    return [key for (key,) in cursor.fetchall()]


def derived_words(rows: Iterable[Named]) -> list[Named]:
    """Return the words by which the users of the rows are found, as rows of `import_words`."""
    return [
        (
            line,
            email_key(email),
            name_sort_key(first_name, last_name)[:LONGEST_SORT_NAME],
            search_text(first_name, last_name, email),
        )
        for line, email, first_name, last_name in rows
    ]


def names_of(cursor: CursorWrapper, statement: str, batch: Mapping[str, Any]) -> list[Named]:
    """Return the rows that the statement gives."""
    cursor.execute(statement, batch)
    rows: list[Named] = cursor.fetchall()
    return rows


def copy_words(cursor: CursorWrapper, words: Iterable[Named]) -> None:
    """Lay the words out for the statements of a batch."""
    cursor.execute(WORDS)
    with connection.wrap_database_errors, cursor.cursor.copy(COPY_WORDS) as copy:
        for row in words:
            copy.write_row(row)
    cursor.execute("ANALYZE import_words")


class Words:
    """
    Derives the words of the next batch while the database is at work on the one at hand.

    A row that is emptied in between, because its user is deleted, has words still; it is refused
    as late, and they go with the transaction.
    """

    def __init__(self, helper: Executor) -> None:
        self._helper = helper
        self._ahead: tuple[dict[str, Any], Future[list[Named]]] | None = None

    def of(self, cursor: CursorWrapper, batch: Mapping[str, Any]) -> list[Named]:
        """Return the words of the batch, and begin with those of the next."""
        ahead = self._ahead
        following = _bounded(cursor, {**batch, "after": batch["to"]})
        if following:
            rows = names_of(cursor, NEW_WORDS, following)
            self._ahead = following, self._helper.submit(derived_words, rows)
        if ahead and ahead[0] == batch:
            return ahead[1].result()
        return derived_words(names_of(cursor, NEW_WORDS, batch))


def count_registrations(cursor: CursorWrapper, moves: str, batch: Mapping[str, Any]) -> None:
    """
    Bring the counts of accounts by day in line with what moves.

    :param moves: a statement that gives platform, day and how many came or, negative, left.
    """
    cursor.execute("DROP TABLE IF EXISTS import_moves")
    cursor.execute(sql.SQL(SUM_MOVES).format(sql.SQL(moves)), batch)
    cursor.execute(MAKE_DAYS, batch)
    cursor.execute(COUNT_MOVES, batch)


def record_acts(
    acts: Iterable[tuple[AuditEvent.Kind, sql.Composable]],
    user_import: UserImport,
    batch: Mapping[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    """Write each act on a user into the trail, as if it had been done by hand."""
    for kind, targets in acts:
        record_each(
            kind,
            actor=actor,
            now=now,
            project=user_import.project,
            target_type="users.user",
            targets=targets,
            values=batch,
        )


def _finish(user_import: UserImport, actor: Actor, now: datetime) -> None:
    """Count what was done in the end, and say so."""
    before = user_import.refused
    counts = counts_of(user_import)
    user_import.new, user_import.changed = counts[:2]
    user_import.unchanged, user_import.refused, user_import.rows = counts[2:]
    user_import.refused_late = user_import.refused - before
    user_import.state = UserImport.State.APPLIED
    user_import.applied_at = now
    user_import.expires_at = now + UNDO_TIME
    user_import.save()
    record_applied(user_import, actor, now)


def record_applied(user_import: UserImport, actor: Actor, now: datetime) -> None:
    """Say in the trail how the rows of an import ended."""
    record(
        AuditEvent.Kind.IMPORT_APPLIED,
        actor=actor,
        now=now,
        project=user_import.project,
        target=user_import,
        data={
            "new": user_import.new,
            "changed": user_import.changed,
            "unchanged": user_import.unchanged,
            "refused": user_import.refused,
        },
    )
