"""The periods that the Users page offers by name, and the days that each of them means."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.core.periods import Month


class PeriodName(models.TextChoices):
    """A period by name, as the parameter `period` gives it."""

    TODAY = "today", _("Today")
    YESTERDAY = "yesterday", _("Yesterday")
    WEEK = "week", _("This week")
    MONTH = "month", _("This month")
    LAST_MONTH = "last-month", _("Last month")
    LAST_3_MONTHS = "last-3-months", _("Last 3 months")
    LAST_6_MONTHS = "last-6-months", _("Last 6 months")
    YEAR = "year", _("This year")
    ALL = "all", _("All dates")


@dataclass(frozen=True, slots=True)
class DateRange:
    """Local days, both ends included."""

    first: date
    last: date
    is_open: bool = False
    """Nobody chose the first day: it is the earliest that there can be."""


def range_of(name: str, today: date) -> DateRange | None:  # noqa: PLR0911  # one a period
    """Return the days of the named period as of today; none for all dates."""
    month = Month.of(today)
    match name:
        case PeriodName.TODAY:
            return DateRange(today, today)
        case PeriodName.YESTERDAY:
            return DateRange(today - timedelta(days=1), today - timedelta(days=1))
        case PeriodName.WEEK:
            return DateRange(today - timedelta(days=today.weekday()), today)
        case PeriodName.MONTH:
            return DateRange(month.first_day, month.last_day)
        case PeriodName.LAST_MONTH:
            before = month.shifted(-1)
            return DateRange(before.first_day, before.last_day)
        case PeriodName.LAST_3_MONTHS:
            return DateRange(month.shifted(-2).first_day, today)
        case PeriodName.LAST_6_MONTHS:
            return DateRange(month.shifted(-5).first_day, today)
        case PeriodName.YEAR:
            return DateRange(date(today.year, 1, 1), today)
        case _:
            return None
