"""Numbers, dates and money as people read them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from django.utils.formats import date_format

from backoffice.core.formatting import (
    date_range_text,
    day_text,
    duration_text,
    instant_text,
    money_text,
    month_text,
    number,
    percent,
    short_day,
)

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("n", "english", "french"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (1234, "1,234", "1\u202f234"),
        (-1234567, "\u22121,234,567", "\u22121\u202f234\u202f567"),
    ],
)
def test_thousands_are_set_apart(n, english, french):
    assert number(n, "en") == english
    assert number(n, "fr") == french


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (9.4, "9.4\u202f%", "9,4\u202f%"),
        (0, "0.0\u202f%", "0,0\u202f%"),
        (0.25, "0.3\u202f%", "0,3\u202f%"),
        (Decimal("0.35"), "0.4\u202f%", "0,4\u202f%"),
        (-12.25, "\u221212.3\u202f%", "\u221212,3\u202f%"),
        (-0.04, "0.0\u202f%", "0,0\u202f%"),
        (1234.5, "1,234.5\u202f%", "1\u202f234,5\u202f%"),
    ],
)
def test_a_percentage_has_one_decimal_rounded_half_up(value, english, french):
    assert percent(value, "en") == english
    assert percent(value, "fr") == french


@pytest.mark.parametrize(
    ("instant", "zone", "english", "french"),
    [
        (
            datetime(2026, 11, 21, 17, 42, 59, tzinfo=UTC),
            PARIS,
            "21 Nov 2026 18:42",
            "21 nov. 2026 18:42",
        ),
        # Around the clock change of spring: 02:00 becomes 03:00 at 01:00 UTC.
        (
            datetime(2026, 3, 29, 0, 59, tzinfo=UTC),
            PARIS,
            "29 Mar 2026 01:59",
            "29 mars 2026 01:59",
        ),
        (
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            PARIS,
            "29 Mar 2026 03:00",
            "29 mars 2026 03:00",
        ),
        # Around that of autumn 02:30 is shown twice.
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            PARIS,
            "25 Oct 2026 02:30",
            "25 oct. 2026 02:30",
        ),
        (
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
            PARIS,
            "25 Oct 2026 02:30",
            "25 oct. 2026 02:30",
        ),
        # The other side of a day, a month and a year.
        (
            datetime(2027, 1, 1, 2, 5, tzinfo=UTC),
            NEW_YORK,
            "31 Dec 2026 21:05",
            "31 déc. 2026 21:05",
        ),
        (
            datetime(2026, 7, 31, 22, 0, tzinfo=UTC),
            PARIS,
            "1 Aug 2026 00:00",
            "1er août 2026 00:00",
        ),
    ],
)
def test_an_instant_is_shown_by_the_clock_of_the_zone(instant, zone, english, french):
    assert instant_text(instant, zone, "en") == english
    assert instant_text(instant, zone, "fr") == french


def test_a_day_has_a_short_month():
    day = date(2026, 11, 21)

    assert day_text(day, "en") == "21 Nov 2026"
    assert day_text(day, "fr") == "21 nov. 2026"
    assert short_day(day, "en") == "21 Nov"
    assert short_day(day, "fr") == "21 nov."


def test_the_first_of_a_month_is_an_ordinal_in_french_only():
    assert short_day(date(2026, 12, 1), "en") == "1 Dec"
    assert short_day(date(2026, 12, 1), "fr") == "1er déc."
    assert short_day(date(2026, 12, 11), "fr") == "11 déc."


def test_a_month_has_its_whole_name():
    assert month_text(date(2026, 10, 5), "en") == "October"
    assert month_text(date(2026, 10, 5), "fr") == "octobre"


@pytest.mark.parametrize(
    ("first", "last", "english", "french"),
    [
        (
            date(2026, 11, 1),
            date(2026, 11, 22),
            "1\u201322 November 2026",
            "1\u201322 novembre 2026",
        ),
        (
            date(2026, 10, 28),
            date(2026, 11, 1),
            "28 October \u2013 1 November 2026",
            "28 octobre \u2013 1er novembre 2026",
        ),
        (
            date(2025, 12, 29),
            date(2026, 1, 4),
            "29 December 2025 \u2013 4 January 2026",
            "29 décembre 2025 \u2013 4 janvier 2026",
        ),
        (
            date(2025, 11, 1),
            date(2026, 11, 2),
            "1 November 2025 \u2013 2 November 2026",
            "1er novembre 2025 \u2013 2 novembre 2026",
        ),
        (date(2026, 11, 1), date(2026, 11, 1), "1 November 2026", "1er novembre 2026"),
    ],
)
def test_a_range_says_once_what_both_days_share(first, last, english, french):
    assert date_range_text(first, last, "en") == english
    assert date_range_text(first, last, "fr") == french


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00"),
        (59, "0:00:59"),
        (3599, "0:59:59"),
        (3600, "1:00:00"),
        (90061, "25:01:01"),
    ],
)
def test_a_duration_counts_hours_past_a_day(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("minor", "currency", "english", "french"),
    [
        (999, "EUR", "€9.99", "9,99\u00a0€"),
        (5, "EUR", "€0.05", "0,05\u00a0€"),
        (123450, "EUR", "€1,234.50", "1\u202f234,50\u00a0€"),
        (-999, "EUR", "\u2212€9.99", "\u22129,99\u00a0€"),
        (500, "JPY", "¥500", "500\u00a0JPY"),
        (12345, "KWD", "KWD\u00a012.345", "12,345\u00a0KWD"),
        (1234, "RSD", "RSD\u00a012.34", "12,34\u00a0RSD"),
        (1234, "IQD", "IQD\u00a01.234", "1,234\u00a0IQD"),
    ],
)
def test_money_is_written_to_the_minor_unit_of_its_currency(minor, currency, english, french):
    assert money_text(minor, currency, "en") == english
    assert money_text(minor, currency, "fr") == french


def test_nothing_to_pay_is_free():
    assert money_text(0, "EUR", "en") == "Free"


def test_a_regional_code_is_its_language_and_any_other_is_english():
    assert number(1234, "fr-ch") == "1\u202f234"
    assert number(1234, "de") == "1,234"
    assert day_text(date(2026, 11, 21), "de") == "21 Nov 2026"


def test_a_template_writes_an_english_day_as_everything_else_does():
    with translation.override("en"):
        assert date_format(date(2026, 11, 3), "SHORT_DATE_FORMAT") == "3 Nov 2026"
    assert day_text(date(2026, 11, 3), "en") == "3 Nov 2026"
