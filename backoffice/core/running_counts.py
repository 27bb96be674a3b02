"""Counts from the beginning up to an instant: whole days from a roll-up, the rest exact."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from backoffice.core.periods import midnight


@dataclass(frozen=True, slots=True)
class Edge:
    """An instant, the local day it falls on and the instant at which that day began."""

    instant: datetime
    day: date
    day_start: datetime


def edges_of(instants: Sequence[datetime], zone: ZoneInfo) -> list[Edge]:
    """Return the distinct instants in order, each with its local day."""
    days = [(instant, instant.astimezone(zone).date()) for instant in sorted(set(instants))]
    return [Edge(instant, day, midnight(day, zone)) for instant, day in days]


def accumulate(edges: Sequence[Edge], days: Sequence[tuple[int, int]]) -> dict[datetime, int]:
    """
    Return for each edge the sum of the counts of all days before the edge's day.

    :param days: pairs of a bucket and a count; bucket n holds the days from the n-th distinct
        day of the edges on and before the next, bucket 0 those before the first
        (`width_bucket` over `bucket_days`).
    """
    bounds = bucket_days(edges)
    totals = [0] * (len(bounds) + 1)
    for bucket, count in days:
        totals[bucket] += count
    return {edge.instant: sum(totals[: bisect_right(bounds, edge.day)]) for edge in edges}


def bucket_days(edges: Sequence[Edge]) -> list[date]:
    """Return the distinct days of the edges in order."""
    return sorted({edge.day for edge in edges})
