"""The Users page: its numbers and their lists, sorts, pages, chart, masks, texts and cost."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM, record
from backoffice.core.permissions import Role
from subscriptions.actions import register_user
from tests.conftest import NOW
from tests.factories.analytics import ContentFactory
from tests.factories.projects import PlatformFactory
from tests.factories.subscriptions import FreeCopyFactory, PurchaseFactory, SubscriptionFactory
from tests.factories.users import UserFactory
from tests.users.reading import page_of, seen
from tests.users.watching import counted, watch
from users.models import User

DAY = timedelta(days=1)


def follow(look, address):
    """Open a link of the page."""
    parts = urlsplit(address)
    return look(parts.query, path=parts.path)


def subscribed(user, started_at, **values):
    return SubscriptionFactory(user=user, started_at=started_at, now=NOW, **values)


# --- every number is a link to exactly its rows ----------------------------------------------


@pytest.fixture
def history(person, tv, project):
    """
    A month with one person of each kind, worked out by hand.

    Active in November: Stays, New, Back, Gone, Brief, Trying, Copied, Stub = 8. At its start:
    Stays, Gone, Stub. Now: Stays, New, Back, Trying, Copied, Stub.
    """
    project.has_trials = True
    project.save()
    old = "2025-06-01 12:00:00"
    subscribed(person("Stays", old), NOW - 300 * DAY, cancel_at=NOW + 9 * DAY)
    subscribed(person("New"), NOW - 10 * DAY)
    back = person("Back", old, platform=tv)
    subscribed(back, NOW - 300 * DAY, ended_at=NOW - 200 * DAY)
    subscribed(back, NOW - 5 * DAY)
    subscribed(person("Gone", "2026-10-30 12:00:00"), NOW - 23 * DAY, ended_at=NOW - 2 * DAY)
    brief = person("Brief", old)
    PurchaseFactory(user=brief, purchased_at=NOW - 9 * DAY, expires_at=NOW - 8 * DAY, now=NOW)
    subscribed(
        person("Trying", platform=tv),
        NOW - 4 * DAY,
        trial_ends_at=NOW + 3 * DAY,
        status="trialing",
    )
    FreeCopyFactory(user=person("Copied", old), sent_at=NOW - 3 * DAY, days=30, now=NOW)
    stub = person("", deleted_at=NOW)
    subscribed(stub, NOW - 40 * DAY, status="trialing", trial_ends_at=NOW + 2 * DAY)
    person("", "2026-10-03 12:00:00", deleted_at=NOW, platform=tv)
    person("Idle", "2026-10-21 12:00:00", platform=tv)
    person("Later", "2026-10-22 13:00:01", platform=tv)


def test_the_titles_are_the_seeds(look, history):
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page_of(look()), re.DOTALL)

    assert [re.sub(r"<.*", "", text, flags=re.DOTALL).strip() for text in headings] == [
        "Analytics",
        "Offer management",
        "Work",
        "Settings",
        "Key indicators",
        "Number of registered and active users",
        "Who are the last registered users?",
    ]


def test_the_cards(look, history):
    cards = seen(look()).cards

    figures = {
        key: tuple(int(card[f"data-{name}"]) for name in ("value", "previous", "previous-full"))
        for key, card in cards.items()
    }
    # Since 1 November: New, Trying, the first stub. By 22 October, 13:00: the second stub and
    # Idle; Later and Gone came after.
    assert figures == {
        "registered": (3, 2, 4),
        "active": (8, 2, 3),
        "trial": (2, 1, 1),
        "unsubscribed": (1, 0, 0),
    }


def numbers_of(response):
    """Return number and address of each number that is a link: cards, notes, bridge."""
    for card in response.context_data["cards"]:
        for name in ("value", "previous", "previous_full"):
            address = card["url" if name == "value" else f"{name}_url"]
            yield f"{card['key']} {name}", card[name], address
        for note in card["notes"]:
            if note["url"]:
                yield note["text"], int(note["text"].split()[0]), note["url"]
    for key, part in response.context_data["bridge"].items():
        yield key, part["value"], part["url"]


@pytest.mark.parametrize("platforms", ["", "platform=tv", "platform=web&platform=tv"])
def test_every_number_leads_to_its_rows(look, history, platforms):
    numbers = list(numbers_of(look(platforms)))

    assert len(numbers) == 4 * 3 + 4 + 6
    for name, value, address in numbers:
        page = seen(follow(look, address))
        assert (name, page.total + page.deleted) == (name, value)
        assert len(page.rows) == page.total


@pytest.mark.parametrize(
    ("counted", "names", "deleted"),
    [
        ("registered", ["New", "Trying"], 1),
        ("registered&month=2026-10", ["Gone", "Idle", "Later"], 1),
        ("registered&month=2026-10&elapsed=1", ["Idle"], 1),
        ("active", ["Back", "Brief", "Copied", "Gone", "New", "Stays", "Trying"], 1),
        ("active&month=2026-10", ["Gone", "Stays"], 1),
        ("active&month=2026-10&elapsed=1", ["Stays"], 1),
        ("active-now", ["Back", "Copied", "New", "Stays", "Trying"], 1),
        ("trial", ["Trying"], 1),
        ("trial-ending", ["Trying"], 1),
        ("unsubscribed", ["Gone"], 0),
        ("asked-to-stop", ["Stays"], 0),
        ("start", ["Gone", "Stays"], 1),
        ("new", ["Copied", "New", "Trying"], 0),
        ("back", ["Back"], 0),
        ("gone", ["Gone"], 0),
        ("came-and-left", ["Brief"], 0),
        ("viewers", [], 0),
        ("active&status=active&sort=name", ["Back", "Copied", "New", "Stays", "Trying"], 0),
    ],
)
def test_the_rows_behind_each_number(look, history, counted, names, deleted):
    page = seen(look(f"counted={counted}"))

    assert (sorted(page.last_names), page.deleted) == (names, deleted)


def test_a_trial_that_ends_in_exactly_three_days_ends_within_three_days(look, person):
    subscribed(person("Ada"), NOW - DAY, trial_ends_at=NOW + 3 * DAY)
    subscribed(person("Bob"), NOW - DAY, trial_ends_at=NOW + 3 * DAY + timedelta(seconds=1))
    subscribed(person("Cy"), NOW - DAY, trial_ends_at=NOW + timedelta(seconds=1))

    assert sorted(seen(look("counted=trial-ending")).last_names) == ["Ada", "Cy"]


def test_the_bridge_adds_up(look, history):
    response = look()
    bridge = {key: part["value"] for key, part in response.context_data["bridge"].items()}

    assert bridge == {"start": 3, "new": 3, "back": 1, "gone": 1, "now": 6, "came_and_left": 1}
    assert bridge["start"] + bridge["new"] + bridge["back"] - bridge["gone"] == bridge["now"]
    active = int(seen(response).cards["active"]["data-value"])
    assert active == sum(bridge[key] for key in ("start", "new", "back", "came_and_left"))


def test_no_card_for_trials_where_there_are_none(look, project, web):
    project.has_trials = False
    project.save()

    assert list(seen(look()).cards) == ["registered", "active", "unsubscribed"]


def test_a_base_of_zero_shows_the_difference(look, person):
    person("Ada")

    change = look().context_data["cards"][0]["change"]

    assert (change["direction"], change["text"]) == ("up", "+1")


def test_a_base_of_zero_shows_no_difference_as_a_difference_too(look, web):
    response = look()

    change = response.context_data["cards"][0]["change"]
    assert (change["direction"], change["text"], change["tone"]) == ("same", "0", "neutral")
    assert '<span aria-hidden="true">= 0</span>' in response.content.decode()


def test_a_base_above_zero_shows_the_percentage(look, person):
    for name in "ABCDEFGH":
        person(name, "2026-10-02 12:00:00")
    person("New")

    change = look().context_data["cards"][0]["change"]

    assert (change["direction"], change["text"]) == ("down", "87.5\u202f%")


@pytest.mark.parametrize("query", ["", "period=all", "counted=registered", "period=today"])
def test_total_and_deleted_are_the_same_on_every_page(look, person, query):
    for number in range(25):
        person(f"N{number}")
    person("", deleted_at=NOW)

    first = seen(look(f"{query}&per_page=10"))
    second = seen(follow(look, first.to("next")))
    back = seen(follow(look, second.to("prev")))

    for page in (first, second, back, seen(look(query)), seen(look(f"{query}&grain=week"))):
        assert (page.total, page.deleted) == (25, 1)
        assert "25 people, 1 since deleted" in page.html


# --- sorts and pages -------------------------------------------------------------------------


@pytest.fixture
def five(person):
    """Five people whose orders by each key differ; two share every key but the tie-break."""
    minute = timedelta(minutes=1)
    ada = person("Élan", first_name="ada", email="z@example.com", at=NOW - 5 * minute)
    subscribed(ada, NOW - DAY)
    person("elan", first_name="Bob", email="Y@example.com", at=NOW - 4 * minute)
    cy = person("Zoe", first_name="Cy", email="x@example.com", at=NOW - 3 * minute)
    subscribed(cy, NOW - 2 * DAY, ended_at=NOW - DAY)
    person("", first_name="Di", email="ä@example.com", at=NOW - 2 * minute)
    person("Twin", first_name="T", email="t1@example.com", at=NOW - minute)
    person("Twin", first_name="T", email="t2@example.com", at=NOW - minute)
    User.objects.filter(last_name="Élan").update(modified_at=NOW)


@pytest.mark.parametrize(
    ("sort", "emails"),
    [
        ("status", "z Y ä t1 t2 x"),
        ("name", "z Y t1 t2 x ä"),
        ("email", "t1 t2 x Y z ä"),
        ("registered", "z Y x ä t1 t2"),
        ("modified", "Y x ä t1 t2 z"),
    ],
)
def test_each_sort_in_both_directions(look, five, sort, emails):
    def order(query):
        names = {str(u.public_id): u.email.split("@")[0] for u in User.objects.all()}
        return [names[row] for row, _status in seen(look(query)).rows]

    assert order(f"sort={sort}") == emails.split()
    assert order(f"sort=-{sort}") == emails.split()[::-1]
    if sort == "registered":
        assert order("") == emails.split()[::-1]


SORTS = [f"{sign}{name}" for name in ("status", "name", "email", "registered", "modified")
         for sign in ("", "-")]  # fmt: skip


def walk(look, page, rel):
    """Return the rows of this page and of all behind it in that direction."""
    pages = [page.rows]
    while address := page.to(rel):
        page = seen(follow(look, address))
        pages.append(page.rows)
    return pages, page


@pytest.mark.parametrize("sort", SORTS)
def test_walking_there_and_back_shows_each_row_once(look, web, sort):
    # Few distinct keys, so that ties fall across the edges of pages.
    for number in range(34):
        user = UserFactory(
            platform=web,
            first_name="",
            last_name=f"L{number % 3}",
            registered_at=NOW - timedelta(minutes=number % 4),
        )
        if number % 3 == 0:
            subscribed(user, NOW - DAY)

    there, last = walk(look, seen(look(f"sort={sort}&per_page=10")), "next")
    back, first = walk(look, last, "prev")

    assert [len(rows) for rows in there] == [10, 10, 10, 4]
    rows = [row for page in there for row in page]
    assert len(set(rows)) == 34
    assert back == there[::-1]
    assert last.to("next") is None
    assert first.to("prev") is None


def test_rows_that_are_added_while_walking_change_nothing_behind(look, person):
    for number in range(25):
        person(f"Old {number:02}", NOW - DAY + timedelta(minutes=number))
    page = seen(look("per_page=10&period=all"))
    names = page.last_names
    number = 0
    while address := page.to("next"):
        person(f"New {number}", NOW - timedelta(minutes=number))
        number += 1
        page = seen(follow(look, address))
        names += page.last_names

    assert names == [f"Old {number:02}" for number in reversed(range(25))]
    back, first = walk(look, page, "prev")
    everybody = [row for rows in reversed(back) for row in rows]
    assert len(everybody) == len(set(everybody)) == 27
    assert first.to("prev") is None


def test_a_row_that_is_gone_leaves_no_hole(look, person):
    for number in range(15):
        person(f"N{number:02}")
    page = seen(look("per_page=10"))
    User.objects.filter(public_id=page.rows[-1][0]).update(
        deleted_at=NOW, email="", email_key="", first_name="", last_name="", sort_name=""
    )

    assert seen(follow(look, page.to("next"))).last_names == [f"N{n:02}" for n in range(4, -1, -1)]


def test_pages_say_where_they_are(look, person):
    for number in range(23):
        person(f"N{number}")

    first = look("per_page=10")
    second = follow(look, seen(first).to("next"))
    third = follow(look, seen(second).to("next"))

    texts = [page.context_data["table"]["position_text"] for page in (first, second, third)]
    assert texts == ["1–10 of 23", "11–20 of 23", "21–23 of 23"]


def test_only_page_links_carry_a_cursor(look, person):
    for number in range(30):
        person(f"N{number}")
    first = seen(look("per_page=10&sort=name&period=all&platform=web"))

    middle = seen(follow(look, first.to("next")))

    with_cursor = {
        link.get("rel")
        for link in middle.links
        if {"after", "before"} & set(parse_qs(urlsplit(link.get("href", "")).query))
    }
    assert with_cursor == {"next", "prev"}
    kept = parse_qs(urlsplit(middle.to("next")).query)
    assert set(kept) == {"per_page", "sort", "period", "platform", "after"}


def cursor_of(page):
    return parse_qs(urlsplit(page.to("next")).query)["after"][0]


def test_cursors_of_another_sort_or_list_and_altered_ones_are_refused(look, person, project):
    for number in range(15):
        person(f"N{number}")
    cursor = cursor_of(seen(look("per_page=10")))
    for _ in range(51):
        record(AuditEvent.Kind.PLATFORM_CREATED, actor=SYSTEM, now=NOW, project=project)
    register = look("", path="/audit/").context["page"].after

    refused = [
        f"after={cursor}&sort=name",
        f"after={cursor}&sort=registered",
        f"before={cursor}&sort=-modified",
        f"after={register}",
        f"after={cursor[:-1]}",
        f"after={cursor[:40]}{'A' if cursor[40] != 'A' else 'B'}{cursor[41:]}",
        f"after={cursor * 20}",
        f"after={cursor}&before={cursor}",
        f"after={cursor}&after={cursor}",
        f"after={cursor}&per_page=5",
        "after=%F0%9F%98%80",
    ]
    assert register
    for query in refused:
        assert (query, look(query).status_code) == (query, 400)
    assert look(f"after={cursor}&sort=-registered").status_code == 200


def test_a_cursor_of_the_same_order_in_another_list_is_refused(look, person):
    ada = person("Ada")
    film = ContentFactory(project=ada.project, duration_seconds=600)
    for number in range(11):
        watch(ada, film, NOW - number * DAY, 600)
    counted(ada)
    profile = look("period=all&per_page=10&sort=status", path=f"/users/{ada.public_id}/")
    cursor = re.search(r"after=([^&\"#]+)", page_of(profile)).group(1)

    page = seen(look(f"period=all&sort=status&after={cursor}"), 400)

    assert "This page link is no longer valid" in page.html


def test_a_cursor_of_another_project_is_refused(signed_in, project, other_project, person):
    for number in range(11):
        person(f"N{number}")
    client = signed_in(Role.ADMIN)
    cursor = cursor_of(seen(client.get(f"/users/?project={project.slug}&per_page=10")))

    same = client.get(f"/users/?project={project.slug}&per_page=10&after={cursor}")
    foreign = client.get(f"/users/?project={other_project.slug}&per_page=10&after={cursor}")

    assert (same.status_code, foreign.status_code) == (200, 400)


@pytest.mark.parametrize(
    ("first_name", "last_name"),
    [
        ("😀" * 100, "😀" * 100),
        ("ﷺ" * 150, "ﷺ" * 150),
        (
            "".join(chr(0x20000 + number * 131) for number in range(150)),
            "".join(chr(0x20000 + number * 211) for number in range(150)),
        ),
    ],
    ids=["emoji", "ligatures", "ideographs"],
)
def test_a_list_by_name_is_paged_both_ways_past_the_longest_names(
    look, web, first_name, last_name
):
    for number in range(21):
        user = User(
            project=web.project,
            platform=web,
            email=f"n{number}@example.com",
            first_name=first_name,
            last_name=last_name,
            registered_at=NOW,
            modified_at=NOW,
        )
        register_user(user=user, actor=SYSTEM, now=NOW)
    first = seen(look("per_page=10&sort=name&period=all"))
    second = seen(follow(look, first.to("next")))
    third = seen(follow(look, second.to("next")))

    assert len({row for page in (first, second, third) for row in page.rows}) == 21
    assert seen(follow(look, third.to("prev"))).rows == second.rows
    assert all(len(page.to("next")) < 2200 for page in (first, second))


def test_a_cursor_tells_no_name(look, person):
    for number in range(11):
        person(f"Secret{number}", email=f"hidden{number}@example.com")

    page = seen(look("per_page=10&sort=name"))

    assert "ecret" not in page.to("next")


# --- the table -------------------------------------------------------------------------------


def rows_of(response):
    return {row["name"].split()[-1]: row for row in response.context_data["table"]["rows"]}


def test_a_status_has_its_reason(look, person):
    before = NOW - 30 * DAY
    subscribed(person("Plain"), before)
    subscribed(person("Trial"), before, trial_ends_at=NOW + 6 * DAY, status="trialing")
    subscribed(person("Ends"), before, cancel_at=NOW + 8 * DAY)
    subscribed(person("Late"), before, provider="stripe", status="past_due")
    subscribed(person("Failed"), before, status="unpaid", ended_at=NOW - DAY)
    subscribed(person("Stopped"), before, status="canceled", ended_at=NOW - DAY)
    FreeCopyFactory(user=person("Copied", before), sent_at=before, days=31, now=NOW)
    PurchaseFactory(user=person("Rented"), purchased_at=before, expires_at=NOW + DAY, now=NOW)
    PurchaseFactory(user=person("Bought"), purchased_at=before, now=NOW)
    person("Idle")

    rows = rows_of(look("period=all"))

    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "Plain": ("active", ""),
        "Trial": ("active", "trial, ends 28 Nov"),
        "Ends": ("active", "ends 30 Nov"),
        "Late": ("active", "payment late"),
        "Failed": ("cancelled", "payment failed"),
        "Stopped": ("cancelled", "stopped 21 Nov"),
        "Copied": ("active", "free copy until 23 Nov"),
        "Rented": ("active", "pack until 23 Nov"),
        "Bought": ("active", "pack"),
        "Idle": ("registered", ""),
    }


def test_times_are_those_of_the_projects_zone_which_is_named(look, person):
    person("Ada", "2026-11-21 00:30:00")

    response = look()

    row = rows_of(response)["Ada"]
    assert row["registered_text"] == "21 Nov 2026 00:30"
    assert row["registered_iso"].startswith("2026-11-20T23:30:00")
    assert "Europe/Paris" in response.content.decode()


@pytest.mark.parametrize("role", [Role.ANALYST, Role.READER])
def test_names_and_addresses_are_masked_for_who_may_not_see_them(look, person, role):
    person("Lovelace", first_name="Ada", email="ada@engine.example")
    person("", first_name="", email="nameless@example.com")

    response = look(role=role)

    rows = response.context_data["table"]["rows"]
    assert [(row["name"], row["email"]) for row in rows] == [
        ("n***@e***.com", "n***@e***.com"),
        ("A. L.", "a***@e***.example"),
    ]
    html = response.content.decode()
    assert "Lovelace" not in html
    assert "engine" not in html
    columns = {c["key"]: c["url"] for c in response.context_data["table"]["columns"]}
    assert columns["name"] is columns["email"] is None
    assert columns["status"]
    assert 'name="q"' not in html


@pytest.mark.parametrize(
    ("role", "files"), [(Role.ADMIN, 2), (Role.ANALYST, 2), (Role.SUPPORT, 0), (Role.READER, 0)]
)
def test_files_are_offered_to_who_may_take_them(look, person, role, files):
    person("Ada")

    response = look(role=role)

    assert len(response.context_data["table"]["files"]) == files
    assert ("chart.csv" in response.content.decode()) == bool(files)


# --- the chart -------------------------------------------------------------------------------


def chart_of(response):
    return response.context_data["chart"]


def points_of(response):
    """Return registered, cumulative and day-end figures of each bar, by its first day."""
    data = chart_of(response)["data"]
    figures = zip(data["registered"], data["cumulative"], data["endOfDay"], strict=True)
    return dict(zip(data["dates"], figures, strict=True))


TO_COME = (None, None, None)


def test_the_last_point_of_the_cumulative_line_is_the_active_card(look, history):
    response = look()
    points = points_of(response)

    assert list(points)[0::29] == ["2026-11-01", "2026-11-30"]
    assert list(points)[chart_of(response)["data"]["running"]] == "2026-11-22"
    assert points["2026-11-22"] == (3, 8, 6)
    assert seen(response).cards["active"]["data-value"] == "8"
    assert [point[0] for point in points.values()] == [0] * 21 + [3] + [None] * 8
    assert list(points.values())[22:] == [TO_COME] * 8


def test_the_table_under_the_chart_says_the_same(look, history):
    response = look()

    told = [
        (row["registered_text"], row["active_cumulative_text"], row["active_end_of_day_text"])
        for row in chart_of(response)["rows"]
    ]
    assert told == [
        tuple("–" if figure is None else str(figure) for figure in point)
        for point in points_of(response).values()
    ]
    assert [row["date"] for row in chart_of(response)["rows"] if row["is_running"]] == [
        "2026-11-22"
    ]


def test_a_day_that_ends_at_an_access_end_still_counts_it(look, person):
    midnight = NOW.replace(day=20, hour=23, minute=0)
    subscribed(person("Ada", "2026-11-10 12:00:00"), NOW - 8 * DAY, ended_at=midnight)

    points = points_of(look())

    assert (points["2026-11-20"][2], points["2026-11-21"][2]) == (1, 0)


@pytest.mark.parametrize(
    ("query", "grain", "bars", "first", "last"),
    [
        ("from=2026-08-23&to=2026-11-22", "Day", 92, "23 Aug 2026", "22 Nov 2026"),
        ("from=2026-08-22&to=2026-11-22", "Week", 14, "Week 34 of 2026", "Week 47 of 2026"),
        # Two years to the day, of 730 days and, with a 29 February, of 731; then a day more.
        ("from=2024-11-23&to=2026-11-22", "Week", 105, "Week 47 of 2024", "Week 47 of 2026"),
        ("from=2024-01-01&to=2025-12-31", "Week", 105, "Week 1 of 2024", "Week 1 of 2026"),
        ("from=2024-02-29&to=2026-02-28", "Week", 105, "Week 9 of 2024", "Week 9 of 2026"),
        ("from=2024-11-22&to=2026-11-22", "Month", 25, "November 2024", "November 2026"),
        ("from=2024-02-29&to=2026-03-01", "Month", 26, "February 2024", "March 2026"),
        ("from=2025-01-01&to=2027-01-01", "Month", 25, "January 2025", "January 2027"),
        ("from=2024-11-21&to=2026-11-22", "Month", 25, "November 2024", "November 2026"),
        ("from=2026-08-23&to=2026-11-22&grain=month", "Month", 4, "August 2026", "November 2026"),
        ("from=2026-01-01&to=2026-11-22&grain=day", "Day", 326, "1 Jan 2026", "22 Nov 2026"),
        # 2026 has an ISO week 53, which ends on 3 January 2027; 2025 began in week 1.
        (
            "from=2024-12-29&to=2025-01-06&grain=week",
            "Week",
            3,
            "Week 52 of 2024",
            "Week 2 of 2025",
        ),
        (
            "from=2026-12-31&to=2027-01-04&grain=week",
            "Week",
            2,
            "Week 53 of 2026",
            "Week 1 of 2027",
        ),
    ],
)
def test_grains(look, web, query, grain, bars, first, last):
    chart = chart_of(look(query))

    assert chart["grain_words"] == grain
    labels = [row["label"] for row in chart["rows"]]
    assert (len(labels), labels[0], labels[-1]) == (bars, first, last)


def test_a_week_sums_registrations_and_reads_the_lines_at_its_end(look, person):
    person("Ada", "2026-11-02 12:00:00")
    person("Bob", "2026-11-08 23:59:59")
    subscribed(person("Cy", "2026-11-09 00:00:00"), NOW - 13 * DAY, ended_at=NOW - 12 * DAY)

    response = look("grain=week")

    # 1 November was a Sunday; the week that runs is not over, the last two lie ahead.
    assert points_of(response) == {
        "2026-11-01": (0, 0, 0),
        "2026-11-02": (2, 0, 0),
        "2026-11-09": (1, 1, 0),
        "2026-11-16": (0, 1, 0),
        "2026-11-23": TO_COME,
        "2026-11-30": TO_COME,
    }
    assert chart_of(response)["data"]["running"] == 3


def test_platforms_narrow_the_chart(look, history):
    # Back and Trying have access; Trying alone registered there this month.
    assert points_of(look("platform=tv"))["2026-11-22"] == (1, 2, 2)


# --- texts -----------------------------------------------------------------------------------


def test_no_user_yet(look, web):
    empty = look().context_data["table"]["empty"]

    assert empty["text"].startswith("No user yet")


def test_nobody_in_the_period(look, person):
    person("Old", "2020-01-01 12:00:00")

    empty = look().context_data["table"]["empty"]

    assert empty["text"] == "Nobody registered in this period."
    assert [action["label"] for action in empty["actions"]] == ["All dates"]
    assert seen(follow(look, empty["actions"][0]["url"])).last_names == ["Old"]


def test_nothing_found(look, person):
    person("Ada")

    empty = look("q=nobody").context_data["table"]["empty"]

    assert empty["text"] == "Nobody matches this filter."
    # A search is over all dates already.
    assert [action["label"] for action in empty["actions"]] == ["Clear"]
    assert seen(follow(look, empty["actions"][0]["url"])).last_names == ["Ada"]


@pytest.mark.parametrize("dates", ["period=today", "from=2026-11-20&to=2026-11-21"])
def test_all_dates_keeps_the_rest_of_the_filter(look, person, dates):
    person("Old", "2020-01-01 12:00:00")
    person("Other", "2020-01-01 12:00:00")
    kept = "status=registered&platform=web&q=old&sort=name&per_page=20"

    empty = look(f"{dates}&{kept}").context_data["table"]["empty"]

    clear, all_dates = empty["actions"]
    assert clear["url"] == "/users/"
    assert (all_dates["label"], all_dates["url"]) == ("All dates", f"/users/?{kept}&period=all")
    assert seen(follow(look, all_dates["url"])).last_names == ["Old"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "1–22 November 2026"),
        ("period=today", "22 November 2026"),
        ("period=last-month", "1–31 October 2026"),
        ("q=a", "All dates"),
        ("q=a&period=month", "1–22 November 2026"),
        ("counted=active", "All dates"),
        ("from=2026-11-20", "20–22 November 2026"),
        ("from=1990-01-01&to=1990-01-31", "1–31 January 1990"),
        ("to=1990-01-01", "until 1 Jan 1990"),
    ],
)
def test_the_page_says_which_dates_it_shows(look, person, query, words):
    person("Ada")
    response = look(query)

    assert response.context_data["period_words"] == words
    assert words in response.content.decode()


@pytest.mark.parametrize(
    ("zone", "now", "month"),
    [
        ("Pacific/Kiritimati", datetime(2026, 10, 31, 10, tzinfo=UTC), "1 November 2026"),
        ("Pacific/Kiritimati", datetime(2026, 10, 31, 9, 59, 59, tzinfo=UTC), "1–31 October 2026"),
        ("America/Los_Angeles", datetime(2026, 11, 1, 6, 59, tzinfo=UTC), "1–31 October 2026"),
        ("America/Los_Angeles", datetime(2026, 11, 1, 7, 0, tzinfo=UTC), "1 November 2026"),
        ("America/Los_Angeles", datetime(2027, 1, 1, 7, 59, tzinfo=UTC), "1–31 December 2026"),
        ("Pacific/Kiritimati", datetime(2026, 12, 31, 10, tzinfo=UTC), "1 January 2027"),
    ],
)
def test_the_month_is_the_zones(look, project, web, clock, zone, now, month):
    project.time_zone = zone
    project.save()
    clock.move_to(now)
    web.project.refresh_from_db()
    UserFactory(platform=web, registered_at=now)
    UserFactory(platform=web, registered_at=now - 45 * DAY)

    response = look()

    assert response.context_data["period_words"] == month
    assert seen(response).cards["registered"]["data-value"] == "1"
    assert seen(response).total == 1


def test_the_page_speaks_french(look, person):
    person("Ada")

    response = look(headers={"accept-language": "fr"})

    html = response.content.decode()
    assert '<html lang="fr"' in html
    for words in (
        "Indicateurs clés",
        "Nombre d’utilisateurs inscrits et actifs",
        "Qui sont les derniers utilisateurs inscrits",
        "1–22 novembre 2026",
    ):
        assert words in html


# --- cost ------------------------------------------------------------------------------------


def queries_of(look, query, path="/users/"):
    look(query, path=path)
    with CaptureQueriesContext(connection) as captured:
        response = look(query, path=path)
        b"".join(response) if response.streaming else response.content
    assert response.status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    ("query", "queries"),
    [("per_page=100", 30), ("per_page=100&q=ada", 32), ("counted=active", 31)],
)
def test_the_page_costs_the_same_with_one_user_and_with_a_hundred(look, web, query, queries):
    counts = []
    for size in (1, 10, 100):
        while User.objects.count() < size:
            subscribed(UserFactory(platform=web, registered_at=NOW - DAY), NOW - DAY)
        counts.append(queries_of(look, query))

    assert counts == [queries] * 3


# Registered, active since the first day, active at the day's end.
FEW_DAYS = {
    "2026-09-05": [0, 1, 1],
    "2026-10-09": [0, 1, 1],
    "2026-10-10": [0, 1, 0],
    "2026-11-22": [1, 1, 0],
}


def test_all_dates_begin_with_the_first_access_where_it_was_before_the_first_account(
    look, person, other_project
):
    # In Paris: from 5 September at 0:00 to 10 October at noon.
    subscribed(
        person("Ada", "2026-11-22 09:00:00"),
        datetime(2026, 9, 4, 22, tzinfo=UTC),
        ended_at=datetime(2026, 10, 10, 10, tzinfo=UTC),
    )
    theirs = UserFactory(platform=PlatformFactory(project=other_project))
    subscribed(theirs, NOW - 300 * DAY)

    rows = {row["date"]: row for row in chart_of(look("period=all"))["rows"]}
    to_september = chart_of(look("to=2026-09-30"))["rows"]

    # 26 days of September, 31 of October, 22 of November.
    assert (len(rows), min(rows), max(rows)) == (79, "2026-09-05", "2026-11-22")
    figures = ("registered", "active_cumulative", "active_end_of_day")
    assert {day: [rows[day][name] for name in figures] for day in FEW_DAYS} == FEW_DAYS
    assert (len(to_september), to_september[0]["date"]) == (26, "2026-09-05")


def test_a_last_day_alone_begins_with_the_first_account(look, person):
    person("Ada", "2026-11-10 12:00:00")

    response = look("to=2026-11-12")

    assert [row["date"] for row in chart_of(response)["rows"]] == [
        "2026-11-10",
        "2026-11-11",
        "2026-11-12",
    ]
    assert response.context_data["period_words"] == "until 12 Nov 2026"
