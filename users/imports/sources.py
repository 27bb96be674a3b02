"""The uploaded files themselves: kept in pieces in the database, read as tables."""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, Final

from django.conf import settings
from django.db import connection

from backoffice.core.csv_guard import guarded, unguarded
from backoffice.core.csv_reading import (
    CsvForm,
    Record,
    Unreadable,
    detect_encoding,
    detect_separator,
    records,
)
from backoffice.core.xlsx_reading import Limits, is_workbook, sheet_records
from users.models import UserImport

PART_BYTES: Final = 1 << 20
COPY_PARTS: Final = "COPY users_importpart (user_import_id, number, content) FROM STDIN"

ZIP = b"PK\x03\x04"
# What spreadsheets are not, by how it begins.
_OTHERS: Final = (
    (b"%PDF", "pdf"),
    (b"\xd0\xcf\x11\xe0", "old-excel"),
    (b"<!DOCTYPE HTML", "html"),
    (b"<HTML", "html"),
    (b"<?XML", "html"),
    (b"{\\RTF", "html"),
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file is, as far as can be told without knowing what its columns mean."""

    form: CsvForm | None
    """How it is written; none for XLSX."""
    headings: list[str]
    rows: int


def survey(file: IO[bytes]) -> Survey:
    """
    Read the whole file once, and return what it is.

    :raises Unreadable: if it is no table, too large a one, or has no rows.
    """
    beginning = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    for start, code in _OTHERS:
        if beginning.upper().startswith(start):
            raise Unreadable(code)
    form = None
    if not beginning.startswith(ZIP):
        encoding = detect_encoding(file)
        form = CsvForm(encoding, detect_separator(file, encoding))
    with closing(table(file, form)) as rows:
        line, headings = next(rows, (0, []))
        if not any(heading.strip() for heading in headings):
            raise Unreadable("no-heading")
        if len(headings) > settings.IMPORT_MAX_COLUMNS:
            raise Unreadable("too-many-columns", line=line)
        count = 0
        for count, (line, _cells) in enumerate(rows, start=1):
            if count > settings.IMPORT_MAX_ROWS:
                raise Unreadable("too-many-rows", line=line)
    if not count:
        raise Unreadable("no-rows")
    while headings and not headings[-1].strip():
        headings.pop()
    return Survey(form, headings, count)


def table(file: IO[bytes], form: CsvForm | None) -> Generator[Record, None, None]:
    """
    Yield the file's records, the heading first.

    :raises Unreadable: where reading cannot go on.
    """
    if form is not None:
        return records(file, form)
    if not is_workbook(file):
        raise Unreadable("zip")
    return sheet_records(
        file,
        Limits(
            unpacked_bytes=settings.IMPORT_MAX_UNPACKED_BYTES,
            ratio=settings.IMPORT_MAX_UNPACKED_RATIO,
            columns=settings.IMPORT_MAX_COLUMNS,
        ),
    )


def keep(user_import: UserImport, file: IO[bytes]) -> None:
    """Store the file's bytes, a part at a time."""
    file.seek(0)
    number = 0
    # The driver remembers the last hundred statements, and a part is the longer half of an INSERT.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.cursor.copy(COPY_PARTS) as copy,
    ):
        while content := file.read(PART_BYTES):
            copy.write_row((user_import.pk, number, content))
            number += 1


@contextmanager
def opened(user_import: UserImport) -> Iterator[Iterator[Record]]:
    """
    Give the records of the kept file, the heading first; memory does not grow with it.

    :raises Unreadable: if the file is gone, because a user was deleted.
    """
    form = None
    if user_import.separator:
        form = CsvForm(user_import.encoding, user_import.separator)
    with tempfile.TemporaryFile(dir=settings.EXPORT_DIR) as file:
        parts = user_import.parts.order_by("number").values_list("content", flat=True)
        for content in parts.iterator(chunk_size=1):
            file.write(content)
        if not file.tell():
            raise Unreadable("forgotten")
        with closing(table(file, form)) as rows:
            yield rows


def hold_file(user_import: UserImport) -> None:
    """
    Keep the file from being removed until the transaction ends.

    :raises Unreadable: if it is gone, because a user was deleted.
    """
    parts = user_import.parts.select_for_update().filter(number=0)
    if not parts.values_list("number", flat=True):
        raise Unreadable("forgotten")


def text_of(cell: str, user_import: UserImport) -> str:
    """Return what the cell says: one of a CSV file may carry the guard against formulas."""
    return unguarded(cell) if user_import.separator else cell


def guarded_again(cell: str, user_import: UserImport) -> str:
    """Return the cell for a CSV file that says the same and runs in no spreadsheet."""
    return guarded(text_of(cell, user_import))
