"""A file whose database is cut off while it is made: nothing that looks like one is sent."""

import contextlib
import socket
import threading

import pytest
from django.db import connection, transaction

from bench.harness import site
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory
from tests.faults.test_viewings import address_of_test_database, wait_until

pytestmark = pytest.mark.fault


def ask(web, file):
    """Ask as a client of HTTP/1.0 does, for whom a line that ends is the end of the file."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", web.port), timeout=60)) as line:
        line.sendall(
            f"GET /users/export/{file}?period=all&project=north HTTP/1.0\r\nHost: localhost\r\n"
            f"Cookie: {web.cookie}\r\n\r\n".encode()
        )
        head, _, body = b"".join(iter(lambda: line.recv(65536), b"")).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return int(status.split()[1]), dict(header.lower().split(": ", 1) for header in headers), body


def held():
    """Return the processes of the database that wait for what somebody holds."""
    with connection.cursor() as cursor:
        # Not the statistics, which stand still within a transaction.
        cursor.execute("SELECT pid FROM pg_locks WHERE NOT granted")
        return [pid for (pid,) in cursor.fetchall()]


def test_a_database_that_ends_in_the_middle_sends_no_file_to_any_client(
    transactional_db, monkeypatch
):
    web_site = PlatformFactory(project=ProjectFactory(slug="north"))
    UserFactory.create_batch(3, platform=web_site)
    monkeypatch.setenv("DATABASE_URL", address_of_test_database())
    monkeypatch.setenv("WEB_PROCESSES", "1")
    monkeypatch.setenv("REQUIRE_SECOND_FACTOR", "0")

    with site() as web:
        for file in ("basic.csv", "complete.xlsx"):
            answers = []
            asking = threading.Thread(
                target=lambda file=file, answers=answers: answers.append(ask(web, file))
            )
            with transaction.atomic(), connection.cursor() as cursor:
                # Read by COPY alone, when the file has its heading already.
                cursor.execute("LOCK TABLE projects_platform, analytics_userviewing")
                asking.start()
                wait_until(held)
                cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [held()])
                asking.join()
            ((status, headers, _body),) = answers
            assert status == 503
            assert headers["content-type"].startswith("text/html")
            assert "content-disposition" not in headers

            status, headers, body = ask(web, file)
            assert (status, headers["x-row-count"]) == (200, "3")
            assert len(body) == int(headers["content-length"])
