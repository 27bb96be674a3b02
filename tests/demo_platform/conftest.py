"""A platform of the demo, a user with a password, somebody who supports, a clock."""

import re

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.core.cache import cache

from backoffice.projects.models import Project
from tests.conftest import NOW
from tests.factories.analytics import ContentFactory
from tests.factories.projects import PlatformFactory
from tests.factories.users import UserFactory

PASSWORD = "a long and private sentence"
HOME = "/demo-platform/north/web/"


@pytest.fixture(autouse=True)
def clock(db):
    """Sunday, 22 November 2026, 13:00 in Paris; it stands still."""
    cache.clear()
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def web(project):
    project.impersonation_reason = Project.ReasonRule.OFF
    project.save()
    return PlatformFactory(
        project=project, slug="web", name="Web", home_url=f"http://testserver{HOME}"
    )


@pytest.fixture
def ada(web):
    return UserFactory(
        platform=web,
        email="ada@example.com",
        last_name="Lovelace",
        language="en",
        password=make_password(PASSWORD),
    )


@pytest.fixture
def film(project):
    return ContentFactory(
        project=project,
        reference="night-train",
        name="The Night Train",
        duration_seconds=5400,
        status="available",
        described_at=NOW,
    )


class Browser:
    """A visitor's browser: keeps cookies, follows redirects, sends forms as browsers do."""

    def __init__(self, client):
        self.client = client

    def open(self, page=""):
        return self.client.get(f"{HOME}{page}", follow=True)

    def send(self, page="", data=None, origin="http://testserver", **kwargs):
        headers = {"Origin": origin, **kwargs.pop("headers", {})}
        return self.client.post(
            f"{HOME}{page}", data or {}, follow=True, headers=headers, **kwargs
        )

    def sign_in(self, email="ada@example.com", password=PASSWORD):
        return self.send("sign-in/", {"email": email, "password": password})


@pytest.fixture
def visitor(client, web):
    return Browser(client)


@pytest.fixture
def ticket(client, signed_in, ada):
    """Take on Ada's identity in the back office; return the ticket that its page carries."""

    def take(role="support", **data):
        if "session" not in client.cookies:
            signed_in(role)
        page = client.post(f"/users/{ada.public_id}/impersonate/", data).content.decode()
        return re.search(r'name="ticket" value="([^"]+)"', page).group(1)

    return take


def text_of(response):
    """Return the words of the page's body, in one line."""
    body = response.content.decode().partition("<body")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())
