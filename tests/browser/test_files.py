"""The files of the list, as a browser gets them."""

import csv
import io

import pytest

from backoffice.core.permissions import Role

pytestmark = pytest.mark.browser


def download(page, link):
    """Follow a link to a file; return its suggested name and its rows."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=link).click()
    text = waiting.value.path().read_text("utf-8-sig")
    return waiting.value.suggested_filename, list(csv.reader(io.StringIO(text, newline="")))


@pytest.fixture
def north(page):
    page.goto("/users/?project=north&sort=email")
    return page


def test_the_basic_list_is_the_whole_list_in_its_order(north):
    shown = north.locator("td.email").all_text_contents()

    name, (headings, *rows) = download(north, "Basic list (CSV)")

    assert name == "north-users-basic-2026-11-22.csv"
    assert headings == [
        "id", "status", "first_name", "last_name", "email", "registered_at", "modified_at",
        "language", "country", "platform", "city",
    ]  # fmt: skip
    assert len(rows) == 54
    # The page shows the first fifty.
    assert [row[4] for row in rows][:50] == shown
    by_email = {row[4]: row for row in rows}
    assert by_email["arabic@example.com"][1:4] == ["active", "محمد", "الأحمد"]
    # What a spreadsheet would calculate is told to be text.
    assert by_email["formula@example.com"][2] == "'=1+2"


def test_the_complete_list_knows_what_was_watched(north):
    name, (headings, *rows) = download(north, "Complete list (CSV)")

    assert name == "north-users-complete-2026-11-22.csv"
    assert headings == [
        "id", "first_name", "last_name", "email", "first_media_name", "first_media_viewed_at",
        "first_media_id", "last_media_name", "last_media_viewed_at", "last_media_id",
        "viewing_seconds", "media_viewed",
    ]  # fmt: skip
    assert len(rows) == 54
    (viewer,) = [row for row in rows if row[3] == "member00@example.com"]
    assert viewer[4] == "Le Voyage, première partie"
    assert viewer[10:] == ["600", "1"]
    assert all(row[10:] == ["0", "0"] for row in rows if row is not viewer)


def test_the_analyst_sees_and_gets_names_and_addresses_masked(window, world):
    page = window(Role.ANALYST, world.north)
    page.goto("/users/")

    text = page.locator("main").inner_text()
    _name, (_headings, *rows) = download(page, "Basic list (CSV)")

    shown = text + str(rows)
    assert "M. N." in text
    for secret in ("Member", "@example.com", "Wolfe", "الأحمد"):
        assert secret not in shown
    assert page.get_by_label("Search").count() == 0
    assert page.locator("th.name a, th.email a").count() == 0


def test_the_reader_has_no_way_to_a_file(window, world):
    page = window(Role.READER, world.north)
    page.goto("/users/?period=all")

    assert page.locator("[data-user]").count() > 0
    assert page.locator("a[download], [data-selection-export]").count() == 0
    assert page.goto("/users/export/basic.csv").status == 403
