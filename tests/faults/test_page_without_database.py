"""The Users page in a browser while its database is killed and comes back."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from analytics.demo.named import PASSWORD
from backoffice.postgres import Cluster

pytestmark = [pytest.mark.browser, pytest.mark.fault]

ROOT = Path(__file__).resolve().parents[2]
WEB = ["-m", "gunicorn", "-c", "python:backoffice.web_server", "backoffice.wsgi"]
PATIENCE_SECONDS = 90


@pytest.fixture
def cluster(short_folder):
    cluster = Cluster(short_folder / "page")
    cluster.enter()
    yield cluster
    cluster.leave()


@pytest.fixture
def served(cluster, short_folder):
    """Serve the demo's data by the web server itself; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": cluster.url,
        "BACKOFFICE_DATA": str(short_folder / "page"),
        "BIND": f"127.0.0.1:{port}",
        "REQUIRE_SECOND_FACTOR": "0",
        "WEB_PROCESSES": "1",
    }

    def manage(*arguments):
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )

    manage("prepare")
    manage("demo_data", "--users", "60", "--viewings", "200", "--months", "2", "--seed", "1")
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, *WEB], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as web:
        wait_for(address)
        yield address
        web.terminate()


def wait_for(address):
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{address}/health/ready", timeout=5).close()
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.1)
        else:
            return


def kill(cluster):
    os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    limit = time.monotonic() + PATIENCE_SECONDS
    while cluster.is_running():
        assert time.monotonic() < limit
        time.sleep(0.05)


def count_rows(cluster):
    with psycopg.connect(cluster.url) as connection:
        return connection.execute(
            "SELECT (SELECT count(*) FROM users_user), (SELECT count(*) FROM analytics_viewing)"
        ).fetchone()


def test_the_page_says_that_the_database_is_away_and_then_is_whole_again(
    cluster, served, new_context
):
    rows = count_rows(cluster)
    assert rows == (60, 200)
    page = new_context(base_url=served).new_page()
    page.goto("/users/?period=all&project=lumiere")
    page.get_by_label("E-mail").fill("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#list")).to_be_visible()
    total = page.locator("#list").get_attribute("data-total")

    kill(cluster)
    answer = page.reload()

    assert answer.status == 503
    assert answer.headers["retry-after"]
    expect(page.get_by_role("heading", level=1)).to_have_text("The database does not answer")
    expect(page.get_by_text("La base de données ne répond pas")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()

    cluster.enter()
    answer = page.reload()

    # Still signed in, and nothing is lost.
    assert answer.status == 200
    assert page.locator("#list").get_attribute("data-total") == total
    assert count_rows(cluster) == rows
