"""
Measure what deleting users costs, and how long it keeps others waiting.

    python -m bench.deletion --database-url postgresql://…/clone_of_bench_10k

It deletes users: give it a clone (createdb -T bench_10k clone). Ends with 1 if a goal is missed.
"""

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from bench.harness import MS, Report, elapsed, largest_project, load, same, use_database

HEAVY = 50_000
# What is deleted while somebody waits for the answer.
INLINE = 5_000
USUAL_USERS = 40
LONGEST_LOCK_MS = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.deletion")
    parser.add_argument("--database-url", required=True, help="a clone: users are deleted in it")
    use_database(parser.parse_args().database_url)

    from django.utils import timezone

    report = Report()
    measure(report, timezone.now())
    print(f"\n{report.table()}")
    return 1 if report.missed else 0


def measure(report: Report, now: datetime) -> None:
    from users.models import User

    project = largest_project()
    present = User.objects.present().filter(project=project).select_related("project", "platform")
    heavy, inline, *usual = present.order_by("pk")[: USUAL_USERS + 2]
    for user, viewings in ((heavy, HEAVY), (inline, INLINE)):
        fill(user, viewings)
    before = sums(project.pk)
    usual_times = [sum(steps(user, now)) for user in usual]
    report.fact("a usual user", sum(usual_times) / len(usual), "ms", note=load())
    with waiting(heavy) as waits:
        inline_times = steps(inline, now)
        heavy_times = steps(heavy, now)
    report.at_most(
        f"{INLINE:,} viewings, one transaction", sum(inline_times), LONGEST_LOCK_MS, "ms"
    )
    report.at_most(f"{HEAVY:,} viewings", sum(heavy_times) / MS, 10, "s", note=load())
    report.at_most("… its longest transaction", max(heavy_times), LONGEST_LOCK_MS, "ms")
    report.at_most("what others waited for shared rows", max(waits), LONGEST_LOCK_MS, "ms")
    same("sums by content, platform, country, device and day", sums(project.pk), before)


def steps(user: Any, now: datetime) -> list[float]:
    """Delete the user; return how long each transaction took, in milliseconds."""
    from analytics.anonymising import fold_viewings
    from backoffice.audit.recording import SYSTEM
    from users.deletion import delete_user

    left = True

    def fold() -> None:
        nonlocal left
        left = fold_viewings(user.pk, project_id=user.project_id) is not None

    times = [elapsed(lambda: delete_user(user=user, actor=SYSTEM, now=now))]
    while left:
        times.append(elapsed(fold))
    return times


# As many more viewings as are missing, spread over the days and contents that others watched.
FILL = """
    INSERT INTO analytics_viewing
        (user_id, started_at, id, project_id, platform_id, content_id, device_id,
         watched_seconds, position_seconds, has_ended, country)
    SELECT %(user)s, started_at, gen_random_uuid(), project_id, platform_id, content_id,
           device_id, watched_seconds, position_seconds, has_ended, country
    FROM analytics_viewing WHERE project_id = %(project)s AND user_id <> %(user)s
    LIMIT %(missing)s
"""


def fill(user: Any, viewings: int) -> None:
    """Give the user so many viewings, with the sums that follow."""
    from django.db import connection

    from analytics.anonymising import viewings_of
    from analytics.rollups import rebuild_rollups

    missing = viewings - viewings_of([user.pk])
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"user": user.pk, "project": user.project_id, "missing": max(0, missing)}
        )
    rebuild_rollups([user.project_id])


SUMS = """
    SELECT content_id, platform_id, country, hardware_type, day, sum(views),
           sum(viewing_seconds), sum(finishes), sum(completion)
    FROM (
        SELECT * FROM ({cells}) AS raw
        UNION ALL
        SELECT project_id, day, content_id, platform_id, country, hardware_type, views,
               viewing_seconds, finishes, completion
        FROM analytics_anonymousviewing
    ) AS cells
    WHERE project_id = %(project)s
    GROUP BY 1, 2, 3, 4, 5
"""


def sums(project_id: int) -> set[tuple[Any, ...]]:
    """Return every sum of the project, of raw viewings and of those folded."""
    from django.db import connection

    from analytics.anonymising import CELLS

    raw = f"WITH viewings AS (SELECT * FROM analytics_viewing) {CELLS}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(SUMS.format(cells=raw), {"project": project_id})
        return set(cursor.fetchall())


# What a sign-up, a payment and a viewing write besides their own rows.
TAKE_SHARED_ROWS = """
    UPDATE users_registrationday SET registered = registered WHERE project_id = %(project)s
        AND day = (SELECT max(day) FROM users_registrationday);
    UPDATE subscriptions_spanday SET started = started WHERE project_id = %(project)s
        AND day >= (SELECT max(day) - 40 FROM subscriptions_spanday);
    UPDATE analytics_viewingday SET views = views WHERE project_id = %(project)s
        AND day >= (SELECT max(day) - 40 FROM analytics_viewingday);
"""


@contextmanager
def waiting(user: Any) -> Iterator[list[float]]:
    """Take the rows that all share again and again meanwhile; give how long each time took."""
    from django.db import connection, connections, transaction

    waits: list[float] = []
    is_over = threading.Event()

    def take() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(TAKE_SHARED_ROWS, {"project": user.project_id})
            transaction.set_rollback(True)

    def again_and_again() -> None:
        try:
            while not is_over.wait(0.01):
                waits.append(elapsed(take))
        finally:
            connections.close_all()

    thread = threading.Thread(target=again_and_again)
    thread.start()
    try:
        yield waits
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
