"""An import from the file to the undo, as somebody clicks through it."""

import pytest
from django.db import connection
from playwright.sync_api import expect

from tests.browser.test_layout import NARROW, check
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory
from users.models import User

pytestmark = pytest.mark.browser

PEOPLE = ["ada@example.com;Augusta;x", "new@example.com;=Nova;y", "bad;Bad;z"]
FILE = "\r\n".join(["Courriel;Prénom;Surnom", *PEOPLE, ""])


@pytest.fixture
def coming(world):
    """A project of this test's own, with one person; nothing of it is left."""
    web = PlatformFactory(project=ProjectFactory(slug="coming", name="Coming"))
    UserFactory(platform=web, email="ada@example.com", first_name="Ada", registered_at=NOW)
    yield web.project
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM users_importpart")
        cursor.execute("DELETE FROM users_importrow")
        cursor.execute("UPDATE staff_staffmember SET last_project_id = NULL")
        for table in (
            "users_userimport",
            "users_importheading",
            "users_usersearch",
            "users_user",
            "users_registrationday",
            "projects_platform",
        ):
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [web.project_id])
        cursor.execute("DELETE FROM projects_project WHERE id = %s", [web.project_id])


def test_from_the_file_to_the_undo(page, coming):
    page.goto("/users/import/?project=coming")
    page.get_by_label("CSV or XLSX file").set_input_files(
        {"name": "membres.csv", "mimeType": "text/csv", "buffer": FILE.encode("cp1252")}
    )
    page.get_by_role("button", name="Upload").click()

    # What nobody declared is named, and ignored by hand.
    expect(page.locator("main")).to_contain_text("Windows-1252, semicolon")
    expect(page.get_by_role("alert")).to_contain_text("Surnom")
    check(page)
    page.set_viewport_size(NARROW)
    expect(page.get_by_label("Surnom")).to_be_in_viewport(ratio=1)
    page.get_by_label("Surnom").select_option("ignore")
    page.get_by_role("button", name="Dry run").click()

    counts = page.locator("[data-import]")
    expect(counts).to_have_attribute("data-import-state", "CHECKED")
    for name in ("new", "changed", "refused"):
        expect(counts).to_have_attribute(f"data-import-{name}", "1")
    expect(page.locator("tr[data-line='4']")).to_contain_text("Enter a valid email address.")
    page.get_by_role("link", name="Changed (1)").click()
    expect(page.locator("tr[data-line='2'] del")).to_have_text("Ada")
    check(page)
    page.get_by_role("button", name="Import", exact=True).click()

    expect(counts).to_have_attribute("data-import-state", "APPLIED")
    assert User.objects.present().filter(project=coming).count() == 2
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Refused rows as a file").click()
    assert waiting.value.path().read_text("utf-8-sig").splitlines() == [
        "refused_line;refused_reason;Courriel;Prénom;Surnom",
        "4;email: Enter a valid email address.;bad;Bad;z",
    ]
    check(page)
    page.get_by_role("button", name="Undo the import").click()

    expect(page.locator("main")).to_contain_text("Removed: 1. Restored: 1.")
    assert User.objects.present().get(project=coming).first_name == "Ada"
