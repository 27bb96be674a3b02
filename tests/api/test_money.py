"""Amounts on the wire and inside."""

import pytest

from backoffice.core.money import currencies, major_units, minor_units


@pytest.mark.parametrize(
    ("text", "currency", "minor", "back"),
    [
        ("9.99", "EUR", 999, "9.99"),
        ("9.9", "EUR", 990, "9.90"),
        ("9", "EUR", 900, "9.00"),
        ("0", "EUR", 0, "0.00"),
        ("0.05", "USD", 5, "0.05"),
        ("0.30", "USD", 30, "0.30"),
        ("500", "JPY", 500, "500"),
        ("12.345", "KWD", 12345, "12.345"),
        ("0.001", "KWD", 1, "0.001"),
        ("1.2345", "CLF", 12345, "1.2345"),
        # Two decimals by ISO 4217, none in daily use.
        ("15000.50", "LBP", 1500050, "15000.50"),
        ("999999999999.99", "EUR", 99999999999999, "999999999999.99"),
    ],
)
def test_an_amount_goes_in_and_comes_out_with_its_decimals(text, currency, minor, back):
    assert minor_units(text, currency) == minor
    assert major_units(minor, currency) == back


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("9.999", "EUR"),
        ("500.0", "JPY"),
        ("-1", "EUR"),
        ("+1", "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        (".5", "EUR"),
        ("5.", "EUR"),
        ("9,99", "EUR"),
        (" 9", "EUR"),
        ("٩", "EUR"),
        ("1" * 13, "EUR"),
        ("1" * 5000, "EUR"),
        ("", "EUR"),
    ],
)
def test_what_is_no_plain_amount_is_refused(text, currency):
    with pytest.raises(ValueError, match=r"."):
        minor_units(text, currency)


def test_currencies_are_known_by_code():
    assert {"EUR", "JPY", "KWD"} <= currencies()
    assert not {"EURO", "eur", "QQQ", ""} & currencies()
