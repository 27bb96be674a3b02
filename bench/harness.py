"""
What every measurement stands on: a database, a web server as run.py starts it, a stopwatch.

Nothing is timed before the answers of both ways were compared; `same` ends the run otherwise.
"""

import http.client
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MS = 1000
MIB = 2**20
# The same questions each time.
SEED = 20261122


def use_database(url: str | None) -> None:
    """Set Django up on the database of the address, or on the one of DATABASE_URL."""
    if url:
        os.environ["DATABASE_URL"] = url
    if not os.environ.get("DATABASE_URL"):
        sys.exit("bench: name a database with demo data, by --database-url or DATABASE_URL.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    os.environ["REQUIRE_SECOND_FACTOR"] = "0"
    # No limit of a day, of requests or of time ends a measurement.
    os.environ["EXPORTS_A_DAY"] = "1000000"
    os.environ["EXPORT_SECONDS_AT_ONCE"] = "600"
    os.environ["STATEMENT_TIMEOUT_MS"] = "0"

    import django

    django.setup()
    from backoffice.core.garbage import pass_over_what_is_loaded

    # As the web server and the worker do.
    pass_over_what_is_loaded()


# --- Stopwatch -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Times:
    """The durations of one act done several times, in milliseconds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


def clock(act: Callable[[], Any], *, runs: int = 3, warm: int = 1) -> Times:
    """Do the act `warm` times for nothing, then time it `runs` times."""
    for _ in range(warm):
        act()
    return Times(tuple(elapsed(act) for _ in range(runs)))


def elapsed(act: Callable[[], Any]) -> float:
    """Return how many milliseconds the act took on the wall clock."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * MS


def cpu_times(act: Callable[[], Any], *, runs: int) -> Times:
    """Like `clock`, but in milliseconds of this process's CPU: other processes do not matter."""
    act()
    values = []
    for _ in range(runs):
        began = time.process_time()
        act()
        values.append((time.process_time() - began) * MS)
    return Times(tuple(values))


# --- Verdicts ------------------------------------------------------------------------------


class Different(Exception):
    """Two ways gave different answers: their times mean nothing."""


def same(what: str, ours: Any, theirs: Any) -> None:
    """
    Compare two answers.

    :raises Different: if they are not equal.
    """
    if ours != theirs:
        raise Different(f"{what}: {str(ours)[:300]} is not {str(theirs)[:300]}")


@dataclass(slots=True)
class Report:
    """The figures of one run, each with its goal."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def at_most(self, what: str, value: float, goal: float, unit: str, *, note: str = "") -> None:
        self._add(what, value, f"≤ {goal:g} {unit}", unit, note, is_met=value <= goal)

    def at_least(self, what: str, value: float, goal: float, unit: str, *, note: str = "") -> None:
        self._add(what, value, f"≥ {goal:g} {unit}", unit, note, is_met=value >= goal)

    def fact(self, what: str, value: float, unit: str, *, note: str = "") -> None:
        """Note a figure that has no goal of its own."""
        self._add(what, value, "", unit, note, is_met=None)

    def _add(
        self, what: str, value: float, goal: str, unit: str, note: str, *, is_met: bool | None
    ) -> None:
        verdict = {True: "met", False: "MISSED", None: ""}[is_met]
        text = f"{rounded(value)} {unit}" + (f" ({note})" if note else "")
        self.lines.append((what, text, goal, verdict))
        print(f"  {what}: {text}  {goal}  {verdict}", flush=True)

    def table(self) -> str:
        """Return the figures as a table in Markdown."""
        head = ["| Figure | Measured | Goal | Verdict |", "|---|---|---|---|"]
        return "\n".join(head + [f"| {' | '.join(line)} |" for line in self.lines])

    @property
    def missed(self) -> int:
        return sum(verdict == "MISSED" for *_, verdict in self.lines)


def rounded(value: float) -> str:
    """Return a figure with three digits that mean something."""
    if value >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def load() -> str:
    """Return how busy the machine is, to stand beside a figure."""
    return f"load {os.getloadavg()[0]:.1f}"


# --- The web server ------------------------------------------------------------------------


@dataclass(slots=True)
class Site:
    """The web server, and somebody signed in who may do everything."""

    port: int
    master: int
    cookie: str
    _connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the answer and its whole body, over one connection that stays open."""
        response = self.ask(path)
        return response, response.read()

    def ask(self, path: str) -> http.client.HTTPResponse:
        """
        Return the answer as soon as its head is there.

        :raises Different: if it is anything but 200.
        """
        try:
            response = self._send(path)
        except http.client.RemoteDisconnected:
            # The server closes a connection that was idle.
            self._connection = None
            response = self._send(path)
        if response.status != http.client.OK:
            raise Different(f"{path}: status {response.status}")
        return response

    def hang_up(self) -> None:
        """Let the next question come over a new connection: any of the processes may take it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, path: str) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        self._connection.request("GET", path, headers={"Cookie": self.cookie})
        return self._connection.getresponse()

    def workers(self) -> list[int]:
        """Return the ids of the processes that answer."""
        found = Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
        return [int(number) for number in found.split()]

    def reset_peaks(self) -> None:
        """Let each worker's peak of memory start anew (Linux)."""
        for worker in self.workers():
            Path(f"/proc/{worker}/clear_refs").write_text("5")

    def memory(self, name: str) -> dict[int, float]:
        """Return of each worker VmRSS (now) or VmHWM (its peak), in MiB."""
        return {worker: memory_of(worker, name) for worker in self.workers()}


def memory_of(process: int, name: str) -> float:
    """Return a process's VmRSS or VmHWM in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)


@contextmanager
def site(port: int = 0) -> Iterator[Site]:
    """Run the web server as run.py does, and sign an owner of all projects in."""
    from run import WEB

    port = port or _free_port()
    with tempfile.NamedTemporaryFile(prefix="bench-web-", suffix=".log") as log:
        server = subprocess.Popen(
            [*WEB],
            cwd=ROOT,
            env=os.environ | {"BIND": f"127.0.0.1:{port}"},
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(port, server, Path(log.name))
            yield Site(port, server.pid, _signed_in())
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=40)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    while server.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
            return
        time.sleep(0.1)
    sys.exit(f"bench: the web server did not start:\n{log.read_text()[-2000:]}")


def _signed_in() -> str:
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from backoffice.core.permissions import Role
    from backoffice.staff.models import StaffMember, StaffRole

    staff, _is_new = StaffMember.objects.get_or_create(
        email="bench@example.com", defaults={"created_at": timezone.now()}
    )
    StaffRole.objects.get_or_create(staff_member=staff, project=None, role=Role.OWNER)
    client = Client()
    client.force_login(staff)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


# --- What is asked -------------------------------------------------------------------------


def largest_project() -> Any:
    """Return the project with the most accounts."""
    from django.db.models import Sum

    from backoffice.projects.models import Project
    from users.models import RegistrationDay

    by_project = RegistrationDay.objects.values("project").annotate(n=Sum("registered"))
    row = by_project.order_by("-n").first()
    if row is None:
        sys.exit("bench: this database has no users: load some with manage.py demo_data.")
    return Project.objects.get(pk=row["project"])


def asked_of(project: Any, now: Any, query: str = "") -> Any:
    """Return the list filter of an address of the Users page, valid."""
    from django.http import QueryDict

    from users.filters import UserListFilter, Viewpoint

    viewpoint = Viewpoint(project=project, now=now, sees_identity=True)
    asked = UserListFilter(QueryDict(query), viewpoint=viewpoint)
    if not asked.form.is_valid():
        raise Different(f"{query}: {asked.form.errors.as_json()}")
    return asked


def dice() -> random.Random:
    """Return the same chance each time."""
    return random.Random(SEED)  # noqa: S311  # Nothing secret is drawn.


def sizes() -> tuple[int, int]:
    """Return how many users and viewings the database holds, as the planner knows them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(reltuples) FILTER (WHERE relname = 'users_user'), 0)::bigint,"
            " coalesce(sum(reltuples) FILTER (WHERE relname LIKE 'analytics\\_viewing\\_2%%'"
            " AND relkind = 'r'), 0)::bigint FROM pg_class",
            [],
        )
        users, viewings = cursor.fetchone()
    return users, viewings


def own_peak() -> float:
    """Return the peak of this process's memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
