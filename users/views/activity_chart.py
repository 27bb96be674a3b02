"""The chart of registered and active users: its bars, its table and its file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backoffice.core.figures import Grain
from backoffice.core.formatting import DASH, day_text, month_text, number, short_day
from backoffice.core.named_periods import DateRange
from backoffice.core.periods import TICK, Month, dates, day_of
from backoffice.core.scope import Scope
from subscriptions.selectors import access_by_day, first_access_day
from users.selectors import first_registration_day, registered_by_day

# More bars than this are no chart.
MOST_BARS = 800
BY_DAY_UP_TO_DAYS = 92
BY_WEEK_UP_TO_YEARS = 2


@dataclass(frozen=True, slots=True)
class ActivityDay:
    """One local day of the chart that has begun."""

    date: date
    registered: int
    active_cumulative: int
    active_end_of_day: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: some days, the figures at their end; no figures for days to come."""

    first: date
    last: date
    registered: int | None
    active_cumulative: int | None
    active_end_of_day: int | None
    is_running: bool


def days_shown(scope: Scope, days: DateRange | None, today: date) -> DateRange:
    """
    Return the days of the chart; where no first day was chosen, from the first event on.

    Accounts that came from elsewhere may have had access before they were registered.
    """
    if days and not days.is_open:
        return days
    last = days.last if days else today
    firsts = (first_registration_day(scope), first_access_day(scope))
    return DateRange(min([last, *(day for day in firsts if day)]), last)


def activity_by_day(scope: Scope, days: DateRange, now: datetime) -> list[ActivityDay]:
    """
    Return the figures of each day that has begun by now, in order; days without events too.

    The running day counts up to now. Five queries, whatever the length.
    """
    today = now.astimezone(scope.zone).date()
    begun = [day_of(day, scope.zone) for day in dates(days.first, min(days.last, today))]
    if not begun:
        return []
    end = min(begun[-1].period.end, now + TICK)
    registered = registered_by_day(scope, begun[0].date, begun[-1].date)
    return [
        ActivityDay(
            access.date,
            registered.get(access.date, 0),
            access.active_cumulative,
            access.active_end_of_day,
        )
        for access in access_by_day(scope, begun, end)
    ]


def grains_for(days: DateRange) -> list[Grain]:
    """Return the grains that draw these days with a bearable number of bars."""
    length = (days.last - days.first).days + 1
    sizes = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 28}
    fitting = [grain for grain, size in sizes.items() if length / size <= MOST_BARS]
    return fitting or [Grain.MONTH]


def default_grain(days: DateRange) -> Grain:
    """Return the day up to 92 days, the ISO week up to two years, else the month."""
    length = (days.last - days.first).days + 1
    if length <= BY_DAY_UP_TO_DAYS:
        return Grain.DAY
    return Grain.MONTH if _is_longer(days, years=BY_WEEK_UP_TO_YEARS) else Grain.WEEK


def _is_longer(days: DateRange, *, years: int) -> bool:
    """Tell whether the days are more than that many years of the calendar."""
    # Compared part by part: the day so many years before 29 February need not exist.
    first, last = days.first, days.last
    return (last.year - years, last.month, last.day) >= (first.year, first.month, first.day)


def bars_of(
    activity: Sequence[ActivityDay], days: DateRange, grain: Grain, today: date
) -> list[Bar]:
    """Return one bar for each grain of time: registered summed, the lines at the bar's end."""
    by_date = {day.date: day for day in activity}
    bars = []
    for _key, group in groupby(dates(days.first, days.last), key=lambda day: _key_of(day, grain)):
        members = list(group)
        known = [by_date[day] for day in members if day in by_date]
        bars.append(
            Bar(
                first=members[0],
                last=members[-1],
                registered=sum(day.registered for day in known) if known else None,
                active_cumulative=known[-1].active_cumulative if known else None,
                active_end_of_day=known[-1].active_end_of_day if known else None,
                is_running=members[0] <= today <= members[-1],
            )
        )
    return bars


def _key_of(day: date, grain: Grain) -> object:
    if grain == Grain.DAY:
        return day
    return day.isocalendar()[:2] if grain == Grain.WEEK else Month.of(day)


def chart_rows(bars: Iterable[Bar], grain: Grain, language: str) -> list[dict[str, Any]]:
    """Return the rows of the table that stands under the chart."""
    return [
        {
            "date": bar.first.isoformat(),
            "label": _label(bar, grain, language),
            "registered": bar.registered,
            "registered_text": _figure(bar.registered, language),
            "active_cumulative": bar.active_cumulative,
            "active_cumulative_text": _figure(bar.active_cumulative, language),
            "active_end_of_day": bar.active_end_of_day,
            "active_end_of_day_text": _figure(bar.active_end_of_day, language),
            "is_running": bar.is_running,
        }
        for bar in bars
    ]


def _figure(value: int | None, language: str) -> str:
    return DASH if value is None else number(value, language)


def chart_data(
    bars: Sequence[Bar], grain: Grain, *, with_year: bool, language: str
) -> dict[str, Any]:
    """Return what the chart is drawn from."""
    return {
        "labels": [_label(bar, grain, language, with_year=with_year) for bar in bars],
        "dates": [bar.first.isoformat() for bar in bars],
        "registered": [bar.registered for bar in bars],
        "cumulative": [bar.active_cumulative for bar in bars],
        "endOfDay": [bar.active_end_of_day for bar in bars],
        "running": next((n for n, bar in enumerate(bars) if bar.is_running), None),
        "locale": language,
        "names": {
            "registered": _registered_words(grain),
            "cumulative": _("Active, cumulative"),
            "endOfDay": _("Active at day end"),
            "registeredAxis": pgettext("people", "Registered"),
            "activeAxis": pgettext("people", "Active"),
            "running": _("not over yet"),
            "grain": Grain(grain).label,
        },
    }


def _registered_words(grain: Grain) -> str:
    return {
        Grain.DAY: _("Registered per day"),
        Grain.WEEK: _("Registered per week"),
        Grain.MONTH: _("Registered per month"),
    }[grain]


def _label(bar: Bar, grain: Grain, language: str, *, with_year: bool = True) -> str:
    if grain == Grain.MONTH:
        return f"{month_text(bar.first, language)} {bar.first.year}"
    if grain == Grain.WEEK:
        year, week, _weekday = bar.first.isocalendar()
        return _("Week %(week)s of %(year)s") % {"week": week, "year": year}
    return day_text(bar.first, language) if with_year else short_day(bar.first, language)
