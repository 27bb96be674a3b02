"""Reading CSV files of unknown make: found out, or refused with the line."""

import io

import pytest

from backoffice.core.csv_reading import (
    BLOCK,
    CsvForm,
    Unreadable,
    detect_encoding,
    detect_separator,
    records,
)

PLAIN = "email,name\r\nada@example.com,Zoë\r\n"


def read(data):
    file = io.BytesIO(data)
    encoding = detect_encoding(file)
    form = CsvForm(encoding, detect_separator(file, encoding))
    return form, list(records(file, form))


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings_are_found(encoding, found):
    form, rows = read(PLAIN.encode(encoding))

    assert form == CsvForm(found, ",")
    assert rows == [(1, ["email", "name"]), (2, ["ada@example.com", "Zoë"])]


def test_utf_16_of_either_order_is_read():
    assert read(b"\xfe\xff" + PLAIN.encode("utf-16-be"))[1] == read(PLAIN.encode())[1]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(separator, line_end):
    rows = ["a b,c".replace(",", separator), separator.join(['"1;2,3\t4"', "x"]), "", "last"]
    form, found = read(line_end.join(rows).encode())

    assert form.separator == separator
    assert found == [(1, ["a b", "c"]), (2, ["1;2,3\t4", "x"]), (4, ["last"])]


def test_a_spreadsheets_hint_is_taken():
    form, rows = read(b"sep=;\r\na,b;c\r\n")

    assert (form.separator, rows) == (";", [(2, ["a,b", "c"])])


def test_a_record_has_the_line_where_it_begins():
    _form, rows = read(b'a,b\n"1\r\n2",3\n\n"x""y",\n')

    assert rows == [(1, ["a", "b"]), (2, ["1\r\n2", "3"]), (5, ['x"y', ""])]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty", None),
        (b'a,b\n1,2\n"x,3\n4,5\n', "quote-unclosed", 3),
        (b'a,b\n1,2\n"x"y,3\n4,5\n', "quote-misplaced", 3),
        (b"a,b\r1,2\r\n1,\x002\n", "nul", 3),
        ("a,b\n\n\n1,\x00".encode("utf-16"), "nul", 4),
        ("a,b\n1,é\n".encode() + "2,ü\n".encode("cp1252"), "encodings-mixed", 3),
        ("a,b\n1,é\n".encode("cp1252") + "2,ü\n".encode(), "encodings-mixed", 3),
        ("a,b\né,".encode() + "ü\n".encode("cp1252"), "encodings-mixed", 2),
        ("a,b\n1,ü\n".encode("cp1252") + b"d\xe2\x80\x99\xe9t\xe9,1\n", "encodings-mixed", 3),
        (b"\xef\xbb\xbfa,b\n1,\xe9\n", "encoding", 2),
        (b"a,b\n1,\x81\n", "encoding", 2),
        (b"\xff\xfea\x00\n\x00\x00\xd8b\x00", "encoding", 2),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "encoding", 1),
        (b'a\n"' + b"x" * 100_001 + b'"\n', "cell-too-long", 2),
        (b"x" * 2 * BLOCK, "no-lines", None),
    ],
)
def test_what_cannot_be_read_without_guessing_is_refused_with_its_line(data, code, line):
    with pytest.raises(Unreadable) as refused:
        read(data)

    assert (refused.value.code, refused.value.line) == (code, line)


def test_a_line_end_cut_between_blocks_is_one():
    filling = b"a,bb\n" + b"x\n" * (BLOCK // 2 - 3) + b"\r"
    with pytest.raises(Unreadable) as refused:
        read(filling + b"\n\x00")

    assert len(filling) == BLOCK
    assert refused.value.line == BLOCK // 2
