"""
Measure how fast viewings come in, on one database of demo data; new viewings stay in it.

    python -m bench.ingest --database-url postgresql://…/bench_1m

In process and over HTTP, against two references on the same database, over one connection each:

- COPY of as many rows, ready to be stored, into the same partitions: same columns, same index,
  a transaction for each thousand. It is the limit: nothing is looked up, merged or counted. One
  large COPY is reported beside it.
- A counter update for each event, the usual way: the same beats; user, content and device looked
  up, the viewing created, two counters raised, a commit for each. It leaves out what it would
  need besides: repeats, distinct contents, first and last, months, late and shrinking viewings.
  The same with everything looked up in advance is reported beside it.

Users and contents are drawn as often as the stored viewings name them, and each batch is of the
next two seconds, after all that is stored: as people watch. (Faster, and who watches most would
begin several within a second, which nobody does.) The hardest case is reported beside it: users
drawn evenly from all, those who never watched among them, so that no two batches find the same
pages at hand, and starts anywhere in the last day, in no order. COPY stores viewings of the same
kind. Both take turns, each first every other time, so that they meet the same machine.
"""

import argparse
import http.client
import json
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from bench.harness import (
    MS,
    Different,
    Report,
    Times,
    clock,
    elapsed,
    largest_project,
    load,
    site,
    sizes,
    use_database,
)

BATCHES = (100, 1000)
# Rounds that do not count.
WARM = 5
AGENTS = 20
CONNECTIONS = 2
# What the usual way is measured with: it is slow.
SINGLE_EVENTS = 300
LARGE_COPY = 50_000
IN_PROCESS, OVER_HTTP, OF_COPY, OF_COUNTERS, P95_MS = 10_000, 6_000, 0.2, 30, 150
DAY_SECONDS = 86_400
BATCH_SECONDS = 2
# More than all batches take, unless they go on where another run ended.
AGO_SECONDS = 3_600
LONGEST = 600

COPY = """
    COPY analytics_viewing (
        user_id, project_id, started_at, id, content_id, device_id, watched_seconds,
        position_seconds, has_ended, country, platform_id
    ) FROM STDIN
"""


@dataclass(frozen=True, slots=True)
class World:
    """Whom and what the viewings are about."""

    platform: Any
    users: list[str]
    """Drawn from evenly; whoever stands there twice is drawn twice as often."""
    contents: list[str]
    """Drawn from likewise."""
    began: datetime
    """The first batch is of viewings that began from here on,"""
    spread: int
    """for so many seconds,"""
    pace: int
    """and each later one of those as many seconds after the former."""
    batches: Iterator[int] = field(default_factory=count)

    def beats(self, size: int) -> list[Any]:
        """
        Return viewings that nobody has reported yet.

        :raises Different: if more seconds might be watched than there were until now.
        """
        from django.utils import timezone

        from analytics.ingest import Beat

        chance = random.SystemRandom()
        began = self.began + timedelta(seconds=self.pace * next(self.batches))
        if began + timedelta(seconds=self.spread + LONGEST) > timezone.now():
            raise Different("The viewings would begin too late: run it again in an hour.")
        return [
            Beat(
                str(uuid.uuid4()),
                chance.choice(self.users),
                chance.choice(self.contents),
                began + timedelta(seconds=chance.random() * self.spread),
                chance.randrange(LONGEST),
                chance.randrange(LONGEST),
                "FR",
                f"Mozilla/5.0 (X11; Linux x86_64) Gecko/1 Firefox/{chance.randrange(AGENTS)}",
            )
            for _ in range(size)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest")
    parser.add_argument("--database-url", help="instead of DATABASE_URL")
    parser.add_argument("--runs", type=int, default=40, help="batches of each size")
    options = parser.parse_args()
    use_database(options.database_url)
    report = Report()
    world, hardest = usual_world(largest_project()), hardest_world(largest_project())
    print(f"{sizes()[0]:,} users, {sizes()[1]:,} viewings; {load()}")
    know_contents(hardest)
    rates = {size: in_process(world, report, size, options.runs) for size in BATCHES}
    repeats(world, report, options.runs)
    for size in BATCHES:
        progress(world, report, size, options.runs)
    against_copy(world, report, "of COPY", options.runs, goal=OF_COPY)
    against_copy(hardest, report, "of COPY, the hardest case", options.runs)
    compare(world, report, rates[1000])
    for size in BATCHES:
        over_http(world, report, size, options.runs)
    print(f"\n{report.table()}")
    return 1 if report.missed else 0


def usual_world(project: Any) -> World:
    """Return who watches, as often as the stored viewings name them, and what likewise."""
    from django.db import connection
    from django.db.models import Max
    from django.utils import timezone

    from analytics.models import UserViewing

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.public_id::text, c.reference"
            " FROM analytics_viewing AS v TABLESAMPLE bernoulli (2)"
            " JOIN users_user AS u ON u.id = v.user_id AND u.deleted_at IS NULL"
            " JOIN analytics_content AS c ON c.id = v.content_id"
            " WHERE v.project_id = %s",
            [project.pk],
        )
        users, contents = map(list, zip(*cursor.fetchall(), strict=True))
    began = timezone.now() - timedelta(seconds=AGO_SECONDS)
    latest = UserViewing.objects.aggregate(latest=Max("last_started_at"))["latest"]
    began = max(began, latest + timedelta(seconds=1))
    return World(platform_of(project), users, contents, began, BATCH_SECONDS, BATCH_SECONDS)


def hardest_world(project: Any) -> World:
    """Return all users and contents of a project."""
    from django.db import connection
    from django.utils import timezone

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT public_id::text FROM users_user WHERE project_id = %s AND deleted_at IS NULL",
            [project.pk],
        )
        users = [user for (user,) in cursor.fetchall()]
        cursor.execute(
            "SELECT reference FROM analytics_content WHERE project_id = %s", [project.pk]
        )
        contents = [reference for (reference,) in cursor.fetchall()]
    # Before those of the usual world, so that these stay the latest.
    began = timezone.now() - timedelta(seconds=DAY_SECONDS + AGO_SECONDS)
    return World(platform_of(project), users, contents, began, DAY_SECONDS, 0)


def platform_of(project: Any) -> Any:
    """Return the project's first platform, which reports."""
    return project.platforms.select_related("project").order_by("pk").first()


def know_contents(world: World) -> None:
    """Ask about all contents once, as a process has that runs for a while."""
    from django.utils import timezone

    from analytics.ingest import prepare

    (beat,) = world.beats(1)
    beats = [beat._replace(content=content) for content in world.contents]
    prepare(beats, platform=world.platform, now=timezone.now())


def store_beats(world: World, beats: list[Any]) -> None:
    from django.utils import timezone

    from analytics.ingest import prepare, store

    if store(prepare(beats, platform=world.platform, now=timezone.now())):
        raise Different("A batch was not taken as it is.")


# --- In process ----------------------------------------------------------------------------


def in_process(world: World, report: Report, size: int, runs: int) -> float:
    """Store new viewings; return how many a second."""
    batches = iter([world.beats(size) for _ in range(2 * runs)])

    def act() -> None:
        store_beats(world, next(batches))

    clock(act, runs=1, warm=runs - 1)
    with write_ahead() as wal:
        times = clock(act, runs=runs - 1, warm=0)
    rate = size * MS / (sum(times.values) / len(times.values))
    what = f"in process, batch {size:,}"
    if size == max(BATCHES):
        report.at_least(what, rate, IN_PROCESS, "viewings/s", note=load())
        report.at_most(f"{what}, p95", times.p95, P95_MS, "ms", note=f"median {times.median:.0f}")
    else:
        report.fact(what, rate, "viewings/s", note=f"p95 {times.p95:.0f} ms, {load()}")
    report.fact(f"{what}, WAL", wal[0] / (size * (runs - 1)), "bytes a viewing")
    return rate


def repeats(world: World, report: Report, runs: int) -> None:
    """Store what is there already."""
    beats = world.beats(max(BATCHES))
    times = clock(lambda: store_beats(world, beats), runs=runs, warm=2)
    report.fact("repeats, batch 1,000", 1000 * MS / times.median, "viewings/s", note=load())


def progress(world: World, report: Report, size: int, runs: int) -> None:
    """Store more seconds of viewings that are there: what players mostly report."""
    beats = world.beats(size)
    store_beats(world, beats)
    further = iter(range(1, runs + 3))

    def act() -> None:
        more = next(further)
        store_beats(
            world, [beat._replace(watched_seconds=beat.watched_seconds + more) for beat in beats]
        )

    times = clock(act, runs=runs, warm=2)
    report.fact(
        f"more seconds of known viewings, batch {size:,}",
        size * MS / times.median,
        "viewings/s",
        note=f"median {times.median:.1f} ms, {load()}",
    )


def against_copy(
    world: World, report: Report, what: str, runs: int, *, goal: float | None = None
) -> None:
    """Store new viewings, and COPY rows that are ready, by turns."""
    size, ours, copied = max(BATCHES), 0.0, 0.0
    for number in range(runs + WARM):
        text, beats = "".join(_lines(world, size)), world.beats(size)
        store, copy = partial(store_beats, world, beats), partial(copy_in, text)
        if number % 2:
            copying, storing = elapsed(copy), elapsed(store)
        else:
            storing, copying = elapsed(store), elapsed(copy)
        if number >= WARM:
            ours, copied = ours + storing, copied + copying
    rates = [size * MS * runs / milliseconds for milliseconds in (ours, copied)]
    note = "{:,.0f} and {:,.0f} a second, {}".format(*rates, load())
    if goal is None:
        report.fact(what, copied / ours, "times", note=note)
    else:
        report.at_least(what, copied / ours, goal, "times", note=note)


@contextmanager
def write_ahead() -> Iterator[list[int]]:
    """Measure the bytes of WAL written meanwhile, by everybody."""
    from django.db import connection

    found = [0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        (before,) = cursor.fetchone()
        yield found
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", [before])
        found[0] = int(cursor.fetchone()[0])


# --- Other ways ------------------------------------------------------------------------------


# COPY and the counters write viewings of no seconds and add nothing: no sum is wrong after them.
# When a user's latest viewing began is; `check_figures --repair` writes it.


def compare(world: World, report: Report, ours: float) -> None:
    """Measure one large COPY, and a counter update for each event."""
    counted = counter_rate(world, is_found=False)
    report.fact("one large COPY", copy_rate(world, LARGE_COPY, 3), "viewings/s", note=load())
    report.fact("a counter update for each event", counted, "viewings/s", note=load())
    found = counter_rate(world, is_found=True)
    report.fact("… with all looked up in advance", found, "viewings/s", note=load())
    report.at_least("of counter updates", ours / counted, OF_COUNTERS, "times")
    report.fact("of counter updates, all looked up in advance", ours / found, "times")


def copy_rate(world: World, size: int, runs: int) -> float:
    """Return how many rows a second COPY takes, so many in each transaction."""
    texts = iter(["".join(_lines(world, size)) for _ in range(runs + 1)])
    times = clock(lambda: copy_in(next(texts)), runs=runs, warm=1)
    return size * MS / (sum(times.values) / len(times.values))


def copy_in(text: str) -> None:
    """Let the server read ready rows, in a transaction of their own."""
    from django.db import connection

    with connection.cursor() as cursor, cursor.cursor.copy(COPY) as copy:
        copy.write(text)


def _lines(world: World, size: int) -> Iterator[str]:
    for user_id, batch, beat in _ready(world, world.beats(size)):
        values = (
            user_id,
            world.platform.project_id,
            beat.started_at,
            beat.id,
            batch.contents[beat.content],
            batch.devices[beat.user_agent],
            0,
            beat.position_seconds,
            beat.has_ended,
            beat.country,
            world.platform.pk,
        )
        yield "\t".join(map(str, values)) + "\n"


def _ready(world: World, beats: list[Any]) -> list[tuple[int, Any, Any]]:
    """Return each beat with its user's id and its batch, in the order of users."""
    from django.utils import timezone

    from analytics.ingest import prepare
    from users.models import User

    batch = prepare(beats, platform=world.platform, now=timezone.now())
    found = User.objects.filter(public_id__in={beat.user for beat in beats})
    ids = {str(public): number for public, number in found.values_list("public_id", "pk")}
    return sorted(
        ((ids[beat.user], batch, beat) for beat in batch.beats),
        key=lambda r: (r[0], r[2].started_at),
    )


def counter_rate(world: World, *, is_found: bool) -> float:
    """
    Return how many events a second the usual way takes: create() and F(), each committed.

    :param is_found: whether users, contents and devices were looked up before.
    """
    from django.db import transaction

    events = _ready(world, world.beats(SINGLE_EVENTS))
    began = time.perf_counter()
    for user_id, batch, beat in events:
        ids = user_id, batch.contents[beat.content], batch.devices[beat.user_agent]
        with transaction.atomic():
            _count(world, beat, *(ids if is_found else _looked_up(world, beat)))
    return SINGLE_EVENTS / (time.perf_counter() - began)


def _looked_up(world: World, beat: Any) -> tuple[int, int, int]:
    from analytics.devices import agent_hash
    from analytics.models import Content, Device
    from users.models import User

    project_id = world.platform.project_id
    user = User.objects.get(project_id=project_id, public_id=beat.user, deleted_at=None)
    content, _ = Content.objects.get_or_create(project_id=project_id, reference=beat.content)
    device = Device.objects.get(agent_hash=agent_hash(beat.user_agent))
    return user.pk, content.pk, device.pk


def _count(world: World, beat: Any, user_id: int, content_id: int, device_id: int) -> None:
    from django.db.models import F

    from analytics.models import UserViewing, Viewing, ViewingDay

    Viewing.objects.create(
        user_id=user_id,
        started_at=beat.started_at,
        id=beat.id,
        project_id=world.platform.project_id,
        platform_id=world.platform.pk,
        content_id=content_id,
        device_id=device_id,
        country=beat.country,
        watched_seconds=0,
        position_seconds=beat.position_seconds,
    )
    UserViewing.objects.filter(user_id=user_id).update(
        views=F("views") + 0, viewing_seconds=F("viewing_seconds") + 0
    )
    ViewingDay.objects.filter(
        platform=world.platform,
        day=beat.started_at.astimezone(world.platform.project.zone).date(),
    ).update(views=F("views") + 0, viewing_seconds=F("viewing_seconds") + 0)


# --- Over HTTP -------------------------------------------------------------------------------


def over_http(world: World, report: Report, size: int, runs: int) -> None:
    """Send new viewings over a few connections at once, to the server as run.py starts it."""
    from django.utils import timezone

    from backoffice.audit.recording import SYSTEM
    from backoffice.projects.actions import create_api_key

    os.environ["API_REQUESTS_PER_SECOND"] = "1000000"
    key = create_api_key(platform=world.platform, actor=SYSTEM, now=timezone.now()).key
    bodies = [body_of(world.beats(size)) for _ in range(2 * runs)]
    with site() as web:
        senders = [Sender(web.port, key, size) for _ in range(CONNECTIONS)]
        together(senders, bodies[:runs])
        for sender in senders:
            sender.values.clear()
        began = time.perf_counter()
        together(senders, bodies[runs:])
        seconds = time.perf_counter() - began
    times = Times(tuple(value for sender in senders for value in sender.values))
    what = f"over HTTP, batch {size:,}, {CONNECTIONS} connections"
    if size == max(BATCHES):
        report.at_least(what, size * runs / seconds, OVER_HTTP, "viewings/s", note=load())
        report.fact(f"{what}, p95", times.p95, "ms", note=f"median {times.median:.0f}")
    else:
        report.fact(what, size * runs / seconds, "viewings/s", note=f"p95 {times.p95:.0f} ms")


def body_of(beats: list[Any]) -> bytes:
    items = [
        {
            "id": beat.id,
            "user": beat.user,
            "content": beat.content,
            "started_at": beat.started_at.isoformat(),
            "watched_seconds": beat.watched_seconds,
            "position_seconds": beat.position_seconds,
            "country": beat.country,
            "user_agent": beat.user_agent,
            "ended": beat.has_ended,
        }
        for beat in beats
    ]
    return json.dumps({"viewings": items}).encode()


class Sender:
    """One connection that stays open, and how long each of its batches took."""

    def __init__(self, port: int, key: str, size: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.size = size
        self.values: list[float] = []

    def send(self, body: bytes) -> None:
        """
        Send one batch.

        :raises Different: if not all of it was accepted.
        """
        began = time.perf_counter()
        self.connection.request("POST", "/api/v1/viewings", body, self.headers)
        response = self.connection.getresponse()
        answer = response.read()
        self.values.append((time.perf_counter() - began) * MS)
        if response.status != http.client.OK or json.loads(answer)["accepted"] != self.size:
            raise Different(f"status {response.status}: {answer[:300]!r}")


def together(senders: list[Sender], bodies: list[bytes]) -> None:
    """Send all bodies, each sender taking the next as soon as it is free."""
    waiting = iter(bodies)
    failures: list[Exception] = []

    def run(sender: Sender) -> None:
        try:
            for body in waiting:
                sender.send(body)
        except Exception as error:  # noqa: BLE001  # Told in the main thread.
            failures.append(error)

    threads = [threading.Thread(target=run, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    sys.exit(main())
