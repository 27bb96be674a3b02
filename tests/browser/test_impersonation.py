"""From the list by the gear to a platform's home page and back, as a person goes."""

import pytest
from playwright.sync_api import expect

from backoffice.projects.models import ApiKey, Platform, Project
from tests.conftest import NOW
from tests.factories.analytics import ContentFactory
from tests.factories.users import UserFactory
from users.models import Impersonation, User

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(world, address):
    """Somebody of North, whose web site is the demo platform as long as the test lasts."""
    Platform.objects.filter(pk=world.web.pk).update(home_url=f"{address}/demo-platform/north/web/")
    Project.objects.filter(pk=world.north.pk).update(impersonation_reason="OFF")
    film = ContentFactory(
        project=world.north,
        reference="night-train",
        name="The Night Train",
        status="available",
        duration_seconds=5400,
        described_at=NOW,
    )
    person = UserFactory(
        platform=world.web,
        first_name="Grace",
        last_name="Hopper",
        registered_at=NOW.replace(year=2024),
    )
    yield person
    User.objects.filter(pk=person.pk).delete()
    film.delete()
    ApiKey.objects.all().delete()
    Platform.objects.filter(pk=world.web.pk).update(home_url=world.web.home_url)
    Project.objects.filter(pk=world.north.pk).update(impersonation_reason="REQUIRED")


def figures(page):
    page.goto("/users/?project=north")
    return page.locator("[data-card]").evaluate_all("cards => cards.map(c => c.dataset.value)")


def test_one_click_leads_to_the_platform_and_nothing_there_is_counted(page, shown):
    before = figures(page)
    page.goto("/users/?project=north&q=hopper")
    page.locator("tr[data-user]").hover()
    page.get_by_role("button", name="Actions for Grace Hopper").click()

    with page.context.expect_page() as opened:
        page.get_by_role("menuitem", name="Impersonate").click()

    expect(page.get_by_role("menu")).to_have_count(0)
    platform = opened.value
    expect(platform).to_have_url(f"{page.url.partition('/users')[0]}/demo-platform/north/web/")
    expect(platform.get_by_role("heading", level=1)).to_have_text("Welcome, Grace Hopper")
    expect(platform.get_by_role("complementary")).to_contain_text("30 min left")
    platform.get_by_role("link", name="The Night Train").click()
    platform.get_by_role("button", name="Play").click()
    expect(platform.locator("[data-clock]")).not_to_have_text("0:00")
    platform.get_by_role("button", name="Pause").click()
    expect(platform.get_by_role("status")).to_contain_text("Reported:")
    platform.get_by_role("button", name="Stop").click()
    platform.get_by_role("link", name="Back to the back office").click()
    expect(platform.get_by_role("heading", name="Users", level=1)).to_be_visible()
    assert figures(page) == before
    assert Impersonation.objects.get().end_reason == "stopped"


def test_by_keyboard_alone_on_a_narrow_screen_in_french(window, shown):
    page = window(viewport={"width": 320, "height": 800})
    page.goto("/users/?project=north&q=hopper")
    page.get_by_role("button", name="français").press("Enter")
    page.get_by_role("button", name="Actions pour Grace Hopper").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem").nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Incarner")).to_be_focused()

    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")

    platform = opened.value
    platform.get_by_role("button", name="FR").press("Enter")
    expect(platform.get_by_role("heading", level=1)).to_have_text("Bienvenue, Grace Hopper")
    assert platform.evaluate("document.scrollingElement.scrollWidth") == 320
    platform.get_by_role("link", name="Aller au contenu").focus()
    platform.keyboard.press("Tab")
    expect(platform.get_by_role("button", name="Arrêter")).to_be_focused()
    platform.keyboard.press("Enter")
    expect(platform.get_by_role("heading", level=1)).to_have_text("L’incarnation est terminée")


def test_without_scripts_a_reason_and_a_button_do(window, shown, world):
    Project.objects.filter(pk=world.north.pk).update(impersonation_reason="REQUIRED")
    page = window(java_script_enabled=False)
    page.goto(f"/users/{shown.public_id}/impersonate/")
    page.get_by_label("Reason").fill("Ticket 4711")

    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Impersonate").click()

    platform = opened.value
    platform.get_by_role("button", name="Go on to Web").click()
    expect(platform.get_by_role("heading", level=1)).to_have_text("Welcome, Grace Hopper")
    platform.get_by_role("link", name="The Night Train").click()
    platform.get_by_role("button", name="Play").click()
    platform.locator("main").get_by_role("button", name="Stop").click()
    expect(platform.get_by_role("heading", level=1)).to_have_text("My account")


def test_the_token_of_a_reset_link_is_taken_from_the_fragment(opened, shown):
    page = opened()

    page.goto("/demo-platform/north/web/reset/#abc")

    expect(page.get_by_label("Code from the link")).to_have_value("abc")
    assert page.url.endswith("/reset/")
