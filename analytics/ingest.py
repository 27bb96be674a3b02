"""
Viewings as they come in: the raw rows keep the greatest, the roll-ups get the difference.

A batch is one COPY into a staging table and a fixed number of statements, whatever its size, in
one transaction. Batches may come in any order, any number of times and at once. Every writer
takes the same way through the locks, so that none waits for another in a circle: first the
rows of the batch's users in the order of their public ids, the shared rows of the days last, in
the order of their keys.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, NamedTuple

import psycopg
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from analytics.devices import agent_hash, device_ids
from analytics.known import KnownIds
from analytics.merging import merge
from analytics.models import Content
from analytics.partitions import ensure_partitions, month_of
from analytics.prepared import array, ask, pipeline
from backoffice.core.periods import Month
from backoffice.projects.models import Platform
from users.selectors import deleted_among

# A player may have begun a little before its clock says so.
SLACK_SECONDS = 60
# Some 20 MB at the most.
MOST_CONTENTS = 100_000
# More than one repeat means that yet another change came within a millisecond.
MOST_ATTEMPTS = 5


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


@dataclass(frozen=True, slots=True)
class Batch:
    """The beats of one platform, ready to be stored."""

    platform: Platform
    beats: list[Beat]
    now: datetime
    """The arrival, by which the watched seconds are limited."""
    months: set[Month]
    """In which they begin, in UTC."""
    contents: Mapping[str, int]
    """The contents by their references."""
    devices: Mapping[str, int]
    """The devices by their user agents."""
    strangers: set[str]
    """Users whose beats were left out because nobody knows them."""


# --- Before the transaction ------------------------------------------------------------------


def prepare(beats: Sequence[Beat], *, platform: Platform, now: datetime) -> Batch:
    """
    Look up contents and devices, and make what is missing of them and of months.

    Not inside the transaction that stores: nobody waits for a content or a month until a batch
    is through. Beats of staff who watch as a user are left out.
    """
    kept = [beat for beat in beats if not beat.is_impersonated]
    contents = _stored_contents({beat.content for beat in kept}, platform)
    # Who is not there makes no content, and is asked for here where no row will tell.
    doubtful = {beat.user for beat in kept if beat.content not in contents}
    if len(kept) < len(beats):
        doubtful |= {beat.user for beat in beats} - {beat.user for beat in kept}
    absent: set[str] = set()
    if doubtful:
        absent = doubtful - _present(doubtful, platform)
        kept = [beat for beat in kept if beat.user not in absent]
        contents = _content_ids({beat.content for beat in kept}, platform)
    months = _months(kept)
    ensure_partitions(months)
    devices = device_ids({beat.user_agent for beat in kept})
    return Batch(platform, kept, now, months, contents, devices, _strangers(absent, platform))


def _months(beats: Sequence[Beat]) -> set[Month]:
    starts = {beat.started_at for beat in beats}
    if not starts:
        return set()
    first, last = month_of(min(starts)), month_of(max(starts))
    return {first} if first == last else set(map(month_of, starts))


# Written out: the ORM would turn a thousand texts into UUIDs and back.
FIND_USERS = """
    SELECT public_id::text, deleted_at IS NOT NULL FROM users_user
    WHERE public_id = ANY (%(users)s::uuid[]) AND project_id = %(project)s::bigint
"""


def _found(users: Iterable[str], platform: Platform) -> dict[str, bool]:
    """Return which of the users have a row, and whether they are deleted."""
    values = {"users": array(users), "project": platform.project_id}
    with connection.cursor() as cursor:
        return dict(ask(cursor, FIND_USERS, values).fetchall())


def _present(users: Iterable[str], platform: Platform) -> set[str]:
    """Return those of the users who are there and not deleted."""
    return {user for user, is_deleted in _found(users, platform).items() if not is_deleted}


def _strangers(absent: set[str], platform: Platform) -> set[str]:
    """Return those who were never known; the deleted were."""
    if not absent:
        return set()
    unknown = absent - _found(absent, platform).keys()
    return unknown - deleted_among(unknown, project_id=platform.project_id)


known_contents = KnownIds[tuple[int, str]](most=MOST_CONTENTS)

FIND_CONTENTS = """
    SELECT reference, id FROM analytics_content
    WHERE project_id = %(project)s AND reference = ANY (%(references)s::text[])
"""


def _stored_contents(references: set[str], platform: Platform) -> dict[str, int]:
    """Return those of the contents that are there, by their references."""
    project_id = platform.project_id
    known = known_contents.among((project_id, reference) for reference in references)
    found = {reference: number for (_, reference), number in known.items() if number is not None}
    if unknown := references - found.keys():
        values = {"project": project_id, "references": list(unknown)}
        with connection.cursor() as cursor:
            fresh = dict(ask(cursor, FIND_CONTENTS, values).fetchall())
        if not connection.in_atomic_block:
            known_contents.add({(project_id, name): number for name, number in fresh.items()})
        found |= fresh
    return found


def _content_ids(references: set[str], platform: Platform) -> dict[str, int]:
    """Return the contents by their references; new ones are kept undescribed."""
    found = _stored_contents(references, platform)
    if missing := sorted(references - found.keys()):
        project_id = platform.project_id
        Content.objects.bulk_create(
            [Content(project_id=project_id, reference=reference) for reference in missing],
            ignore_conflicts=True,
        )
        found |= _stored_contents(set(missing), platform)
    return found


def _one_each(beats: list[Beat], *, now: datetime) -> list[Beat]:
    """Return one beat for each viewing, its seconds cut to what the wall clock allows."""
    latest = now + timedelta(seconds=SLACK_SECONDS)
    least = int((latest - max(beat.started_at for beat in beats)).total_seconds())
    if max(beat.watched_seconds for beat in beats) > least:
        beats = [_cut(beat, latest) for beat in beats]
    if len({beat.id for beat in beats}) == len(beats):
        return beats
    viewings: dict[tuple[str, datetime, str], Beat] = {}
    for beat in beats:
        key = (beat.user, beat.started_at, beat.id)
        other = viewings.get(key)
        viewings[key] = beat if other is None else _greatest(beat, other)
    return list(viewings.values())


def _cut(beat: Beat, latest: datetime) -> Beat:
    most = max(0, int((latest - beat.started_at).total_seconds()))
    return beat if beat.watched_seconds <= most else beat._replace(watched_seconds=most)


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


# --- The transaction -------------------------------------------------------------------------

# The tables live as long as the connection: making them anew would cost as much as a statement
# and litter the catalog. They are empty after each transaction; within one, DELETE empties them.
# Left to itself the server would plan MERGE anew each time: a plan for any start lists all months
# and looks dear, though it leaves out all but the batch's own when it begins.
STAGING = (
    """
    CREATE TEMP TABLE IF NOT EXISTS ingest_beat (
        place integer NOT NULL, public_id uuid NOT NULL,
        started_at timestamptz NOT NULL, id uuid NOT NULL,
        content_id integer NOT NULL, device_id integer NOT NULL,
        watched_seconds integer NOT NULL, position_seconds integer NOT NULL,
        has_ended boolean NOT NULL, country char(2) NOT NULL
    ) ON COMMIT DELETE ROWS
    """,
    """
    CREATE TEMP TABLE IF NOT EXISTS ingest_user (
        user_id bigint NOT NULL, public_id uuid NOT NULL, account_platform_id integer NOT NULL,
        row tid NOT NULL, last_started_at timestamptz NOT NULL,
        first_viewed_at timestamptz, first_content_id bigint,
        last_viewed_at timestamptz, last_content_id bigint
    ) ON COMMIT DELETE ROWS
    """,
    "DELETE FROM ingest_beat",
    "DELETE FROM ingest_user",
    "SET LOCAL plan_cache_mode = force_generic_plan",
)

COPY = "COPY ingest_beat FROM STDIN (FORMAT binary)"

# COPY's binary form: a header, the rows, an end. A row is the number of its fields, then each
# with its length before it; instants are microseconds since 2000. Numbers are put down as they
# are, which takes both sides a third of the time that texts take. A country that is not known is
# two blanks, which char(2) takes for nothing: so all rows have one form.
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
COPY_ROW = struct.Struct("!h ii i16s iq i16s ii ii ii ii i? i2s")
COPY_LENGTHS = (4, 16, 8, 16, 4, 4, 4, 4, 1, 2)
COPY_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Rows that are there are locked and stay as they are; a user without one is given an empty one,
# which is the lock for whoever comes at the same time.
LOCK_USERS = """
    INSERT INTO analytics_userviewing AS v (
        user_id, public_id, account_platform_id, project_id, views, viewing_seconds,
        last_started_at, platform_ids, content_ids
    )
    SELECT id, public_id, platform_id, project_id, 0, 0, '-infinity', '{{}}', '{{}}'
    FROM users_user
    WHERE {}
    ORDER BY public_id
    ON CONFLICT (user_id) DO UPDATE SET views = v.views WHERE false
"""
OF_IDS = "id = ANY (%(users)s::bigint[])"
NAMED = """
    public_id = ANY (%(users)s::uuid[]) AND project_id = %(project)s::bigint
    AND deleted_at IS NULL
"""

# A batch takes the same locks in two steps, in half the time: rows that are there are locked by a
# read, which notes what is needed of them and where they lie. While locked, they stay there.
#
# Looked up one by one, each is locked while its page is at hand; and PostgreSQL remembers which
# entries of the index lead to dead rows, which it would not in a look-up of all at once. Who
# watches most is named in most batches and leaves most of those. What follows is faster in the
# order of ids.
HOLD_USERS = """
    INSERT INTO ingest_user
    SELECT * FROM (
        SELECT v.user_id, public_id, v.account_platform_id, v.ctid, v.last_started_at,
               v.first_viewed_at, v.first_content_id, v.last_viewed_at, v.last_content_id
        FROM (
            SELECT public_id FROM unnest(%(users)s::uuid[]) AS public_id ORDER BY public_id
        ) AS named
        JOIN analytics_userviewing AS v USING (public_id)
        WHERE v.project_id = %(project)s::bigint
        ORDER BY public_id
        FOR NO KEY UPDATE OF v
    ) AS held
    ORDER BY user_id
"""

# Whose row came meanwhile from another transaction is left out: to wait for it now, out of
# order, could close a circle. If that transaction is still under way, PostgreSQL waits all
# the same, so the wait is cut short.
WAIT_LITTLE, WAIT_AS_USUAL = "SET LOCAL lock_timeout = '20ms'", "SET LOCAL lock_timeout = DEFAULT"
ADD_USERS = """
    WITH added AS (
        INSERT INTO analytics_userviewing (
            user_id, public_id, account_platform_id, project_id, views, viewing_seconds,
            last_started_at, platform_ids, content_ids
        )
        SELECT id, public_id, platform_id, project_id, 0, 0, '-infinity', '{}', '{}'
        FROM users_user
        WHERE public_id IN (
                SELECT public_id FROM ingest_beat EXCEPT SELECT public_id FROM ingest_user
            )
            AND project_id = %(project)s::bigint AND deleted_at IS NULL
        ORDER BY public_id
        ON CONFLICT (user_id) DO NOTHING
        RETURNING user_id, public_id, account_platform_id, ctid, last_started_at
    )
    INSERT INTO ingest_user SELECT * FROM added
"""

# Who is not there, is deleted, or got a row meanwhile.
FIND_MISSING = """
    SELECT DISTINCT public_id::text FROM ingest_beat
    WHERE public_id NOT IN (SELECT held.public_id FROM ingest_user AS held)
"""

# Who got a row here may have been deleted, or moved, while another transaction was waited for;
# whoever had one is told of by that row.
IS_OUTDATED = """
    SELECT EXISTS (
        SELECT FROM ingest_user AS held JOIN users_user AS u ON u.id = held.user_id
        WHERE held.last_started_at = '-infinity'
          AND (u.deleted_at IS NOT NULL OR u.platform_id <> held.account_platform_id)
    )
"""


class ChangedMeanwhileError(Exception):
    """A user of the batch got a row, moved or left between the two steps of the lock."""


def store(batch: Batch) -> set[str]:
    """
    Store the batch with all that follows from it, or nothing; a repeat changes nothing.

    Beats of deleted users are left out.

    :return: the users who were never known, whose beats were left out too.
    """
    if not batch.beats:
        return batch.strangers
    attempts = 0
    while True:
        try:
            return batch.strangers | _store(batch, in_one_step=attempts > 0)
        except ChangedMeanwhileError:
            # The locks are given back: all of them are taken anew, in order.
            attempts += 1
            if attempts == MOST_ATTEMPTS:
                raise


@transaction.atomic
def _store(batch: Batch, *, in_one_step: bool) -> set[str]:
    with connection.cursor() as cursor:
        absent = _stage(cursor, batch, in_one_step=in_one_step)
        first = min(beat.started_at for beat in batch.beats)
        merge(cursor, platform=batch.platform, months=batch.months, first=first)
    return _strangers(absent, batch.platform)


def lock_users(cursor: CursorWrapper, user_ids: Iterable[int]) -> None:
    """
    Keep others from changing what these users have watched, until the transaction ends.

    The rows of those without a viewing so far are empty, and to be filled or removed.
    """
    ask(cursor, LOCK_USERS.format(OF_IDS), {"users": array(user_ids)})


def _stage(cursor: CursorWrapper, batch: Batch, *, in_one_step: bool) -> set[str]:
    """
    Lock the users, note what they have seen so far, and put the beats.

    :return: the users who are not there.
    :raises ChangedMeanwhileError: if the locks have to be taken in one step.
    """
    users = {beat.user for beat in batch.beats}
    values = {"users": array(users), "project": batch.platform.project_id}
    if in_one_step:
        ask(cursor, LOCK_USERS.format(NAMED), values)
    with pipeline(cursor):
        for statement in STAGING:
            ask(cursor, statement)
        held = ask(cursor, HOLD_USERS, values)
        # This while the server looks.
        rows = _packed(batch)
    with connection.wrap_database_errors, cursor.cursor.copy(COPY) as copy:
        copy.write(rows)
    missing = len(users) - held.rowcount
    if not missing and not in_one_step:
        return set()
    if not in_one_step:
        missing -= _add_users(cursor, values)
    ((is_outdated,),) = ask(cursor, IS_OUTDATED).fetchall()
    if is_outdated:
        raise ChangedMeanwhileError
    return _absent(cursor, batch.platform) if missing else set()


def _add_users(cursor: CursorWrapper, values: Mapping[str, Any]) -> int:
    """
    Give a row to each user who has none; return how many there were.

    :raises ChangedMeanwhileError: if another transaction is doing so.
    """
    try:
        with pipeline(cursor):
            ask(cursor, WAIT_LITTLE)
            added = ask(cursor, ADD_USERS, values)
            ask(cursor, WAIT_AS_USUAL)
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise ChangedMeanwhileError from error
        raise
    return added.rowcount


def _absent(cursor: CursorWrapper, platform: Platform) -> set[str]:
    """
    Return whoever has no row although the beats name them.

    :raises ChangedMeanwhileError: if one of them should have.
    """
    absent = {user for (user,) in ask(cursor, FIND_MISSING).fetchall()}
    if _present(absent, platform):
        raise ChangedMeanwhileError
    return absent


def _packed(batch: Batch) -> bytes:
    """Return the beats as COPY reads them, in the order of users, starts and ids."""
    beats = sorted(_one_each(batch.beats, now=batch.now), key=itemgetter(1, 3, 0))
    columns: tuple[Iterable[object], ...] = (
        range(len(beats)),
        [_uuid_bytes(beat.user) for beat in beats],
        [(beat.started_at - COPY_EPOCH) // MICROSECOND for beat in beats],
        [_uuid_bytes(beat.id) for beat in beats],
        [batch.contents[beat.content] for beat in beats],
        [batch.devices[beat.user_agent] for beat in beats],
        [beat.watched_seconds for beat in beats],
        [beat.position_seconds for beat in beats],
        [beat.has_ended for beat in beats],
        [beat.country.ljust(2).encode() for beat in beats],
    )
    lengths = map(repeat, COPY_LENGTHS)
    fields = chain.from_iterable(zip(lengths, columns, strict=True))
    return b"".join([COPY_HEAD, *map(COPY_ROW.pack, repeat(len(columns)), *fields), COPY_END])


def _uuid_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))
