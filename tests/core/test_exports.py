"""The writer behind every file: its form, its sums, its zone, and faults."""

import base64
import hashlib
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import DataError, connection
from django.db.models import F, IntegerField, TextField
from django.db.models.expressions import RawSQL

from backoffice.core.exports import Guarded, IsoInstant, csv_of, write_csv
from backoffice.projects.models import Project
from tests.factories.projects import ProjectFactory

PARIS, KOLKATA = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")
NAMES = Project.objects.order_by("pk").values_list(Guarded(F("name")))


def content(made):
    with made.file:
        return made.file.read()


@pytest.mark.django_db
def test_lines_end_in_crlf_but_line_ends_within_a_cell_stay(settings):
    for name in ('say "hi"', "a,b", "one\ntwo", "one\r\ntwo", "=x", "é€😀"):
        ProjectFactory(name=name)

    made = write_csv(["name"], NAMES, zone=PARIS)

    assert made.rows == 6
    assert content(made) == (
        b"\xef\xbb\xbfname\r\n"
        b'"say ""hi"""\r\n"a,b"\r\n"one\ntwo"\r\n"one\r\ntwo"\r\n\'=x\r\n' + "é€😀\r\n".encode()
    )


@pytest.mark.django_db
def test_another_delimiter_is_quoted_instead():
    ProjectFactory(name="a,b")
    ProjectFactory(name="a;b")

    made = write_csv(["one;two", "x"], NAMES.values_list("name", "currency"), zone=PARIS,
                     delimiter=";")  # fmt: skip

    assert content(made) == b'\xef\xbb\xbf"one;two";x\r\na,b;EUR\r\n"a;b";EUR\r\n'


@pytest.mark.django_db
def test_size_and_digest_are_those_of_the_bytes():
    ProjectFactory(name="A")

    made = write_csv(["name"], NAMES, zone=PARIS)
    data = content(made)

    assert made.size == len(data)
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert made.repr_digest == f"sha-256=:{digest}:"


@pytest.mark.django_db
@pytest.mark.parametrize("query", [Project.objects.none(), Project.objects.filter(pk=0)])
def test_no_rows_leave_the_heading(query):
    made = write_csv(["name"], query.values_list("name"), zone=PARIS)

    assert made.rows == 0
    assert content(made) == b"\xef\xbb\xbfname\r\n"


@pytest.mark.django_db(transaction=True)
def test_instants_have_the_offset_that_the_zone_had_then():
    for at in (datetime(2026, 7, 1, 22, 0, 59, 999_999, tzinfo=UTC),
               datetime(2026, 12, 31, 23, tzinfo=UTC)):  # fmt: skip
        ProjectFactory(created_at=at)
    instants = Project.objects.order_by("pk").values_list(IsoInstant(F("created_at")))

    assert content(write_csv(["at"], instants, zone=PARIS)).split()[1:] == [
        b"2026-07-02T00:00:59+02:00",
        b"2027-01-01T00:00:00+01:00",
    ]
    assert content(write_csv(["at"], instants, zone=KOLKATA)).split()[1] == (
        b"2026-07-02T03:30:59+05:30"
    )
    with connection.cursor() as cursor:
        cursor.execute("SHOW timezone")
        assert cursor.fetchone() == ("UTC",)


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [1, 1_999, 2_000, 2_001, 4_500])
def test_every_row_is_counted_whatever_the_block(rows):
    ProjectFactory()
    many = RawSQL(f"generate_series(1, {rows})", [], output_field=IntegerField())

    made = write_csv(["n"], Project.objects.values_list(many), zone=PARIS)

    lines = content(made).decode("utf-8-sig").split("\r\n")
    assert made.rows == rows
    assert lines == ["n", *map(str, range(1, rows + 1)), ""]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_fails_leaves_no_file(settings, tmp_path):
    settings.EXPORT_DIR = tmp_path
    ProjectFactory()
    failing = RawSQL("(1 / (5000 - generate_series(1, 5000)))::text", [], output_field=TextField())

    with pytest.raises(DataError):
        write_csv(["n"], Project.objects.values_list(failing), zone=PARIS)

    assert list(tmp_path.iterdir()) == []
    assert Project.objects.count() == 1


def test_what_python_computed_has_the_same_form():
    made = csv_of(["date", "=n"], [(date(2026, 3, 1), 1), (date(2026, 3, 2), -2)], delimiter=";")

    assert made.rows == 2
    assert content(made) == b"\xef\xbb\xbfdate;'=n\r\n2026-03-01;1\r\n2026-03-02;-2\r\n"
