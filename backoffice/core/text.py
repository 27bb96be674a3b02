"""Text made comparable: case, accents and invisible characters taken away."""

import re
import unicodedata
from functools import lru_cache

# Letters that Unicode does not decompose, and what people type for them.
_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)


def fold(text: str) -> str:
    """Return the text without case and accents, single-spaced: "Éa  O’Neil" gives "ea o'neil"."""
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    return _folded(text)


# The same first names come again and again.
@lru_cache(maxsize=2_000)
def _folded(text: str) -> str:
    # Twice: some letters show only when taken apart that they are capitals ("™", "ᴬ").
    decomposed = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(c for c in decomposed if not unicodedata.combining(c) and not is_invisible(c))
    plain = unicodedata.normalize("NFC", bare).translate(_PLAIN).replace("’", "'")
    return " ".join(plain.split())


# What Unicode calls ignorable although it counts as a letter or a mark: joiners, fillers of
# Hangul, inherent vowels of Khmer, selectors of variants.
_IGNORABLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)


def is_invisible(character: str) -> bool:
    """Say whether the character shows nothing: formats, controls, fillers, unassigned ones."""
    if character in "\t\n\r":
        return False
    return character in _IGNORABLE or unicodedata.category(character) in {"Cf", "Cc", "Cs", "Cn"}


def email_key(email: str) -> str:
    """Return what two spellings of one address share: trimmed, case-folded, nothing invisible."""
    if email.isascii() and email.isprintable():
        return email.strip().lower()
    visible = "".join(c for c in email if not is_invisible(c))
    return unicodedata.normalize("NFC", visible.strip().casefold())


# Sorts behind every name: people without a last name come last.
_LAST = "\U0010fffd"
# Sorts before every letter, so that "Li, Wei" comes before "Lin, An".
_BETWEEN = "\x01"


def name_sort_key(first_name: str, last_name: str) -> str:
    """Return the text by which a list of people is ordered: last name, then first, empty last."""
    return f"{fold(last_name) or _LAST}{_BETWEEN}{fold(first_name) or _LAST}"


# What parts a name into words of their own.
_PARTED = re.compile("[-']")


def search_text(first_name: str, last_name: str, email: str) -> str:
    """
    Return the words by which a person is found, folded, each with a space before it.

    The parts behind hyphens and apostrophes are words of their own as well.
    """
    names = f"{fold(first_name)} {fold(last_name)}"
    words = names.split()
    if "-" in names or "'" in names:
        words += [part for word in words for part in _PARTED.split(word)[1:] if part]
    return " " + " ".join([*words, fold(email)]) + " "
