"""What stands in the way of a file or a row, in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

# Why a whole file is refused; "%(line)s" where a line is to blame.
FILES: Final[Mapping[str, Any]] = {
    "empty": _("The file is empty."),
    "too-large": _("The file is larger than %(megabytes)s MB."),
    "pdf": _("This is a PDF, no table. Save the table as CSV or XLSX."),
    "html": _("This is a text document, no table. Save the table as CSV or XLSX."),
    "old-excel": _("This is the old Excel format. Save the table as XLSX or CSV."),
    "zip": _("This is a ZIP archive without a table. Upload the CSV or XLSX file itself."),
    "no-lines": _("The file has no line ends: it is no table."),
    "no-heading": _("The first line names no columns."),
    "no-rows": _("The file has a heading and no rows."),
    "too-many-columns": _("The file has more than %(columns)s columns."),
    "too-many-rows": _("The file has more than %(rows)s rows: cut it in several files."),
    "nul": _("Line %(line)s contains a NUL character: the file is damaged or is no text."),
    "encoding": _("Line %(line)s is in no encoding that is known here. Save the file as UTF-8."),
    "encodings-mixed": _(
        "Line %(line)s is in another encoding than the lines before it. Save the file as UTF-8."
    ),
    "quote-unclosed": _("The record that begins on line %(line)s has a quote that never closes."),
    "quote-misplaced": _(
        "The record that begins on line %(line)s has a quote in the middle of a cell, or one that"
        " closes too late."
    ),
    "cell-too-long": _(
        "The record that begins on line %(line)s has a cell without end: is a quote not closed?"
    ),
    "xlsx-damaged": _("The XLSX file is damaged or no spreadsheet."),
    "xlsx-unsafe": _("The XLSX file declares entities; no spreadsheet does. It was not read."),
    "xlsx-too-large": _("The XLSX file unpacks to too much. Save the table as CSV."),
    "forgotten": _(
        "The file was removed: a user was deleted meanwhile. Upload it again without that user."
    ),
}

# Why a row is refused. Anything else is a message of a column's own check.
ROWS: Final[Mapping[str, Any]] = {
    "too-many-cells": _("The row has %(cells)s cells, the heading %(columns)s."),
    "no-email": _("The e-mail is missing."),
    "same-address": _("Lines %(first)s and %(second)s have the same address: the first counts."),
    "same-user": _("Lines %(first)s and %(second)s mean the same user: the first counts."),
    "id-unknown": _("No user of this project has this identifier."),
    "email-taken": _("Another user of this project has this address."),
    "no-platform": _("The row names no platform, and none was chosen for such rows."),
    "days-without-offer": _("Days of a free copy need an offer."),
    "offer-without-days": _("An offer needs the days of the free copy."),
    "created-since": _("A user with this address was created after the dry run."),
    "changed-since": _("The user was changed or deleted after the dry run."),
    "touched-since": _("Not undone: somebody used or changed it after the import."),
}

# Why columns cannot be matched so.
COLUMNS: Final[Mapping[str, Any]] = {
    "undeclared": _("Nobody declared the column “%(heading)s”: choose what it is, or ignore it."),
    "unknown-column": _("There is no such column."),
    "column-twice": _("Another column of the file is this already: ignore one of the two."),
    "no-email-column": _("No column is the e-mail. It is needed for every row."),
}


def why_file(refusal: Mapping[str, Any]) -> str:
    """Return why a file was refused as a whole."""
    return str(FILES[refusal["code"]]) % refusal


def why_row(reasons: Sequence[Sequence[Any]]) -> str:
    """Return why a row was refused, each reason with its column in front."""
    return " ".join(_one(*reason) for reason in reasons)


def _one(column: str, code: str, facts: Mapping[str, Any] | None = None) -> str:
    if code in ROWS:
        return str(ROWS[code]) % (facts or {})
    # Messages of checks are kept as they stand in the code, which is how they are translated.
    return f"{column.removeprefix('custom.')}: {gettext(code)}"
