"""The monthly partitions of the viewings: made before the first row of a month is written."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction
from psycopg import sql

from backoffice.core.periods import Month

# Two writers that need one month wait for each other; the number is this lock's name.
PARTITION_LOCK = 7_281_001

CREATE = """
    CREATE TABLE IF NOT EXISTS {partition} PARTITION OF analytics_viewing
    FOR VALUES FROM ({start}) TO ({end})
"""

# Committed partitions that this process has seen: none is ever taken away.
_seen: set[Month] = set()


def month_of(instant: datetime) -> Month:
    """Return the month that decides about the partition: the one in UTC."""
    return Month.of(instant.astimezone(UTC).date())


def partition_name(month: Month) -> str:
    return f"analytics_viewing_{month.year:04}_{month.number:02}"


def existing_partitions() -> set[str]:
    """Return the names of the partitions that the database has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'analytics_viewing'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def ensure_partitions(months: Iterable[Month]) -> None:
    """
    Make the partitions of these months where they are missing.

    In a transaction of its own, so that a long batch never holds the parent's lock. Nothing is
    asked about months that this process has seen.
    """
    new = set(months) - _seen
    if not new:
        return
    there = existing_partitions()
    if missing := sorted(month for month in new if partition_name(month) not in there):
        _create(missing)
    if not connection.in_atomic_block:
        _seen.update(new)


def _create(months: list[Month]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
        for month in months:
            following = month.shifted(1)
            cursor.execute(
                sql.SQL(CREATE).format(
                    partition=sql.Identifier(partition_name(month)),
                    start=sql.Literal(f"{month}-01 00:00:00+00"),
                    end=sql.Literal(f"{following}-01 00:00:00+00"),
                )
            )
