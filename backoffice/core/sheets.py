"""
Spreadsheets (XLSX) of any length in little memory: rows come by COPY and leave as compressed XML.

A library would make an object of each cell, which takes minutes for a million rows; here a block
of rows is escaped at once, and each row is put together by one formatting.
"""

import re
import zipfile
from collections.abc import Sequence
from contextlib import closing
from enum import Enum
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import FloatField, Func, QuerySet, TextField
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _
from psycopg import sql

from backoffice.core.exports import (
    CsvFile,
    Guarded,
    IsoInstant,
    MadeFile,
    Making,
    at_once,
    copied_blocks,
)

# What one sheet can hold; the rows without the heading.
MOST_ROWS = 1_048_575
MOST_CHARACTERS = 32_767
# Fast enough not to be waited for; the file is a tenth larger than at the usual level.
COMPRESSION = 1
HASH_BLOCK = 1 << 20


class SheetRefused(ValidationError):
    """What was asked for does not fit into a sheet; the message says what to do instead."""


class SheetFile(MadeFile):
    """An XLSX file."""

    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    extension = "xlsx"


def content_type_of(file_name: str) -> str:
    """Return the media type of a file that is named after its kind."""
    kinds = {kind.extension: kind.content_type for kind in (CsvFile, SheetFile)}
    return kinds[file_name.rpartition(".")[2]]


class Cell(Enum):
    """What the cells of a column are; the value is what stands around theirs in the sheet."""

    TEXT = (b'<c t="inlineStr"><is><t xml:space="preserve">', b"</t></is></c>")
    NUMBER = (b"<c><v>", b"</v></c>")
    BOOLEAN = (b'<c t="b"><v>', b"</v></c>")
    # Days since the end of 1899, as spreadsheets count them; their style shows them as dates.
    INSTANT = (b'<c s="1"><v>', b"</v></c>")
    DATE = (b'<c s="2"><v>', b"</v></c>")


WIDTHS = {Cell.TEXT: 24, Cell.NUMBER: 12, Cell.BOOLEAN: 10, Cell.INSTANT: 20, Cell.DATE: 12}


class _SheetText(Func):
    """A text as it is; null for the empty one."""

    template = "nullif(%(expressions)s, '')"
    output_field = TextField()


class _SheetInstant(Func):
    """An instant as days of a spreadsheet in the session's time zone, to the second."""

    template = (
        "round(extract(epoch FROM date_trunc('second', %(expressions)s)::timestamp)"
        " / 86400 + 25569, 12)"
    )
    output_field = FloatField()


class _SheetDate(Func):
    """A day written YYYY-MM-DD as days of a spreadsheet."""

    template = "((%(expressions)s)::date - DATE '1899-12-30')"
    output_field = FloatField()


class _SheetBoolean(Func):
    """The words true and false as 1 and 0."""

    template = "CASE %(expressions)s WHEN 'true' THEN '1' WHEN 'false' THEN '0' END"
    output_field = TextField()


def sheet_cell(expression: Combinable, cell: Cell) -> Combinable:
    """Return the expression of a CSV's cell as one of a sheet, where text needs no guard."""
    if isinstance(expression, Guarded):
        return _SheetText(expression.source_expressions[0])
    if isinstance(expression, IsoInstant):
        return _SheetInstant(expression.source_expressions[0])
    if cell is Cell.DATE:
        return _SheetDate(expression)
    return _SheetBoolean(expression) if cell is Cell.BOOLEAN else expression


def check_fits(rows: int) -> None:
    """
    Make sure, before it is built, that a sheet can hold so many rows.

    :raises SheetRefused: if it cannot.
    """
    if rows > MOST_ROWS:
        raise SheetRefused(
            _("A sheet holds %(most)s rows, this list has %(rows)s: take the CSV file."),
            params={"most": f"{MOST_ROWS:,}", "rows": f"{rows:,}"},
        )


def write_sheet(
    headings: Sequence[str],
    cells: Sequence[Cell],
    rows: "QuerySet[Any, tuple[Any, ...]]",
    *,
    zone: ZoneInfo,
    making: Making | None = None,
) -> SheetFile:
    """
    Return a spreadsheet of the rows in their order, headings first, cells typed.

    :param rows: a `values_list` of expressions as `sheet_cell` gives them.
    :param zone: the zone in which instants are shown; a sheet's dates know none.
    :raises SheetRefused: if there are too many rows, or a text is too long for a cell.
    :raises TooSlow: if the time is over; nothing is left behind, as with the others.
    :raises DatabaseError: if the database fails.
    :raises OSError: if the disk does.
    """
    making = making or at_once()
    made = SheetFile(making.into())
    try:
        with zipfile.ZipFile(
            made.file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION
        ) as parts:
            for name, content in _fixed_parts().items():
                parts.writestr(name, content)
            with parts.open("xl/worksheets/sheet1.xml", "w") as sheet:
                sheet.write(_beginning(headings, cells))
                form = _RowForm(headings, cells)
                blocks = copied_blocks(rows, sql.SQL("FORMAT text"), zone=zone, making=making)
                with closing(blocks):
                    for block in blocks:
                        made.rows += len(block)
                        check_fits(made.rows)
                        sheet.write(form.rows(block))
                        making.on_rows(made.rows)
                sheet.write(b"</sheetData></worksheet>")
        _count(made)
    except RuntimeError as error:
        made.file.close()
        # Two gigabytes before compression, which not every program can read.
        raise SheetRefused(_("This is too much for a sheet: take the CSV file.")) from error
    except BaseException:
        made.file.close()
        raise
    return made


def _count(made: SheetFile) -> None:
    """Take the whole file into size and digest: a zip is not written from front to back."""
    made.file.seek(0)
    while block := made.file.read(HASH_BLOCK):
        made.count(block)
    made.file.seek(0)


# --- Rows ----------------------------------------------------------------------------------

# COPY writes a row as one line, values apart by tabs, nothing as \N, and what could be mistaken
# for these with a backslash in front.
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANT = {
    b"\\": b"\\",
    b"n": b"&#10;",
    b"t": b"&#9;",
    b"r": b"&#13;",
    b"b": b"_x0008_",
    b"v": b"_x000B_",
    b"f": b"_x000C_",
}
# What XML cannot say is written as _xHHHH_ in a sheet; a text that looks like it is marked.
_LOOKS_ESCAPED = re.compile(rb"_(?=x[0-9A-Fa-f]{4}_)")
_UNSPEAKABLE = re.compile(rb"[\x01-\x08\x0b-\x1f]|\xef\xbf[\xbe\xbf]")


class _RowForm:
    """Turns what COPY writes into the rows of a sheet."""

    def __init__(self, headings: Sequence[str], cells: Sequence[Cell]) -> None:
        self.headings = headings
        filled = (before + b"%b" + after for before, after in (cell.value for cell in cells))
        self.form = b"<row>" + b"".join(filled) + b"</row>"
        self.empty = [before + rb"\N" + after for before, after in {cell.value for cell in cells}]

    def rows(self, block: list[bytes]) -> bytes:
        """
        Return the rows of a block as XML.

        :raises SheetRefused: if a text is longer than a cell can be.
        """
        if max(map(len, block)) > MOST_CHARACTERS:
            self._check_lengths(block)
        joined = b"".join(block)
        joined = joined.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        if b"_x" in joined:
            joined = _LOOKS_ESCAPED.sub(b"_x005F_", joined)
        joined = _UNSPEAKABLE.sub(_named, joined)
        form = self.form
        made = b"".join([form % tuple(line.split(b"\t")) for line in joined.split(b"\n")[:-1]])
        for empty in self.empty:
            made = made.replace(empty, b"<c/>")
        return _ESCAPED.sub(_meant, made) if b"\\" in made else made

    def _check_lengths(self, block: list[bytes]) -> None:
        for line in block:
            for heading, text in zip(self.headings, bytes(line)[:-1].split(b"\t"), strict=True):
                plain = _ESCAPED.sub(b"x", text)
                if len(plain.decode()) > MOST_CHARACTERS:
                    raise SheetRefused(
                        _(
                            "In the column %(name)s a text is longer than a cell can be: take the "
                            "CSV file, or leave the column out."
                        ),
                        params={"name": heading},
                    )


def _meant(found: re.Match[bytes]) -> bytes:
    return _MEANT[found[1]]


def _named(found: re.Match[bytes]) -> bytes:
    return f"_x{ord(found[0].decode()):04X}_".encode()


# --- Parts ---------------------------------------------------------------------------------

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEETML = "application/vnd.openxmlformats-officedocument.spreadsheetml"

# Style 0 is any cell, 1 an instant, 2 a day, 3 a heading.
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def _fixed_parts() -> dict[str, str]:
    """Return what every workbook of one sheet is made of besides the sheet, by name."""
    parts = {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEETML}.sheet.main+xml"/>'
            '<Override PartName="/xl/worksheets/sheet1.xml" '
            f'ContentType="{_SHEETML}.worksheet+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_SHEETML}.styles+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name="{escape(_("Data"))}" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
            "</Relationships>"
        ),
        "xl/styles.xml": _STYLES,
    }
    return {name: _DECLARATION + content for name, content in parts.items()}


def _beginning(headings: Sequence[str], cells: Sequence[Cell]) -> bytes:
    """Return the sheet up to its first row: widths, the heading, which stays in view."""
    widths = "".join(
        f'<col min="{n}" max="{n}" width="{WIDTHS[cell]}" customWidth="1"/>'
        for n, cell in enumerate(cells, 1)
    )
    heads = "".join(
        f'<c t="inlineStr" s="3"><is><t xml:space="preserve">{escape(heading)}</t></is></c>'
        for heading in headings
    )
    return (
        f'{_DECLARATION}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f"</sheetViews><cols>{widths}</cols><sheetData><row>{heads}</row>"
    ).encode()
