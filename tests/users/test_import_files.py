"""No file loses a row: whatever it holds, it is accounted for row by row or refused as a whole."""

import csv
import io
import random
import zipfile
from datetime import UTC, datetime

import pytest
from django.db import connection

from backoffice.core.csv_reading import Unreadable
from backoffice.core.permissions import Role
from subscriptions.spans import refresh_statuses
from tests.conftest import NOW
from tests.core.test_xlsx_reading import MAIN, PARTS
from tests.factories.users import CustomFieldFactory
from users.imports.checking import Silent, check
from users.imports.columns import ColumnsRefused, ImportColumns
from users.imports.report import write_refused
from users.imports.uploading import confirm, match_columns, upload
from users.models import CustomField, ImportRow, User, UserImport

FILES = 300


@pytest.fixture
def admin(staff_with, project, web):
    return staff_with(Role.ADMIN, project)


def checked(content, admin, project, mode="update"):
    """
    Upload the file and make its dry run as the form stands, undeclared columns ignored by hand.

    :raises Unreadable: if it is refused as a whole.
    """
    made = upload(file=io.BytesIO(content), name="x", project=project, actor=admin, now=NOW)
    return match_columns(
        user_import=made,
        columns=[name or "ignore" for name in made.columns],
        mode=mode,
        platform=made.platform,
        sends_invitations=False,
        actor=admin,
        now=NOW,
    )


def refused_rows(made):
    """Return the file of refused rows, without its heading."""
    with write_refused(made).file as file:
        text = file.read().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=made.separator or ","))[1:]


class Chance(random.Random):
    """A file of random make: mostly a table, often with something wrong."""

    def file(self):
        headings = ["email", *self.sample(["first_name", "country", "registered_at", "junk"], 2)]
        headings += [f"c{n}" for n in range(self.choice([0, 0, 0, 196]))]
        if self.random() < 0.1:
            headings.append(self.choice(headings))
        rows = [self.row(len(headings)) for _ in range(self.randrange(0, 12))]
        separator = self.choice(",;\t")
        end = self.choice(["\n", "\r\n", "\r"])
        lines = [separator.join(headings), *(separator.join(row) for row in rows)]
        text = end.join(lines) + self.choice(["", end])
        data = text.encode(self.choice(["utf-8", "utf-8-sig", "utf-16"]))
        if self.random() < 0.15 and text.isprintable():
            data = text.encode("cp1252", "replace")
        return self.broken(data), len(rows)

    def row(self, width):
        person = self.choice(["ada", "ADA", "grace", "new", "neu\u200b", "аda", "=1+1", "bad@"])
        email = self.choice([person, f"{person}@example.com", f" {person}{self.random()}@ex.com"])
        cells = [email, *(self.cell() for _ in range(width - 1))]
        if self.random() < 0.1:
            cells += [self.cell()] * self.randrange(1, 3)
        return cells if self.random() < 0.9 else cells[: self.randrange(1, width + 1)]

    def cell(self):
        return self.choice(
            ["", "FR", "xx", "Zoë", "=SUM(A1)", "'=x", '"a\nb"', '"q""q"', "2026-01-01",
             "x" * self.choice([3, 10_000]), "\u202eabc", "👩‍🚀", '"unclosed', 'mid"dle']
            if self.random() < 0.3 else ["", "FR", "Ada"]
        )  # fmt: skip

    def broken(self, data):
        """Damage some of the files: NUL, another encoding, a cut, a foreign byte."""
        kind = self.random()
        place = self.randrange(len(data))
        if kind < 0.05:
            return data[:place] + b"\x00" + data[place:]
        if kind < 0.1:
            return data + b"caf\xe9@example.com\n"
        return data[:place] if kind < 0.15 else data


def test_three_hundred_files_of_any_make_are_accounted_for(admin, project, person):
    person("Lovelace", email="ada@example.com")
    person("Hopper", email="grace@example.com", first_name="Ada", country="FR")
    chance = Chance(22)
    kinds = {"whole": 0, "rows": 0, "refused rows": 0}

    for number in range(FILES):
        data, _rows = chance.file()
        try:
            made = checked(data, admin, project)
        except (Unreadable, ColumnsRefused):
            kinds["whole"] += 1
            continue
        rows = ImportRow.objects.filter(user_import=made)
        records = made.rows
        assert made.state == UserImport.State.CHECKED, number
        assert records == made.new + made.changed + made.unchanged + made.refused == rows.count()
        assert all(row.reasons and row.line > 1 for row in rows.filter(verdict=4)), number
        if made.refused:
            assert len(refused_rows(made)) == made.refused
        if number % 10 == 0:
            made = confirm(user_import=made, actor=admin, now=NOW)
            assert records == made.new + made.changed + made.unchanged + made.refused
        kinds["rows"] += records
        kinds["refused rows"] += made.refused

    # Both ends are well tried: files refused as a whole, and rows of either fate.
    assert kinds["whole"] > 60
    assert kinds["rows"] - kinds["refused rows"] > 60
    assert kinds["refused rows"] > 200


def test_a_row_is_a_record_whatever_it_holds(admin, project):
    made = checked(
        b'email,first_name\r\n"a@b.example","two\r\nlines"\r\n\r\n,\r\nb@b.example\r\n',
        admin,
        project,
    )

    rows = ImportRow.objects.filter(user_import=made).order_by("line")
    assert [(row.line, row.verdict) for row in rows] == [(2, 4), (5, 4), (6, 1)]


# --- Round trip ----------------------------------------------------------------------------

NAMES = [
    ("=HYPERLINK(1)", "'=x"), ("-1", "+1"), ("@x", "\u00a0=y"), ("two\r\nlines", "tab\there"),
    ('Ada "Countess"', "O’Neil; Smith, Jr."), ("\u202eright", "\u200fשלום"), ("👩‍🚀", "Zoë"),
    ("", ""), ("'''", "''=1"), (" spaced ", "x\ufeff"), ("''", "-'"), ("_x0041_", "_x000D_y"),
]  # fmt: skip


@pytest.mark.parametrize("file", ["csv?", "csv?delimiter=semicolon&headers=words&", "xlsx?"])
def test_a_basic_list_comes_back_unchanged(client, admin, project, person, file):
    for key, type_ in [
        ("team", "text"),
        ("size", "number"),
        ("born", "date"),
        ("news", "boolean"),
    ]:
        CustomFieldFactory(project=project, key=key, type=type_, labels={"en": f"={key}"})
    CustomFieldFactory(project=project, key="pick", type=CustomField.Type.CHOICE, choices=["a"])
    for number, (first, last) in enumerate(NAMES):
        person(
            last,
            first_name=first,
            email=["=1+1@ex.com", "Ünï@例.example", f"n{number}@Example.com"][min(number, 2)],
            country="GB",
            language="pt-BR",
            at=datetime(2026, 10, 25, 1, 30, number, 999_999, tzinfo=UTC),
            custom={"team": f"={first}", "size": -38.5, "news": False, "born": "1815-12-10"}
            | {"pick": "no longer a choice"},
        )
    before = list(User.objects.values().order_by("pk"))
    refresh_statuses(project_id=project.pk, now=NOW)
    client.force_login(admin)
    answer = client.get(f"/users/export/basic.{file}period=all")
    assert answer.status_code == 200
    with connection.cursor() as cursor:
        # The file's own transaction is the test's here.
        cursor.execute("SET TIME ZONE 'UTC'")

    made = checked(b"".join(answer), admin, project)

    assert (made.rows, made.unchanged) == (len(NAMES), len(NAMES)), [
        (row.line, row.before, row.reasons) for row in ImportRow.objects.exclude(verdict=3)
    ]
    confirm(user_import=made, actor=admin, now=NOW)
    assert list(User.objects.values().order_by("pk")) == before


# --- XLSX ----------------------------------------------------------------------------------


def sheet_of(*rows):
    """Return a workbook of text cells."""
    cells = "".join(
        f'<row r="{line}">' + "".join(f'<c t="str"><v>{cell}</v></c>' for cell in row) + "</row>"
        for line, row in enumerate(rows, start=1)
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in PARTS.items():
            archive.writestr(name, content)
        sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return made.getvalue()


def test_a_sheet_is_imported_like_a_csv_without_guards(admin, project):
    made = checked(
        sheet_of(["E-mail", "first_name"], ["a@b.example", "'=x"], ["bad", "=1"]), admin, project
    )
    confirm(user_import=made, actor=admin, now=NOW)

    assert (made.new, made.refused) == (1, 1)
    assert User.objects.get().first_name == "'=x"
    assert refused_rows(made) == [["3", "email: Enter a valid email address.", "bad", "'=1"]]


# --- Not twice, not lost -------------------------------------------------------------------


def test_a_dry_run_that_is_begun_again_starts_over(admin, project):
    made = checked(b"email\na@b.example\n", admin, project)
    UserImport.objects.update(state=UserImport.State.CHECKING)

    check(user_import_id=made.pk, actor=admin, pulse=Silent(), now=NOW)

    assert ImportRow.objects.count() == 1


def test_columns_are_looked_up_in_this_project_alone(admin, project, other_project):
    CustomFieldFactory(project=other_project, key="team")

    assert ImportColumns(project, NOW).guess(["team", "email"]) == ["", "email"]
