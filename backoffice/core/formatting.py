"""Numbers, dates and money as people read them, in English or French."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import get_month_names
from babel.numbers import format_currency, get_currency_precision, get_currency_symbol
from django.utils import translation
from django.utils.translation import gettext

# Spaces that do not break.
NARROW_SPACE = "\u202f"
WIDE_SPACE = "\u00a0"
MINUS = "\u2212"
DASH = "\u2013"
TENTH = Decimal("0.1")

# Babel knows how these are paid in cash, in whole units; amounts are stored to ISO's minor unit.
UNROUNDED = {
    "IQD": 3,
    **dict.fromkeys(
        ("AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MMK", "RSD", "SOS", "SYP", "YER"), 2
    ),
}


@dataclass(frozen=True, slots=True)
class Style:
    """What one language needs to write a number or a date; months are counted from 1."""

    language: str
    group: str
    decimal: str
    first_of_month: str
    months: tuple[str, ...]
    short_months: tuple[str, ...]


def style_of(language: str) -> Style:
    """Return the style of a language code such as "fr" or "fr-ch"; English for all others."""
    return _style("fr" if language.partition("-")[0] == "fr" else "en")


# Babel's own formatters parse a pattern at every call, too slow for a table of instants. Its names
# of the months are looked up once, and the rest is put together here.
@lru_cache
def _style(language: str) -> Style:
    months = get_month_names("wide", locale=language)
    short_months = get_month_names("abbreviated", locale=language)
    french = language == "fr"
    return Style(
        language=language,
        group=NARROW_SPACE if french else ",",
        decimal="," if french else ".",
        first_of_month="1er" if french else "1",
        months=("", *(months[n] for n in range(1, 13))),
        short_months=("", *(short_months[n] for n in range(1, 13))),
    )


def number(n: int, language: str) -> str:
    """Return the whole number with its thousands set apart: "1,234"."""
    text = f"{n:,}".replace(",", style_of(language).group)
    return text.replace("-", MINUS)


def percent(value: Decimal | float, language: str) -> str:
    """Return the value, itself a number of percent, with one decimal: "9.4 %"."""
    # By way of its text, or 0.25 and 0.35 would be rounded differently.
    rounded = Decimal(str(value)).quantize(TENTH, ROUND_HALF_UP)
    style = style_of(language)
    whole, _, tenth = f"{abs(rounded):,}".partition(".")
    sign = MINUS if rounded < 0 else ""
    return f"{sign}{whole.replace(',', style.group)}{style.decimal}{tenth}{NARROW_SPACE}%"


def instant_text(instant: datetime, zone: ZoneInfo, language: str) -> str:
    """Return the instant, aware, as the clock of the zone shows it: "21 Nov 2026 18:42"."""
    local = instant.astimezone(zone)
    return f"{day_text(local, language)} {local.hour:02}:{local.minute:02}"


def day_text(day: date, language: str) -> str:
    """Return the day with a short month: "21 Nov 2026"."""
    return f"{short_day(day, language)} {day.year}"


def short_day(day: date, language: str) -> str:
    """Return the day with a short month, without its year: "21 Nov"."""
    style = style_of(language)
    return f"{_day_of_month(day, style)} {style.short_months[day.month]}"


def month_text(day: date, language: str) -> str:
    """Return the name of the day's month: "October"."""
    return style_of(language).months[day.month]


def date_range_text(first: date, last: date, language: str) -> str:
    """
    Return the days from first to last, both included: "1-22 November 2026", with a dash.

    A month or a year that both share is said once; a single day stands alone.
    """
    style = style_of(language)
    if first == last:
        return _long_day(last, style)
    if first.year != last.year:
        return f"{_long_day(first, style)} {DASH} {_long_day(last, style)}"
    if first.month != last.month:
        start = f"{_day_of_month(first, style)} {style.months[first.month]}"
        return f"{start} {DASH} {_long_day(last, style)}"
    return f"{first.day}{DASH}{last.day} {style.months[last.month]} {last.year}"


def duration_text(seconds: int) -> str:
    """Return the duration, never negative, as "h:mm:ss"; the hours go on past 24."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def hours_text(seconds: int, language: str) -> str:
    """Return the duration in hours, with one decimal unless they are whole: "1,234.5"."""
    tenths = (Decimal(seconds) / 3600).quantize(TENTH, ROUND_HALF_UP)
    whole, _, tenth = f"{tenths:f}".partition(".")
    text = number(int(whole), language)
    return text if tenth == "0" else f"{text}{style_of(language).decimal}{tenth}"


def money_text(minor: int, currency: str, language: str) -> str:
    """Return the amount, in minor units of the ISO 4217 currency: "€9.99"; "Free" for zero."""
    style = style_of(language)
    if minor == 0:
        with translation.override(style.language):
            return gettext("Free")
    amount = Decimal(minor).scaleb(-currency_digits(currency))
    pattern = _money_pattern(currency, style.language)
    text = format_currency(amount, currency, pattern, style.language, currency_digits=False)
    return text.replace("-", MINUS)


def currency_digits(currency: str) -> int:
    """Return how many digits the currency's minor unit has: 2 for EUR, 0 for JPY."""
    return UNROUNDED.get(currency, get_currency_precision(currency))


@lru_cache
def _money_pattern(currency: str, language: str) -> str:
    digits = currency_digits(currency)
    amount = f"#,##0.{'0' * digits}" if digits else "#,##0"
    if language == "fr":
        return f"{amount}{WIDE_SPACE}¤"
    # "€5", but "KWD 5": a code of letters does not touch the figure.
    space = WIDE_SPACE if get_currency_symbol(currency, locale=language)[-1].isalpha() else ""
    return f"¤{space}{amount}"


def _day_of_month(day: date, style: Style) -> str:
    return style.first_of_month if day.day == 1 else str(day.day)


def _long_day(day: date, style: Style) -> str:
    return f"{_day_of_month(day, style)} {style.months[day.month]} {day.year}"
