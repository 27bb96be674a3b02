"""Translations: what is marked in the code, what the .po files say, and the .mo made of them."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

# Function names that mark a string, and which of their arguments are the message.
_KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_FOLDERS_WITH_CODE = ("analytics", "backoffice", "subscriptions", "users")

# A message as gettext tells them apart: its context, if any, and its text.
Marked = tuple[str | None, str]


def compile_all(locale: Path) -> int:
    """
    Make the .mo files that Django reads from the .po files people edit; return how many.

    Those up to date are left alone. Entries marked fuzzy are left out.
    """
    made = 0
    for source in sorted(locale.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        compiled = io.BytesIO()
        write_mo(compiled, _read(source))
        # Moved into place whole: another process may be reading it.
        aside = target.with_suffix(f".{os.getpid()}")
        aside.write_bytes(compiled.getvalue())
        aside.replace(target)
        made += 1
    return made


def marked_messages(root: Path) -> set[Marked]:
    """Return every message that the checkout's code and templates mark for translation."""
    marked: set[Marked] = set()
    for folder in _FOLDERS_WITH_CODE:
        for path in sorted((root / folder).rglob("*.py")):
            marked |= set(_messages_of(path.read_text(encoding="utf-8")))
    for path in sorted((root / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"}:
            # Django turns a template into lines that read like code; their indents mean nothing.
            lines = templatize(path.read_text(encoding="utf-8"), origin=str(path)).splitlines()
            marked |= set(_messages_of("\n".join(line.strip() for line in lines)))
    return marked


def missing_messages(root: Path, source: Path) -> list[str]:
    """Return a line for each marked message that the .po file lacks, leaves empty or doubts."""
    catalog = _read(source)
    lines = []
    for context, text in sorted(
        marked_messages(root), key=lambda found: (found[1], found[0] or "")
    ):
        entry = catalog.get(text, context)
        if entry is None:
            lines.append(f"missing: {text!r}")
        elif entry.fuzzy:
            lines.append(f"fuzzy: {text!r}")
        elif not all(entry.string if isinstance(entry.string, tuple) else (entry.string,)):
            lines.append(f"empty: {text!r}")
    return lines


def _read(source: Path) -> Catalog:
    with source.open("rb") as file:
        return read_po(file, abort_invalid=True)


def _messages_of(code: str) -> Iterator[Marked]:
    found = extract("python", io.BytesIO(code.encode()), keywords=_KEYWORDS)
    for _line, message, _comments, context in found:
        text = message[0] if isinstance(message, tuple) else message
        if text:
            yield context, text
