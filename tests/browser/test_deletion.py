"""Deleting people: from the gear menu, and ticked in the list, to the receipt."""

import pytest
from django.db import connection
from playwright.sync_api import expect

from tests.conftest import NOW
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.users import UserFactory
from users.models import User

pytestmark = pytest.mark.browser


@pytest.fixture
def three(world):
    """A project of this test's own, with three people; nothing of it is left."""
    web = PlatformFactory(project=ProjectFactory(slug="leaving", name="Leaving"))
    people = [
        UserFactory(platform=web, first_name=name, last_name="Leaver", registered_at=NOW)
        for name in ("Ann", "Bob", "Cleo")
    ]
    SubscriptionFactory(user=people[0], provider="apple", now=NOW)
    yield people
    with connection.cursor() as cursor:
        for table in (
            "users_deletion",
            "jobs_export",
            "subscriptions_accessspan",
            "subscriptions_spanday",
            "subscriptions_subscription",
            "subscriptions_offer",
            "users_usersearch",
            "users_user",
            "users_registrationday",
            "projects_platform",
        ):
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [web.project_id])
        cursor.execute("UPDATE staff_staffmember SET last_project_id = NULL")
        cursor.execute("DELETE FROM projects_project WHERE id = %s", [web.project_id])


def test_from_the_gear_menu_by_keyboard_to_the_receipt(page, three):
    page.goto("/users/?project=leaving&sort=name")

    gear = page.get_by_role("button", name="Actions for Ann Leaver")
    gear.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Edit")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 1 user")
    expect(page.locator("main")).to_contain_text("not ours to cancel")
    page.get_by_role("button", name="Delete 1 user").press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("1 user deleted")
    expect(page.locator("main")).to_contain_text("kept without identity")
    page.locator("main").get_by_role("link", name="Users").click()
    # By name, as the list was left.
    expect(page.locator("td.name")).to_have_text(["Bob Leaver", "Cleo Leaver"])
    expect(page.locator("#list")).to_have_attribute("data-deleted", "1")


def test_ticked_ones_go_together_and_their_ticks_with_them(page, three):
    page.goto("/users/?project=leaving&sort=name")
    page.get_by_label("Select Ann Leaver").check()
    page.get_by_label("Select Cleo Leaver").check()
    bar = page.locator("[data-selection]")
    with page.expect_download() as waiting:
        bar.get_by_role("button", name="Export").click()
    assert len(waiting.value.path().read_text("utf-8-sig").splitlines()) == 3

    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 2 users")
    page.get_by_role("button", name="Delete 2 users").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("2 users deleted")
    page.goto("/users/?project=leaving&sort=name")
    expect(page.locator("[data-selection]")).to_be_hidden()
    assert User.objects.present().filter(project__slug="leaving").count() == 1
