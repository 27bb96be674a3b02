"""The whole way without a line of JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.browser.world import new_staff
from tests.conftest import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def north(window):
    page = window(java_script_enabled=False, accept_downloads=True)
    page.goto("/users/?project=north&per_page=20")
    return page


def total(page):
    return page.locator("#list").get_attribute("data-total")


def test_signing_in_and_out(opened, world):
    staff = new_staff(project=world.north)
    page = opened(java_script_enabled=False)
    page.goto("/users/")
    page.get_by_label("E-mail").fill(staff.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("[data-card]")).to_have_count(4)

    page.get_by_role("button", name="français").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Utilisateurs")
    page.get_by_role("button", name="Se déconnecter").click()
    expect(page.locator("form input[type=password]")).to_be_visible()


def test_the_figures_of_the_chart_stand_open(north):
    expect(north.locator(".chart-table tbody tr")).to_have_count(30)
    expect(north.locator(".chart-table tbody tr").first).to_be_visible()
    expect(north.locator("[data-chart]")).to_have_text("")
    # What only scripts could serve is not offered.
    for control in ("[data-theme-toggle]", "[data-select-page]", "[data-selection-all]"):
        expect(north.locator(control)).to_be_hidden()


def test_filtering_sorting_and_paging(north):
    north.locator(".filter__field--platform summary").click()
    north.locator(".filter__field--platform").get_by_label("TV").check()
    north.get_by_label("Search").fill("member")
    north.get_by_role("button", name="Show", exact=True).click()
    # Every fourth of 48. Empty fields stand in the address and narrow nothing.
    assert total(north) == "12"

    north.get_by_role("link", name="Clear").click()
    assert total(north) == "54"
    north.locator("th.name a").click()
    expect(north.locator("th.name")).to_have_attribute("aria-sort", "ascending")
    north.get_by_role("link", name="Next").click()
    expect(north.locator(".panel__foot")).to_contain_text("21–40 of 54")
    north.get_by_role("link", name="Previous").click()
    expect(north.locator(".panel__foot")).to_contain_text("1–20 of 54")


def test_files_definitions_and_menus(north):
    for link in ("Basic list (CSV)", "Complete list (CSV)", "CSV of the chart, by day"):
        with north.expect_download() as waiting:
            north.get_by_role("link", name=link).click()
        assert waiting.value.path().stat().st_size > 100

    north.get_by_role("button", name="What “Active users” means").click()
    expect(north.locator("#definition-active")).to_be_visible()
    north.keyboard.press("Escape")

    north.get_by_role("button", name="Actions for <script>alert(1)</script> O'Neil").focus()
    north.keyboard.press("Enter")
    north.get_by_role("menuitem", name="Edit").click()
    expect(north.get_by_label("Last name")).to_have_value("O'Neil & Söhne")


def test_the_project_is_switched_with_a_button(north):
    north.get_by_label("Project").select_option("South")
    north.get_by_role("button", name="Go").click()

    expect(north.locator("td.name")).to_have_text(["Hanako Sato"])
