"""Periods of time: half-open spans of instants, cut at the local days and months of a zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Instants are kept to the microsecond, so "up to and including now" ends one later.
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """The instants from `start` on and before `end`; both aware, in UTC."""

    start: datetime
    end: datetime

    def until(self, now: datetime) -> "Period":
        """Return the part that has happened by `now`, `now` included; empty if none has."""
        return Period(self.start, max(self.start, min(self.end, now + TICK)))

    def days(self, zone: ZoneInfo) -> list["Day"]:
        """Return the local days that the period touches, in order."""
        if self.start >= self.end:
            return []
        last = (self.end - TICK).astimezone(zone).date()
        first = self.start.astimezone(zone).date()
        return [day_of(d, zone) for d in dates(first, last)]


@dataclass(frozen=True, slots=True)
class Day:
    """One local day and the instants it covers."""

    date: date
    period: Period


def dates(first: date, last: date) -> Iterator[date]:
    """Yield the dates from first to last, both included; none if last is before first."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """
    Return the instant at which the local day begins.

    Where the clocks jump over midnight, that is the instant of the jump.
    """
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def day_of(day: date, zone: ZoneInfo) -> Day:
    """Return the local day with its instants: 23, 24 or 25 hours of them."""
    return Day(day, Period(midnight(day, zone), midnight(day + timedelta(days=1), zone)))


def days_between(first: date, last: date, zone: ZoneInfo) -> Period:
    """Return the period of the local days from first to last, both included."""
    return Period(midnight(first, zone), midnight(last + timedelta(days=1), zone))


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        return self.shifted(1).first_day - timedelta(days=1)

    def shifted(self, months: int) -> "Month":
        """Return the month that many months later, earlier if negative."""
        count = self.year * 12 + self.number - 1 + months
        return Month(count // 12, count % 12 + 1)

    def period(self, zone: ZoneInfo) -> Period:
        """Return the whole month in the zone."""
        return days_between(self.first_day, self.last_day, zone)

    def elapsed(self, now: datetime, zone: ZoneInfo) -> Period:
        """
        Return the month up to the same local time of the month as now, that instant included.

        Cut at the month's end where the month is shorter: on 31 March, all of February.
        """
        whole = self.period(zone)
        local = now.astimezone(zone)
        if local.day > self.last_day.day:
            return whole
        same = datetime(
            self.year,
            self.number,
            local.day,
            local.hour,
            local.minute,
            local.second,
            local.microsecond,
            tzinfo=zone,
            fold=local.fold,
        )
        return whole.until(same.astimezone(UTC))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"
