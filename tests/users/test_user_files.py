"""The files of the Users page: their bytes, their headers, what they leave behind."""

import base64
import csv
import hashlib
import io
import shutil
import subprocess
import threading
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID
from xml.etree import ElementTree as ET

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.core.permissions import Role
from tests.conftest import NOW, PASSWORD
from tests.factories.analytics import ContentFactory, UserViewingFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from tests.users.reading import seen
from users.models import CustomField, User

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BASIC, COMPLETE = "/users/export/basic.csv", "/users/export/complete.csv"
CHART = "/users/chart.csv"
DAY = timedelta(days=1)


def body(response, status=200):
    data = b"".join(response) if response.streaming else response.content
    assert response.status_code == status, data
    return data


def cells(response, delimiter=","):
    text = body(response).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.fixture
def people(person, tv, project):
    """Three people in whom every rule of the files meets something to do."""
    for position, (key, type_) in enumerate(
        [
            ("team", CustomField.Type.TEXT),
            ("shoe_size", CustomField.Type.NUMBER),
            ("newsletter", CustomField.Type.BOOLEAN),
            ("old", CustomField.Type.TEXT),
        ]
    ):
        CustomFieldFactory(
            project=project,
            key=key,
            type=type_,
            # The order of the file is the project's, not that of their making.
            position=10 - position,
            labels={"en": f"{key} (EN)", "fr": f"{key} (FR)"},
            archived_at=NOW if key == "old" else None,
        )
    ada = person(
        "Lovelace, “Countess”",
        "2026-11-02 10:00:00",
        public_id=UUID(int=1),
        first_name='Ada "Enchantress"',
        email="ada@example.com",
        country="GB",
        language="en",
        modified_at=datetime(2026, 7, 1, 10, 0, 0, 999_999, tzinfo=UTC),
        custom={"team": "=HYPERLINK(1)", "shoe_size": -38.5, "newsletter": True, "old": "x"},
    )
    SubscriptionFactory(user=ada, started_at=NOW - 5 * DAY, now=NOW)
    bob = person(
        "'=x",
        "2026-11-03 10:00:00",
        public_id=UUID(int=2),
        first_name="two\r\nlines",
        email="=1+1@ex.com",
        platform=tv,
        custom={"team": "", "newsletter": False},
    )
    person(
        "", "2026-11-04 00:00:00", public_id=UUID(int=3), first_name="李", email="li@例.example"
    )
    described = ContentFactory(project=project, reference="-film", name="+1 Film")
    unknown = ContentFactory(project=project, reference="live;9", name="")
    UserViewingFactory(
        user=bob,
        views=5,
        viewing_seconds=7265,
        first_content=described,
        first_viewed_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
        last_content=unknown,
        last_viewed_at=datetime(2026, 11, 3, 19, 15, 7, tzinfo=UTC),
    )


# --- the files, byte by byte -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "golden"),
    [
        (f"{BASIC}?sort=registered", "users-basic.csv"),
        (f"{BASIC}?sort=registered&headers=words&delimiter=semicolon", "users-basic-words.csv"),
        (f"{COMPLETE}?sort=registered", "users-complete.csv"),
        (f"{COMPLETE}?sort=registered&custom=all&delimiter=semicolon", "users-complete-all.csv"),
        (f"{CHART}?to=2026-11-05&from=2026-11-01", "users-chart.csv"),
    ],
)
def test_each_file_is_the_golden_one(look, people, address, golden):
    path, _, query = address.partition("?")

    data = body(look(query, path=path))

    assert data == (GOLDEN / golden).read_bytes()


@pytest.mark.parametrize(
    ("path", "golden"),
    [(BASIC, "users-basic-masked.csv"), (COMPLETE, "users-complete-masked.csv")],
)
def test_an_analysts_file_is_masked(look, people, path, golden):
    data = body(look("sort=registered", path=path, role=Role.ANALYST))

    assert data == (GOLDEN / golden).read_bytes()


@pytest.mark.parametrize(
    ("path", "query", "heading"),
    [
        (BASIC, "columns=email&columns=id", ["email", "id"]),
        (BASIC, "columns=team,id,platform", ["team", "id", "platform"]),
        (COMPLETE, "columns=media_viewed", ["media_viewed"]),
        (COMPLETE, "custom=team&columns=team,id", ["team", "id"]),
        (CHART, "columns=registered,date", ["registered", "date"]),
        (BASIC, "columns=id&headers=words", ["Unique identifier"]),
        (CHART, "columns=date&headers=words", ["Date"]),
        (BASIC, "columns=", [
            "id", "status", "first_name", "last_name", "email", "registered_at", "modified_at",
            "language", "country", "platform", "newsletter", "shoe_size", "team",
        ]),
        (COMPLETE, "custom=old&custom=team&columns=", [
            "id", "first_name", "last_name", "email", "first_media_name",
            "first_media_viewed_at", "first_media_id", "last_media_name",
            "last_media_viewed_at", "last_media_id", "viewing_seconds", "media_viewed", "old",
            "team",
        ]),
    ],
)  # fmt: skip
def test_columns_are_chosen_and_ordered(look, people, path, query, heading):
    assert cells(look(query, path=path))[0] == heading


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        (BASIC, "columns=password", "Unknown column: password."),
        (BASIC, "columns=old", "Unknown column: old."),
        (BASIC, "columns=id,id", "A column can be chosen once only."),
        (BASIC, "columns=id,", "Unknown column: ."),
        (BASIC, "custom=team", "Unknown filter: custom."),
        (COMPLETE, "columns=team", "Unknown column: team."),
        (COMPLETE, "columns=status", "Unknown column: status."),
        (COMPLETE, "custom=nothing", "Unknown sign-up field: nothing."),
        (CHART, "columns=id", "Unknown column: id."),
        (CHART, "columns=date,date", "A column can be chosen once only."),
        (CHART, "status=active", "Unknown filter: status."),
        (CHART, "grain=week", "Unknown filter: grain."),
        (BASIC, "delimiter=tab", "tab"),
        (BASIC, "headers=none", "none"),
        (BASIC, "delimiter=comma&delimiter=semicolon", "can be given once only"),
    ],
)
def test_what_a_file_does_not_have_is_refused(look, people, path, query, words):
    assert words in body(look(query, path=path), 400).decode()
    assert not AuditEvent.objects.filter(kind__endswith="exported").exists()


def test_french_words(look, people):
    response = look("headers=words", path=BASIC, headers={"accept-language": "fr"})

    heading = cells(response)[0]
    assert heading[3] == "Nom"
    assert heading[-1] == "team (FR)"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "period=all&sort=name",
        "period=all&sort=-status",
        "q=example&sort=email",
        "counted=registered",
        "status=active",
        "platform=tv&custom.newsletter=false",
        "q=nobody",
        "q=%E2%80%8B",
    ],
)
@pytest.mark.parametrize("path", [BASIC, COMPLETE])
def test_a_file_holds_the_rows_of_the_list_in_its_order(look, people, path, query):
    listed = [row for row, _status in seen(look(query)).rows]
    response = look(query, path=path)

    rows = cells(response)[1:]
    assert [row[0] for row in rows] == listed
    assert response["X-Row-Count"] == str(len(listed))


def test_the_file_of_the_chart_holds_what_is_drawn(look, people):
    drawn = look("from=2026-11-01&to=2026-11-30").context_data["chart"]["data"]
    lines = (drawn["dates"], drawn["registered"], drawn["cumulative"], drawn["endOfDay"])
    days = [list(map(str, day)) for day in zip(*lines, strict=True) if day[1] is not None]

    response = look("from=2026-11-01&to=2026-11-30", path=CHART)

    assert cells(response)[1:] == days
    assert days[-1] == ["2026-11-22", "0", "1", "1"]
    assert response["X-Row-Count"] == "22"


@pytest.mark.parametrize(("first", "lines"), [("1990-01-01", 32), ("1990-01-02", 31)])
def test_the_chart_begins_with_the_day_asked_for_be_it_the_first_there_is(look, first, lines):
    response = look(f"from={first}&to=1990-02-01", path=CHART)

    assert cells(response)[1] == [first, "0", "0", "0"]
    assert response["X-Row-Count"] == str(lines)


def test_the_pages_link_to_the_chart_gives_what_is_drawn(look, people):
    response = look("q=ada&grain=month")

    address = response.context_data["chart"]["csv_url"]

    assert address == "/users/chart.csv?period=all"
    assert cells(look("period=all", path=CHART))[1][0] == "2026-11-02"


def sheet(response):
    """Return the rows of a spreadsheet, each cell as its text or number."""
    with zipfile.ZipFile(io.BytesIO(body(response))) as parts:
        root = ET.fromstring(parts.read("xl/worksheets/sheet1.xml"))
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    return [["".join(cell.itertext()) for cell in row] for row in root.iter(f"{space}row")]


def test_the_basic_list_as_a_spreadsheet(look, people):
    response = look("sort=registered", path="/users/export/basic.xlsx")

    heading, ada, bob, li = sheet(response)
    assert heading == [
        "Unique identifier", "Status", "First name", "Last name", "E-mail", "Registration date",
        "Modification date", "Language", "Country", "Platform", "newsletter (EN)",
        "shoe_size (EN)", "team (EN)",
    ]  # fmt: skip
    # 10:00 in Paris on 2 November is 46328 days and 10/24 after 30 December 1899.
    assert ada[1:6] == [
        "active", 'Ada "Enchantress"', "Lovelace, “Countess”", "ada@example.com",
        "46328.416666666667",
    ]  # fmt: skip
    # No formula, no guard: the text is the text. 1 is true.
    assert ada[-3:] == ["1", "-38.5", "=HYPERLINK(1)"]
    assert bob[2:5] == ["two\r\nlines", "'=x", "=1+1@ex.com"]
    assert bob[-3:] == ["0", "", ""]
    assert li[2] == "李"
    assert response["X-Row-Count"] == "3"
    assert response["Content-Type"].endswith("spreadsheetml.sheet")
    expected = 'attachment; filename="north-users-basic-2026-11-22.xlsx"'
    assert response["Content-Disposition"] == expected


def test_the_complete_list_as_a_spreadsheet(look, people):
    response = look(
        "sort=registered&headers=names&custom=team&columns=first_media_viewed_at,viewing_seconds,team",
        path="/users/export/complete.xlsx",
    )

    # 1 July, 22:30 in UTC is half past midnight on the 2nd in Paris.
    assert sheet(response) == [
        ["first_media_viewed_at", "viewing_seconds", "team"],
        ["", "0", "=HYPERLINK(1)"],
        ["46205.020833333333", "7265", ""],
        ["", "0", ""],
    ]


def test_an_analysts_spreadsheet_is_masked(look, people):
    rows = sheet(look("columns=email", path="/users/export/basic.xlsx", role=Role.ANALYST))

    assert ["a***@e***.com"] in rows


def test_a_sheet_that_cannot_hold_the_list_is_refused_before_it_is_built(
    look, people, monkeypatch
):
    monkeypatch.setattr("backoffice.core.sheets.MOST_ROWS", 2)

    assert "take the CSV file" in body(look(path="/users/export/basic.xlsx"), 400).decode()
    assert look("delimiter=comma", path="/users/export/basic.xlsx").status_code == 400


def test_the_form_of_columns_asks_for_what_there_is(look, people):
    chooser = look("platform=web&sort=name").context_data["table"]["chooser"]

    basic, complete = chooser["files"]
    assert [name for name, _words in basic.columns][-4:] == [
        "platform", "newsletter", "shoe_size", "team"
    ]  # fmt: skip
    assert complete.hidden == [("platform", "web"), ("sort", "name"), ("custom", "all")]
    for file in (basic, complete):
        query = urlencode([*file.hidden, *(("columns", name) for name, _words in file.columns)])
        heading = cells(look(f"{query}&headers=&delimiter=semicolon", path=file.csv_url), ";")[0]
        assert heading == [name for name, _words in file.columns]
        assert sheet(look(query, path=file.sheet_url))[0] == [w for _name, w in file.columns]


def test_whoever_may_not_export_chooses_no_columns(look, people):
    response = look(role=Role.SUPPORT)

    assert response.context_data["table"]["chooser"] is None
    assert b"data-file-chooser" not in response.content


# --- as a spreadsheet program opens them ---------------------------------------------------------

OFFICE = shutil.which("soffice")
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
KIND = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}value-type"


def opened_by_office(path, folder, *options):
    """Return each cell as LibreOffice has it after opening the file: its kind, and its text."""
    subprocess.run(
        [OFFICE, f"-env:UserInstallation={folder.as_uri()}/home", "--headless", *options,
         "--convert-to", "fods", "--outdir", str(folder), str(path)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    root = ET.parse(folder / f"{path.stem}.fods").getroot()
    assert not [cell for cell in root.iter() if cell.get(f"{TABLE}formula")]
    rows = []
    for row in root.iter(f"{TABLE}table-row"):
        found = []
        for cell in row:
            text = "\n".join("".join(line.itertext()) for line in cell)
            repeated = min(int(cell.get(f"{TABLE}number-columns-repeated", "1")), 20)
            found += [(cell.get(KIND), text)] * repeated
        rows.append(found)
    return rows


@pytest.mark.skipif(
    not OFFICE, reason="LibreOffice is not installed: apt-get install libreoffice-calc"
)
@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("basic.csv", ["--infilter=Text - txt - csv (StarCalc):44,34,76,1"]),
        ("basic.csv?delimiter=semicolon", ["--infilter=Text - txt - csv (StarCalc):59,34,76,1"]),
        ("basic.xlsx", []),
    ],
    ids=["comma", "semicolon", "xlsx"],
)
def test_libreoffice_runs_no_cell_and_reads_each_as_it_is(
    look, people, tmp_path, address, options
):
    name, _, query = address.partition("?")
    path = tmp_path / name
    path.write_bytes(
        body(look(f"{query}&columns=last_name,email,team,shoe_size,first_name&sort=registered",
                  path=f"/users/export/{name}"))
    )  # fmt: skip

    _heading, ada, bob, li = opened_by_office(path, tmp_path, *options)[:4]

    guard = "" if name.endswith("xlsx") else "'"
    assert ada[:4] == [
        ("string", "Lovelace, “Countess”"),
        ("string", "ada@example.com"),
        ("string", f"{guard}=HYPERLINK(1)"),
        ("float", "-38.5"),
    ]
    assert bob[:2] == [("string", f"{guard}'=x"), ("string", f"{guard}=1+1@ex.com")]
    assert li[4] == ("string", "李")


# --- headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [BASIC, COMPLETE, CHART])
def test_what_is_sent_can_be_verified(look, people, path):
    response = look("period=all", path=path)
    data = body(response)

    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert response["Repr-Digest"] == f"sha-256=:{digest}:"
    assert response["Content-Length"] == str(len(data))
    assert int(response["X-Row-Count"]) == len(cells_of(data)) - 1
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    name = {BASIC: "users-basic", COMPLETE: "users-complete", CHART: "users-chart"}[path]
    expected = f'attachment; filename="north-{name}-2026-11-22.csv"'
    assert response["Content-Disposition"] == expected


def cells_of(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("path", [BASIC, COMPLETE, CHART])
def test_head_makes_no_file(look, people, path):
    head = look("period=all", path=path, method="head")

    assert body(head) == b""
    assert head["Content-Type"] == "text/csv; charset=utf-8"
    assert head["Content-Disposition"].endswith('-2026-11-22.csv"')
    assert "Content-Length" not in head
    assert not AuditEvent.objects.filter(kind__endswith="exported").exists()


def test_head_refuses_what_get_refuses(look, people):
    assert look("columns=password", path=BASIC, method="head").status_code == 400


@pytest.mark.parametrize(
    ("path", "method"),
    [(BASIC, "put"), (BASIC, "delete"), (BASIC, "options"), (CHART, "post"), (CHART, "put")],
)
def test_files_are_only_read(look, web, path, method):
    assert look(path=path, method=method).status_code == 405


def test_a_form_that_ticks_nobody_gets_no_file(look, people):
    assert look(path=BASIC, method="post").status_code == 400


# --- what a file leaves behind -------------------------------------------------------------------


def test_each_file_leaves_a_line_with_its_filter_and_no_secret(look, people):
    response = look(
        "q=Countess&custom.team=Reds&status=active&platform=web&platform=tv&columns=id", path=BASIC
    )

    data = body(response)
    event = AuditEvent.objects.get(kind=AuditEvent.Kind.USERS_EXPORTED)
    assert event.actor_label == "admin@example.com"
    assert event.data == {
        "file": "users-basic",
        "rows": 0,
        "sha256": hashlib.sha256(data).hexdigest(),
        "columns": ["id"],
        "filter": {
            "q": "given",
            "custom.team": "given",
            "status": ["active"],
            "platform": ["web", "tv"],
            "columns": ["id"],
        },
    }


def test_the_charts_file_leaves_its_line(look, people):
    body(look("period=month", path=CHART))

    event = AuditEvent.objects.get(kind=AuditEvent.Kind.CHART_EXPORTED)
    assert (event.data["file"], event.data["rows"]) == ("users-chart", 22)
    assert event.data["filter"] == {"period": ["month"]}


def test_no_file_without_its_line(look, people, client, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("no trail today")

    look()
    monkeypatch.setattr("backoffice.jobs.views.files.record", fail)
    client.raise_request_exception = False

    assert look(path=BASIC).status_code == 500


@pytest.mark.parametrize("path", [BASIC, CHART])
def test_two_hundred_files_a_day(look, people, staff_with, project, clock, path):
    admin = staff_with(Role.ADMIN, project)
    for number in range(200):
        kind = AuditEvent.Kind.CHART_EXPORTED if number % 2 else AuditEvent.Kind.USERS_EXPORTED
        record(kind, actor=admin, now=NOW, project=project)
    admin.roles.all().delete()

    refused = look(path=path)

    assert "the limit of a day" in body(refused, 429).decode()
    # The day ends at midnight in Paris; by then the proof is too old, so it is made fresh.
    clock.move_to(NOW.replace(hour=23))
    session = refused.client.session
    session["staff_proved_at"] = session["staff_seen_at"] = NOW.replace(hour=23).timestamp()
    session["staff_signed_in_at"] = NOW.replace(hour=22).timestamp()
    session.save()
    body(look(path=path))


def test_the_limit_is_of_one_person_and_one_project(
    look, people, staff_with, project, other_project
):
    somebody = staff_with(Role.OWNER)
    admin = staff_with(Role.ADMIN, project)
    admin.roles.all().delete()
    for number in range(200):
        actor, place = (somebody, project) if number % 2 else (admin, other_project)
        record(AuditEvent.Kind.USERS_EXPORTED, actor=actor, now=NOW, project=place)

    body(look(path=BASIC))


@pytest.mark.parametrize(("path", "role"), [
    (BASIC, Role.SUPPORT), (BASIC, Role.READER), (COMPLETE, Role.SUPPORT), (CHART, Role.READER),
])  # fmt: skip
def test_who_may_not_export_gets_none(look, people, path, role):
    assert look(path=path, role=role).status_code == 403


@pytest.mark.parametrize("path", [BASIC, COMPLETE, CHART])
def test_fifteen_minutes_after_the_proof_it_asks_and_goes_on(look, people, clock, path):
    look()
    clock.move_to(NOW + timedelta(minutes=15))

    asked = look("period=all&platform=web", path=path)
    assert asked.status_code == 302
    client = asked.client
    answered = client.post(asked["Location"], {"password": PASSWORD})

    assert answered.status_code == 302
    assert answered["Location"] == f"{path}?period=all&platform=web"
    body(client.get(answered["Location"]))


# --- cost and faults ---------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "queries"), [(BASIC, 20), (COMPLETE, 20), (CHART, 16)])
def test_a_file_costs_the_same_with_one_user_and_with_a_hundred(look, web, path, queries):
    look()
    counts = []
    for size in (1, 10, 100):
        while User.objects.count() < size:
            user = UserFactory(platform=web, registered_at=NOW - DAY)
            SubscriptionFactory(user=user, started_at=NOW - DAY, now=NOW)
        with CaptureQueriesContext(connection) as captured:
            body(look(path=path))
        counts.append(len(captured))

    assert counts == [queries] * 3


class Killer(threading.Thread):
    """Ends the database's process of the first COPY that it sees."""

    def __init__(self):
        super().__init__(daemon=True)
        values = connection.get_connection_params()
        self.server = psycopg.connect(
            dbname=values["dbname"],
            host=values.get("host"),
            port=values.get("port"),
            user=values.get("user"),
            password=values.get("password"),
            autocommit=True,
        )
        self.killed = 0

    def run(self):
        for _ in range(5_000):
            found = self.server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'COPY (%'"
                " AND state = 'active'"
            ).fetchall()
            if found:
                self.killed = len(found)
                break
            time.sleep(0.001)
        self.server.close()


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
def test_a_database_that_dies_in_the_middle_gives_an_error_and_no_file(
    look, web, client, settings, tmp_path
):
    settings.EXPORT_DIR = tmp_path
    CustomFieldFactory(project=web.project, key="essay")
    for _ in range(250):
        UserFactory(platform=web, registered_at=NOW - DAY, custom={"essay": "long " * 40_000})
    whole = len(body(look(path=BASIC)))
    assert whole > 50_000_000
    client.raise_request_exception = False
    killer = Killer()
    killer.start()

    response = look(path=BASIC)

    killer.join()
    connection.close()
    assert killer.killed == 1
    data = body(response, 503)
    assert "text/html" in response["Content-Type"]
    assert b"long long" not in data
    assert AuditEvent.objects.filter(kind=AuditEvent.Kind.USERS_EXPORTED).count() == 1
    assert list(tmp_path.iterdir()) == []
    assert len(body(look(path=BASIC))) == whole
