"""
Prove on a running system that every viewing is counted once, whatever happens meanwhile.

    python -m bench.soak merges --database-url postgresql://…/scratch
    python -m bench.soak restart --database-url postgresql://…/scratch
    python -m bench.soak dashboard --database-url postgresql://…/bench_1m

- merges: a million random reports of some viewings, in any order, many times over, late, of bots
  and of two platforms; then check_figures.
- restart: players report 2,000 events a second over HTTP for ten minutes; in the middle the web
  server is restarted (--kill: killed). A player sends again what was not answered. Then every
  event that was accepted must be there once, and check_figures must find nothing.
- dashboard: the p95 of the Users page while 5,000 new viewings a second come in, against idle.

The first two make a project of their own; a database that is migrated and empty is enough.
"""

import argparse
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.harness import Different, Report, dice, load, same, site, use_database

USERS = 2_000
CONTENTS = 50
BATCH = 1000
AGENTS = (
    *["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"] * 4,
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "",
)
# Few enough that most reports are of viewings that are known.
VIEWINGS_OF_EACH = 40
DAYS = 70
DAY_SECONDS = 86_400
MINIMUM_VIEW = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("part", choices=["merges", "restart", "dashboard"])
    parser.add_argument("--database-url", help="instead of DATABASE_URL")
    parser.add_argument("--merges", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=600, help="of the restart")
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--kill", action="store_true", help="kill the web server, do not ask it")
    options = parser.parse_args()
    use_database(options.database_url)
    os.environ["API_REQUESTS_PER_SECOND"] = "1000000"
    if options.part == "merges":
        merges(Service.new(users=USERS), options.merges)
    elif options.part == "restart":
        restart(
            Service.new(users=USERS),
            seconds=options.seconds,
            rate=options.rate,
            how=signal.SIGKILL if options.kill else signal.SIGTERM,
        )
    else:
        report = Report()
        dashboard_meanwhile(report)
        print(f"\n{report.table()}")
        return 1 if report.missed else 0
    return 0


# --- A service of its own --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """A project with two platforms and its users."""

    platforms: list[Any]
    users: list[str]
    now: datetime

    @classmethod
    def new(cls, *, users: int) -> "Service":
        from django.utils import timezone

        from backoffice.audit.recording import SYSTEM
        from backoffice.projects.models import Platform, Project
        from subscriptions.actions import register_user
        from users.models import User

        now = timezone.now()
        mark = uuid.uuid4().hex[:8]
        project = Project.objects.create(
            slug=f"soak-{mark}",
            name="Soak",
            time_zone="Europe/Paris",
            currency="EUR",
            minimum_view_seconds=MINIMUM_VIEW,
            created_at=now,
        )
        platforms = [
            Platform.objects.create(
                project=project,
                slug=f"soak-{mark}-{kind}",
                name=kind,
                kind=kind,
                home_url="https://soak.example.com",
                created_at=now,
            )
            for kind in ("web", "tv")
        ]
        people = [
            register_user(
                user=User(
                    project=project,
                    platform=platforms[number % 2],
                    email=f"{mark}-{number}@example.com",
                    registered_at=now,
                ),
                actor=SYSTEM,
                now=now,
            )
            for number in range(users)
        ]
        return cls(platforms, [str(user.public_id) for user in people], now)

    @property
    def project_id(self) -> int:
        return int(self.platforms[0].project_id)


def check_figures() -> None:
    """
    Recompute all figures from the raw viewings.

    :raises Different: if one is not as it is stored.
    """
    from django.core.management import CommandError, call_command

    try:
        call_command("check_figures")
    except (CommandError, SystemExit) as error:
        raise Different("check_figures found differences") from error


# --- Random merges ---------------------------------------------------------------------------


def merges(service: Service, count: int) -> None:
    """Store that many random reports; check all figures."""
    from analytics.ingest import prepare, store

    chance = dice()
    began = time.perf_counter()
    for first in range(0, count, BATCH):
        beats = [random_beat(service, chance) for _ in range(min(BATCH, count - first))]
        batch = prepare(beats, platform=chance.choice(service.platforms), now=service.now)
        store(batch)
    seconds = time.perf_counter() - began
    print(f"  {count:,} reports merged in {seconds:.0f} s ({count / seconds:,.0f} a second)")
    check_figures()


def random_beat(service: Service, chance: random.Random) -> Any:
    """Return a report of one of the service's viewings, with whatever a player may say."""
    from analytics.ingest import Beat

    user = chance.randrange(len(service.users))
    number = chance.randrange(VIEWINGS_OF_EACH)
    # The same viewing always starts at the same time; some start at once, some in one month.
    age = timedelta(seconds=(user * 7919 + number // 2 * 104_729) % (DAYS * DAY_SECONDS))
    return Beat(
        str(uuid.UUID(int=number)),
        service.users[user],
        f"film {chance.randrange(CONTENTS)}",
        service.now - age,
        chance.choice([0, MINIMUM_VIEW - 1, MINIMUM_VIEW, chance.randrange(7_200)]),
        chance.randrange(7_200),
        chance.choice(["", "FR", "DE"]),
        chance.choice(AGENTS),
        chance.random() < 0.1,  # noqa: PLR2004  # One in ten.
    )


# --- Players, while the web server is restarted ----------------------------------------------

SENDERS = 2
EVENTS = 100
STEP_SECONDS = 30
LONGEST = 3_600
RUNNING = 500


@dataclass(slots=True)
class Players:
    """What plays on one platform at the moment, and what the server has said it took."""

    service: Service
    chance: random.Random = field(default_factory=dice)
    running: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def report(self, count: int) -> list[dict[str, Any]]:
        """Return the next events: a viewing begins, goes on, or is said again."""
        return [self._event() for _ in range(count)]

    def took(self, items: list[dict[str, Any]]) -> None:
        self.answers["events accepted"] += len(items)
        for item in items:
            known = self.accepted[item["id"]]
            self.accepted[item["id"]] = max(known, item["watched_seconds"])

    def _event(self) -> dict[str, Any]:
        if len(self.running) < RUNNING:
            viewing = self._begun()
            self.running[viewing["id"]] = viewing
            return dict(viewing)
        viewing = self.running[self.chance.choice(list(self.running))]
        if self.chance.random() < 0.8:  # noqa: PLR2004  # The rest are repeats.
            viewing["watched_seconds"] += STEP_SECONDS
            viewing["position_seconds"] += STEP_SECONDS
        if viewing["watched_seconds"] > self.chance.randrange(LONGEST):
            viewing["ended"] = True
            del self.running[viewing["id"]]
        return dict(viewing)

    def _begun(self) -> dict[str, Any]:
        # Long enough ago that no second is cut.
        start = self.service.now - timedelta(seconds=self.chance.randrange(LONGEST, DAY_SECONDS))
        return {
            "id": str(uuid.uuid4()),
            "user": self.chance.choice(self.service.users),
            "content": f"film {self.chance.randrange(CONTENTS)}",
            "started_at": start.replace(microsecond=0).isoformat(),
            "watched_seconds": self.chance.randrange(10),
            "position_seconds": 0,
            "country": "FR",
            "user_agent": AGENTS[0],
            "ended": False,
        }


def restart(service: Service, *, seconds: int, rate: int, how: signal.Signals) -> None:
    """
    Report events over HTTP, restart the web server in the middle, compare what is stored.

    :raises Different: if an accepted event is missing or counted twice.
    """
    keys = [new_key(platform) for platform in service.platforms]
    of_each = [Players(service, random.Random(place)) for place in range(SENDERS)]  # noqa: S311
    with ExitStack() as serving:
        web = serving.enter_context(site())
        ends_at = time.monotonic() + seconds
        senders = [
            threading.Thread(
                target=play, args=(players, web.port, key, SENDERS * EVENTS / rate, ends_at)
            )
            for players, key in zip(of_each, keys * SENDERS, strict=False)
        ]
        for sender in senders:
            sender.start()
        time.sleep(seconds / 2)
        end_of(web.master, web.workers(), how)
        serving.enter_context(site(port=web.port))
        for sender in senders:
            sender.join()
    answers = sum((players.answers for players in of_each), Counter[str]())
    accepted = {name: count for players in of_each for name, count in players.accepted.items()}
    print(f"  {dict(answers)}, {answers['events accepted'] / seconds:,.0f} a second; {load()}")
    same("stored seconds of viewings", stored(service), accepted)
    counted = [seconds for seconds in accepted.values() if seconds >= MINIMUM_VIEW]
    same("views and seconds of users", by_users(service), (len(counted), sum(counted)))
    check_figures()


def end_of(master: int, workers: list[int], how: signal.Signals) -> None:
    """End the web server; killed, all its processes at once."""
    for process in [master, *workers] if how == signal.SIGKILL else [master]:
        os.kill(process, how)
    print(f"  the web server got {how.name}")


def play(players: Players, port: int, key: str, pause: float, ends_at: float) -> None:
    """Send batches at a steady pace; what is not answered with 200 is sent again."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    due = time.monotonic()
    while time.monotonic() < ends_at:
        items = players.report(EVENTS)
        body = json.dumps({"viewings": items}).encode()
        while not _is_taken(players, line, headers, body):
            time.sleep(0.05)
        players.took(items)
        due += pause
        time.sleep(max(0.0, due - time.monotonic()))


def _is_taken(
    players: Players, line: http.client.HTTPConnection, headers: dict[str, str], body: bytes
) -> bool:
    try:
        line.request("POST", "/api/v1/viewings", body, headers)
        response = line.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        line.close()
        said = type(error).__name__
    else:
        if response.status == http.client.OK and not json.loads(answer)["rejected"]:
            return True
        said = f"status {response.status}"
    players.answers[said] += 1
    return False


def stored(service: Service) -> dict[str, int]:
    """Return the seconds of each viewing, by its id."""
    from analytics.models import Viewing

    rows = Viewing.objects.filter(project_id=service.project_id)
    return {str(key): seconds for key, seconds in rows.values_list("id", "watched_seconds")}


def by_users(service: Service) -> tuple[int, int]:
    """Return the views and the seconds that the users' own sums hold."""
    from django.db.models import Sum

    from analytics.models import UserViewing

    sums = UserViewing.objects.filter(project_id=service.project_id).aggregate(
        views=Sum("views", default=0), seconds=Sum("viewing_seconds", default=0)
    )
    return sums["views"], sums["seconds"]


def new_key(platform: Any) -> str:
    from django.utils import timezone

    from backoffice.audit.recording import SYSTEM
    from backoffice.projects.actions import create_api_key

    return create_api_key(platform=platform, actor=SYSTEM, now=timezone.now()).key


# --- The Users page meanwhile ----------------------------------------------------------------

MEANWHILE, OF_IDLE = 5_000, 1.5
# Bodies for the longest that the questions may take.
LONGEST_SECONDS = 60


def dashboard_meanwhile(report: Report) -> None:
    """Time the Users page idle and while new viewings come in."""
    from django.utils import timezone

    from bench.dashboard import SHORT_DAYS, over_http
    from bench.harness import largest_project
    from bench.ingest import body_of, usual_world

    world, now = usual_world(largest_project()), timezone.now()
    key = new_key(world.platform)
    bodies = [body_of(world.beats(BATCH)) for _ in range(LONGEST_SECONDS * MEANWHILE // BATCH)]
    with site() as web:
        idle = over_http(web, world.platform.project, now, SHORT_DAYS)
        with sending(web.port, key, iter(bodies)) as sent:
            began = time.perf_counter()
            busy = over_http(web, world.platform.project, now, SHORT_DAYS)
            rate = sent() * BATCH / (time.perf_counter() - began)
    report.fact("dashboard, idle, p95", idle.p95, "ms", note=f"p50 {idle.median:.0f}, {load()}")
    report.at_least("viewings that came in meanwhile", rate, 0.9 * MEANWHILE, "a second")
    report.at_most(
        "dashboard meanwhile, p95, of idle",
        busy.p95 / idle.p95,
        OF_IDLE,
        "times",
        note=f"{busy.p95:.0f} ms, p50 {busy.median:.0f}, {load()}",
    )


@contextmanager
def sending(port: int, key: str, bodies: Iterator[bytes]) -> Iterator[Callable[[], int]]:
    """Send the bodies at a steady pace until the block ends; yield how many are through."""
    from bench.ingest import Sender

    done: list[float] = []
    is_over = threading.Event()
    pause = SENDERS * BATCH / MEANWHILE
    first_due = time.monotonic()

    def run(sender: Sender, place: int) -> None:
        # In turns: players do not wait for each other to report at once.
        due = first_due + place * pause / SENDERS
        is_over.wait(max(0.0, due - time.monotonic()))
        for body in bodies:
            sender.send(body)
            done.append(time.monotonic())
            due += pause
            if is_over.wait(max(0.0, due - time.monotonic())):
                return

    threads = [
        threading.Thread(target=run, args=(Sender(port, key, BATCH), place))
        for place in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield lambda: len(done)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
