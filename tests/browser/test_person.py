"""One person's pages: opened by name, edited, edited by two at once."""

import pytest
from playwright.sync_api import expect

from tests.conftest import NOW
from tests.factories.users import UserFactory
from users.models import User

pytestmark = pytest.mark.browser


@pytest.fixture
def editable(world):
    """Somebody whom no other test counts on, in a project of their own list's making."""
    person = UserFactory(
        platform__project=world.north,
        first_name="Grace",
        last_name="Hopper",
        registered_at=NOW.replace(year=2024),
        custom={"city": "Arlington"},
    )
    yield person
    User.objects.filter(pk=person.pk).delete()


def test_a_name_opens_the_profile_and_the_way_back_keeps_the_filter(page):
    page.goto("/users/?project=north&q=member&sort=name")

    page.get_by_role("link", name="Member No05").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Member No05")
    expect(page.get_by_role("table", name="Personal information")).to_contain_text(
        "member05@example.com"
    )
    expect(page.get_by_role("table", name="Subscriptions", exact=True)).to_contain_text("Monthly")
    page.go_back()
    expect(page.locator("td.name").first).to_have_text("Member No00")


def test_an_edit_is_kept_and_said(page, editable):
    page.goto(f"/users/{editable.public_id}/edit/")

    page.get_by_label("Last name").fill("Murray Hopper")
    page.get_by_label("City").fill("New York")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_have_text("The profile was changed.")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Grace Murray Hopper")
    expect(page.get_by_role("table", name="Personal information")).to_contain_text("New York")


def test_a_refused_edit_says_why_beside_the_field_and_loses_nothing(page, editable):
    page.goto(f"/users/{editable.public_id}/edit/")

    page.get_by_label("Last name").fill("Murray Hopper")
    page.get_by_label("E-mail").fill("member05@example.com")
    with page.expect_response(lambda answer: answer.status == 400):
        page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("Another user of this project")
    expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Last name")).to_have_value("Murray Hopper")


def test_of_two_editors_the_second_sees_both_versions_and_loses_nothing(window, editable):
    first, second = window(), window()
    for editor in (first, second):
        editor.goto(f"/users/{editable.public_id}/edit/")
    first.get_by_label("Last name").fill("Murray")
    second.get_by_label("Last name").fill("Brewster")
    first.get_by_role("button", name="Save").click()
    expect(first.get_by_role("status")).to_be_visible()

    with second.expect_response(lambda answer: answer.status == 409):
        second.get_by_role("button", name="Save").click()

    versions = second.get_by_role("table", name="Both versions").get_by_role("row")
    expect(versions.nth(1)).to_contain_text("Last name Murray Brewster")
    expect(second.get_by_label("Last name")).to_have_value("Brewster")
    editable.refresh_from_db()
    assert editable.last_name == "Murray"
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_role("heading", level=1)).to_contain_text("Grace Brewster")
