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

The users are drawn evenly from all: no two batches find the same pages at hand, which is the
hardest case. Drawn as often as they have watched so far is reported beside it, each against COPY
of viewings of the same users. Both take turns, so that they meet the same machine.
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
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
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
    now: datetime

    def beats(self, count: int) -> list[Any]:
        """Return viewings that nobody has reported yet, of the last day."""
        from analytics.ingest import Beat

        chance = random.SystemRandom()
        return [
            Beat(
                str(uuid.uuid4()),
                chance.choice(self.users),
                chance.choice(self.contents),
                self.now - timedelta(seconds=chance.randrange(3_600, DAY_SECONDS)),
                chance.randrange(3_000),
                chance.randrange(3_000),
                "FR",
                f"Mozilla/5.0 (X11; Linux x86_64) Gecko/1 Firefox/{chance.randrange(AGENTS)}",
            )
            for _ in range(count)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest")
    parser.add_argument("--database-url", help="instead of DATABASE_URL")
    parser.add_argument("--runs", type=int, default=40, help="batches of each size")
    options = parser.parse_args()
    use_database(options.database_url)
    report = Report()
    world = world_of(largest_project())
    print(f"{sizes()[0]:,} users, {sizes()[1]:,} viewings; {load()}")
    rates = {size: in_process(world, report, size, options.runs) for size in BATCHES}
    repeats(world, report, options.runs)
    for size in BATCHES:
        progress(world, report, size, options.runs)
    usual_viewers(world, report, options.runs)
    against_copy(world, report, "of COPY", options.runs, goal=OF_COPY)
    compare(world, report, rates[1000])
    for size in BATCHES:
        over_http(world, report, size, options.runs)
    print(f"\n{report.table()}")
    return 1 if report.missed else 0


def world_of(project: Any) -> World:
    """Return the users and contents of a project; its first platform reports."""
    from django.db import connection
    from django.utils import timezone

    platform = project.platforms.select_related("project").order_by("pk").first()
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
    return World(platform, users, contents, timezone.now())


def store_beats(world: World, beats: list[Any]) -> None:
    from analytics.ingest import prepare, store

    batch, unknown = prepare(beats, platform=world.platform, now=world.now)
    if batch is None or unknown or not batch.rows:
        raise Different("A batch was not taken as it is.")
    store(batch)


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


def usual_viewers(world: World, report: Report, runs: int) -> None:
    """Store new viewings of those who watch, as often as they have watched before."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.public_id::text FROM analytics_viewing AS v TABLESAMPLE system (1)"
            " JOIN users_user AS u ON u.id = v.user_id"
            " WHERE v.project_id = %s AND u.deleted_at IS NULL",
            [world.platform.project_id],
        )
        viewers = replace(world, users=[user for (user,) in cursor.fetchall()])
    against_copy(viewers, report, "of COPY, usual viewers", runs)


def against_copy(
    world: World, report: Report, what: str, runs: int, *, goal: float | None = None
) -> None:
    """Store new viewings, and COPY rows that are ready of the same users, by turns."""
    size, ours, copied = max(BATCHES), 0.0, 0.0
    for number in range(runs + WARM):
        beats, text = world.beats(size), "".join(_lines(world, size))
        times = elapsed(partial(store_beats, world, beats)), elapsed(partial(copy_in, text))
        if number >= WARM:
            ours, copied = ours + times[0], copied + times[1]
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


# COPY and the counters write viewings of no seconds and add nothing: all figures stay right.


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


def _lines(world: World, count: int) -> Iterator[str]:
    from analytics.ingest import prepare

    batch, _ = prepare(world.beats(count), platform=world.platform, now=world.now)
    for row in batch.rows if batch else []:
        still = row._replace(watched_seconds=0, account_platform_id=world.platform.project_id)
        values = (*still, world.platform.pk)
        yield "\t".join(map(str, values)) + "\n"


def counter_rate(world: World, *, is_found: bool) -> float:
    """
    Return how many events a second the usual way takes: create() and F(), each committed.

    :param is_found: whether users, contents and devices were looked up before.
    """
    from django.db import transaction

    from analytics.ingest import prepare

    beats = world.beats(SINGLE_EVENTS)
    batch, _ = prepare(beats, platform=world.platform, now=world.now)
    rows = batch.rows if batch else []
    events = list(
        zip(sorted(beats, key=attrgetter("id")), sorted(rows, key=attrgetter("id")), strict=True)
    )
    began = time.perf_counter()
    for beat, row in events:
        with transaction.atomic():
            _count(world, row if is_found else _looked_up(world, beat, row))
    return SINGLE_EVENTS / (time.perf_counter() - began)


def _looked_up(world: World, beat: Any, row: Any) -> Any:
    from analytics.devices import agent_hash
    from analytics.models import Content, Device
    from users.models import User

    project_id = world.platform.project_id
    user = User.objects.get(project_id=project_id, public_id=beat.user, deleted_at=None)
    content, _ = Content.objects.get_or_create(project_id=project_id, reference=beat.content)
    device = Device.objects.get(agent_hash=agent_hash(beat.user_agent))
    return row._replace(user_id=user.pk, content_id=content.pk, device_id=device.pk)


def _count(world: World, row: Any) -> None:
    from django.db.models import F

    from analytics.models import UserViewing, Viewing, ViewingDay

    Viewing.objects.create(
        user_id=row.user_id,
        started_at=row.started_at,
        id=row.id,
        project_id=world.platform.project_id,
        platform_id=world.platform.pk,
        content_id=row.content_id,
        device_id=row.device_id,
        country=row.country,
        watched_seconds=0,
        position_seconds=row.position_seconds,
    )
    UserViewing.objects.filter(user_id=row.user_id).update(
        views=F("views") + 0, viewing_seconds=F("viewing_seconds") + 0
    )
    ViewingDay.objects.filter(
        platform=world.platform,
        day=row.started_at.astimezone(world.platform.project.zone).date(),
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
