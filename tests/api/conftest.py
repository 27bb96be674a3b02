"""A platform that calls the API with its key, on 20 March 2026 at noon UTC."""

import json
from datetime import UTC, datetime

import pytest
import time_machine

from tests.factories.projects import ApiKeyFactory, PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


class Caller:
    """Sends JSON with a key; answers Django's test responses."""

    def __init__(self, client, key):
        self.client = client
        self.key = key

    def send(self, method, path, body=None, **headers):
        """Send the body as JSON, or as it is if it is text or bytes."""
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.generic(
            method,
            f"/api/v1{path}",
            content if body is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", **headers},
        )

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, body, **headers):
        return self.send("POST", path, body, **headers)

    def put(self, path, body):
        return self.send("PUT", path, body)

    def patch(self, path, body):
        return self.send("PATCH", path, body)


@pytest.fixture
def clock():
    """The API reads the clock itself: it stands at NOW, and can be moved."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def service(db):
    return ProjectFactory(slug="north", time_zone="Europe/Paris", currency="EUR")


@pytest.fixture
def web(service):
    return PlatformFactory(project=service, slug="north-web")


@pytest.fixture
def api(client, web, clock):
    ApiKeyFactory(platform=web, raw="north-key")
    return Caller(client, "north-key")


@pytest.fixture
def other_api(client, clock):
    """The platform of another project."""
    platform = PlatformFactory(project=ProjectFactory(slug="south", currency="JPY"))
    ApiKeyFactory(platform=platform, raw="south-key")
    return Caller(client, "south-key")


@pytest.fixture
def ada(web):
    """A user of the service, registered on 10 March 2026 at noon UTC."""
    return UserFactory(platform=web, email="ada@example.com")
