"""
Files for spreadsheets: written whole by COPY, counted and hashed, then sent.

A file is whole or absent: a database that dies in the middle leaves no file behind.
"""

import base64
import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import CharField, Func, QuerySet, TextField
from django.db.models.sql.compiler import SQLCompiler
from psycopg import sql

from backoffice.core.csv_guard import GUARDED_SQL, guarded

BOM = b"\xef\xbb\xbf"
LINE_END = b"\r\n"
# Rows are joined to blocks of about this size before they are hashed and written.
ROWS_A_BLOCK = 2_000
QUERY_CANCELED = "57014"


class TooSlow(Exception):
    """A file could not be finished in the time that its request has."""


@dataclass(slots=True)
class MadeFile:
    """A finished file, open at its beginning; one without a name is removed by closing it."""

    content_type: ClassVar[str]
    extension: ClassVar[str]

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
        return repr_digest(self._hash.digest())

    @property
    def headers(self) -> dict[str, str]:
        """What an answer says of the file, so that its reader can tell whether it is whole."""
        return {
            "Content-Length": str(self.size),
            "X-Row-Count": str(self.rows),
            "Repr-Digest": self.repr_digest,
        }

    def count(self, block: bytes) -> None:
        """Take the block into size and digest."""
        self.size += len(block)
        self._hash.update(block)


class CsvFile(MadeFile):
    """A CSV file."""

    content_type = "text/csv; charset=utf-8"
    extension = "csv"

    def write(self, block: bytes) -> None:
        self.file.write(block)
        self.count(block)


def repr_digest(digest: bytes) -> str:
    """Return a SHA-256 as the header Repr-Digest writes it."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


@dataclass(frozen=True, slots=True)
class Making:
    """How a file is made: where, in which time, and who is told how far it is."""

    into: Callable[[], IO[bytes]]
    """Opens the file that is written."""
    limit_ms: int
    """How long the database may take over it."""
    on_rows: Callable[[int], None]
    """Called with the number of rows after each block of them; what it raises ends the making."""


def _temporary() -> IO[bytes]:
    return tempfile.TemporaryFile(dir=settings.EXPORT_DIR)


def at_once() -> Making:
    """Return the usual way: a file without a name, for as long as a request may take."""
    limit = settings.EXPORT_SECONDS_AT_ONCE * 1000
    return Making(into=_temporary, limit_ms=limit, on_rows=_tell_nobody)


def _tell_nobody(_rows: int) -> None:
    pass


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
    making: Making | None = None,
) -> CsvFile:
    """
    Return a CSV file of the rows in their order: UTF-8 with BOM, CRLF, headings first.

    :param rows: a `values_list` of expressions whose text is guarded already.
    :param zone: the zone in which instants are written.
    :param making: without one, the file is made within a request.
    :raises TooSlow: if the time is over; nothing is left behind, as with the others.
    :raises DatabaseError: if the database fails.
    :raises OSError: if the disk does.
    """
    making = making or at_once()
    options = sql.SQL("FORMAT csv, DELIMITER {delimiter}").format(delimiter=sql.Literal(delimiter))
    with (
        _spooled(headings, delimiter, making) as made,
        closing(copied_blocks(rows, options, zone=zone, making=making)) as blocks,
    ):
        for block in blocks:
            _write_block(block, made)
            making.on_rows(made.rows)
    return made


def csv_of(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ","
) -> CsvFile:
    """
    Return the same kind of file of rows that Python has computed: numbers and dates, no text.

    :raises OSError: if the disk fails; nothing is left behind.
    """
    with _spooled(headings, delimiter, at_once()) as made:
        for row in rows:
            made.write(delimiter.join(map(str, row)).encode() + LINE_END)
            made.rows += 1
    return made


@contextmanager
def _spooled(headings: Sequence[str], delimiter: str, making: Making) -> Iterator[CsvFile]:
    """Give a file with its heading; rewind it afterwards, or close it if anything fails."""
    made = CsvFile(making.into())
    try:
        line = delimiter.join(_quoted(guarded(heading), delimiter) for heading in headings)
        made.write(BOM + line.encode() + LINE_END)
        yield made
        made.file.seek(0)
    except BaseException:
        made.file.close()
        raise


def copied_blocks(
    rows: "QuerySet[Any, tuple[Any, ...]]",
    options: sql.Composable,
    *,
    zone: ZoneInfo,
    making: Making,
) -> Generator[list[bytes]]:
    """
    Yield what COPY writes of the rows, a message for each, in blocks.

    :raises TooSlow: if the database took longer than it may.
    """
    try:
        statement, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return
    composed = connection.ops.compose_sql(statement, params)  # type: ignore[attr-defined]
    copy_statement = sql.SQL("COPY ({rows}) TO STDOUT ({options})").format(
        rows=sql.SQL(composed), options=options
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone.key])
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)", [str(making.limit_ms)]
            )
            # The driver's own cursor raises its own errors; these are Django's.
            with connection.wrap_database_errors, cursor.cursor.copy(copy_statement) as copy:
                yield from _blocks(copy)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == QUERY_CANCELED:
            raise TooSlow from error
        raise


def _blocks(copy: Any) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    for message in copy:
        block.append(message)
        if len(block) == ROWS_A_BLOCK:
            yield block
            block = []
    if block:
        yield block


def _write_block(block: list[bytes], made: CsvFile) -> None:
    """Write each message, which is one row ending in LF, as a line ending in CRLF."""
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
