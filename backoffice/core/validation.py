"""
What a user's fields may hold, for whoever writes them: the API, a form, an import.

Each `clean_…` returns the value as it is stored, or raises Django's ValidationError.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Protocol

from babel import Locale
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.utils.translation import gettext as _

from backoffice.core.text import email_key, is_invisible

# Babel's territories that are no countries: unions, pseudo codes, islands without a code.
_NO_COUNTRIES = frozenset(
    ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"]
)
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?", re.ASCII)
# Addresses of the usual form, about which there is nothing more to ask.
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    re.ASCII | re.IGNORECASE,
)
# Controls, and halves of characters.
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1800, 2199
LONGEST_CUSTOM_TEXT = 1000
LARGEST_CUSTOM_NUMBER = 10**15
LONGEST_EMAIL, LONGEST_EMAIL_KEY = 254, 320
COUNTRY_LENGTH = 2

_web_address = URLValidator(schemes=["http", "https"])


class Field(Protocol):
    """What a custom field says about its values (users.models.CustomField)."""

    key: str
    type: str
    choices: list[str]
    is_required: bool


def clean_email(email: str) -> str:
    """Return the address, trimmed and in one form of Unicode; what cannot be seen is refused."""
    if len(email) <= LONGEST_EMAIL and _PLAIN_EMAIL.fullmatch(email):
        return email
    trimmed = unicodedata.normalize("NFC", email.strip())
    if any(is_invisible(c) or c.isspace() for c in trimmed):
        raise ValidationError(_("The address contains characters that cannot be seen."))
    validate_email(trimmed)
    domain = trimmed.rpartition("@")[2]
    if "." not in domain or domain.startswith("["):
        raise ValidationError(_("The address needs a domain with a dot."))
    # Upper and lower case of some letters differ in length.
    if len(trimmed) > LONGEST_EMAIL or len(email_key(trimmed)) > LONGEST_EMAIL_KEY:
        raise ValidationError(_("The address is too long."))
    return trimmed


def clean_text(text: str) -> str:
    """Return the text trimmed; control characters are refused, line breaks among them."""
    trimmed = text.strip()
    if not trimmed.isprintable() and _UNSPEAKABLE.search(trimmed):
        raise ValidationError(_("The text contains control characters."))
    return trimmed


def clean_country(code: str) -> str:
    """Return the ISO 3166 code of two letters in upper case; nothing stays nothing."""
    upper = code.strip().upper()
    if upper and upper not in _countries():
        raise ValidationError(_("Write the country as its code of two letters, like FR."))
    return upper


def clean_language(code: str) -> str:
    """Return the language code as in "fr" or "pt-BR"; nothing stays nothing."""
    lower = code.strip().lower().replace("_", "-")
    if not lower:
        return ""
    match = _LANGUAGE.fullmatch(lower)
    if match is None or match.group(1) not in _languages():
        raise ValidationError(_("Write the language as its code, like fr or pt-BR."))
    language, script, territory = match.groups()
    parts = [language, script and script.title(), territory and territory.upper()]
    return "-".join(part for part in parts if part)


def clean_web_address(address: str) -> str:
    """Return the http or https address; nothing stays nothing."""
    text = clean_text(address)
    if text:
        _web_address(text)
    return text


def clean_custom(fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the values by key as they are stored, without empty ones.

    :param values: None and "" are empty.
    :raises ValidationError: with a message for each bad, missing or unknown key.
    """
    by_key = {field.key: field for field in fields}
    errors = {key: _("There is no such field.") for key in values if key not in by_key}
    clean: dict[str, Any] = {}
    for key, field in by_key.items():
        value = values.get(key)
        if value is None or value == "":
            if field.is_required:
                errors[key] = _("This field is required.")
            continue
        try:
            clean[key] = clean_custom_value(field.type, field.choices, value)
        except ValidationError as error:
            errors[key] = error.messages[0]
    if errors:
        raise ValidationError(errors)
    return clean


def clean_custom_value(kind: str, choices: Sequence[str], value: Any) -> Any:
    """Return the value of a custom field of the type `kind`, typed as in JSON."""
    if kind == "number":
        return _clean_number(value)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise ValidationError(_("Answer true or false."))
        return value
    if not isinstance(value, str):
        raise ValidationError(_("Write this as text."))
    text = clean_text(value)
    if kind == "date":
        return _clean_date(text)
    if kind == "choice" and text not in choices:
        raise ValidationError(_("This is not one of the choices."))
    if len(text) > LONGEST_CUSTOM_TEXT:
        raise ValidationError(_("The text is too long."))
    return text


def _clean_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError(_("Write this as a number."))
    if not math.isfinite(value) or abs(value) > LARGEST_CUSTOM_NUMBER:
        raise ValidationError(_("The number is too large."))
    return value


def _clean_date(text: str) -> str:
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(_("Write the date like 2026-11-03."))
    return text


@cache
def _countries() -> frozenset[str]:
    # Babel's mappings are typed for all that they may hold elsewhere.
    codes = {str(code) for code in Locale("en").territories if len(str(code)) == COUNTRY_LENGTH}
    return frozenset(codes - _NO_COUNTRIES)


@cache
def _languages() -> frozenset[str]:
    return frozenset(str(code) for code in Locale("en").languages if "_" not in str(code))
