"""Money: whole minor units inside, decimal strings in major units outside, by ISO 4217."""

import re
from functools import cache

from babel.numbers import list_currencies

# How many decimals a currency has, where not two. Babel counts those in daily use instead
# (none for the rupiah), which is not what is charged.
_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
CODE_LENGTH = 3
_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,12}))?", re.ASCII)


@cache
def currencies() -> frozenset[str]:
    """Return the codes of all currencies, past ones included."""
    return frozenset(code for code in list_currencies() if len(code) == CODE_LENGTH)


def decimals(currency: str) -> int:
    """Return how many decimals the currency's amounts have."""
    return _DIGITS.get(currency, 2)


def currencies_with(digits: int) -> list[str]:
    """Return the currencies whose amounts have so many decimals, which is not two."""
    return sorted(code for code, own in _DIGITS.items() if own == digits)


def minor_units(amount: str, currency: str) -> int:
    """
    Return the minor units of an amount in major units: "9.99" EUR gives 999, "500" JPY 500.

    :raises ValueError: if it is no plain, positive decimal number or zero, or has more
        decimals than the currency.
    """
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise ValueError('Write an amount like "9.99": digits, and a point before decimals.')
    whole, fraction = match.group(1), match.group(2) or ""
    digits = decimals(currency)
    if len(fraction) > digits:
        raise ValueError(f"An amount in {currency} has at most {digits} decimals.")
    return int(whole + fraction.ljust(digits, "0"))


def major_units(minor: int, currency: str) -> str:
    """Return the amount as a decimal string with all decimals of the currency: 999 EUR, "9.99"."""
    digits = decimals(currency)
    if not digits:
        return str(minor)
    text = str(minor).rjust(digits + 1, "0")
    return f"{text[:-digits]}.{text[-digits:]}"
