"""The platform of docs/examples, over real HTTP: a process of its own and a live server."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from tests.factories.projects import ApiKeyFactory
from tests.factories.users import ImpersonationFactory, UserFactory
from users.models import Impersonation

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "platform.py"


@pytest.fixture(autouse=True)
def clock():
    """Stand in for the others' clock: this one runs."""


@pytest.fixture
def platform(live_server):
    """Start the example with a key; return its address."""
    user = UserFactory(first_name="Ada", last_name="Lovelace")
    ImpersonationFactory(user=user, ticket="enter", created_at=timezone.now())
    ApiKeyFactory(platform=user.platform, raw="bk_example")
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE)],
        env=os.environ | {"API": f"{live_server.url}/api/v1", "KEY": "bk_example", "PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process.stdout.readline().strip()
    process.kill()
    process.communicate()


def test_the_example_redeems_shows_and_stops(platform):
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def text(path="", form=None):
        data = None if form is None else urlencode(form).encode()
        try:
            with opener.open(f"{platform}{path}", data, timeout=60) as answer:
                return re.sub("<[^>]+>", " ", answer.read().decode())
        except urllib.error.HTTPError as refused:
            return f"{refused.code} {refused.read().decode()}"

    assert "Nobody is signed in" in text()
    assert "Olive Hart sees this as Ada Lovelace, read-only" in text(form={"ticket": "enter"})
    assert "Olive Hart sees this" in text()
    assert "410" in text(form={"ticket": "enter"})
    assert "Nobody is signed in" in text("stop", {})
    assert Impersonation.objects.get().end_reason == "stopped"
