"""
What browser tests share: one made world behind one server, somebody signed in, an open eye.

The world is made once and only read, but for the persons that a test makes for itself. The
server's clock starts at `NOW` and runs.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import time_machine
from django.conf import settings
from django.contrib.staticfiles import handlers
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from analytics.models import Viewing
from backoffice.core.permissions import Role
from backoffice.staff.models import StaffMember
from tests.browser.world import make_world, new_staff
from tests.conftest import NOW

# A page that takes longer has failed; it need not be waited for half a minute.
PATIENCE_MS = 10_000
TEN_YEARS_SECONDS = 315_360_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def world(django_db_setup, django_db_blocker):
    """Rows that outlive single tests; all are gone in the end."""
    with django_db_blocker.unblock(), time_machine.travel(NOW, tick=True):
        yield make_world()
        # A table that the ORM does not manage is not flushed.
        Viewing.objects.all().delete()
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def transactional_db(world):
    """Stand in for the plugin's own, which a live server asks for and which empties all tables."""


class KeptFiles(handlers.StaticFilesHandler):
    """
    Static files that the browser keeps, as it does in production.

    It would ask for each of them on every page otherwise: by the server's clock, which starts at
    `NOW`, they are from the future or stale.
    """

    def serve(self, request):
        response = super().serve(request)
        response["Cache-Control"] = f"max-age={TEN_YEARS_SECONDS}"
        return response


@pytest.fixture(scope="package")
def live_server(world):
    """One server for all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handlers, "StaticFilesHandler", KeptFiles)
        server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture
def address(live_server):
    """Where the pages are served, as `http://localhost:…`."""
    return live_server.url


@dataclass
class Reader:
    """A staff member, and the cookie of a session just begun."""

    staff: StaffMember
    cookie: str


@pytest.fixture
def reader(world):
    """Sign somebody new in with a role, on all projects unless one is named."""

    def sign_in(role=Role.ADMIN, project=None) -> Reader:
        staff = new_staff(role, project)
        client = Client()
        client.force_login(staff)
        return Reader(staff, client.cookies[settings.SESSION_COOKIE_NAME].value)

    return sign_in


@pytest.fixture
def problems():
    """What went wrong in any page; it fails the test at its end."""
    found = []
    yield found
    assert not found


@pytest.fixture
def opened(new_context, address, problems):
    """Open a browser window of its own, with nobody signed in; keywords are Playwright's."""

    def open_window(**options):
        options.setdefault("viewport", {"width": 1440, "height": 1000})
        context = new_context(base_url=address, reduced_motion="reduce", locale="en-GB", **options)
        context.set_default_timeout(PATIENCE_MS)
        watch(context, address, problems)
        return context.new_page()

    return open_window


@pytest.fixture
def window(opened, reader, address):
    """Open a window in which somebody with a role is signed in; return its page."""

    def open_window(role=Role.ADMIN, project=None, **options):
        page = opened(**options)
        cookie = reader(role, project).cookie
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": address}]
        )
        return page

    return open_window


@pytest.fixture
def page(window):
    """A window in which an admin of all projects is signed in."""
    return window()


def watch(context, address, problems):
    """Note errors on the console, breaches of the policy, what is missing or from elsewhere."""

    def on_console(message):
        # Answers that failed are judged below, where the page itself may be a refusal.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            problems.append(f"console: {message.text}")

    def on_response(response):
        if response.status >= 400 and not response.request.is_navigation_request():
            problems.append(f"{response.status}: {response.url}")

    def on_request(request):
        if urlsplit(request.url).scheme.startswith("http") and not request.url.startswith(address):
            problems.append(f"asked elsewhere: {request.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: problems.append(f"script: {error.error}"))
    context.on("response", on_response)
    context.on("request", on_request)
