"""What one person watched: the graph, the list with its orders and pages, both files."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.models import Content, Viewing
from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from tests.conftest import NOW
from tests.factories.analytics import ContentFactory
from tests.users.reading import page_of, words
from tests.users.watching import counted, device, watch

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = datetime(2024, 1, 15, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def ada(person):
    return person("Lovelace", LONG_AGO)


@pytest.fixture
def film(project):
    return ContentFactory(project=project, reference="film", name="The Film")


@pytest.fixture
def at(look, ada):
    """Ask for one of Ada's addresses; return the response."""

    def at(path="", query="", role=Role.ADMIN):
        return look(query, path=f"/users/{ada.public_id}/{path}", role=role)

    return at


def rows_of(html):
    """Return the words of each row of the list of viewings, cell by cell."""
    table = re.search(r'<table class="data-table viewed">.*?</table>', html, re.DOTALL)
    if table is None:
        return []
    rows = re.findall(r"<tr.*?>(.*?)</tr>", table.group().partition("<tbody>")[2], re.DOTALL)
    return [[words(c) for c in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)] for row in rows]


def data_of(html):
    found = re.search(r'<script id="graph-data" type="application/json">(.*?)</script>', html)
    return json.loads(found.group(1))


def cells(response, status=200):
    data = b"".join(response) if response.streaming else response.content
    assert response.status_code == status, data
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


# --- the list ---------------------------------------------------------------


def test_a_row_says_all_of_one_viewing(at, ada, project):
    concert = ContentFactory(
        project=project, name="Concert", type="live", duration_seconds=None, status="unavailable"
    )
    film = ContentFactory(project=project, name="Film", duration_seconds=7200)
    watch(ada, concert, NOW - 2 * HOUR, 100)
    watch(ada, film, NOW - HOUR, 3601)

    assert rows_of(page_of(at())) == [
        ["Available", "Hosted", "Film", "2:00:00", "1:00:01", "50.0 %", "22 Nov 2026 12:00"],
        ["Unavailable", "Live", "Concert", "–", "0:01:40", "–", "22 Nov 2026 11:00"],
    ]


def test_a_content_never_described_shows_its_id_and_is_unavailable(at, ada, project):
    nameless = Content.objects.create(project=project, reference="x-9")
    watch(ada, nameless, NOW - HOUR, 60)

    (row,) = rows_of(page_of(at()))

    assert row[:4] == ["Unavailable", "Hosted", "x-9", "–"]
    assert row[5] == "–"


def test_a_percentage_is_rounded_half_up_and_never_capped(at, ada, project):
    for seconds, duration in ((5, 10_000), (15, 10_000), (25, 10), (1, 3000)):
        content = ContentFactory(project=project, duration_seconds=duration)
        watch(ada, content, NOW - HOUR, seconds, position=0)
    least = ContentFactory(project=project, duration_seconds=0)
    watch(ada, least, NOW - 2 * HOUR, 60)

    shown = sorted(row[5].split(" Cause")[0] for row in rows_of(page_of(at(query="short=1"))))

    # 0.05, 0.15, 250 and 0.0333… percent; a content without length has none.
    assert shown == ["0.0 %", "0.1 %", "0.2 %", "250.0 %", "–"]


def test_more_than_all_points_to_the_likelier_cause(at, ada, project):
    content = ContentFactory(project=project, duration_seconds=100)
    for hour, (watched, position) in enumerate([(100, 500), (101, 101), (101, 100), (300, 90)]):
        watch(ada, content, NOW - hour * HOUR, watched, position=position)

    html = page_of(at())

    # Exactly all is not more; played beyond the end: metadata; else watched again.
    assert [row[5] for row in rows_of(html)] == [
        "100.0 %",
        "101.0 % Cause 1",
        "101.0 % Cause 2",
        "300.0 % Cause 2",
    ]
    assert "it is shorter than what was played" in html


def test_both_causes_stand_under_the_table_always(at):
    html = words(page_of(at()))

    assert "More than 100 % viewed has one of two causes:" in html
    assert "metadata is not the actual one" in html
    assert "several times in one session, by going back" in html


def test_what_is_too_short_or_by_a_bot_is_shown_on_demand_and_marked(at, ada, film):
    watch(ada, film, NOW - HOUR, 5)
    watch(ada, film, NOW - 2 * HOUR, 4)
    watch(ada, film, NOW - 3 * HOUR, 900, on=device("bot"))
    counted(ada)

    html = page_of(at())
    assert len(rows_of(html)) == 1
    assert "Show 2 that were too short to count" in words(html)
    html = page_of(at(query="short=1"))
    assert [row[2] for row in rows_of(html)] == [
        "The Film",
        "The Film not counted",
        "The Film not counted",
    ]
    assert "1 view · 1 content · 0:00:05 · 2 not counted" in words(html)
    assert 'data-total="3"' in html


def test_only_ones_own_viewings_are_shown(at, ada, film, person):
    watch(person("Hopper"), film, NOW - HOUR, 600)

    assert rows_of(page_of(at())) == []


KEYS = {
    "status": lambda v: v.content.status,
    "type": lambda v: v.content.type,
    "name": lambda v: {"Été": "ete", "eta": "eta", "Zoo": "zoo", "œuf": "oeuf"}[v.content.name],
    "duration": lambda v: -1 if v.content.duration_seconds is None else v.content.duration_seconds,
    "viewing": lambda v: v.watched_seconds,
    "percent": lambda v: (
        Decimal(v.watched_seconds * 100) / v.content.duration_seconds
        if v.content.duration_seconds
        else Decimal(-1)
    ).quantize(Decimal("0.1"), ROUND_HALF_UP),
    "date": lambda v: v.started_at,
}


@pytest.fixture
def mixed(ada, project):
    """Twenty-three viewings, many alike, of four contents."""
    contents = [
        ContentFactory(project=project, name="Zoo", duration_seconds=100),
        ContentFactory(project=project, name="Été", duration_seconds=None, type="live"),
        ContentFactory(project=project, name="eta", duration_seconds=100, status="unavailable"),
        ContentFactory(project=project, name="œuf", duration_seconds=333),
    ]
    for number in range(23):
        # Some begin in the very same second.
        watch(ada, contents[number % 4], NOW - (number // 3) * DAY, 10 + 7 * (number % 5))
    return list(Viewing.objects.filter(user_id=ada.pk).select_related("content"))


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("sort", KEYS)
def test_each_sort_walks_there_and_back_over_each_viewing_once(at, mixed, sort, sign):
    key = KEYS[sort]
    expected = sorted(mixed, key=lambda v: (key(v), v.started_at, v.id), reverse=bool(sign))
    names = [v.content.name for v in expected]

    there, pages = [], 0
    query = f"sort={sign}{sort}&per_page=10&period=all"
    while query:
        html = page_of(at(query=query))
        there += [row[2] for row in rows_of(html)]
        pages += 1
        link = re.search(r'href="[^"?]*\?([^"#]*)#viewed" rel="next"', html)
        query = link.group(1).replace("&amp;", "&") if link else None
    back = rows_of(html)
    while link := re.search(r'href="[^"?]*\?([^"#]*)#viewed" rel="prev"', html):
        html = page_of(at(query=link.group(1).replace("&amp;", "&")))
        back = rows_of(html) + back

    assert there == names
    assert pages == 3
    assert [row[2] for row in back] == names
    direction = "descending" if sign else "ascending"
    assert re.search(rf'viewed__{sort}[^>]*aria-sort="{direction}"', html)


def test_a_page_link_of_another_order_is_refused(at, mixed):
    html = page_of(at(query="per_page=10&sort=name&period=all"))
    after = re.search(r"after=([^&\"#]+)", html).group(1)

    assert at(query=f"per_page=10&sort=date&period=all&after={after}").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "sort=colour", "period=month&from=2026-01-01", "from=2026-02-30", "nonsense=1", "short=2",
        "per_page=5", "measure=love", "from=2026-11-02&to=2026-11-01", "after=x",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words_beside_the_rest(at, query):
    html = page_of(at(query=query), status=400)

    assert 'class="errorlist"' in html or "filter__errors" in html
    assert "Personal information" in html
    assert "What is the user viewing?" not in html


# --- the period ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "query", "shown"),
    [
        (NOW - DAY, "", "1 September – 22 November 2026"),
        (datetime(2026, 9, 1, tzinfo=PARIS), "", "1 September – 22 November 2026"),
        # A second earlier, the last view is older than the last three months.
        (datetime(2026, 8, 31, 23, 59, 59, tzinfo=PARIS), "", "1 June – 31 August 2026"),
        (datetime(2026, 1, 5, tzinfo=PARIS), "", "1 November 2025 – 5 January 2026"),
        (NOW - DAY, "period=week", "16–22 November 2026"),
        (NOW - DAY, "from=2026-11-03&to=2026-11-04", "3–4 November 2026"),
    ],
)
def test_which_dates_are_shown(at, ada, film, last, query, shown):
    watch(ada, film, last, 60)
    counted(ada)

    assert shown in words(page_of(at(query=query)))


# --- the graph --------------------------------------------------------------------


def test_the_graph_stacks_eight_contents_and_the_rest_by_local_day(at, ada, project):
    contents = [ContentFactory(project=project, name=f"F{n:02}") for n in range(10)]
    for number, content in enumerate(contents):
        watch(ada, content, datetime(2026, 11, 20, 12, tzinfo=UTC), 1000 - number)
    # Half an hour before midnight in Paris, and half an hour after it.
    watch(ada, contents[0], datetime(2026, 11, 20, 22, 30, tzinfo=UTC), 7)
    watch(ada, contents[0], datetime(2026, 11, 20, 23, 30, tzinfo=UTC), 11)

    data = data_of(page_of(at(query="from=2026-11-19&to=2026-11-22")))

    assert data["labels"] == ["19 Nov", "20 Nov", "21 Nov", "22 Nov"]
    series = {one["name"]: one["values"] for one in data["series"]}
    assert list(series) == [*(f"F{n:02}" for n in range(8)), "Others"]
    assert series["F00"] == [0, 1007, 11, 0]
    assert series["Others"] == [0, 992 + 991, 0, 0]


def test_the_switch_ranks_and_adds_up_views(at, ada, project):
    long, often = (ContentFactory(project=project, name=name) for name in ("Long", "Often"))
    watch(ada, long, NOW - DAY, 9000)
    for number in range(3):
        watch(ada, often, NOW - DAY + number * HOUR, 60)

    by_time = data_of(page_of(at()))
    by_views = data_of(page_of(at(query="measure=views")))

    assert [one["name"] for one in by_time["series"]] == ["Long", "Often"]
    assert [one["name"] for one in by_views["series"]] == ["Often", "Long"]
    assert sum(by_views["series"][0]["values"]) == 3


def test_the_table_under_the_graph_says_the_same_without_empty_days(at, ada, film):
    watch(ada, film, NOW - 3 * DAY, 3600)
    watch(ada, film, NOW - DAY, 60)

    table = words(re.search(r"data-chart-table.*?</details>", page_of(at()), re.DOTALL).group())

    assert "19 Nov 2026 1:00:00 1:00:00 21 Nov 2026 0:01:00 0:01:00 Total 1:01:00" in table
    assert "20 Nov" not in table


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("from=2026-08-23&to=2026-11-22", 92),
        ("from=2026-08-22&to=2026-11-22", 14),
        ("from=2024-11-01&to=2026-11-22", 1),
    ],
)
def test_longer_periods_are_drawn_by_week_and_by_month(at, ada, film, query, labels):
    watch(ada, film, NOW - DAY, 60)

    assert len(data_of(page_of(at(query=query)))["labels"]) == labels


# --- the files --------------------------------------------------------------------


def test_the_file_has_the_thirteen_columns_of_each_viewing(at, ada, film, project, tv):
    odd = ContentFactory(project=project, reference="=1+1", name="+odd, “two”", type="live",
                         duration_seconds=None)  # fmt: skip
    phone = device("phone", hardware="Apple", os="iOS", browser="=Safari")
    watch(ada, film, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 2700, on=phone, country="FR")
    watch(ada, odd, datetime(2026, 11, 3, 19, 15, tzinfo=UTC), 60, on=phone, platform=tv)

    response = at("viewing.csv", "from=2026-10-01&to=2026-11-22")
    data = b"".join(response)

    assert data.decode("utf-8-sig") == (
        "project_id,content_id,content_name,viewing_seconds,content_seconds,percent_viewed,"
        "viewed_at,country,hardware_type,hardware,os,browser,platform\r\n"
        "north,'=1+1,\"'+odd, “two”\",60,,,2026-11-03T20:15:00+01:00,,phone,Apple,iOS,"
        "'=Safari,tv\r\n"
        "north,film,The Film,2700,5400,50.0,2026-10-25T02:30:00+02:00,FR,phone,Apple,iOS,"
        "'=Safari,web\r\n"
    )
    assert response["X-Row-Count"] == "2"
    assert response["Content-Length"] == str(len(data))
    event = AuditEvent.objects.get(kind="users.viewing.exported")
    assert (event.target_id, event.data["rows"]) == (str(ada.public_id), 2)
    assert event.data["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_graphs_file_has_a_line_a_day_and_content(at, ada, film, project):
    other = ContentFactory(project=project, reference="other", name="A Film")
    for content, hours, seconds in ((film, 1, 60), (film, 2, 40), (other, 3, 10), (film, 30, 5)):
        watch(ada, content, NOW - hours * HOUR, seconds)
    watch(ada, film, NOW - HOUR, 4)

    data = b"".join(at("viewing-graph.csv"))

    assert data.decode("utf-8-sig").split("\r\n") == [
        "date,content_id,content_name,content_type,views,viewing_seconds",
        "2026-11-21,film,The Film,hosted,1,5",
        "2026-11-22,other,A Film,hosted,1,10",
        "2026-11-22,film,The Film,hosted,2,100",
        "",
    ]


def cells_of_sheet(data):
    """Read the rows of a workbook: texts as text, all else as numbers."""
    sheet = zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml").decode()
    rows = re.findall(r"<row[^>]*>(.*?)</row>", sheet, re.DOTALL)
    return [
        [text or (float(value) if value else None) for text, value in CELL.findall(row)]
        for row in rows
    ]


CELL = re.compile(r"<c[^>]*?(?:/>|>(?:<is><t[^>]*>(.*?)</t></is>|<v>(.*?)</v>)</c>)", re.DOTALL)


def test_the_sheet_has_typed_cells_under_words(at, ada, film):
    watch(ada, film, datetime(2026, 11, 3, 19, 15, tzinfo=UTC), 2701, on=device("phone"))

    response = at("viewing.xlsx")

    (heading, row) = cells_of_sheet(b"".join(response))
    assert heading[2:7] == [
        "Name", "Viewing time (seconds)", "Duration (seconds)", "% viewed", "Viewing date",
    ]  # fmt: skip
    # The last one is 20:15 in Paris, in days since the end of 1899.
    assert row[:7] == ["north", "film", "The Film", 2701, 5400, 50, 46329.84375]
    assert at("viewing.xlsx", "delimiter=comma").status_code == 400


@pytest.mark.parametrize("path", ["viewing.csv", "viewing-graph.csv"])
def test_files_take_columns_words_and_semicolons_and_refuse_the_rest(at, ada, film, path):
    watch(ada, film, NOW - HOUR, 60)

    text = b"".join(
        at(path, "columns=content_name,viewing_seconds&headers=words&delimiter=semicolon")
    ).decode("utf-8-sig")

    assert text == "Name;Viewing time (seconds)\r\nThe Film;60\r\n"
    for query in ("sort=name", "columns=password", "period=never", "q=x", "per_page=10"):
        assert at(path, query).status_code == 400


@pytest.mark.parametrize(
    ("role", "viewings", "graph"),
    [
        (Role.OWNER, 200, 200),
        (Role.ADMIN, 200, 200),
        (Role.SUPPORT, 403, 403),
        # Sums by day and content, nothing viewing by viewing.
        (Role.ANALYST, 403, 200),
        (Role.READER, 403, 403),
    ],
)
def test_who_may_take_the_files(at, role, viewings, graph):
    page = page_of(at(role=role))

    for path, status in (("viewing.csv", viewings), ("viewing-graph.csv", graph)):
        response = at(path, role=role)
        b"".join(response)
        assert response.status_code == status
        assert (f"/{path}" in page) == (status == 200)


# --- all of it, against plain code ------------------------------------------------------

starts = st.integers(-100 * 24 * 60, 4).map(lambda minutes: NOW + timedelta(minutes=minutes))
viewings = st.lists(
    st.tuples(starts, st.integers(0, 3), st.sampled_from([0, 4, 5, 61, 7201]), st.booleans()),
    max_size=12,
)
spans = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted)


@settings(max_examples=12)
@given(watched=viewings, span=spans, views=st.booleans())
def test_cards_list_graph_and_files_agree_with_plain_code(
    at, person, project, client, look, watched, span, views
):
    user = person("Somebody", LONG_AGO)
    contents = [ContentFactory(project=project, name=f"F{n}") for n in range(4)]
    for start, content, seconds, is_bot in watched:
        watch(user, contents[content], start, seconds, on=device("bot" if is_bot else "phone"))
    counted(user)
    today = NOW.astimezone(PARIS).date()
    first, last = (today - timedelta(days=days) for days in reversed(span))

    counts = [
        (start.astimezone(PARIS).date(), f"F{content}", seconds)
        for start, content, seconds, is_bot in watched
        if seconds >= 5 and not is_bot
    ]
    within = [one for one in counts if first <= one[0] <= last]
    by_day = defaultdict(lambda: [0, 0])
    for day, name, seconds in within:
        by_day[day, name][0] += 1
        by_day[day, name][1] += seconds

    measure = "views" if views else "time"
    query = f"from={first}&to={last}"
    html = page_of(look(f"{query}&measure={measure}", path=f"/users/{user.public_id}/"))
    month = [one for one in counts if one[0] >= date(2026, 11, 1)]
    assert re.findall(r'data-card="[^"]+" data-value="(\d+)"', html) == [
        str(number)
        for number in (
            len({name for _, name, _ in counts}),
            len({name for _, name, _ in month}),
            sum(seconds for _, _, seconds in counts),
            sum(seconds for _, _, seconds in month),
        )
    ]
    assert f'data-total="{len(within)}"' in html
    assert Counter(row[2] for row in rows_of(html)) == Counter(name for _, name, _ in within)
    if within:
        drawn = {one["name"]: sum(one["values"]) for one in data_of(html)["series"]}
        expected = Counter()
        for _, name, seconds in within:
            expected[name] += 1 if views else seconds
        assert drawn == dict(expected)
    graph = cells(look(query, path=f"/users/{user.public_id}/viewing-graph.csv"))
    assert {
        (date.fromisoformat(row["date"]), row["content_name"]): [
            int(row["views"]), int(row["viewing_seconds"]),
        ]
        for row in graph
    } == dict(by_day)  # fmt: skip
    listed = cells(look(query, path=f"/users/{user.public_id}/viewing.csv"))
    assert sum(int(row["viewing_seconds"]) for row in listed) == sum(s for _, _, s in within)
