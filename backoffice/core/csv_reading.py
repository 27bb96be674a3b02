"""
Reading CSV files of unknown make: their encoding, their separator, their records by line.

A record is read as it was written or the file is refused: nothing is guessed within a record,
and no line disappears.
"""

import codecs
import csv
import io
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Final

# Longer cells are a quote that was never closed.
LONGEST_CELL: Final = 100_000
BLOCK: Final = 1 << 20
SEPARATORS: Final = (",", ";", "\t")
# So much of the beginning is looked at to find the separator.
_BEGINNING: Final = 64 * 1024

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
# The letters that UTF-8 writes most in our languages, dashes and quotes; what their bytes are in
# Windows-1252 ("Ã©", "â€™") nobody writes.
_UTF_8_LETTER = re.compile(rb"\xc3[\x80-\xbf]|\xe2\x80[\x80-\xbf]")
# A spreadsheet's own hint at its separator, in a line before the heading.
_HINT = re.compile(r"sep=(.)\r?\n?")


class Unreadable(Exception):
    """
    A file is no table that could be read without guessing.

    :param code: what is wrong, for `users.imports` to put in words.
    :param line: the line where reading ended, from 1; none where no line is to blame.
    """

    def __init__(self, code: str, *, line: int | None = None, **facts: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.line = line
        self.facts = facts


# One row of a table: the line where it begins, from 1, and its cells. The heading is usually
# on line 1.
Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a file is written."""

    encoding: str
    """As Python names it: utf-8, utf-8-sig, utf-16 or cp1252."""
    separator: str


def detect_encoding(file: IO[bytes]) -> str:
    """
    Return the encoding that the whole file is in. Reads all of it, a block at a time.

    Without a byte order mark it is UTF-8 where every byte fits, else Windows-1252, unless some
    lines are UTF-8 and others are not.

    :raises Unreadable: if it is empty, holds NUL or is in no or in several encodings.
    """
    file.seek(0)
    beginning = file.read(4)
    if not beginning:
        raise Unreadable("empty")
    if beginning.startswith(_UTF_32):
        raise Unreadable("encoding", line=1)
    marked = next((name for bom, name in _BOMS if beginning.startswith(bom)), None)
    if marked == "utf-16":
        _check_fits(file, marked)
        return marked
    has_other_letters = _scan(file)
    if has_other_letters is False or _fits(file, "utf-8"):
        return marked or "utf-8"
    if marked:
        raise Unreadable("encoding", line=_first_misfit(file, "utf-8"))
    _check_not_mixed(file)
    _check_fits(file, "cp1252")
    return "cp1252"


def detect_separator(file: IO[bytes], encoding: str) -> str:
    """Return the separator that parts the heading into the most cells; a comma if none does."""
    file.seek(0)
    text = codecs.getincrementaldecoder(encoding)().decode(file.read(_BEGINNING))
    hint = _HINT.match(text)
    if hint and hint.group(1) in SEPARATORS:
        return hint.group(1)
    lines = text.splitlines(keepends=True)

    def cells(separator: str) -> int:
        try:
            return len(next(csv.reader(lines, delimiter=separator, strict=True), []))
        except csv.Error:
            return 0

    return max(SEPARATORS, key=cells)


def records(file: IO[bytes], form: CsvForm) -> Generator[Record, None, None]:
    """
    Yield the records, the heading first; lines without a character are passed over.

    Lines may end in LF, CRLF or CR. Memory does not grow with the file.

    :raises Unreadable: at the record that cannot be read, with the line where it begins.
    """
    csv.field_size_limit(LONGEST_CELL)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=form.encoding, newline="")
    reader = csv.reader(text, delimiter=form.separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells and not (line == 1 and _is_hint(cells, form.separator)):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(_code_of(error), line=line) from error
    except UnicodeError as error:
        raise Unreadable("encoding", line=line) from error
    finally:
        # The wrapper would close the file with itself.
        text.detach()


def _is_hint(cells: list[str], separator: str) -> bool:
    return cells in (["sep=", ""], [f"sep={separator}"])


def _code_of(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text:
        return "cell-too-long"
    return "quote-unclosed" if "unexpected end" in text else "quote-misplaced"


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """
    Yield the file in blocks.

    :raises Unreadable: if one has no line end, so that nobody reads lines without end later.
    """
    file.seek(0)
    while block := file.read(BLOCK):
        if len(block) == BLOCK and b"\n" not in block and b"\r" not in block:
            raise Unreadable("no-lines")
        yield block


def _scan(file: IO[bytes]) -> bool:
    """
    Return whether any byte is beyond ASCII.

    :raises Unreadable: if there is a NUL.
    """
    is_beyond = False
    seen = _Lines()
    for block in _blocks(file):
        place = block.find(b"\x00")
        if place >= 0:
            raise Unreadable("nul", line=seen.line_at(block, place))
        is_beyond = is_beyond or not block.isascii()
        seen.add(block)
    return is_beyond


def _fits(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_fits(file: IO[bytes], encoding: str) -> None:
    """
    Refuse a file with bytes that the encoding does not know, or with a NUL.

    :raises Unreadable: with the line.
    """
    if not _fits(file, encoding):
        raise Unreadable("encoding", line=_first_misfit(file, encoding))
    if encoding == "utf-16":
        line = _first_line_with("\x00", file, encoding)
        if line is not None:
            raise Unreadable("nul", line=line)


def _check_not_mixed(file: IO[bytes]) -> None:
    """
    Refuse a file, no UTF-8 as a whole, in which some line beyond ASCII is UTF-8, or a part of one.

    :raises Unreadable: with the first line that is not like the first one beyond ASCII, or in
        which letters of both kinds stand.
    """
    first: bool | None = None
    # Latin-1 gives each byte a character of its own.
    with closing(_lines(file, "latin-1")) as lines:
        for number, text in enumerate(lines, start=1):
            if text.isascii():
                continue
            content = text.encode("latin-1")
            is_utf_8 = _is_utf_8(content)
            is_both = not is_utf_8 and _UTF_8_LETTER.search(content)
            if is_both or (first is not None and is_utf_8 != first):
                raise Unreadable("encodings-mixed", line=number)
            first = is_utf_8


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _first_misfit(file: IO[bytes], encoding: str) -> int:
    """Return the first line that the encoding does not fit; 1 if there is none."""
    return _first_line_with("\ufffd", file, encoding, errors="replace") or 1


def _first_line_with(
    character: str, file: IO[bytes], encoding: str, errors: str = "strict"
) -> int | None:
    with closing(_lines(file, encoding, errors)) as lines:
        numbered = enumerate(lines, start=1)
        return next((number for number, text in numbered if character in text), None)


def _lines(file: IO[bytes], encoding: str, errors: str = "strict") -> Generator[str, None, None]:
    """Yield the lines with their ends, which may be LF, CRLF or CR."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
    try:
        # "yield from" would close the file when the reader stops early.
        for line in text:  # noqa: UP028
            yield line
    finally:
        text.detach()


class _Lines:
    """Counts the line ends of what went by."""

    def __init__(self) -> None:
        self.ended = 0
        self._after_return = False

    def add(self, block: bytes) -> None:
        self.ended += self._count(block)
        self._after_return = block.endswith(b"\r")

    def line_at(self, block: bytes, place: int) -> int:
        """Return the line, from 1, of a place in the block that follows."""
        return 1 + self.ended + self._count(block[:place])

    def _count(self, block: bytes) -> int:
        count = block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
        # A CRLF cut in two between blocks is one line end.
        return count - (self._after_return and block.startswith(b"\n"))
