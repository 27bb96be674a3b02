"""Reading XLSX files: what cells say, and what is not believed."""

import io
import zipfile

import pytest

from backoffice.core.csv_reading import Unreadable
from backoffice.core.xlsx_reading import Limits, is_workbook, sheet_records

LIMITS = Limits(unpacked_bytes=2_000_000, ratio=500, columns=20)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PARTS = {
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="r1" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>'
    '<sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>',
}


STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="&quot;le&quot; d mmmm yyyy"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
    '<cellXfs><xf/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="14"/></cellXfs>'
    "</styleSheet>"
)


def by_hand(sheet, **parts):
    """Return a workbook whose sheet holds this XML."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in PARTS.items():
            if name.removeprefix("xl/").removesuffix(".xml") not in parts:
                archive.writestr(name, content)
        if not sheet.startswith("<!"):
            sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        for name, content in parts.items():
            archive.writestr(f"xl/{name}.xml", content)
    made.seek(0)
    return made


def read(file, limits=LIMITS):
    return list(sheet_records(file, limits))


def why(file, limits=LIMITS):
    with pytest.raises(Unreadable) as refused:
        read(file, limits)
    return refused.value.code


def test_cells_come_as_a_csv_would_write_them():
    file = by_hand(
        '<row r="1"><c t="str"><v>email</v></c><c t="str"><v>n</v></c></row>'
        '<row r="2"/><row r="3"><c r="A3" t="inlineStr"><is><t>=1+1@ex.com</t></is></c>'
        '<c r="B3"><v>38.5</v></c><c r="C3" s="1"><v>46329.843831018516</v></c>'
        '<c r="D3" s="2"><v>36585</v></c><c r="E3" t="b"><v>1</v></c></row>'
        '<row r="4"><c r="B4"><v>1E6</v></c><c r="C4" s="3"><v>36585.5</v></c>'
        '<c r="E4" t="b"><v>0</v></c></row>',
        styles=STYLES,
    )

    assert is_workbook(file)
    assert read(file) == [
        (1, ["email", "n"]),
        (3, ["=1+1@ex.com", "38.5", "2026-11-03 20:15:07", "2000-02-29", "true"]),
        (4, ["", "1000000", "2000-02-29 12:00:00", "", "false"]),
    ]


def test_days_are_counted_from_1904_where_the_file_says_so():
    book = PARTS["xl/workbook.xml"].replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    file = by_hand('<row><c s="3"><v>35123</v></c></row>', styles=STYLES, workbook=book)

    assert read(file) == [(1, ["2000-02-29"])]


def test_runs_are_joined_and_pronunciation_is_left_out():
    shared = (
        f'<sst xmlns="{MAIN}"><si><r><t>A</t></r><r><t xml:space="preserve"> da</t></r>'
        "<rPh sb='0' eb='1'><t>eida</t></rPh></si></sst>"
    )
    file = by_hand(
        '<row r="2"><c r="C2" t="s"><v>0</v></c><c t="inlineStr"><is><t>x</t></is></c></row>',
        sharedStrings=shared,
    )

    assert read(file) == [(2, ["", "", "A da", "x"])]


def test_what_xml_cannot_say_is_read_as_it_was_meant():
    file = by_hand(
        '<row r="1"><c t="inlineStr"><is><t>two_x000D_&#10;lines</t></is></c>'
        '<c t="s"><v>0</v></c><c t="inlineStr"><is><t>_xD83D_</t></is></c></row>',
        sharedStrings=f'<sst xmlns="{MAIN}"><si><t>_x005F_x0041_</t></si></sst>',
    )

    # Half a character would be none.
    assert read(file) == [(1, ["two\r\nlines", "_x0041_", "_xD83D_"])]


def test_what_the_file_says_of_its_size_is_not_believed():
    made = by_hand("".join(f"<row><c><v>{n}</v></c></row>" for n in range(50)))

    assert len(read(made)) == 50


@pytest.mark.parametrize(
    ("sheet", "code"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><worksheet>&a;</worksheet>', "xlsx-unsafe"),
        ('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', "xlsx-damaged"),
        ('<row r="1"><c r="A1"><v>x</v></c></row>', "xlsx-damaged"),
        ('<row r="2"><c><v>1</v></c></row><row r="2"><c><v>1</v></c></row>', "xlsx-damaged"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "xlsx-damaged"),
        ('<row r="1"><c r="ZZ1"><v>1</v></c></row>', "too-many-columns"),
        ("<row>", "xlsx-damaged"),
        (f'<row><c t="str"><v>{"x" * 100_001}</v></c></row>', "cell-too-long"),
    ],
)
def test_what_no_spreadsheet_writes_is_refused(sheet, code):
    assert why(by_hand(sheet)) == code


def test_an_archive_bomb_is_refused_before_it_is_unpacked():
    rows = "<row><c><v>1</v></c></row>" * 100_000

    assert why(by_hand(rows)) == "xlsx-too-large"
    assert why(by_hand(rows), Limits(10**9, 100, 20)) == "xlsx-too-large"


def test_an_archive_that_lies_about_its_size_is_refused():
    data = bytearray(by_hand("<row><c><v>1</v></c></row>" * 1000).getvalue())
    # The size in the table of contents of the sheet's part, the last one.
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (100).to_bytes(4, "little")

    assert why(io.BytesIO(bytes(data))) in {"xlsx-too-large", "xlsx-damaged"}


@pytest.mark.parametrize("cut", [30, 200, -40])
def test_a_damaged_archive_is_refused(cut):
    data = by_hand("<row><c><v>1</v></c></row>").getvalue()[:cut]

    assert not is_workbook(io.BytesIO(data))
    assert why(io.BytesIO(data)) == "xlsx-damaged"


def test_a_book_of_another_kind_is_no_workbook():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")

    assert not is_workbook(made)
