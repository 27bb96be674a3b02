"""One person's page as people use it: by keyboard, by finger, in French, without scripts."""

import re

import pytest
from playwright.sync_api import Error, expect

from tests.conftest import NOW
from tests.factories.users import DeviceSessionFactory, UserFactory
from users.models import DeviceSession, User

pytestmark = pytest.mark.browser


@pytest.fixture
def grace(world):
    """Somebody whom no other test counts on, signed in on a television."""
    person = UserFactory(
        platform=world.web,
        first_name="Grace",
        last_name="Hopper",
        email="grace@example.com",
        registered_at=NOW.replace(year=2024),
    )
    DeviceSessionFactory(user=person, device_type="tv")
    yield person
    DeviceSession.objects.filter(user=person).delete()
    User.objects.filter(pk=person.pk).delete()


def address_of(person, path=""):
    return f"/users/{person.public_id}/{path}"


def test_from_the_list_by_keyboard_to_an_edit_and_back_with_the_filter(page, grace):
    page.goto("/users/?project=north&q=hopper&sort=name&platform=web")

    page.get_by_role("button", name="Actions for Grace Hopper").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Edit")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="First name")).to_have_value("Grace")
    page.get_by_role("textbox", name="First name").press("End")
    page.keyboard.type(" Brewster")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Grace Brewster Hopper")

    page.get_by_role("link", name="Back to the users").press("Enter")

    page.wait_for_url("**/users/?project=north&q=hopper&sort=name&platform=web")
    expect(page.locator("td.name")).to_have_text("Grace Brewster Hopper")


def test_a_password_is_seen_once_and_gone_when_one_goes_back(page, grace):
    page.goto(address_of(grace))
    page.get_by_role("link", name="Change password").click()
    page.get_by_role("button", name="Set and show once").click()
    shown = page.locator("[data-password]")
    expect(shown).to_have_text(re.compile(r"^(\w{4}-){3}\w{4}$"))
    expect(page.get_by_role("main")).to_contain_text("1 session was ended.")
    password = shown.text_content()

    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("row", name="TV")).to_contain_text("Password changed")

    # The browser has kept nothing of that page, and would have to send the form again.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    expect(page.get_by_text(password)).to_have_count(0)


def test_the_graph_is_drawn_and_read_by_keyboard_and_switched(page, world):
    page.goto(address_of(world.people["member 0"]))
    graph = page.locator("#graph")
    expect(graph.locator("svg")).to_be_visible()
    expect(graph.get_by_role("table")).to_be_hidden()

    graph.locator("[data-chart]").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(graph.locator("[aria-live]")).to_have_text(
        "21 Nov, Le Voyage, première partie: 0:10:00"
    )

    graph.get_by_role("link", name="Number of views").click()
    expect(page.locator("#graph .legend li")).to_have_text("Le Voyage, première partie 1")


def test_on_a_phone_in_french_nothing_is_out_of_reach(window, grace, world):
    page = window(viewport={"width": 320, "height": 700}, has_touch=True)
    page.goto(address_of(world.people["member 0"]))
    page.get_by_role("button", name="français").tap()

    expect(page.get_by_role("heading", name="Que regarde l’utilisateur ?")).to_be_visible()
    expect(page.get_by_role("table", name="Contenus vus")).to_contain_text("0:10:00")
    assert page.evaluate("document.scrollingElement.scrollWidth") == 320
    page.goto(address_of(grace))
    page.get_by_role("button", name="Fermer la session").tap()
    expect(page.get_by_role("status")).to_have_text("1 session a été fermée.")


def test_without_scripts_all_of_it_works(window, grace, world):
    page = window(java_script_enabled=False)
    page.goto(address_of(world.people["member 0"]))
    expect(page.locator("#graph table tbody tr")).to_have_count(1)
    page.get_by_label("Period").select_option("yesterday")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".viewed tbody tr")).to_have_count(1)
    page.locator("#viewed").get_by_role("link", name="Duration").click()
    expect(page.locator("th.viewed__duration")).to_have_attribute("aria-sort", "descending")

    page.goto(address_of(grace))
    page.get_by_role("button", name="End all").click()

    expect(page.get_by_role("status")).to_have_text("1 session was ended.")
    page.get_by_role("button", name="Actions for Grace Hopper").click()
    expect(page.get_by_role("menuitem", name="Edit")).to_be_visible()
