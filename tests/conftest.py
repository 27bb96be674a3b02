"""What every test stands on: a database, texts in two languages, somebody signed in, a browser."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from django.db import connection, connections

from backoffice import postgres
from backoffice.core.permissions import Role
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember, StaffRole

# The usual run tries the same few cases each time; `--hypothesis-profile=thorough` many new ones.
hypothesis.settings.register_profile(
    "usual",
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[
        # One test's cases share its transaction; each makes a project of its own.
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.data_too_large,
    ],
)
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("usual"), max_examples=1000, derandomize=False
)
hypothesis.settings.load_profile("usual")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

_database = ExitStack()

# The browser's driver runs an event loop in the thread of the test, where Django would refuse
# to be asked for rows.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    from backoffice.core.translations import compile_all

    # `run.py test` names a database. Without one, the tests get their own in the embedded
    # server, to which the settings point already.
    _database.enter_context(postgres.embedded())
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for locale in settings.LOCALE_PATHS:
        compile_all(Path(locale))


def pytest_unconfigure(config: pytest.Config) -> None:
    _database.close()


# --- Rows ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Let the test runner empty the audit trail between tests; UPDATE and DELETE stay refused."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_no_truncate")


@pytest.fixture(autouse=True)
def _without_second_factor(settings):
    settings.REQUIRE_SECOND_FACTOR = False


@pytest.fixture
def project(db):
    return Project.objects.create(
        slug="north", name="North", time_zone="Europe/Paris", currency="EUR", created_at=NOW
    )


@pytest.fixture
def other_project(db):
    return Project.objects.create(
        slug="south", name="South", time_zone="Asia/Tokyo", currency="JPY", created_at=NOW
    )


@pytest.fixture
def staff_with(db):
    """Make a member with a role, on one project or on all."""

    def make(role=Role.OWNER, project=None, email=None):
        staff, is_new = StaffMember.objects.get_or_create(
            email=email or f"{role}@example.com", defaults={"created_at": NOW}
        )
        if is_new:
            staff.set_password(PASSWORD)
            staff.save()
        StaffRole.objects.create(staff_member=staff, project=project, role=role)
        return staff

    return make


@pytest.fixture
def signed_in(client, staff_with):
    """Sign somebody in with a role; return the client."""

    def sign_in(role=Role.OWNER, project=None):
        client.force_login(staff_with(role, project))
        return client

    return sign_in


# --- Background work -----------------------------------------------------------------------


@pytest.fixture
def run_jobs(transactional_db):
    """Have a real worker, on connections of its own, do all that waits; nothing waits at first."""
    from backoffice.jobs.worker import run_worker

    with connection.cursor() as cursor:
        # The queue's tables are not Django's own, so nobody else empties them.
        cursor.execute(
            "TRUNCATE procrastinate_jobs, procrastinate_workers, procrastinate_periodic_defers"
            " CASCADE"
        )

    def run():
        # In a thread of its own, because the browser's driver has a loop in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(run_worker, once=True).result()

    return run


@pytest.fixture(autouse=True)
def _no_viewing_outlives_its_test(request):
    """Empty the one table that Django does not manage, so does not flush either."""
    marker = request.node.get_closest_marker("django_db")
    commits = "transactional_db" in request.fixturenames or (
        marker is not None and marker.kwargs.get("transaction")
    )
    if commits and not request.node.get_closest_marker("browser"):
        # Asked for first, so that it goes last.
        request.getfixturevalue("transactional_db")
    yield
    if commits and not request.node.get_closest_marker("browser"):
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE analytics_viewing")


# --- Browser -------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "Chromium is not installed: browser tests cannot run (apt-get install chromium)."


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if CHROMIUM or not any(item.get_closest_marker("browser") for item in items):
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(NO_CHROMIUM)
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))
    config.stash[_SKIPPED] = True


_SKIPPED = pytest.StashKey[bool]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.stash.get(_SKIPPED, False):
        terminalreporter.write_line(NO_CHROMIUM, yellow=True)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Drive the machine's own Chromium; nothing is ever downloaded."""
    switches = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    if os.geteuid() == 0:
        switches.append("--no-sandbox")
    return {"executable_path": CHROMIUM, "args": switches}


@pytest.fixture(scope="session")
def playwright(playwright):
    """Close, while the driver's loop still runs, the connection that is seen only within it."""
    yield playwright
    connections.close_all()


@pytest.fixture(scope="session")
def base_url() -> None:
    """Stand in for a plugin's own, whose form pytest will soon refuse; windows are told theirs."""


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder every user may enter, unlike pytest's own, for servers run as another user."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="backoffice-test-") as name:
        Path(name).chmod(0o777)
        yield Path(name)
