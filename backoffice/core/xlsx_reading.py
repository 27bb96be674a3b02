"""
Reading XLSX files row by row: the first sheet, as text, without trusting what the file declares.

Sizes are capped before and while unpacking, entities are refused, and neither the dimension nor
the counts that a file names are believed. Cells come as a CSV would write them.
"""

import re
import zipfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Any, Final
from xml.parsers import expat

from backoffice.core.csv_reading import LONGEST_CELL, Record, Unreadable

CHUNK: Final = 64 * 1024
MOST_SHARED_BYTES: Final = 64 * 1024 * 1024
LARGEST_ROW: Final = 1_048_576
WIDEST: Final = 16_384

_SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STRICT: Final = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_RELATED: Final = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships id",
    "http://purl.oclc.org/ooxml/officeDocument/relationships id",
)
# The built-in number formats that show a date, and those that show a time besides.
_DATES: Final = frozenset({14, 15, 16, 17, *range(27, 32), 36, *range(50, 59)})
_TIMES: Final = frozenset({18, 19, 20, 21, 22, *range(32, 36), 45, 46, 47})
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # local to whoever reads the sheet
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_SECOND: Final = timedelta(seconds=1)
# What XML cannot say, line ends among it, stands as _xHHHH_ in a sheet; so does the first sign of
# a text that only looks like it. Halves of a character mean nothing and stay as they are.
_ESCAPED: Final = re.compile(r"_x((?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold."""

    unpacked_bytes: int
    ratio: int
    """Unpacked bytes for each packed one."""
    columns: int


def is_workbook(file: IO[bytes]) -> bool:
    """Tell whether the archive says that it is a workbook."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return False


def sheet_records(file: IO[bytes], limits: Limits) -> Generator[Record, None, None]:
    """
    Yield the rows of the first sheet that are not empty, each with its number as its line.

    :raises Unreadable: if the file is damaged, unpacks to too much or declares entities.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            _check_sizes(archive, limits)
            book = _Workbook.read(archive)
            yield from _rows(archive, book, limits)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, StopIteration) as error:
        raise Unreadable("xlsx-damaged") from error
    except (
        expat.ExpatError,
        zlib.error,
        EOFError,
        LookupError,
        ValueError,
        OverflowError,
    ) as error:
        raise Unreadable("xlsx-damaged") from error


def _check_sizes(archive: zipfile.ZipFile, limits: Limits) -> None:
    """
    Refuse an archive by its own table of contents; what it holds is counted again when unpacked.

    :raises Unreadable: if it would unpack to too much.
    """
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts)
    if unpacked > limits.unpacked_bytes or unpacked > limits.ratio * max(packed, 1):
        raise Unreadable("xlsx-too-large")


# --- Reading XML without trust -------------------------------------------------------------


def _parser() -> Any:
    """Return a parser that knows no entities but XML's own."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_declared: Any) -> None:
    raise Unreadable("xlsx-unsafe")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _feed(archive: zipfile.ZipFile, name: str, parser: Any, most: int) -> Iterator[None]:
    """
    Parse a part of the archive piece by piece.

    :raises Unreadable: if it is longer than the archive said, or than may be.
    """
    promised = archive.getinfo(name).file_size
    read = 0
    with archive.open(name) as part:
        while chunk := part.read(CHUNK):
            read += len(chunk)
            if read > min(promised, most):
                raise Unreadable("xlsx-too-large")
            parser.Parse(chunk, False)  # noqa: FBT003  # the parser's own form
            yield
    parser.Parse(b"", True)  # noqa: FBT003
    yield


def _elements(
    archive: zipfile.ZipFile, name: str, most: int
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the elements of a small part with their attributes, in order of their beginnings."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = _parser()
    parser.StartElementHandler = lambda tag, attributes: found.append((_local(tag), attributes))
    for _piece in _feed(archive, name, parser, most):
        yield from found
        found.clear()


@dataclass(slots=True)
class _Workbook:
    """What the cells of the first sheet refer to."""

    sheet: str
    """The name of its part."""
    shared: list[str]
    dates: dict[int, bool]
    """For each style that shows a date, whether it shows a time besides."""
    epoch: datetime

    @classmethod
    def read(cls, archive: zipfile.ZipFile) -> "_Workbook":
        names = set(archive.namelist())
        targets = {
            attributes["Id"]: attributes["Target"]
            for tag, attributes in _elements(archive, "xl/_rels/workbook.xml.rels", CHUNK * 16)
            if tag == "Relationship"
        }
        first, epoch = "", _EPOCH
        for tag, attributes in _elements(archive, "xl/workbook.xml", CHUNK * 64):
            if tag == "sheet" and not first:
                key = next(attributes[name] for name in _RELATED if name in attributes)
                first = targets[key]
            if tag == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
                epoch = _EPOCH_1904
        sheet = first.lstrip("/") if first.startswith("/") else f"xl/{first}"
        return cls(
            sheet=sheet,
            shared=_shared(archive) if "xl/sharedStrings.xml" in names else [],
            dates=_dates(archive) if "xl/styles.xml" in names else {},
            epoch=epoch,
        )


def _shared(archive: zipfile.ZipFile) -> list[str]:
    """Return the texts that cells share, without their pronunciation."""
    texts = _Texts("si")
    for _piece in _feed(archive, "xl/sharedStrings.xml", texts.parser, MOST_SHARED_BYTES):
        pass
    return texts.found


class _Texts:
    """Collects the text of each element of one name, its runs joined."""

    def __init__(self, name: str) -> None:
        self.found: list[str] = []
        self.parser = _parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._name = name
        self._parts: list[str] = []
        self._is_text = False
        self._silent = 0

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        name = _local(tag)
        if name == "rPh":
            self._silent += 1
        self._is_text = name == "t" and not self._silent

    def _end(self, tag: str) -> None:
        name = _local(tag)
        self._is_text = False
        if name == "rPh":
            self._silent -= 1
        elif name == self._name:
            self.found.append(_plain("".join(self._parts))[: LONGEST_CELL + 1])
            self._parts.clear()

    def _text(self, text: str) -> None:
        if self._is_text:
            self._parts.append(text)


def _dates(archive: zipfile.ZipFile) -> dict[int, bool]:
    """Return the styles of cells that show dates, by number, and whether they show times."""
    own: dict[int, str] = {}
    styles: dict[int, bool] = {}
    number, is_cells = 0, False
    for tag, attributes in _elements(archive, "xl/styles.xml", CHUNK * 256):
        if tag == "numFmt":
            own[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif tag in {"cellStyleXfs", "cellXfs", "cellStyles"}:
            is_cells = tag == "cellXfs"
        elif tag == "xf" and is_cells:
            shows = _shows(int(attributes.get("numFmtId", 0)), own)
            if shows is not None:
                styles[number] = shows
            number += 1
    return styles


def _shows(code: int, own: dict[int, str]) -> bool | None:
    """Return whether a number format shows a time; none, if it shows no date either."""
    if code not in own:
        return True if code in _TIMES else False if code in _DATES else None
    letters = _letters_of(own[code])
    has_time = any(letter in letters for letter in "hs")
    has_date = any(letter in letters for letter in "yd") or "mmm" in letters
    return has_time if has_date or has_time else None


def _letters_of(code: str) -> str:
    """Return what of a number format stands for parts of the value: no quotes, no brackets."""
    kept, closing = [], ""
    characters = iter(code.lower().split(";")[0])
    for character in characters:
        if closing:
            closing = "" if character == closing else closing
        elif character == '"':
            closing = '"'
        elif character == "[":
            closing = "]"
        elif character in "\\_*":
            next(characters, "")
        else:
            kept.append(character)
    return "".join(kept).replace("general", "")


# --- The sheet -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Sheet:
    """Puts the cells of a sheet together to rows while its parts arrive."""

    book: _Workbook
    limits: Limits
    done: list[Record] = field(default_factory=list)
    line: int = 0
    cells: list[str] = field(default_factory=list)
    place: int = -1
    kind: str = ""
    style: int = 0
    parts: list[str] = field(default_factory=list)
    is_value: bool = False
    silent: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if name == "row":
            self.line = int(attributes["r"]) if "r" in attributes else self.line + 1
            self.cells, self.place = [], -1
        elif name == "c":
            self.place = _column(attributes["r"]) if "r" in attributes else self.place + 1
            self.kind = attributes.get("t", "n")
            self.style = int(attributes.get("s", 0))
            self.parts.clear()
        elif name == "rPh":
            self.silent += 1
        self.is_value = name in {"v", "t"} and not self.silent

    def text(self, text: str) -> None:
        if self.is_value:
            self.parts.append(text)

    def end(self, tag: str) -> None:
        name = _local(tag)
        self.is_value = False
        if name == "rPh":
            self.silent -= 1
        elif name == "c" and self.parts:
            self._put(self._said("".join(self.parts)))
        elif name == "row" and any(self.cells):
            if self.line > LARGEST_ROW:
                raise Unreadable("xlsx-damaged")
            self.done.append((self.line, self.cells))

    def _put(self, text: str) -> None:
        if len(text) > LONGEST_CELL:
            raise Unreadable("cell-too-long", line=self.line)
        if self.place > self.limits.columns:
            if text:
                raise Unreadable("too-many-columns", line=self.line)
            return
        if "\x00" in text:
            raise Unreadable("nul", line=self.line)
        self.cells.extend([""] * (self.place - len(self.cells)))
        self.cells.append(text)

    def _said(self, value: str) -> str:
        """Return the cell as a CSV would write it."""
        if self.kind == "s":
            return self.book.shared[int(value)]
        if self.kind == "b":
            return "true" if value.strip() == "1" else "false"
        if self.kind in {"str", "inlineStr", "e", "d"}:
            return _plain(value)
        if self.style in self.book.dates:
            return self._date(float(value), with_time=self.book.dates[self.style])
        return _number(value)

    def _date(self, days: float, *, with_time: bool) -> str:
        instant = self.book.epoch + timedelta(days=days)
        instant = (instant + _SECOND / 2).replace(microsecond=0)
        has_time = with_time or instant.hour or instant.minute or instant.second
        return instant.isoformat(sep=" ") if has_time else instant.date().isoformat()


def _plain(text: str) -> str:
    """Return the text that a sheet means."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _column(reference: str) -> int:
    """Return the column, from 0, of a reference like "AB12"."""
    place = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        place = place * 26 + ord(letter) - 64
        if place > WIDEST:
            raise Unreadable("xlsx-damaged")
    return place - 1


def _number(value: str) -> str:
    """Return a number without an exponent or a fraction that it does not need."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 10**15 else repr(number)


def _rows(
    archive: zipfile.ZipFile, book: _Workbook, limits: Limits
) -> Generator[Record, None, None]:
    sheet = _Sheet(book, limits)
    parser = _parser()
    parser.StartElementHandler = sheet.start
    parser.EndElementHandler = sheet.end
    parser.CharacterDataHandler = sheet.text
    last = 0
    for _piece in _feed(archive, book.sheet, parser, limits.unpacked_bytes):
        for line, cells in sheet.done:
            if line <= last:
                raise Unreadable("xlsx-damaged", line=line)
            last = line
            yield line, cells
        sheet.done.clear()
