"""Periods by name: which local days each means, at the ends of months and years."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backoffice.core.named_periods import PeriodName, range_of
from backoffice.core.periods import Month, Period, days_between

NEW_YEAR, LAST, LEAP = date(2027, 1, 1), date(2026, 12, 31), date(2028, 2, 29)


@pytest.mark.parametrize(
    ("name", "today", "first", "last"),
    [
        ("today", NEW_YEAR, "2027-01-01", "2027-01-01"),
        ("yesterday", NEW_YEAR, "2026-12-31", "2026-12-31"),
        ("week", NEW_YEAR, "2026-12-28", "2027-01-01"),
        ("week", date(2026, 12, 28), "2026-12-28", "2026-12-28"),
        ("month", NEW_YEAR, "2027-01-01", "2027-01-31"),
        ("month", LEAP, "2028-02-01", "2028-02-29"),
        ("last-month", NEW_YEAR, "2026-12-01", "2026-12-31"),
        ("last-month", date(2028, 3, 31), "2028-02-01", "2028-02-29"),
        ("last-3-months", NEW_YEAR, "2026-11-01", "2027-01-01"),
        ("last-3-months", LAST, "2026-10-01", "2026-12-31"),
        ("last-6-months", date(2026, 3, 31), "2025-10-01", "2026-03-31"),
        ("year", NEW_YEAR, "2027-01-01", "2027-01-01"),
        ("year", LAST, "2026-01-01", "2026-12-31"),
    ],
)
def test_the_days_of_each_period(name, today, first, last):
    days = range_of(name, today)

    assert (days.first.isoformat(), days.last.isoformat()) == (first, last)


def test_all_dates_have_no_ends():
    assert range_of(PeriodName.ALL, LAST) is None


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Pacific/Kiritimati", datetime(2026, 12, 30, 10, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 12, 31, 8, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 12, 30, 18, 15, tzinfo=UTC)),
    ],
)
def test_a_local_day_in_zones_ahead_and_behind(zone, start):
    day = days_between(LAST, LAST, ZoneInfo(zone))

    assert day == Period(start, start + timedelta(days=1))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # 31 March, noon: all of February.
        (datetime(2026, 3, 31, 10, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)),
        # 28 March, one o'clock, ends one tick after 28 February, one o'clock.
        (datetime(2026, 3, 28, 0, tzinfo=UTC), datetime(2026, 2, 28, 0, 0, 0, 1, tzinfo=UTC)),
        # The first instant of a month.
        (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_the_same_elapsed_time_of_the_month_before(now, end):
    zone = ZoneInfo("Europe/Paris")
    month = Month.of(now.astimezone(zone).date()).shifted(-1)

    assert month.elapsed(now, zone).end == end
