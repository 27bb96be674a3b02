"""What tests of the Users page share: a fixed clock, platforms, somebody who looks."""

from datetime import datetime, timedelta
from itertools import count

import pytest
import time_machine
from django.core.cache import cache

from backoffice.core.permissions import Role
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.users import UserFactory


@pytest.fixture(autouse=True)
def clock(db):
    """Sunday, 22 November 2026, 13:00 in Paris; it stands still."""
    cache.clear()
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def web(project):
    return PlatformFactory(project=project, slug="web", name="Web")


@pytest.fixture
def tv(project):
    return PlatformFactory(project=project, slug="tv", name="TV")


@pytest.fixture
def person(web):
    """
    Make a user by last name, registered on the web at an instant or a local text of Paris.

    Without an instant: this month, each a minute after the one before.
    """
    minutes = count()

    def make(last_name, at=None, **values):
        if at is None:
            at = NOW - timedelta(hours=12) + timedelta(minutes=next(minutes))
        elif isinstance(at, str):
            at = datetime.fromisoformat(at).replace(tzinfo=web.project.zone)
        platform = values.pop("platform", web)
        return UserFactory(platform=platform, last_name=last_name, registered_at=at, **values)

    return make


@pytest.fixture
def look(client, staff_with, project):
    """Ask for an address of the Users page with a role on the project; return the response."""

    is_signed_in = False

    def look(query="", path="/users/", role=Role.ADMIN, method="get", **kwargs):
        nonlocal is_signed_in
        if not is_signed_in:
            client.force_login(staff_with(role, project))
            is_signed_in = True
        return getattr(client, method)(f"{path}?{query}" if query else path, **kwargs)

    return look
