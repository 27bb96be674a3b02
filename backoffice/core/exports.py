"""
Files for spreadsheets: written whole by COPY, counted and hashed, then sent.

A file is whole or absent: a database that dies in the middle leaves no file behind.
"""

import base64
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import CharField, Func, QuerySet, TextField
from django.db.models.sql.compiler import SQLCompiler
from psycopg import sql

from backoffice.core.csv_guard import GUARDED_SQL, guarded

BOM = b"\xef\xbb\xbf"
LINE_END = b"\r\n"
# Rows are joined to blocks of about this size before they are hashed and written.
ROWS_A_BLOCK = 2_000


@dataclass(slots=True)
class CsvFile:
    """A finished file, open at its beginning and without a name: closing it removes it."""

    file: IO[bytes]
    rows: int = 0
    """Without the heading."""
    size: int = 0
    """In bytes."""
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, in hex."""
        return str(self._hash.hexdigest())

    @property
    def repr_digest(self) -> str:
        """The value of the header Repr-Digest (RFC 9530)."""
        return f"sha-256=:{base64.b64encode(self._hash.digest()).decode()}:"

    def write(self, block: bytes) -> None:
        self.file.write(block)
        self.size += len(block)
        self._hash.update(block)


class Guarded(Func):
    """A text that a spreadsheet cannot run as a formula; null for the empty text."""

    arity = 1
    output_field = TextField()

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: Any, **_extra: Any
    ) -> tuple[str, tuple[Any, ...]]:
        text, params = compiler.compile(self.source_expressions[0])
        return GUARDED_SQL.replace("{text}", text), tuple(params) * GUARDED_SQL.count("{text}")


class IsoInstant(Func):
    """An instant to the second, with the offset that the session's time zone had then."""

    function = "to_char"
    template = """%(function)s(%(expressions)s, 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM')"""
    output_field = CharField()


def write_csv(
    headings: Sequence[str],
    rows: "QuerySet[Any, tuple[Any, ...]]",
    *,
    zone: ZoneInfo,
    delimiter: str = ",",
) -> CsvFile:
    """
    Return a CSV file of the rows in their order: UTF-8 with BOM, CRLF, headings first.

    :param rows: a `values_list` of expressions whose text is guarded already.
    :param zone: the zone in which instants are written.
    :raises DatabaseError: if the database fails; nothing is left behind.
    :raises OSError: if the disk does; likewise.
    """
    with _spooled(headings, delimiter) as made:
        _copy(rows, made, zone=zone, delimiter=delimiter)
    return made


def csv_of(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ","
) -> CsvFile:
    """
    Return the same kind of file of rows that Python has computed: numbers and dates, no text.

    :raises OSError: if the disk fails; nothing is left behind.
    """
    with _spooled(headings, delimiter) as made:
        for row in rows:
            made.write(delimiter.join(map(str, row)).encode() + LINE_END)
            made.rows += 1
    return made


@contextmanager
def _spooled(headings: Sequence[str], delimiter: str) -> Iterator[CsvFile]:
    """Give a file with its heading; rewind it afterwards, or remove it if anything fails."""
    made = CsvFile(tempfile.TemporaryFile(dir=settings.EXPORT_DIR))  # noqa: SIM115  # sent later
    try:
        line = delimiter.join(_quoted(guarded(heading), delimiter) for heading in headings)
        made.write(BOM + line.encode() + LINE_END)
        yield made
        made.file.seek(0)
    except BaseException:
        made.file.close()
        raise


def _copy(
    rows: "QuerySet[Any, tuple[Any, ...]]", made: CsvFile, *, zone: ZoneInfo, delimiter: str
) -> None:
    try:
        statement, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return
    composed = connection.ops.compose_sql(statement, params)  # type: ignore[attr-defined]
    copy_statement = sql.SQL("COPY ({rows}) TO STDOUT (FORMAT csv, DELIMITER {delimiter})").format(
        rows=sql.SQL(composed), delimiter=sql.Literal(delimiter)
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone.key])
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [str(settings.EXPORT_TIMEOUT_MS)]
        )
        # The driver's own cursor raises its own errors; these are Django's.
        with connection.wrap_database_errors, cursor.cursor.copy(copy_statement) as copy:
            _spool(copy, made)


def _spool(copy: Any, made: CsvFile) -> None:
    """Write each message, which is one row ending in LF, as a line ending in CRLF."""
    block: list[bytes] = []
    for message in copy:
        block.append(message)
        if len(block) == ROWS_A_BLOCK:
            _write_block(block, made)
            block.clear()
    if block:
        _write_block(block, made)


def _write_block(block: list[bytes], made: CsvFile) -> None:
    joined = b"".join(block)
    if joined.count(b"\n") == len(block):
        made.write(joined.replace(b"\n", LINE_END))
    else:
        # Some cell holds a line end of its own, which stays as it is.
        made.write(b"".join([bytes(message)[:-1] + LINE_END for message in block]))
    made.rows += len(block)


def _quoted(text: str, delimiter: str) -> str:
    needs_quotes = any(character in text for character in f'"{delimiter}\r\n')
    return '"' + text.replace('"', '""') + '"' if needs_quotes else text
