"""
Viewings as they come in: the raw rows keep the greatest, the roll-ups get the difference.

A batch is one COPY into a staging table and a fixed number of statements, whatever its size, in
one transaction. Batches may come in any order, any number of times and at once. Every writer
takes the same way through the locks, so that none waits for another in a circle: first the
rows of the batch's users in the order of their ids, the shared rows of the days last, in the
order of their keys.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

import psycopg
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from analytics.devices import agent_hash, device_ids
from analytics.known import KnownIds
from analytics.models import Content
from analytics.partitions import ensure_partitions, month_of
from analytics.rollups import rebuild_users
from backoffice.projects.models import Platform
from users.selectors import deleted_among

# A player may have begun a little before its clock says so.
SLACK_SECONDS = 60
# Some 20 MB at the most.
MOST_CONTENTS = 100_000


class Beat(NamedTuple):
    """What a player reports about one viewing, clean; the seconds are totals so far."""

    id: str
    user: str
    content: str
    started_at: datetime
    watched_seconds: int
    position_seconds: int = 0
    country: str = ""
    user_agent: str = ""
    has_ended: bool = False
    is_impersonated: bool = False


class Row(NamedTuple):
    """One viewing as it goes into the staging table."""

    user_id: int
    account_platform_id: int
    started_at: datetime
    id: str
    content_id: int
    device_id: int
    watched_seconds: int
    position_seconds: int
    has_ended: bool
    country: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The beats of one platform, ready to be stored."""

    platform: Platform
    rows: list[Row]
    """At most one for each viewing, in the order of users."""
    first_start: datetime
    last_start: datetime


# --- Before the transaction ------------------------------------------------------------------


def prepare(
    beats: Sequence[Beat], *, platform: Platform, now: datetime
) -> tuple[Batch | None, set[str]]:
    """
    Look up users, contents and devices, and make what is missing of the last two and of months.

    Not inside the transaction that stores: nobody waits for a content or a month until a batch
    is through. Beats of deleted users and of staff who watch as a user are left out.

    :param now: the arrival, by which the watched seconds are limited.
    :return: the batch, or none if nothing is to be stored, and the users who were never known.
    """
    users = _users({beat.user for beat in beats}, platform)
    unknown = {beat.user for beat in beats if beat.user not in users}
    present = {user: ids for user, ids in users.items() if ids}
    kept = [beat for beat in beats if not beat.is_impersonated and beat.user in present]
    if not kept:
        return None, unknown
    first, last = min(b.started_at for b in kept), max(b.started_at for b in kept)
    ensure_partitions({month_of(beat.started_at) for beat in kept})
    contents = _content_ids({beat.content for beat in kept}, platform)
    devices = device_ids({beat.user_agent for beat in kept})
    rows = [
        Row(
            *present[beat.user],
            beat.started_at,
            beat.id,
            contents[beat.content],
            devices[beat.user_agent],
            beat.watched_seconds,
            beat.position_seconds,
            beat.has_ended,
            beat.country,
        )
        for beat in _one_each(kept, now=now)
    ]
    rows.sort(key=itemgetter(0))
    return Batch(platform, rows, first, last), unknown


# Written out: the ORM would turn a thousand texts into UUIDs and back.
FIND_USERS = """
    SELECT public_id::text, id, platform_id, deleted_at IS NOT NULL
    FROM users_user
    WHERE public_id = ANY (%(users)s::uuid[]) AND project_id = %(project)s
"""


def _users(public_ids: set[str], platform: Platform) -> dict[str, tuple[int, int] | None]:
    """Return id and account platform of the project's users among these; None if deleted."""
    values = {"users": _array(public_ids), "project": platform.project_id}
    with connection.cursor() as cursor:
        rows = _ask(cursor, FIND_USERS, values).fetchall()
    found: dict[str, tuple[int, int] | None] = {
        public_id: None if is_deleted else (user_id, platform_id)
        for public_id, user_id, platform_id, is_deleted in rows
    }
    missing = public_ids - found.keys()
    if missing:
        found |= dict.fromkeys(deleted_among(missing, project_id=platform.project_id))
    return found


known_contents = KnownIds[tuple[int, str]](most=MOST_CONTENTS)


def _content_ids(references: set[str], platform: Platform) -> dict[str, int]:
    """Return the contents by their references; new ones are kept undescribed."""
    project_id = platform.project_id
    known = known_contents.among((project_id, reference) for reference in references)
    found = {reference: number for (_, reference), number in known.items() if number is not None}
    unknown = references - found.keys()
    if unknown:
        fresh = _stored_contents(unknown, project_id)
        if missing := sorted(unknown - fresh.keys()):
            Content.objects.bulk_create(
                [Content(project_id=project_id, reference=reference) for reference in missing],
                ignore_conflicts=True,
            )
            fresh |= _stored_contents(missing, project_id)
        if not connection.in_atomic_block:
            known_contents.add({(project_id, name): number for name, number in fresh.items()})
        found |= fresh
    return found


def _stored_contents(references: Iterable[str], project_id: int) -> dict[str, int]:
    same = Content.objects.filter(project_id=project_id, reference__in=references)
    return dict(same.values_list("reference", "id"))


def _one_each(beats: Iterable[Beat], *, now: datetime) -> Iterable[Beat]:
    """Return one beat for each viewing, its seconds cut to what the wall clock allows."""
    viewings: dict[tuple[str, datetime, str], Beat] = {}
    for sent in beats:
        beat = sent
        most = max(0, int((now - sent.started_at).total_seconds()) + SLACK_SECONDS)
        if sent.watched_seconds > most:
            beat = sent._replace(watched_seconds=most)
        key = (beat.user, beat.started_at, beat.id)
        other = viewings.get(key)
        viewings[key] = beat if other is None else _greatest(beat, other)
    return viewings.values()


def _greatest(one: Beat, other: Beat) -> Beat:
    """
    Return two beats of one viewing as one.

    Of two with the same seconds the one counts that the statement MERGE would choose, so that
    it does not matter which two meet in one batch.
    """
    leading = max(
        one,
        other,
        key=lambda b: (b.watched_seconds, agent_hash(b.user_agent), b.country, b.content),
    )
    return leading._replace(
        position_seconds=max(one.position_seconds, other.position_seconds),
        has_ended=one.has_ended or other.has_ended,
    )


# --- Statements ------------------------------------------------------------------------------


def _ask(
    cursor: CursorWrapper, statement: str, values: Mapping[str, Any] | None = None
) -> "psycopg.Cursor[Any]":
    """
    Run a statement that the server has planned once for this connection.

    Planning takes it longer than a small batch. Django's own cursor puts the values into the
    text, so that no two statements are the same.
    """
    with connection.wrap_database_errors:
        return psycopg.Cursor(cursor.connection).execute(statement, values, prepare=True)


def _array(values: Iterable[Any]) -> str:
    """Return numbers or ids as PostgreSQL writes an array: one text, whatever their size."""
    return f"{{{','.join(map(str, values))}}}"


# --- The transaction -------------------------------------------------------------------------

# The tables live as long as the connection: making them anew would cost as much as a statement
# and litter the catalog. They are empty after each transaction; within one, DELETE empties them.
STAGING = """
    CREATE TEMP TABLE IF NOT EXISTS ingest_beat (
        user_id bigint NOT NULL, account_platform_id integer NOT NULL,
        started_at timestamptz NOT NULL, id uuid NOT NULL,
        content_id integer NOT NULL, device_id integer NOT NULL,
        watched_seconds integer NOT NULL, position_seconds integer NOT NULL,
        has_ended boolean NOT NULL, country text NOT NULL
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS ingest_change (
        user_id bigint NOT NULL, started_at timestamptz NOT NULL, id uuid NOT NULL,
        platform_id integer NOT NULL, content_id integer NOT NULL, device_id integer NOT NULL,
        country text NOT NULL, watched_seconds integer NOT NULL,
        position_seconds integer NOT NULL, has_ended boolean NOT NULL,
        day date NOT NULL, account_platform_id integer NOT NULL,
        is_view boolean NOT NULL, was_view boolean NOT NULL,
        old_platform_id integer, old_content_id integer, old_watched_seconds integer,
        first_viewed_at timestamptz NOT NULL, first_content_id bigint NOT NULL,
        last_viewed_at timestamptz NOT NULL, last_content_id bigint NOT NULL
    ) ON COMMIT DELETE ROWS;
    DELETE FROM ingest_beat;
    DELETE FROM ingest_change;
"""

COPY = "COPY ingest_beat FROM STDIN (FORMAT binary)"

# COPY's binary form: a header, the rows, an end. A row is the number of its fields, then each
# with its length before it; instants are microseconds since 2000. Numbers are put down as they
# are, which takes both sides a third of the time that texts take.
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
COPY_ROW = struct.Struct(f"!hiqiiiqi16s{4 * 'ii'}i?i")
COPY_COLUMNS = 10
COPY_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Rows that are there are locked and stay as they are; a user without one is given an empty one,
# which is the lock for whoever comes at the same time.
LOCK_USERS = """
    INSERT INTO analytics_userviewing AS v (
        user_id, project_id, views, viewing_seconds, media_viewed, first_content_id,
        first_viewed_at, last_content_id, last_viewed_at, platform_ids
    )
    SELECT user_id, %(project)s::bigint, 0, 0, 0, 0, 'infinity', 0, '-infinity', '{}'
    FROM unnest(%(users)s::bigint[]) AS user_id
    ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET views = v.views WHERE false
    RETURNING user_id
"""

# Who was deleted since the look-up has no row: one who has was not.
LEAVE_OUT_DELETED = """
    DELETE FROM ingest_beat AS b USING users_user AS u
    WHERE u.id = ANY (%(users)s::bigint[]) AND u.deleted_at IS NOT NULL AND b.user_id = u.id
"""

# Nobody keeps an empty row.
RELEASE_USERS = """
    DELETE FROM analytics_userviewing WHERE user_id = ANY (%(users)s::bigint[]) AND views = 0
"""

# What each beat makes of its viewing, beside what the user had seen so far; beats that change
# nothing are dropped here. Of the old row and the beat, the one with more seconds leads. Ties
# are broken by what does not depend on the order of arrival; ids of devices and contents do.
# The limits of the start are there for the planner: it looks into few partitions.
MERGE = """
    INSERT INTO ingest_change
    SELECT b.user_id, b.started_at, b.id, n.platform_id, n.content_id, n.device_id, n.country,
           n.watched_seconds, greatest(b.position_seconds, v.position_seconds),
           b.has_ended OR coalesce(v.has_ended, false),
           (b.started_at AT TIME ZONE p.time_zone)::date, b.account_platform_id,
           n.watched_seconds >= p.minimum_view_seconds AND n.hardware_type <> 'bot',
           coalesce(
               v.watched_seconds >= p.minimum_view_seconds AND od.hardware_type <> 'bot', false
           ),
           v.platform_id, v.content_id, v.watched_seconds,
           uv.first_viewed_at, uv.first_content_id, uv.last_viewed_at, uv.last_content_id
    FROM ingest_beat AS b
    JOIN analytics_userviewing AS uv ON uv.user_id = b.user_id
    JOIN projects_project AS p ON p.id = %(project)s::bigint
    JOIN analytics_device AS d ON d.id = b.device_id
    LEFT JOIN analytics_viewing AS v
        ON v.user_id = b.user_id AND v.started_at = b.started_at AND v.id = b.id
        AND v.started_at BETWEEN %(first)s::timestamptz AND %(last)s::timestamptz
    LEFT JOIN analytics_device AS od ON od.id = v.device_id
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN v.user_id IS NULL OR b.watched_seconds > v.watched_seconds THEN true
            WHEN b.watched_seconds < v.watched_seconds THEN false
            WHEN b.device_id <> v.device_id
                THEN d.agent_hash COLLATE "C" > od.agent_hash COLLATE "C"
            WHEN b.country <> v.country
                THEN b.country COLLATE "C" > v.country COLLATE "C"
            WHEN b.content_id <> v.content_id THEN (
                SELECT bc.reference COLLATE "C" > vc.reference COLLATE "C"
                FROM analytics_content AS bc, analytics_content AS vc
                WHERE bc.id = b.content_id AND vc.id = v.content_id
            )
            ELSE %(platform)s::integer > v.platform_id
        END AS leads
    ) AS l
    CROSS JOIN LATERAL (
        SELECT CASE WHEN leads THEN %(platform)s::integer ELSE v.platform_id END AS platform_id,
               CASE WHEN leads THEN b.content_id ELSE v.content_id END AS content_id,
               CASE WHEN leads THEN b.device_id ELSE v.device_id END AS device_id,
               CASE WHEN leads THEN b.country ELSE v.country END AS country,
               CASE WHEN leads THEN d.hardware_type ELSE od.hardware_type END AS hardware_type,
               CASE WHEN leads THEN b.watched_seconds ELSE v.watched_seconds END
                   AS watched_seconds
    ) AS n
    WHERE v.user_id IS NULL OR leads OR b.position_seconds > v.position_seconds
       OR b.has_ended > v.has_ended
"""

# The users are locked: what was not there when MERGE looked is not there now.
STORE_NEW = """
    INSERT INTO analytics_viewing (
        user_id, started_at, id, project_id, platform_id, content_id, device_id, country,
        watched_seconds, position_seconds, has_ended
    )
    SELECT user_id, started_at, id, %(project)s::integer, platform_id, content_id, device_id,
           country, watched_seconds, position_seconds, has_ended
    FROM ingest_change WHERE old_watched_seconds IS NULL
"""
STORE_KNOWN = """
    UPDATE analytics_viewing AS v SET
        platform_id = c.platform_id, content_id = c.content_id, device_id = c.device_id,
        country = c.country, watched_seconds = c.watched_seconds,
        position_seconds = c.position_seconds, has_ended = c.has_ended
    FROM ingest_change AS c
    WHERE v.user_id = c.user_id AND v.started_at = c.started_at AND v.id = c.id
      AND v.started_at BETWEEN %(first)s::timestamptz AND %(last)s::timestamptz
      AND c.old_watched_seconds IS NOT NULL
"""

# Differences cannot say what is left of a user's contents, platforms, first and last view when
# a view is none any more, or was another's; nor which of two views at once is the first.
FIND_REBUILT = """
    SELECT DISTINCT user_id
    FROM ingest_change
    WHERE was_view AND (
              NOT is_view OR content_id <> old_content_id OR platform_id <> old_platform_id
          )
       OR is_view AND NOT was_view AND (
              started_at = first_viewed_at AND content_id <> first_content_id
              OR started_at = last_viewed_at AND content_id <> last_content_id
          )
"""

# A user's contents are sorted: one more is put into its place, which is what mostly happens.
# A viewing that becomes a view was led there by its new beat: the platform is the batch's.
ADD_TO_USERS = """
    WITH changes AS (
        SELECT * FROM ingest_change
        WHERE is_view AND user_id <> ALL (%(rebuilt)s::bigint[])
    ),
    added AS (
        SELECT user_id, array_agg(DISTINCT content_id ORDER BY content_id) AS ids
        FROM changes WHERE NOT was_view GROUP BY user_id
    ),
    first_media AS (
        INSERT INTO analytics_usermedia AS m (user_id, project_id, content_ids)
        SELECT user_id, %(project)s::bigint, ids FROM added
        WHERE user_id = ANY (%(new_users)s::bigint[])
        RETURNING m.user_id, cardinality(m.content_ids) AS media_viewed
    ),
    more_media AS (
        UPDATE analytics_usermedia AS m SET content_ids = CASE
            WHEN cardinality(a.ids) = 1 THEN
                m.content_ids[:width_bucket(a.ids[1], m.content_ids)]
                || a.ids
                || m.content_ids[width_bucket(a.ids[1], m.content_ids) + 1:]
            ELSE ARRAY(
                SELECT DISTINCT id FROM unnest(m.content_ids || a.ids) AS id ORDER BY id
            )
        END
        FROM added AS a
        WHERE m.user_id = a.user_id AND NOT m.content_ids @> a.ids
        RETURNING m.user_id, cardinality(m.content_ids) AS media_viewed
    ),
    media AS (SELECT * FROM first_media UNION ALL SELECT * FROM more_media),
    gained AS (
        SELECT user_id, count(*) FILTER (WHERE NOT was_view) AS views,
               sum(watched_seconds - CASE WHEN was_view THEN old_watched_seconds ELSE 0 END)
                   AS seconds,
               min(started_at) FILTER (WHERE NOT was_view) AS first_at,
               max(started_at) FILTER (WHERE NOT was_view) AS last_at,
               array_agg(content_id ORDER BY started_at, id) FILTER (WHERE NOT was_view)
                   AS contents
        FROM changes GROUP BY user_id
    )
    UPDATE analytics_userviewing AS u SET
        views = u.views + g.views,
        viewing_seconds = u.viewing_seconds + g.seconds,
        media_viewed = coalesce(m.media_viewed, u.media_viewed),
        first_content_id = CASE WHEN g.first_at < u.first_viewed_at
            THEN g.contents[1] ELSE u.first_content_id END,
        first_viewed_at = least(u.first_viewed_at, g.first_at),
        last_content_id = CASE WHEN g.last_at > u.last_viewed_at
            THEN g.contents[g.views] ELSE u.last_content_id END,
        last_viewed_at = greatest(u.last_viewed_at, g.last_at),
        platform_ids = CASE WHEN g.views = 0 OR %(platform)s::bigint = ANY (u.platform_ids)
            THEN u.platform_ids
            ELSE ARRAY(SELECT id FROM unnest(u.platform_ids || %(platform)s::bigint) AS id
                       ORDER BY id) END
    FROM gained AS g LEFT JOIN media AS m ON m.user_id = g.user_id
    WHERE u.user_id = g.user_id
"""

# By how much the counts of first viewers change: an earlier first view moves a user's count.
# The stored month is looked up only where a view may come late: one after all others of the
# user is the first of its month or changes nothing. (Within a day of a month's end a clock that
# is set back may take local days out of order.)
ADD_TO_MONTHS = """
    WITH zone AS (SELECT time_zone FROM projects_project WHERE id = %(project)s::bigint),
    new AS (
        SELECT user_id, date_trunc('month', day::timestamp)::date AS month, account_platform_id,
               min(started_at) AS first_at, min(day) AS day, last_viewed_at
        FROM ingest_change
        WHERE is_view AND NOT was_view AND user_id <> ALL (%(rebuilt)s::bigint[])
        GROUP BY user_id, 2, account_platform_id, last_viewed_at
    ),
    placed AS (
        SELECT new.*,
               CASE
                   WHEN first_at < last_viewed_at THEN 'late'
                   WHEN last_day < month - 1 THEN 'first'
                   WHEN date_trunc('month', last_day::timestamp)::date = month THEN 'after'
                   ELSE 'late'
               END AS place
        FROM new, zone,
             LATERAL (SELECT (last_viewed_at AT TIME ZONE time_zone)::date AS last_day) AS l
    ),
    earlier AS (
        SELECT p.*, m.first_viewed_at AS old_first_at
        FROM placed AS p
        LEFT JOIN analytics_viewermonth AS m
            ON m.user_id = CASE WHEN p.place = 'late' THEN p.user_id END AND m.month = p.month
        WHERE p.place <> 'after' AND (m.user_id IS NULL OR p.first_at < m.first_viewed_at)
    ),
    inserted AS (
        INSERT INTO analytics_viewermonth
            (user_id, month, project_id, account_platform_id, first_viewed_at)
        SELECT user_id, month, %(project)s::bigint, account_platform_id, first_at
        FROM earlier WHERE old_first_at IS NULL
    ),
    moved AS (
        UPDATE analytics_viewermonth AS m SET first_viewed_at = e.first_at
        FROM earlier AS e
        WHERE m.user_id = e.user_id AND m.month = e.month AND e.old_first_at IS NOT NULL
    )
    SELECT account_platform_id, day, count(*) FROM earlier GROUP BY 1, 2
    UNION ALL
    SELECT account_platform_id, (old_first_at AT TIME ZONE time_zone)::date, -count(*)
    FROM earlier, zone
    WHERE old_first_at IS NOT NULL
    GROUP BY 1, 2
"""

CHANGES_OF_DAYS = """
    SELECT platform_id, day, sum(views)::integer, sum(seconds)::bigint
    FROM (
        SELECT platform_id, day, 1 AS views, watched_seconds AS seconds
        FROM ingest_change WHERE is_view
        UNION ALL
        SELECT old_platform_id, day, -1, -old_watched_seconds FROM ingest_change WHERE was_view
    ) AS parts
    GROUP BY platform_id, day
"""

ADD_TO_VIEWER_DAYS = """
    INSERT INTO analytics_viewerday AS d (project_id, platform_id, day, first_viewers)
    SELECT %(project)s::bigint, * FROM unnest(
        %(platforms)s::bigint[], %(days)s::date[], %(viewers)s::integer[]
    ) AS c (platform_id, day, viewers)
    ORDER BY platform_id, day
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET
        first_viewers = d.first_viewers + excluded.first_viewers
"""

# A new row cannot be below zero, and PostgreSQL looks at it before it finds the one to change:
# so the difference comes from the array itself.
ADD_TO_VIEWING_DAYS = """
    WITH changes AS MATERIALIZED (
        SELECT * FROM unnest(
            %(platforms)s::bigint[], %(days)s::date[], %(views)s::integer[], %(seconds)s::bigint[]
        ) AS c (platform_id, day, views, seconds)
    )
    INSERT INTO analytics_viewingday AS d (project_id, platform_id, day, views, viewing_seconds)
    SELECT %(project)s::bigint, platform_id, day, greatest(views, 0), greatest(seconds, 0)
    FROM changes ORDER BY platform_id, day
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET (views, viewing_seconds) = (
        SELECT d.views + c.views, d.viewing_seconds + c.seconds
        FROM changes AS c WHERE c.platform_id = d.platform_id AND c.day = d.day
    )
"""


@transaction.atomic
def store(batch: Batch) -> None:
    """Store the batch with all that follows from it, or nothing; a repeat changes nothing."""
    values: dict[str, Any] = {
        "project": batch.platform.project_id,
        "platform": batch.platform.pk,
        "first": batch.first_start,
        "last": batch.last_start,
    }
    with connection.cursor() as cursor:
        _stage(cursor, batch.rows)
        new_users = lock_users(
            cursor, {row.user_id for row in batch.rows}, project_id=batch.platform.project_id
        )
        added = {"users": _array(new_users)}
        if new_users:
            _ask(cursor, LEAVE_OUT_DELETED, added)
        changes = _ask(cursor, MERGE, values).rowcount
        if changes:
            _merge(cursor, values | {"new_users": added["users"]}, changes=changes)
        if new_users:
            _ask(cursor, RELEASE_USERS, added)


def lock_users(cursor: CursorWrapper, user_ids: Iterable[int], *, project_id: int) -> list[int]:
    """
    Keep others from changing what these users have watched, until the transaction ends.

    :return: those without a view so far: their rows are empty, and to be filled or removed.
    """
    values = {"users": _array(sorted(user_ids)), "project": project_id}
    return [user_id for (user_id,) in _ask(cursor, LOCK_USERS, values).fetchall()]


def _stage(cursor: CursorWrapper, rows: Sequence[Row]) -> None:
    cursor.execute(STAGING)
    with connection.wrap_database_errors, cursor.cursor.copy(COPY) as copy:
        copy.write(b"".join([COPY_HEAD, *map(_packed, rows), COPY_END]))


def _packed(row: Row) -> bytes:
    country = row.country.encode()
    return (
        COPY_ROW.pack(
            COPY_COLUMNS,
            *(8, row.user_id, 4, row.account_platform_id),
            *(8, (row.started_at - COPY_EPOCH) // MICROSECOND),
            *(16, bytes.fromhex(row.id.replace("-", ""))),
            *(4, row.content_id, 4, row.device_id),
            *(4, row.watched_seconds, 4, row.position_seconds),
            *(1, row.has_ended, len(country)),
        )
        + country
    )


def _merge(cursor: CursorWrapper, values: dict[str, Any], *, changes: int) -> None:
    if _ask(cursor, STORE_NEW, values).rowcount < changes:
        _ask(cursor, STORE_KNOWN, values)
    rebuilt = [user_id for (user_id,) in _ask(cursor, FIND_REBUILT).fetchall()]
    values |= {"rebuilt": _array(rebuilt)}
    _ask(cursor, ADD_TO_USERS, values)
    viewers: Counter[tuple[int, date]] = Counter()
    for platform_id, day, count in _ask(cursor, ADD_TO_MONTHS, values).fetchall():
        viewers[platform_id, day] += count
    if rebuilt:
        viewers.update(rebuild_users(cursor, rebuilt))
    views = [row for row in _ask(cursor, CHANGES_OF_DAYS).fetchall() if row[2] or row[3]]
    moved = [(*key, count) for key, count in viewers.items() if count]
    if moved:
        _ask(cursor, ADD_TO_VIEWER_DAYS, values | _columns("platforms days viewers", moved))
    if views:
        _ask(cursor, ADD_TO_VIEWING_DAYS, values | _columns("platforms days views seconds", views))


def _columns(names: str, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Return rows of numbers and days as arrays by name."""
    return dict(zip(names.split(), map(_array, zip(*rows, strict=True)), strict=True))
