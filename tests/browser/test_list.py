"""The list of users by hand: order, pages, ticks, the gear of a row."""

import json
import re

import pytest
from playwright.sync_api import expect

from backoffice.core.permissions import Role

pytestmark = pytest.mark.browser

MEMBERS = "/users/?project=north&q=member&per_page=10"


def names(page):
    return page.locator("td.name").all_text_contents()


def members(*numbers):
    return [f"Member No{number:02}" for number in numbers]


@pytest.fixture
def listed(page):
    """The 48 members, ten to a page, the last registered first."""
    page.goto(MEMBERS)
    return page


# --- Order and pages ---------------------------------------------------------------------------


def test_the_heads_say_the_order_and_turn_it_round(listed):
    registered = listed.locator("th.registered")
    expect(registered).to_have_attribute("aria-sort", "descending")
    assert names(listed) == members(*range(47, 37, -1))

    registered.get_by_role("link").click()
    expect(registered).to_have_attribute("aria-sort", "ascending")
    assert names(listed) == members(*range(10))

    listed.locator("th.email").get_by_role("link").click()
    expect(listed.locator("th.email")).to_have_attribute("aria-sort", "ascending")
    listed.locator("th.email").get_by_role("link").click()
    expect(listed.locator("th.email")).to_have_attribute("aria-sort", "descending")
    expect(listed.locator("th[aria-sort]")).to_have_count(1)
    assert names(listed) == members(*range(47, 37, -1))

    # Active before Registered; among equals the order is fixed.
    listed.locator("th.status").get_by_role("link").click()
    statuses = [row.get_attribute("data-status") for row in listed.locator("[data-user]").all()]
    assert statuses == ["active"] * 10


def test_pages_lead_on_to_the_end_and_back_to_the_beginning(listed):
    first = names(listed)
    expect(listed.locator("a[rel=prev]")).to_have_count(0)
    pages = [first]
    while listed.locator("a[rel=next]").count():
        listed.locator("a[rel=next]").click()
        # The rows of the page before are gone when its first one is.
        expect(listed.get_by_role("link", name=pages[-1][0])).to_have_count(0)
        pages.append(names(listed))

    assert [len(page) for page in pages] == [10, 10, 10, 10, 8]
    assert [name for page in pages for name in page] == members(*range(47, -1, -1))
    expect(listed.locator(".panel__foot")).to_contain_text("41–48 of 48")

    for page in reversed(pages[:-1]):
        listed.locator("a[rel=prev]").click()
        expect(listed.locator("td.name").first).to_have_text(page[0])
        assert names(listed) == page
    expect(listed.locator("a[rel=prev]")).to_have_count(0)


# --- Ticks -------------------------------------------------------------------------------------


def test_ticks_survive_paging_and_sorting_until_they_are_cleared(listed):
    bar = listed.locator("[data-selection]")
    expect(bar).to_be_hidden()
    listed.get_by_label("Select Member No47").check()
    listed.get_by_label("Select Member No46").check()
    expect(bar).to_contain_text("2 selected")

    listed.locator("a[rel=next]").click()
    expect(bar).to_contain_text("2 selected")
    listed.get_by_label("Select all users of this page").check()
    expect(bar).to_contain_text("12 selected")

    listed.locator("th.registered a").click()
    listed.locator("th.registered a").click()
    expect(listed.get_by_label("Select Member No47")).to_be_checked()
    expect(listed.get_by_label("Select Member No45")).not_to_be_checked()
    expect(bar).to_contain_text("12 selected")

    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()
    listed.reload()
    expect(listed.locator("input[name=user]:checked")).to_have_count(0)


def test_all_that_match_are_selected_at_once_and_exported(listed):
    listed.get_by_label("Select Member No47").check()
    bar = listed.locator("[data-selection]")

    bar.get_by_role("button", name="Select all 48 matching").click()

    expect(bar).to_contain_text("48 selected")
    listed.locator("a[rel=next]").click()
    expect(listed.locator("input[name=user]:checked")).to_have_count(10)
    with listed.expect_download() as waiting:
        bar.get_by_role("link", name="Export").click()
    assert len(waiting.value.path().read_text("utf-8-sig").splitlines()) == 49


def test_ticks_do_not_follow_into_another_filter(listed):
    listed.get_by_label("Select Member No47").check()

    listed.get_by_label("Search").fill("No47")
    listed.keyboard.press("Enter")

    expect(listed.locator("td.name")).to_have_count(1)
    expect(listed.locator("input[name=user]:checked")).to_have_count(0)


# --- The gear ----------------------------------------------------------------------------------


def gear_of(page, name):
    return page.get_by_role("button", name=f"Actions for {name}", include_hidden=True)


def opacity(locator):
    return float(locator.evaluate("gear => getComputedStyle(gear).opacity"))


def test_the_gear_appears_on_hover_and_on_focus(listed):
    gear = gear_of(listed, "Member No44")
    assert opacity(gear) == 0

    listed.get_by_text("member44@example.com").hover()
    assert opacity(gear) == 1

    listed.get_by_label("Search").hover()
    assert opacity(gear) == 0
    listed.get_by_role("link", name="Member No44").focus()
    assert opacity(gear) == 1


def test_the_gear_is_always_there_on_touch(window):
    page = window(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    page.goto(MEMBERS)
    gear = gear_of(page, "Member No44")
    assert opacity(gear) == 1

    gear.tap()

    menu = page.get_by_role("menu", name="Actions for Member No44")
    expect(menu).to_be_visible()
    box = menu.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_the_menu_opens_beside_its_gear_by_mouse_and_closes_by_a_click_elsewhere(listed):
    gear = gear_of(listed, "Member No47")
    listed.get_by_text("member47@example.com").hover()

    gear.click()

    menu = listed.get_by_role("menu", name="Actions for Member No47")
    expect(menu).to_be_visible()
    expect(gear).to_have_attribute("aria-expanded", "true")
    at, shown = gear.bounding_box(), menu.bounding_box()
    assert abs(shown["y"] - (at["y"] + at["height"])) < 12
    assert abs(shown["x"] + shown["width"] - (at["x"] + at["width"])) < 12
    listed.get_by_role("heading", name="Users", level=1).click()
    expect(menu).to_be_hidden()


def test_the_menu_by_keyboard(listed):
    gear = gear_of(listed, "Member No47")
    gear.focus()
    listed.keyboard.press("ArrowDown")
    items = listed.get_by_role("menu", name="Actions for Member No47").get_by_role("menuitem")

    expect(items).to_have_text(["Edit", "Impersonate", "Delete"])
    expect(items.nth(0)).to_be_focused()
    for key, at in (("ArrowDown", 1), ("End", 2), ("ArrowDown", 0), ("ArrowUp", 2), ("Home", 0)):
        listed.keyboard.press(key)
        expect(items.nth(at)).to_be_focused()
    listed.keyboard.press("Escape")

    expect(items).to_have_count(0)
    expect(gear).to_be_focused()
    listed.keyboard.press("Enter")
    expect(items.nth(0)).to_be_focused()
    listed.keyboard.press("Enter")
    expect(listed.get_by_role("textbox", name="First name")).to_have_value("Member")


@pytest.mark.parametrize("act", ["Edit", "Impersonate", "Delete"])
def test_each_entry_leads_to_its_page_without_another_password(listed, act, world):
    gear = gear_of(listed, "Member No47")
    gear.focus()
    listed.keyboard.press("Enter")

    listed.get_by_role("menuitem", name=act).click()

    person = world.people["member 47"]
    expect(listed).to_have_url(re.compile(f"/users/{person.public_id}/{act.lower()}/"))
    expect(listed.get_by_role("main")).to_contain_text("Member No47")


@pytest.mark.parametrize(
    ("role", "acts"),
    [(Role.SUPPORT, ["Edit", "Impersonate"]), (Role.ANALYST, []), (Role.READER, [])],
)
def test_what_is_forbidden_is_absent(window, world, role, acts):
    page = window(role, world.north)
    page.goto("/users/?period=all")

    menus = page.locator("[data-user]").evaluate_all(
        """rows => rows.map(
             row => [...row.querySelectorAll("[role=menuitem]")].map(item => item.textContent))"""
    )

    assert {json.dumps(menu) for menu in menus} == {json.dumps(acts)}
    expect(page.locator(".gear")).to_have_count(len(menus) if acts else 0)
