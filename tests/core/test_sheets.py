"""The writer of spreadsheets: what its cells hold, and what a sheet cannot."""

import hashlib
import re
import zipfile
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from django.db.models import F, TextField, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.core import sheets
from backoffice.core.exports import Guarded, IsoInstant, Making, TooSlow, at_once
from backoffice.core.sheets import Cell, SheetRefused, check_fits, sheet_cell, write_sheet
from backoffice.projects.models import Project
from tests.factories.projects import ProjectFactory

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def write(*cells, making=None):
    """Write a sheet of all projects; each cell is an expression as a CSV has it, and its kind."""
    typed = [sheet_cell(expression, kind) for expression, kind in cells]
    return write_sheet(
        [f"column {number}" for number in range(len(cells))],
        [kind for _expression, kind in cells],
        Project.objects.order_by("pk").values_list(*typed),
        zone=PARIS,
        making=making,
    )


def unescaped(text):
    """Return the text as a spreadsheet reads it: _x0041_ is A."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def read(made):
    """Return the rows of the sheet, each cell as its type, its style and its content."""
    with made.file, zipfile.ZipFile(made.file) as parts:
        assert parts.testzip() is None
        for name in parts.namelist():
            ET.fromstring(parts.read(name))
        root = ET.fromstring(parts.read("xl/worksheets/sheet1.xml"))
    return [[content_of(cell) for cell in row] for row in root.iter(f"{MAIN}row")]


def content_of(cell):
    text = cell.find(f"{MAIN}is/{MAIN}t")
    if text is not None:
        return unescaped(text.text or "")
    value = cell.find(f"{MAIN}v")
    return None if value is None else (cell.get("t", "n"), cell.get("s", "0"), value.text)


def text(value):
    return Guarded(Value(value, output_field=TextField()))


def plain(value):
    return Value(value, output_field=TextField())


def test_each_kind_of_cell():
    # 1 July 2026, 00:30:00 in Paris: 46204 days after 30 December 1899, and 1/48.
    ProjectFactory(name="=1+1", created_at=datetime(2026, 6, 30, 22, 30, 0, 999_999, tzinfo=UTC))

    made = write(
        (Guarded(F("name")), Cell.TEXT),
        (F("device_limit"), Cell.NUMBER),
        (IsoInstant(F("created_at")), Cell.INSTANT),
        (plain("1900-03-01"), Cell.DATE),
        (plain("true"), Cell.BOOLEAN),
        (plain("-38.5"), Cell.NUMBER),
        (text(""), Cell.TEXT),
        (Value(None, output_field=TextField()), Cell.NUMBER),
    )

    heading, row = read(made)
    assert heading[:2] == ["column 0", "column 1"]
    assert row == [
        "=1+1",
        ("n", "0", "3"),
        ("n", "1", "46204.020833333333"),
        ("n", "2", "61"),
        ("b", "0", "1"),
        ("n", "0", "-38.5"),
        None,
        None,
    ]


AWKWARD = [
    "_x0041_",
    "\\N",
    "\\",
    "a\\nb",
    "tab\tand\nlines\r\n",
    " spaces ",
    "<b>&amp;</b>]]>",
    "\x01\x0b\x0c\x1f\x7f",
    "\ufffe\uffff",
    "😀\u202e",
    "c<c/>",
]


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_every_text_arrives_as_it_was(texts):
    ProjectFactory()
    texts = [*AWKWARD, *texts]

    made = write(*((text(one), Cell.TEXT) for one in texts))

    row = read(made)[-1]
    assert row == [one or None for one in texts]


def test_size_and_digest_are_those_of_the_bytes():
    ProjectFactory()

    made = write((F("slug"), Cell.TEXT))

    with made.file:
        data = made.file.read()
    assert (made.rows, made.size) == (1, len(data))
    assert made.sha256 == hashlib.sha256(data).hexdigest()


def test_no_rows():
    made = write((F("slug"), Cell.TEXT))

    assert (made.rows, read(made)) == (0, [["column 0"]])


def test_what_a_sheet_cannot_hold_is_refused_before_and_while_it_is_built(monkeypatch):
    ProjectFactory.create_batch(2)
    check_fits(1_048_575)

    with pytest.raises(SheetRefused) as refused:
        check_fits(1_048_576)
    assert refused.value.messages == [
        "A sheet holds 1,048,575 rows, this list has 1,048,576: take the CSV file."
    ]
    monkeypatch.setattr(sheets, "MOST_ROWS", 1)
    with pytest.raises(SheetRefused):
        write((F("slug"), Cell.TEXT))


@pytest.mark.parametrize("one", ["x", "é", "\\", "\n"])
def test_a_text_longer_than_a_cell_is_refused_and_not_cut(one):
    ProjectFactory()

    made = write((text(one * 32_767), Cell.TEXT))
    assert read(made)[1] == [one * 32_767]

    with pytest.raises(SheetRefused, match="longer than a cell"):
        write((text(one * 32_768), Cell.TEXT))


def test_a_time_that_runs_out_ends_the_making():
    ProjectFactory()
    slow = text("x")
    slow.source_expressions[0].as_sql = lambda *_: ("(SELECT 'x' FROM pg_sleep(2))", [])
    making = Making(into=at_once().into, limit_ms=50, on_rows=lambda _rows: None)

    with pytest.raises(TooSlow):
        write((slow, Cell.TEXT), making=making)
    # The transaction is over, and the connection serves on.
    assert Project.objects.count() == 1


def test_whoever_stops_it_leaves_the_connection_in_order():
    ProjectFactory()

    def stop(rows):
        raise KeyError(rows)

    making = Making(into=at_once().into, limit_ms=5000, on_rows=stop)

    with pytest.raises(KeyError):
        write((F("slug"), Cell.TEXT), making=making)
    assert Project.objects.count() == 1
