"""Coming in, looking round and going out: sign-in, projects, languages, themes."""

import re

import pytest
from playwright.sync_api import expect

from backoffice.core.permissions import Role
from tests.browser.world import new_staff
from tests.conftest import PASSWORD

pytestmark = pytest.mark.browser


def type_in(page, email, password):
    """Fill in the form by keyboard alone, from wherever the focus is."""
    page.get_by_label("E-mail").wait_for()
    while page.evaluate("document.activeElement.name") != "email":
        page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_a_wrong_password_is_said_and_the_right_one_opens_the_page_asked_for(opened, world):
    staff = new_staff(Role.ADMIN, world.north)
    page = opened()
    page.goto("/users/?status=active&period=all")

    type_in(page, staff.email, "not this one")

    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    assert page.get_by_label("E-mail").input_value() == staff.email
    assert page.get_by_label("Password").input_value() == ""

    type_in(page, staff.email, PASSWORD)

    expect(page.get_by_role("heading", name="Users", level=1)).to_be_visible()
    assert page.url.endswith("/users/?status=active&period=all")


def test_going_out_leaves_nothing_to_come_back_to(page):
    page.goto("/users/?project=north")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("[data-user]")).to_have_count(0)


def test_the_project_chosen_in_the_head_is_remembered(page):
    page.goto("/users/?project=north")

    page.get_by_label("Project").select_option("South")

    expect(page.locator("td.name")).to_have_text(["Hanako Sato"])
    page.goto("/users/")
    expect(page.get_by_label("Project")).to_have_value("south")
    expect(page.locator("#list")).to_contain_text("Asia/Tokyo")


def test_the_language_changes_and_stays_and_changes_back(page):
    page.goto("/users/?project=north&status=active")

    page.get_by_role("button", name="français").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Utilisateurs")
    assert page.url.endswith("/users/?project=north&status=active")
    page.goto("/users/")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")


def test_the_theme_follows_the_system_until_it_is_chosen_and_then_stays(page):
    page.emulate_media(color_scheme="dark")
    page.goto("/users/?project=north")
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.get_by_role("button", name="Light or dark").click()

    expect(root).to_have_attribute("data-bs-theme", "light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.reload()
    expect(root).to_have_attribute("data-bs-theme", "light")


def test_the_first_tab_skips_to_the_content(page):
    page.goto("/users/?project=north")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()
    expect(page).to_have_url(re.compile("#main$"))
