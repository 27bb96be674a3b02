"""Large bodies that are refused unread: a plain client, which sends all first, has its answer."""

import contextlib
import http.client
import json

import pytest

from bench.harness import site
from tests.factories.projects import ApiKeyFactory, PlatformFactory
from tests.faults.test_viewings import address_of_test_database

pytestmark = pytest.mark.fault

MIB = 1024 * 1024
KEY = {"Authorization": "Bearer fault-key"}
IN_CHUNKS = {"Transfer-Encoding": "chunked"}


def send(port, method, path, size, headers):
    """Send all, then read; return the status and the code of the refusal."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    is_in_chunks = headers.keys() & IN_CHUNKS.keys()
    body = iter([b"x" * MIB] * (size // MIB)) if is_in_chunks else b"x" * size
    with contextlib.closing(line):
        line.request(
            method,
            path,
            body,
            headers | {"Content-Type": "application/json"},
            encode_chunked=True,
        )
        response = line.getresponse()
        return response.status, json.loads(response.read())["error"]["code"]


@pytest.mark.usefixtures("transactional_db")
def test_every_early_refusal_reaches_a_plain_client(monkeypatch):
    ApiKeyFactory(platform=PlatformFactory(), raw="fault-key")
    monkeypatch.setenv("DATABASE_URL", address_of_test_database())
    monkeypatch.setenv("WEB_PROCESSES", "1")
    users, nothing, stripe = "/api/v1/users", "/api/v1/nothing", "/webhooks/stripe/nowhere/"
    asked = {
        ("POST", users, 4 * MIB + 50): (KEY, (413, "too_large")),
        ("POST", users, 15 * MIB): (KEY, (413, "too_large")),
        ("POST", users, 3_900_000): ({}, (401, "unauthorized")),
        ("POST", nothing, 3_900_000): (KEY, (404, "not_found")),
        ("PUT", users, 3_900_000): (KEY, (405, "method_not_allowed")),
        ("POST", users, 5 * MIB): (KEY | IN_CHUNKS, (400, "malformed")),
        ("POST", stripe, 3_900_000): ({}, (413, "too_large")),
        ("POST", stripe, 900_000): ({}, (404, "not_found")),
    }

    with site() as web:
        for _ in range(5):
            for question, (headers, answer) in asked.items():
                assert send(web.port, *question, headers) == answer, question
