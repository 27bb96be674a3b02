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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
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
    """At most one for each viewing, in the order of users, starts and ids."""
    first_start: datetime


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
    names = {beat.user for beat in beats}
    values = {"users": _array(names), "project": platform.project_id}
    with connection.cursor() as cursor, _pipeline(cursor):
        asked = _ask(cursor, FIND_USERS, values)
        # This while the server looks.
        sent = _one_each([beat for beat in beats if not beat.is_impersonated], now=now)
        found = asked.fetchall()
    present = {
        user: (number, account) for user, number, account, is_deleted in found if not is_deleted
    }
    kept = sent if len(present) == len(names) else [beat for beat in sent if beat.user in present]
    unknown = names - {user for user, *_ in found}
    if unknown:
        unknown -= deleted_among(unknown, project_id=platform.project_id)
    if not kept:
        return None, unknown
    starts = [beat.started_at for beat in kept]
    first, last = min(starts), max(starts)
    months = {month_of(first), month_of(last)}
    ensure_partitions(months if len(months) == 1 else set(map(month_of, starts)))
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
        for beat in kept
    ]
    rows.sort(key=itemgetter(0, 2, 3))
    return Batch(platform, rows, first), unknown


# Written out: the ORM would turn a thousand texts into UUIDs and back.
FIND_USERS = """
    SELECT public_id::text, id, platform_id, deleted_at IS NOT NULL
    FROM users_user
    WHERE public_id = ANY (%(users)s::uuid[]) AND project_id = %(project)s
"""


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


FIND_CONTENTS = """
    SELECT reference, id FROM analytics_content
    WHERE project_id = %(project)s AND reference = ANY (%(references)s::text[])
"""


def _stored_contents(references: Iterable[str], project_id: int) -> dict[str, int]:
    values = {"project": project_id, "references": list(references)}
    with connection.cursor() as cursor:
        return dict(_ask(cursor, FIND_CONTENTS, values).fetchall())


def _one_each(beats: list[Beat], *, now: datetime) -> list[Beat]:
    """Return one beat for each viewing, its seconds cut to what the wall clock allows."""
    latest = now + timedelta(seconds=SLACK_SECONDS)
    possible = [
        beat
        if beat.watched_seconds <= (most := int((latest - beat.started_at).total_seconds()))
        else beat._replace(watched_seconds=max(0, most))
        for beat in beats
    ]
    if len({beat.id for beat in beats}) == len(beats):
        return possible
    viewings: dict[tuple[str, datetime, str], Beat] = {}
    for beat in possible:
        key = (beat.user, beat.started_at, beat.id)
        other = viewings.get(key)
        viewings[key] = beat if other is None else _greatest(beat, other)
    return list(viewings.values())


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


@contextmanager
def _pipeline(cursor: CursorWrapper) -> Iterator[None]:
    """Send statements without waiting for their answers: this side works while the server does."""
    with connection.wrap_database_errors, cursor.connection.pipeline():
        yield


def _array(values: Iterable[Any]) -> str:
    """Return numbers or ids as PostgreSQL writes an array: one text, whatever their size."""
    return f"{{{','.join(map(str, values))}}}"


# --- The transaction -------------------------------------------------------------------------

# The tables live as long as the connection: making them anew would cost as much as a statement
# and litter the catalog. They are empty after each transaction; within one, DELETE empties them.
# Left to itself the server would plan MERGE anew each time: a plan for any start lists all months
# and looks dear, though it leaves out all but the batch's own when it begins.
STAGING = """
    CREATE TEMP TABLE IF NOT EXISTS ingest_beat (
        place integer NOT NULL,
        user_id bigint NOT NULL, account_platform_id integer NOT NULL,
        started_at timestamptz NOT NULL, id uuid NOT NULL,
        content_id integer NOT NULL, device_id integer NOT NULL,
        watched_seconds integer NOT NULL, position_seconds integer NOT NULL,
        has_ended boolean NOT NULL, country char(2) NOT NULL
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS ingest_user (
        user_id bigint NOT NULL, row tid NOT NULL, is_new boolean NOT NULL,
        first_viewed_at timestamptz NOT NULL, first_content_id bigint NOT NULL,
        last_viewed_at timestamptz NOT NULL, last_content_id bigint NOT NULL
    ) ON COMMIT DELETE ROWS;
    DELETE FROM ingest_beat;
    DELETE FROM ingest_user;
    SET LOCAL plan_cache_mode = force_generic_plan;
"""

COPY = "COPY ingest_beat FROM STDIN (FORMAT binary)"

# COPY's binary form: a header, the rows, an end. A row is the number of its fields, then each
# with its length before it; instants are microseconds since 2000. Numbers are put down as they
# are, which takes both sides a third of the time that texts take. A country that is not known is
# two blanks, which char(2) takes for nothing: so all rows have one form.
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
COPY_ROW = struct.Struct("!h ii iq ii iq i16s ii ii ii ii i? i2s")
COPY_LENGTHS = (4, 8, 4, 8, 16, 4, 4, 4, 4, 1, 2)
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

# A batch takes the same locks in two steps, in half the time: rows that are there are locked by a
# read, which notes what is needed of them and where they lie. While locked, they stay there.
HOLD_USERS = """
    INSERT INTO ingest_user
    SELECT user_id, ctid, views = 0,
           first_viewed_at, first_content_id, last_viewed_at, last_content_id
    FROM analytics_userviewing
    WHERE user_id = ANY (%(users)s::bigint[])
    ORDER BY user_id
    FOR NO KEY UPDATE
"""

# Whose row came meanwhile from another transaction is left out: to wait for it now, out of the
# order of ids, could close a circle. Whoever waits here waits for others at this very step, who
# come in the order of ids too.
ADD_USERS = """
    WITH added AS (
        INSERT INTO analytics_userviewing (
            user_id, project_id, views, viewing_seconds, media_viewed, first_content_id,
            first_viewed_at, last_content_id, last_viewed_at, platform_ids
        )
        SELECT user_id, %(project)s::bigint, 0, 0, 0, 0, 'infinity', 0, '-infinity', '{}'
        FROM unnest(%(users)s::bigint[]) AS user_id
        WHERE user_id NOT IN (SELECT held.user_id FROM ingest_user AS held)
        ORDER BY user_id
        ON CONFLICT (user_id) DO NOTHING
        RETURNING user_id, ctid, first_viewed_at, first_content_id, last_viewed_at, last_content_id
    )
    INSERT INTO ingest_user
    SELECT user_id, ctid, true, first_viewed_at, first_content_id, last_viewed_at, last_content_id
    FROM added
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

# The users are locked: what is not there when this begins does not come meanwhile.
#
# change: what each beat makes of its viewing; beats that change nothing are dropped. Of the old
# row and the beat, the one with more seconds leads. Ties are broken by what does not depend on
# the order of arrival; ids of devices and contents do. Months before the first start are left
# out. (With a last one beside it the planner would take the starts between for a handful.)
#
# stored_known: by the place where the row lies, so that no plan can read a whole month for it.
#
# rebuilt: differences cannot say what is left of a user's contents, platforms, first and last
# view when a view is none any more, or was another's; nor which of two views at once is the first.
#
# gained: what is added to the sums of each other user. The place of a beat is in the order of
# users, starts and ids: with the content behind it in one number, the least and the greatest
# are the contents viewed first and last. A viewing that becomes a view was led there by its new
# beat: the platform is the batch's.
#
# media: a user's contents are sorted. One more is put into its place, which is what mostly
# happens.
#
# candidate: first views of a month, perhaps. A view after all others of the user is the first of
# its month or changes nothing: the stored month is looked up only where it may come late. (Within
# a day of a month's end a clock that is set back may take local days out of order.)
#
# earlier: by how much the counts of first viewers change; an earlier first view moves one.
MERGE = """
    WITH project AS MATERIALIZED (
        SELECT time_zone, minimum_view_seconds FROM projects_project
        WHERE id = %(project)s::bigint
    ),
    change AS MATERIALIZED (
        SELECT b.user_id, b.started_at, b.id, b.place, b.account_platform_id,
               n.platform_id, n.content_id, n.device_id, n.country, n.watched_seconds,
               greatest(b.position_seconds, v.position_seconds) AS position_seconds,
               b.has_ended OR coalesce(v.has_ended, false) AS has_ended,
               (b.started_at AT TIME ZONE p.time_zone)::date AS day,
               n.watched_seconds >= p.minimum_view_seconds AND n.hardware_type <> 'bot'
                   AS is_view,
               coalesce(
                   v.watched_seconds >= p.minimum_view_seconds AND od.hardware_type <> 'bot',
                   false
               ) AS was_view,
               v.platform_id AS old_platform_id, v.content_id AS old_content_id,
               v.watched_seconds AS old_watched_seconds,
               v.tableoid AS old_part, v.ctid AS old_row,
               h.first_viewed_at, h.first_content_id, h.last_viewed_at, h.last_content_id
        FROM (SELECT *, country::text AS sent_country FROM ingest_beat) AS b
        JOIN ingest_user AS h ON h.user_id = b.user_id
        CROSS JOIN project AS p
        JOIN analytics_device AS d ON d.id = b.device_id
        LEFT JOIN analytics_viewing AS v
            ON v.user_id = b.user_id AND v.started_at = b.started_at AND v.id = b.id
            AND v.started_at >= %(first)s::timestamptz
        LEFT JOIN analytics_device AS od ON od.id = v.device_id
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN v.user_id IS NULL OR b.watched_seconds > v.watched_seconds THEN true
                WHEN b.watched_seconds < v.watched_seconds THEN false
                WHEN b.device_id <> v.device_id
                    THEN d.agent_hash COLLATE "C" > od.agent_hash COLLATE "C"
                WHEN b.sent_country <> v.country
                    THEN b.sent_country COLLATE "C" > v.country COLLATE "C"
                WHEN b.content_id <> v.content_id THEN (
                    SELECT bc.reference COLLATE "C" > vc.reference COLLATE "C"
                    FROM analytics_content AS bc, analytics_content AS vc
                    WHERE bc.id = b.content_id AND vc.id = v.content_id
                )
                ELSE %(platform)s::integer > v.platform_id
            END AS leads
        ) AS l
        CROSS JOIN LATERAL (
            SELECT CASE WHEN leads THEN %(platform)s::integer ELSE v.platform_id END
                       AS platform_id,
                   CASE WHEN leads THEN b.content_id ELSE v.content_id END AS content_id,
                   CASE WHEN leads THEN b.device_id ELSE v.device_id END AS device_id,
                   CASE WHEN leads THEN b.sent_country ELSE v.country END AS country,
                   CASE WHEN leads THEN d.hardware_type ELSE od.hardware_type END
                       AS hardware_type,
                   CASE WHEN leads THEN b.watched_seconds ELSE v.watched_seconds END
                       AS watched_seconds
        ) AS n
        WHERE v.user_id IS NULL OR leads OR b.position_seconds > v.position_seconds
           OR b.has_ended > v.has_ended
    ),
    stored_new AS (
        INSERT INTO analytics_viewing (
            user_id, started_at, id, project_id, platform_id, content_id, device_id, country,
            watched_seconds, position_seconds, has_ended
        )
        SELECT user_id, started_at, id, %(project)s::integer, platform_id, content_id, device_id,
               country, watched_seconds, position_seconds, has_ended
        FROM change WHERE old_watched_seconds IS NULL
    ),
    stored_known AS (
        UPDATE analytics_viewing AS v SET
            platform_id = c.platform_id, content_id = c.content_id, device_id = c.device_id,
            country = c.country, watched_seconds = c.watched_seconds,
            position_seconds = c.position_seconds, has_ended = c.has_ended
        FROM change AS c
        WHERE v.tableoid = c.old_part AND v.ctid = c.old_row
          AND v.started_at = c.started_at AND v.started_at >= %(first)s::timestamptz
    ),
    rebuilt AS MATERIALIZED (
        SELECT DISTINCT user_id
        FROM change
        WHERE was_view AND (
                  NOT is_view OR content_id <> old_content_id OR platform_id <> old_platform_id
              )
           OR is_view AND NOT was_view AND (
                  started_at = first_viewed_at AND content_id <> first_content_id
                  OR started_at = last_viewed_at AND content_id <> last_content_id
              )
    ),
    added AS MATERIALIZED (
        SELECT * FROM change WHERE is_view AND user_id NOT IN (SELECT user_id FROM rebuilt)
    ),
    gained AS MATERIALIZED (
        SELECT user_id, count(*) FILTER (WHERE NOT was_view) AS views,
               sum(watched_seconds - CASE WHEN was_view THEN old_watched_seconds ELSE 0 END)
                   AS seconds,
               min(started_at) FILTER (WHERE NOT was_view) AS first_at,
               max(started_at) FILTER (WHERE NOT was_view) AS last_at,
               min(place::bigint << 32 | content_id) FILTER (WHERE NOT was_view)
                   & 4294967295 AS first_content_id,
               max(place::bigint << 32 | content_id) FILTER (WHERE NOT was_view)
                   & 4294967295 AS last_content_id,
               array_agg(content_id) FILTER (WHERE NOT was_view) AS content_ids
        FROM added GROUP BY user_id
    ),
    first_media AS (
        INSERT INTO analytics_usermedia AS m (user_id, project_id, content_ids)
        SELECT user_id, %(project)s::bigint,
               ARRAY(SELECT DISTINCT id FROM unnest(content_ids) AS id ORDER BY id)
        FROM gained JOIN ingest_user AS held USING (user_id)
        WHERE is_new
        RETURNING m.user_id, cardinality(m.content_ids) AS media_viewed
    ),
    more_media AS (
        UPDATE analytics_usermedia AS m SET content_ids = CASE
            WHEN g.views = 1 THEN
                m.content_ids[:width_bucket(g.content_ids[1], m.content_ids)]
                || g.content_ids
                || m.content_ids[width_bucket(g.content_ids[1], m.content_ids) + 1:]
            ELSE ARRAY(
                SELECT DISTINCT id FROM unnest(m.content_ids || g.content_ids) AS id ORDER BY id
            )
        END
        FROM gained AS g
        WHERE m.user_id = g.user_id AND CASE g.views
                WHEN 0 THEN false
                WHEN 1 THEN m.content_ids[width_bucket(g.content_ids[1], m.content_ids)]
                    IS DISTINCT FROM g.content_ids[1]
                ELSE NOT m.content_ids @> g.content_ids
            END
        RETURNING m.user_id, cardinality(m.content_ids) AS media_viewed
    ),
    media AS (SELECT * FROM first_media UNION ALL SELECT * FROM more_media),
    summed AS (
        UPDATE analytics_userviewing AS u SET
            views = u.views + g.views,
            viewing_seconds = u.viewing_seconds + g.seconds,
            media_viewed = coalesce(m.media_viewed, u.media_viewed),
            first_content_id = CASE WHEN g.first_at < u.first_viewed_at
                THEN g.first_content_id ELSE u.first_content_id END,
            first_viewed_at = least(u.first_viewed_at, g.first_at),
            last_content_id = CASE WHEN g.last_at > u.last_viewed_at
                THEN g.last_content_id ELSE u.last_content_id END,
            last_viewed_at = greatest(u.last_viewed_at, g.last_at),
            platform_ids = CASE WHEN g.views = 0 OR %(platform)s::bigint = ANY (u.platform_ids)
                THEN u.platform_ids
                ELSE ARRAY(SELECT id FROM unnest(u.platform_ids || %(platform)s::bigint) AS id
                           ORDER BY id) END
        FROM gained AS g
        JOIN ingest_user AS held ON held.user_id = g.user_id
        LEFT JOIN media AS m ON m.user_id = g.user_id
        WHERE u.ctid = held.row
    ),
    candidate AS (
        SELECT user_id, month, account_platform_id, bool_or(is_late) AS is_late,
               min(started_at) AS first_at, min(day) AS day
        FROM added
        CROSS JOIN project
        CROSS JOIN LATERAL (
            SELECT date_trunc('month', day::timestamp)::date AS month,
                   (last_viewed_at AT TIME ZONE time_zone)::date AS last_day
        ) AS d
        CROSS JOIN LATERAL (
            SELECT started_at < last_viewed_at OR last_day >= month - 1 AS is_late
        ) AS l
        WHERE NOT was_view
          AND (started_at < last_viewed_at
               OR date_trunc('month', last_day::timestamp)::date <> month)
        GROUP BY user_id, month, account_platform_id
    ),
    earlier AS MATERIALIZED (
        SELECT c.*, m.ctid AS row, m.first_viewed_at AS old_first_at
        FROM candidate AS c
        LEFT JOIN analytics_viewermonth AS m
            ON m.user_id = CASE WHEN is_late THEN c.user_id END AND m.month = c.month
        WHERE m.user_id IS NULL OR c.first_at < m.first_viewed_at
    ),
    new_months AS (
        INSERT INTO analytics_viewermonth
            (user_id, month, project_id, account_platform_id, first_viewed_at)
        SELECT user_id, month, %(project)s::bigint, account_platform_id, first_at
        FROM earlier WHERE old_first_at IS NULL
    ),
    moved_months AS (
        UPDATE analytics_viewermonth AS m SET first_viewed_at = e.first_at
        FROM earlier AS e
        WHERE m.ctid = e.row
    )
    SELECT 'views', platform_id, day, sum(views), sum(seconds)
    FROM (
        SELECT platform_id, day, 1 AS views, watched_seconds AS seconds
        FROM change WHERE is_view
        UNION ALL
        SELECT old_platform_id, day, -1, -old_watched_seconds FROM change WHERE was_view
    ) AS parts
    GROUP BY platform_id, day
    UNION ALL
    SELECT 'viewers', account_platform_id, day, count(*), 0 FROM earlier GROUP BY 2, 3
    UNION ALL
    SELECT 'viewers', account_platform_id, (old_first_at AT TIME ZONE time_zone)::date,
           -count(*), 0
    FROM earlier CROSS JOIN project
    WHERE old_first_at IS NOT NULL
    GROUP BY 2, 3
    UNION ALL
    SELECT 'rebuilt', user_id, NULL, 0, 0 FROM rebuilt
    UNION ALL
    SELECT 'empty', user_id, NULL, 0, 0 FROM ingest_user
    WHERE is_new AND user_id NOT IN (SELECT user_id FROM gained)
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


class RowCameMeanwhileError(Exception):
    """A user of the batch got a row from another transaction between the two steps of the lock."""


def store(batch: Batch) -> None:
    """Store the batch with all that follows from it, or nothing; a repeat changes nothing."""
    try:
        _store(batch, in_one_step=False)
    except RowCameMeanwhileError:
        # The locks are given back: all of them are taken anew, in order.
        _store(batch, in_one_step=True)


@transaction.atomic
def _store(batch: Batch, *, in_one_step: bool) -> None:
    with connection.cursor() as cursor:
        _stage(cursor, batch, in_one_step=in_one_step)
        _merge(cursor, batch)


def lock_users(cursor: CursorWrapper, user_ids: Iterable[int], *, project_id: int) -> list[int]:
    """
    Keep others from changing what these users have watched, until the transaction ends.

    :return: those without a view so far: their rows are empty, and to be filled or removed.
    """
    values = {"users": _array(sorted(user_ids)), "project": project_id}
    return [user_id for (user_id,) in _ask(cursor, LOCK_USERS, values).fetchall()]


def _stage(cursor: CursorWrapper, batch: Batch, *, in_one_step: bool) -> None:
    """
    Lock the users, note what they have seen so far, and put the beats of all but deleted ones.

    :raises RowCameMeanwhileError: if the locks have to be taken in one step.
    """
    project_id = batch.platform.project_id
    user_ids = sorted({row.user_id for row in batch.rows})
    values = {"users": _array(user_ids), "project": project_id}
    cursor.execute(STAGING)
    new = lock_users(cursor, user_ids, project_id=project_id) if in_one_step else []
    with _pipeline(cursor):
        held = _ask(cursor, HOLD_USERS, values)
        rows = _packed(batch.rows)
    if missing := len(user_ids) - held.rowcount:
        new = [user_id for (user_id,) in _ask(cursor, ADD_USERS, values).fetchall()]
        if len(new) < missing:
            raise RowCameMeanwhileError
    with connection.wrap_database_errors, cursor.cursor.copy(COPY) as copy:
        copy.write(rows)
    if new:
        _ask(cursor, LEAVE_OUT_DELETED, {"users": _array(new)})


def _packed(rows: Sequence[Row]) -> bytes:
    """Return rows as COPY reads them, each with its place among them; column by column."""
    users, accounts, starts, ids, *numbers, countries = zip(*rows, strict=True)
    columns = (
        range(len(rows)),
        users,
        accounts,
        [(start - COPY_EPOCH) // MICROSECOND for start in starts],
        [bytes.fromhex(number.replace("-", "")) for number in ids],
        *numbers,
        [country.ljust(2).encode() for country in countries],
    )
    lengths = map(repeat, COPY_LENGTHS)
    fields = chain.from_iterable(zip(lengths, columns, strict=True))
    return b"".join([COPY_HEAD, *map(COPY_ROW.pack, repeat(len(columns)), *fields), COPY_END])


def _merge(cursor: CursorWrapper, batch: Batch) -> None:
    values = {
        "project": batch.platform.project_id,
        "platform": batch.platform.pk,
        "first": batch.first_start,
    }
    rebuilt: list[int] = []
    empty: list[int] = []
    viewers: Counter[tuple[int, date]] = Counter()
    views: list[tuple[Any, ...]] = []
    for kind, number, day, count, seconds in _ask(cursor, MERGE, values).fetchall():
        if kind == "views" and (count or seconds):
            views.append((number, day, count, seconds))
        elif kind == "viewers":
            viewers[number, day] += count
        elif kind == "rebuilt":
            rebuilt.append(number)
        elif kind == "empty":
            empty.append(number)
    if rebuilt:
        viewers.update(rebuild_users(cursor, rebuilt))
    if empty:
        _ask(cursor, RELEASE_USERS, {"users": _array(empty)})
    moved = [(*key, count) for key, count in viewers.items() if count]
    if moved:
        _ask(cursor, ADD_TO_VIEWER_DAYS, values | _columns("platforms days viewers", moved))
    if views:
        _ask(cursor, ADD_TO_VIEWING_DAYS, values | _columns("platforms days views seconds", views))


def _columns(names: str, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Return rows of numbers and days as arrays by name."""
    return dict(zip(names.split(), map(_array, zip(*rows, strict=True)), strict=True))
