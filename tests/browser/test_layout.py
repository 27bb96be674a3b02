"""Each page in both themes, wide and narrow: nothing for axe to find, nothing sticks out."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import expect

from backoffice.core.permissions import Role
from backoffice.staff.proof import PROVED_AT
from tests.browser.world import LONG

pytestmark = pytest.mark.browser

WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 320, "height": 800}

PAGES = {
    "list": ("/users/?project=north&period=all&per_page=10", 200),
    "list of one figure": ("/users/?project=north&counted=registered&per_page=10", 200),
    "list with more filters": ("/users/?project=north&country=FR&used=web", 200),
    "refused filter": ("/users/?project=north&status=asleep&q=x&from=1&colour=red", 400),
    "nobody found": ("/users/?project=north&q=nobodyatall", 200),
    "empty project": ("/users/?project=empty", 200),
    "profile": ("/users/{member}/", 200),
    "profile of a long name": ("/users/{long}/", 200),
    "profile without a name": ("/users/{nameless}/", 200),
    "profile, refused filter": ("/users/{member}/?period=never&colour=red", 400),
    "edit": ("/users/{long}/edit/", 200),
    "password": ("/users/{long}/password/", 200),
    "to come": ("/users/{long}/delete/", 200),
    "refused file": ("/users/export/basic.csv?project=north&status=asleep", 400),
    "audit": ("/audit/?project=north", 200),
    "audit, refused": ("/audit/?project=north&colour=red", 400),
    "impersonate": ("/users/{long}/impersonate/", 200),
    "impersonations": ("/impersonations/?project=north", 200),
    "demo platform": ("/demo-platform/north/web/", 200),
    "demo platform, sign-up": ("/demo-platform/north/web/sign-up/", 200),
    "new user": ("/users/new/?project=north", 200),
    "sign-up fields": ("/settings/sign-up-fields/?project=north", 200),
    "staff": ("/settings/staff/?project=north", 200),
    "help": ("/help/?project=north", 200),
    "missing": ("/nowhere/", 404),
    "second factor": ("/account/second-factor/", 200),
}

axe = Axe()


def check(page):
    """Assert that nothing is wrong with the page as it stands, in any theme and width."""
    for width in (WIDE, NARROW):
        page.set_viewport_size(width)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
            found = axe.run(page)
            where = f"{width['width']} px, {theme}"
            assert found.violations_count == 0, f"{where}: {found.generate_report()}"
        assert not sticking_out(page, width)


def sticking_out(page, width):
    """Return the beginnings of what makes the page wider than its window."""
    return page.evaluate(
        """width => document.scrollingElement.scrollWidth <= width ? [] :
             [...document.body.querySelectorAll("*")]
               .filter(e => e.getBoundingClientRect().right > width)
               .map(e => e.outerHTML.slice(0, 120))""",
        width["width"],
    )


@pytest.mark.parametrize("name", PAGES)
def test_page(page, world, name):
    people = world.people
    address, status = PAGES[name]
    address = address.format(
        member=people["member 0"].public_id,
        long=people["long"].public_id,
        nameless=people["nameless"].public_id,
    )
    assert page.goto(address).status == status

    if page.locator("[data-chart]").count():
        expect(page.locator("[data-chart] svg")).to_be_visible()
    check(page)


def test_the_list_with_everything_open(page):
    page.goto("/users/?project=north&period=all&per_page=10")
    expect(page.locator("[data-chart] svg")).to_be_visible()
    page.locator(".chart-table summary").click()
    page.locator(".filter__more > summary").click()
    page.get_by_label("Select Gone").first.or_(page.locator("input[name=user]").first).check()
    page.locator(".gear").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu")).to_be_visible()

    check(page)


def test_sign_in_and_its_refusal(opened):
    page = opened()
    page.goto("/sign-in/")
    check(page)

    page.get_by_label("E-mail").fill("nobody@example.com")
    page.get_by_label("Password").fill("nothing")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    check(page)


def test_the_question_for_the_password(page, world):
    page.goto("/users/?project=north")
    forget_proof(page)

    page.get_by_role("link", name="Basic list (CSV)").evaluate("link => link.download = false")
    page.goto("/users/export/basic.csv?project=north")

    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    check(page)


def forget_proof(page):
    """Let the last proof of the reader's session be too old."""
    (key,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "session"]
    session = SessionStore(key)
    session[PROVED_AT] -= 3600.0
    session.save()


def test_what_is_not_allowed(window, world):
    page = window(Role.READER, world.north)
    assert page.goto("/audit/").status == 403
    check(page)


def test_french(page):
    page.goto("/users/?project=north&period=all&per_page=10")
    page.get_by_role("button", name="français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("[data-chart] svg")).to_be_visible()

    check(page)


def test_names_of_every_kind_are_shown_as_they_are_written(page):
    page.goto("/users/?project=north")

    for name in ("محمد الأحمد", "小明 王", f"Hubert Blaine {LONG}", "<script>alert(1)</script>"):
        expect(page.locator("td.name bdi", has_text=name)).to_be_visible()
    # Nobody is without a name to click on.
    expect(page.locator("td.name", has_text="nameless@example.com")).to_be_visible()
    arabic = page.locator("td.name bdi", has_text="محمد")
    assert arabic.evaluate("name => getComputedStyle(name).direction") == "rtl"
    long_name = page.locator("td.name", has_text=LONG).bounding_box()
    assert long_name["width"] < 320


def test_a_camera_reads_the_code_of_a_second_factor_in_both_themes(page):
    page.goto("/account/second-factor/new/")
    code = page.locator(".qr-code svg")

    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        assert code.evaluate("code => getComputedStyle(code).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        drawn = code.locator("path").first
        assert drawn.evaluate("path => getComputedStyle(path).fill") == "rgb(0, 0, 0)"
