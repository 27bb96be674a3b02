"""Days, months and the same part of another month, in zones whose clocks move."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backoffice.core.periods import TICK, Month, Period, dates, day_of, days_between, midnight

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
HAVANA = ZoneInfo("America/Havana")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "zone", "start", "hours"),
    [
        (date(2026, 11, 22), PARIS, utc(2026, 11, 21, 23), 24),
        (date(2026, 3, 29), PARIS, utc(2026, 3, 28, 23), 23),
        (date(2026, 10, 25), PARIS, utc(2026, 10, 24, 22), 25),
        (date(2026, 3, 8), NEW_YORK, utc(2026, 3, 8, 5), 23),
        (date(2026, 4, 5), LORD_HOWE, utc(2026, 4, 4, 13), 24.5),
        # The clocks jumped from midnight to one o'clock: the day began at one.
        (date(2018, 11, 4), SAO_PAULO, utc(2018, 11, 4, 3), 23),
        # They went from midnight back to eleven: the day before was longer.
        (date(2018, 2, 17), SAO_PAULO, utc(2018, 2, 17, 2), 25),
        # They went from one back to midnight, which came twice: the first one counts.
        (date(2026, 11, 1), HAVANA, utc(2026, 11, 1, 4), 25),
        # Samoa left the day out.
        (date(2011, 12, 30), APIA, utc(2011, 12, 30, 10), 0),
        (date(2011, 12, 31), APIA, utc(2011, 12, 30, 10), 24),
    ],
)
def test_a_day_begins_at_its_first_instant_and_has_its_own_length(day, zone, start, hours):
    found = day_of(day, zone)

    assert found.date == day
    assert found.period.start == start
    assert found.period.end - found.period.start == timedelta(hours=hours)


def test_an_instant_before_midnight_belongs_to_the_day_before():
    for zone in (PARIS, NEW_YORK, SAO_PAULO, LORD_HOWE, APIA, HAVANA):
        start = midnight(date(2018, 11, 4), zone)

        assert start.astimezone(zone).date() == date(2018, 11, 4)
        assert (start - TICK).astimezone(zone).date() == date(2018, 11, 3)


def test_days_between_includes_both_ends():
    found = days_between(date(2026, 3, 28), date(2026, 3, 29), PARIS)

    assert found == Period(utc(2026, 3, 27, 23), utc(2026, 3, 29, 22))


def test_dates_are_none_if_the_last_lies_before_the_first():
    assert list(dates(date(2026, 11, 2), date(2026, 11, 1))) == []
    assert list(dates(date(2026, 2, 28), date(2026, 3, 1))) == [
        date(2026, 2, 28),
        date(2026, 3, 1),
    ]


def test_now_belongs_to_what_has_happened():
    period = Period(utc(2026, 11, 1), utc(2026, 12, 1))

    assert period.until(utc(2026, 11, 1)) == Period(utc(2026, 11, 1), utc(2026, 11, 1) + TICK)
    assert period.until(utc(2026, 11, 22)) == Period(utc(2026, 11, 1), utc(2026, 11, 22) + TICK)
    assert period.until(utc(2026, 12, 1) - TICK) == period
    assert period.until(utc(2027, 1, 1)) == period


def test_nothing_of_a_period_to_come_has_happened():
    period = Period(utc(2026, 11, 1), utc(2026, 12, 1))

    found = period.until(utc(2026, 10, 31))

    assert found == Period(utc(2026, 11, 1), utc(2026, 11, 1))
    assert found.days(PARIS) == []


def test_the_days_of_a_period_are_those_it_touches():
    # One in the morning in Paris, to midnight: the end is no longer part of it.
    period = Period(utc(2026, 11, 20), utc(2026, 11, 21, 23))

    assert [day.date for day in period.days(PARIS)] == [date(2026, 11, 20), date(2026, 11, 21)]


def test_a_tick_after_midnight_is_a_day_of_its_own():
    period = Period(utc(2026, 11, 20, 23), utc(2026, 11, 21, 23) + TICK)

    assert [day.date for day in period.days(PARIS)] == [date(2026, 11, 21), date(2026, 11, 22)]


@pytest.mark.parametrize(
    ("month", "months", "found"),
    [
        (Month(2026, 12), 1, Month(2027, 1)),
        (Month(2026, 1), -1, Month(2025, 12)),
        (Month(2026, 11), -11, Month(2025, 12)),
        (Month(2026, 11), 26, Month(2029, 1)),
        (Month(2026, 11), 0, Month(2026, 11)),
    ],
)
def test_months_are_counted_over_the_years(month, months, found):
    assert month.shifted(months) == found


@pytest.mark.parametrize(
    ("month", "last"),
    [
        (Month(2026, 2), date(2026, 2, 28)),
        (Month(2024, 2), date(2024, 2, 29)),
        (Month(2000, 2), date(2000, 2, 29)),
        (Month(2100, 2), date(2100, 2, 28)),
        (Month(2026, 12), date(2026, 12, 31)),
    ],
)
def test_the_last_day_of_a_month(month, last):
    assert month.last_day == last
    assert month.first_day == last.replace(day=1)
    assert Month.of(last) == month


def test_a_month_is_cut_in_its_zone():
    assert Month(2026, 3).period(PARIS) == Period(utc(2026, 2, 28, 23), utc(2026, 3, 31, 22))
    assert Month(2026, 3).period(NEW_YORK) == Period(utc(2026, 3, 1, 5), utc(2026, 4, 1, 4))


def test_months_are_written_and_ordered_by_time():
    assert str(Month(2026, 3)) == "2026-03"
    assert sorted([Month(2026, 3), Month(2025, 12)]) == [Month(2025, 12), Month(2026, 3)]


@pytest.mark.parametrize(
    ("now", "zone", "month", "end"),
    [
        # 22 November, one in the afternoon; a month before the clocks were an hour ahead.
        (utc(2026, 11, 22, 12), PARIS, Month(2026, 10), utc(2026, 10, 22, 11) + TICK),
        # The month of now itself: now is included.
        (utc(2026, 11, 22, 12), PARIS, Month(2026, 11), utc(2026, 11, 22, 12) + TICK),
        # There is no 31 February, no 30 February, no 29 February in this year.
        (utc(2026, 3, 31, 12), PARIS, Month(2026, 2), utc(2026, 2, 28, 23)),
        (utc(2026, 3, 29, 12), PARIS, Month(2026, 2), utc(2026, 2, 28, 23)),
        (utc(2026, 3, 28, 12), PARIS, Month(2026, 2), utc(2026, 2, 28, 12) + TICK),
        (utc(2024, 3, 29, 12), PARIS, Month(2024, 2), utc(2024, 2, 29, 12) + TICK),
        (utc(2024, 3, 30, 12), PARIS, Month(2024, 2), utc(2024, 2, 29, 23)),
        (utc(2027, 1, 31, 12), PARIS, Month(2026, 12), utc(2026, 12, 31, 12) + TICK),
        # The first instant of the month against the first instant of the one before.
        (utc(2026, 10, 31, 23), PARIS, Month(2026, 10), utc(2026, 9, 30, 22) + TICK),
        # The last instant of a month of 31 days against one of 30, whole.
        (utc(2026, 10, 31, 23) - TICK, PARIS, Month(2026, 9), utc(2026, 9, 30, 22)),
        # Half past two came twice on 25 October: the first one is the same as on 25 November.
        (utc(2026, 11, 25, 1, 30), PARIS, Month(2026, 10), utc(2026, 10, 25, 0, 30) + TICK),
        # It did not come at all on 29 March: it is read as if the clocks stood still.
        (utc(2026, 4, 29, 0, 30), PARIS, Month(2026, 3), utc(2026, 3, 29, 1, 30) + TICK),
        # The second half past two of 25 October has one only in September.
        (utc(2026, 10, 25, 1, 30), PARIS, Month(2026, 9), utc(2026, 9, 25, 0, 30) + TICK),
        # Behind UTC the month is still October.
        (utc(2026, 11, 1, 3), NEW_YORK, Month(2026, 10), utc(2026, 11, 1, 3) + TICK),
    ],
)
def test_the_same_part_of_a_month(now, zone, month, end):
    assert month.elapsed(now, zone) == Period(month.period(zone).start, end)
