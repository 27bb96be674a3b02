"""The filter bar by hand: each field, what it refuses, and how long it is remembered."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def asked(page):
    """Return what the address asks for, the project apart."""
    query = parse_qs(urlsplit(page.url).query, keep_blank_values=True)
    return {name: ",".join(values) for name, values in query.items() if name != "project"}


@pytest.fixture
def north(page):
    page.goto("/users/?project=north")
    return page


def show(page):
    page.get_by_role("button", name="Show", exact=True).click()


def test_a_search_covers_all_dates_and_its_address_is_short(north):
    north.get_by_label("Search").fill("GONE ada")
    north.keyboard.press("Enter")

    expect(north.locator("td.name")).to_have_text(["Ada Gone"])
    assert asked(north) == {"q": "GONE ada"}
    expect(north.locator(".filter__hint")).to_have_text("All dates")


def test_a_named_period_and_dates_replace_each_other(north):
    north.get_by_label("Period", exact=True).select_option("last-month")
    north.get_by_label("From").fill("2026-11-02")
    assert north.get_by_label("Period", exact=True).input_value() == ""
    north.get_by_label("To", exact=True).fill("2026-11-03")
    show(north)

    expect(north.locator("#list")).to_have_attribute("data-total", "6")
    assert asked(north) == {"from": "2026-11-02", "to": "2026-11-03"}

    north.get_by_label("Period", exact=True).select_option("last-month")
    assert north.get_by_label("From").input_value() == ""
    show(north)

    # Gone and Early.
    expect(north.locator("#list")).to_have_attribute("data-total", "2")
    assert asked(north) == {"period": "last-month"}


def test_platform_and_status_are_ticked_by_keyboard(north):
    north.locator("summary", has_text="Any").first.focus()
    north.keyboard.press("Enter")
    north.locator(".filter__field--platform").get_by_label("TV").focus()
    north.keyboard.press("Space")
    north.keyboard.press("Escape")
    expect(north.locator(".filter__field--platform summary")).to_be_focused()
    expect(north.locator(".filter__field--platform summary")).to_have_text("TV")
    north.locator(".filter__field--status summary").click()
    north.locator(".filter__field--status").get_by_label("Active").check()
    show(north)

    # Members 0, 4 and 8.
    expect(north.locator("#list")).to_have_attribute("data-total", "3")
    assert asked(north) == {"platform": "tv", "status": "active"}
    # The cards follow the platform alone.
    expect(north.locator("[data-card=active]")).to_have_attribute("data-value", "3")


@pytest.mark.parametrize(
    ("query", "where", "words"),
    [
        ("status=asleep", ".filter__field--status", "asleep"),
        ("from=2026-02-30", ".filter__field--from", "date"),
        ("period=month&from=2026-11-01", ".filter__field--period", "not both"),
        ("platform=radio", ".filter__field--platform", "radio"),
        ("colour=red", "#filter-errors", "colour"),
    ],
)
def test_a_wrong_value_is_refused_in_words_beside_its_field(page, query, where, words):
    answer = page.goto(f"/users/?project=north&{query}")

    assert answer.status == 400
    expect(page.locator(where)).to_contain_text(words)
    expect(page.locator("[data-user], [data-card]")).to_have_count(0)
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("[data-card]")).to_have_count(4)


def test_the_filter_survives_sorting_paging_going_back_and_reloading(page):
    page.goto("/users/?project=north&platform=web&status=registered&per_page=10")
    kept = {"platform": "web", "status": "registered", "per_page": "10"}

    page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    assert asked(page) == kept | {"sort": "name"}
    page.get_by_role("link", name="Next").click()
    assert asked(page).items() >= (kept | {"sort": "name"}).items()
    names = page.locator("td.name").all_text_contents()
    page.reload()
    assert page.locator("td.name").all_text_contents() == names

    page.locator("td.name a").first.click()
    page.go_back()
    assert page.locator("td.name").all_text_contents() == names
    expect(page.locator(".filter__field--platform summary")).to_have_text("Web")


def test_the_browsers_way_back_restores_the_fields(north):
    north.get_by_label("Search").fill("member")
    show(north)
    expect(north.locator("#list")).to_have_attribute("data-total", "48")
    north.get_by_label("Search").fill("gone")
    show(north)
    expect(north.locator("#list")).to_have_attribute("data-total", "1")

    north.go_back()

    expect(north.locator("#list")).to_have_attribute("data-total", "48")
    expect(north.get_by_label("Search")).to_have_value("member")


def test_a_chip_takes_off_one_filter_and_clear_takes_off_all(page):
    page.goto("/users/?project=north&counted=active&used=web&platform=tv&sort=name")
    expect(page.locator(".chip")).to_have_count(2)

    page.get_by_role("link", name="Remove the filter: Active in the month").click()
    assert asked(page) == {"used": "web", "platform": "tv", "sort": "name"}
    page.get_by_role("link", name="Clear").click()
    assert asked(page) == {"sort": "name"}


@pytest.mark.parametrize(
    ("query", "words", "way_on"),
    [
        ("project=north&q=nobodyatall", "Nobody matches", "Clear"),
        ("project=north&period=today", "Nobody registered in this period", "All dates"),
    ],
)
def test_an_empty_list_says_why_and_leads_on(page, query, words, way_on):
    page.goto(f"/users/?{query}")

    expect(page.locator(".data-table__empty")).to_contain_text(words)
    page.locator(".data-table__empty").get_by_role("link", name=way_on).click()
    expect(page.locator("[data-user]").first).to_be_visible()


def test_a_project_without_anybody_says_what_to_do(page):
    page.goto("/users/?project=empty")

    expect(page.locator(".data-table__empty")).to_contain_text("connect a platform")
