"""
Undoing an import: what it created goes, what it changed is as before, where nobody touched it.

In batches of lines like `applying`; each is one transaction, and for good.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from analytics.actions import move_viewers
from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from subscriptions.actions import lock_all_addresses, registration_moved
from subscriptions.spans import rebuild_spans
from users.imports.applying import (
    FIELDS,
    copy_words,
    count_registrations,
    derived_words,
    keys_of,
    locked,
    names_of,
    next_batch,
    record_acts,
)
from users.imports.checking import Pulse
from users.models import UserImport

LOCK: Final = """
    SELECT u.id FROM users_user AS u
    JOIN users_importrow AS r ON r.public_id = u.public_id
    WHERE r.user_import_id = %(import)s AND r.verdict IN (1, 2)
      AND r.line > %(after)s AND r.line <= %(to)s
    ORDER BY u.id FOR UPDATE OF u
"""

# The rows that can be undone. A user whom the import created is as it left them if the profile
# is at its first version, no password was set and nothing else hangs on them but the link of the
# import's own invitation; one whom it changed, if nobody changed the profile after it and nobody
# else has their former address.
UNTOUCHED: Final = """
    DROP TABLE IF EXISTS import_undone;
    CREATE TEMPORARY TABLE import_undone ON COMMIT DROP AS
    SELECT r.line, r.verdict, u.id AS user_id, r.public_id, r.before,
           r.offer_key IS NOT NULL AS has_copy
    FROM users_importrow AS r
    JOIN users_user AS u ON u.public_id = r.public_id AND u.deleted_at IS NULL
    WHERE r.user_import_id = %(import)s AND r.verdict IN (1, 2)
      AND r.line > %(after)s AND r.line <= %(to)s
      AND CASE WHEN r.verdict = 1 THEN
          u.version = 1 AND u.password = ''
          AND NOT EXISTS (SELECT FROM users_devicesession AS o WHERE o.user_id = u.id)
          AND NOT EXISTS (SELECT FROM users_passwordreset AS o
                          WHERE o.user_id = u.id AND NOT (%(invited)s AND EXISTS (
                              SELECT FROM jobs_mail AS m
                              WHERE m.target_user = u.public_id AND m.kind = 'invitation'
                                AND m.secret_expires_at = o.expires_at)))
          AND NOT (%(invited)s AND EXISTS (
              SELECT FROM jobs_mail AS m WHERE m.target_user = u.public_id OFFSET 1))
          AND NOT EXISTS (SELECT FROM users_resetrequest AS o WHERE o.user_id = u.id)
          AND NOT EXISTS (SELECT FROM users_impersonation AS o WHERE o.user_id = u.id)
          AND NOT EXISTS (SELECT FROM subscriptions_subscription AS o WHERE o.user_id = u.id)
          AND NOT EXISTS (SELECT FROM subscriptions_purchase AS o
                          WHERE o.user_id = u.id OR o.recipient_id = u.id
                             OR o.access_user_id = u.id)
          AND NOT EXISTS (SELECT FROM analytics_userviewing AS o WHERE o.user_id = u.id)
          AND NOT EXISTS (SELECT FROM analytics_viewing AS o WHERE o.user_id = u.id)
          AND NOT EXISTS (SELECT FROM subscriptions_freecopy AS o
                          WHERE o.user_id = u.id AND o.reference <> %(copies)s || r.line)
      ELSE
          r.before IS NULL OR u.version = r.version + 1
      END
      AND NOT EXISTS (
          SELECT FROM subscriptions_freecopy AS o
          WHERE o.reference = %(copies)s || r.line AND o.project_id = %(project)s
            AND o.revoked_at IS NOT NULL
      )
"""

KEEP: Final = """
    UPDATE users_importrow AS r SET reasons = '[["", "touched-since"]]'
    WHERE r.user_import_id = %(import)s AND r.verdict IN (1, 2)
      AND r.line > %(after)s AND r.line <= %(to)s
      AND NOT EXISTS (SELECT FROM import_undone AS u WHERE u.line = r.line)
    RETURNING r.line
"""

FORMER_WORDS: Final = """
    SELECT r.line, coalesce(r.before ->> 'email', r.email),
           coalesce(r.before ->> 'first_name', r.first_name),
           coalesce(r.before ->> 'last_name', r.last_name)
    FROM users_importrow AS r
    WHERE r.user_import_id = %(import)s AND r.verdict = 2
      AND r.line > %(after)s AND r.line <= %(to)s
      AND r.before ?| ARRAY['email', 'first_name', 'last_name']
"""

# A former address that somebody else has by now stays theirs.
TAKEN: Final = """
    DELETE FROM import_undone AS u
    USING import_words AS w, users_user AS other
    WHERE w.line = u.line AND u.before ? 'email' AND other.project_id = %(project)s
      AND other.email_key = w.email_key AND other.deleted_at IS NULL AND other.id <> u.user_id
"""

RESTORE: Final = """
    UPDATE users_user AS u
    SET email = coalesce(t.before ->> 'email', u.email),
        email_key = coalesce(w.email_key, u.email_key),
        first_name = coalesce(t.before ->> 'first_name', u.first_name),
        last_name = coalesce(t.before ->> 'last_name', u.last_name),
        sort_name = coalesce(w.sort_name, u.sort_name),
        language = coalesce(t.before ->> 'language', u.language),
        country = coalesce(t.before ->> 'country', u.country),
        platform_id = coalesce((t.before ->> 'platform_key')::bigint, u.platform_id),
        registered_at = coalesce((t.before ->> 'registered_at')::timestamptz, u.registered_at),
        custom = coalesce(t.before -> 'custom', u.custom),
        modified_at = (t.before ->> 'modified_at')::timestamptz,
        version = u.version + 1
    FROM import_undone AS t
    LEFT JOIN import_words AS w ON w.line = t.line
    WHERE t.verdict = 2 AND t.before IS NOT NULL AND u.id = t.user_id
"""

MOVED: Final = """
    SELECT user_id FROM import_undone
    WHERE verdict = 2 AND before ?| ARRAY['platform_key', 'registered_at']
    ORDER BY user_id
"""

RELOCATED: Final = """
    SELECT user_id FROM import_undone
    WHERE verdict = 2 AND before ? 'platform_key'
    ORDER BY user_id
"""

RESTORE_SEARCH: Final = """
    UPDATE users_usersearch AS s
    SET text = coalesce(w.search, s.text), registered_at = u.registered_at
    FROM import_undone AS t
    JOIN users_user AS u ON u.id = t.user_id
    LEFT JOIN import_words AS w ON w.line = t.line
    WHERE t.verdict = 2 AND s.user_id = t.user_id
      AND (w.line IS NOT NULL OR t.before ? 'registered_at')
"""

FORGET_RESETS: Final = """
    DELETE FROM users_passwordreset
    WHERE user_id IN (SELECT user_id FROM import_undone WHERE before ? 'email')
"""

TAKE_COPIES: Final = """
    DELETE FROM subscriptions_freecopy AS f
    USING import_undone AS t
    WHERE t.has_copy AND f.project_id = %(project)s AND f.reference = %(copies)s || t.line
    RETURNING f.user_id
"""

# In the opposite direction of `applying.MOVES`, of the rows undone.
MOVES_BACK: Final = """
    SELECT u.platform_id AS platform_key, (u.registered_at AT TIME ZONE %(zone)s)::date AS day,
           CASE WHEN t.verdict = 1 THEN -1 ELSE 1 END AS n
    FROM import_undone AS t JOIN users_user AS u ON u.id = t.user_id
    WHERE t.verdict = 1 OR t.before ?| ARRAY['platform_key', 'registered_at']
    UNION ALL
    SELECT r.platform_key, (r.registered_at AT TIME ZONE %(zone)s)::date, -1
    FROM import_undone AS t
    JOIN users_importrow AS r
      ON r.user_import_id = %(import)s AND r.verdict = 2 AND r.line = t.line
    WHERE t.verdict = 2 AND t.before ?| ARRAY['platform_key', 'registered_at']
"""

# An invitation that has not left is not sent any more; one that has cannot be called back, but
# its link goes with its user.
CALL_BACK: Final = """
    DELETE FROM jobs_mail AS m USING import_undone AS t
    WHERE t.verdict = 1 AND m.target_user = t.public_id AND m.state <> 'SENT'
"""
MAILS_GONE: Final = """
    SELECT count(*) FROM import_undone AS t
    WHERE t.verdict = 1 AND EXISTS (
        SELECT FROM jobs_mail AS m WHERE m.target_user = t.public_id
    )
"""

REMOVE: Final = """
    WITH words AS (
        DELETE FROM users_usersearch
        WHERE user_id IN (SELECT user_id FROM import_undone WHERE verdict = 1)
    ),
    links AS (
        DELETE FROM users_passwordreset
        WHERE user_id IN (SELECT user_id FROM import_undone WHERE verdict = 1)
    )
    DELETE FROM users_user AS u USING import_undone AS t
    WHERE t.verdict = 1 AND u.id = t.user_id
"""

REMOVED: Final = sql.SQL("""
    SELECT public_id::text AS target, jsonb_build_object('import', %(public)s::text) AS data
    FROM import_undone WHERE verdict = 1 ORDER BY line
""")
RESTORED: Final = sql.SQL("""
    SELECT public_id::text AS target,
           jsonb_build_object('import', %(public)s::text, 'fields', {fields}) AS data
    FROM import_undone WHERE verdict = 2 AND before IS NOT NULL ORDER BY line
""").format(fields=FIELDS)
ACTS: Final = (
    (AuditEvent.Kind.USER_REMOVED, REMOVED),
    (AuditEvent.Kind.USER_EDITED, RESTORED),
)


def undo(*, user_import_id: int, actor: Actor, pulse: Pulse, now: datetime) -> None:
    """
    Undo what is left of an import, a batch at a time, until nothing is left.

    Stopped at any moment it can be begun again. Rows that cannot be undone are marked.
    """
    done = 0
    while True:
        with transaction.atomic():
            user_import = locked(user_import_id)
            if user_import.state != UserImport.State.UNDOING:
                return
            total = user_import.new + user_import.changed
            batch = next_batch(user_import, now)
            if batch is None:
                _finish(user_import, actor, now)
                pulse.fence()
                return
            batch["invited"] = user_import.sends_invitations
            counts = _undo_batch(user_import, batch, actor, now)
            user_import.undone = {
                name: user_import.undone.get(name, 0) + count for name, count in counts.items()
            }
            user_import.done_to_line = batch["to"]
            user_import.save(update_fields=["undone", "done_to_line"])
            pulse.fence()
        done += counts["removed"] + counts["restored"] + counts["kept"]
        pulse.progress(done=min(done, total), total=total)


def _undo_batch(
    user_import: UserImport, batch: Mapping[str, Any], actor: Actor, now: datetime
) -> dict[str, int]:
    """
    Undo the rows of one batch.

    :returns: how many users were removed, restored and kept, and of the removed ones how many
        have their invitation in hand.
    """
    lock_all_addresses(user_import.project_id)
    with connection.cursor() as cursor:
        cursor.execute(LOCK, batch)
        cursor.execute(UNTOUCHED, batch)
        copy_words(cursor, derived_words(names_of(cursor, FORMER_WORDS, batch)))
        cursor.execute(TAKEN, batch)
        cursor.execute(KEEP, batch)
        kept = cursor.rowcount
        _restore(cursor, batch, now)
        mails = _call_back(cursor) if user_import.sends_invitations else 0
        count_registrations(cursor, MOVES_BACK, batch)
        cursor.execute(REMOVE, batch)
        removed = cursor.rowcount
        cursor.execute("SELECT count(*) FROM import_undone WHERE verdict = 2")
        (restored,) = cursor.fetchone()
    record_acts(ACTS, user_import, batch, actor, now)
    return {"removed": removed, "restored": restored, "kept": kept, "mails": mails}


def _restore(cursor: CursorWrapper, batch: Mapping[str, Any], now: datetime) -> None:
    """Put what was changed back."""
    cursor.execute(RESTORE, batch)
    cursor.execute(RESTORE_SEARCH, batch)
    cursor.execute(FORGET_RESETS, batch)
    concerned = set(keys_of(cursor, TAKE_COPIES, batch))
    moved = keys_of(cursor, MOVED, batch)
    if moved:
        registration_moved(moved, now=now)
    if relocated := keys_of(cursor, RELOCATED, batch):
        move_viewers(relocated)
    rebuild_spans(sorted(concerned), now=now)


def _call_back(cursor: CursorWrapper) -> int:
    """Drop the invitations that have not left; return how many have."""
    cursor.execute(CALL_BACK)
    cursor.execute(MAILS_GONE)
    (gone,) = cursor.fetchone()
    return int(gone)


def _finish(user_import: UserImport, actor: Actor, now: datetime) -> None:
    user_import.state = UserImport.State.UNDONE
    user_import.undone_at = now
    user_import.save()
    record_undone(user_import, actor, now)


def record_undone(user_import: UserImport, actor: Actor, now: datetime) -> None:
    """Say in the trail what undoing an import came to."""
    record(
        AuditEvent.Kind.IMPORT_UNDONE,
        actor=actor,
        now=now,
        project=user_import.project,
        target=user_import,
        data=user_import.undone,
    )
