"""Country and language codes, as the Unicode tables of Babel know them."""

import re
from functools import cache

from babel import Locale


@cache
def _english() -> Locale:
    return Locale("en")


def is_country(code: str) -> bool:
    """Say whether the text is the two-letter code of a country, in upper case."""
    return re.fullmatch(r"[A-Z]{2}", code) is not None and code in _english().territories


def is_language(code: str) -> bool:
    """Say whether the text is a language code, with or without a region: "fr", "pt-BR"."""
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}", code):
        return False
    return code.partition("-")[0] in _english().languages
