"""What people watched: exactly as many viewings as asked, month by month."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from psycopg import sql

from analytics.demo import contents
from analytics.demo.agents import AGENTS, BOT
from analytics.demo.contents import Event, Title
from analytics.demo.people import analyse, fill, run
from analytics.demo.services import Service
from analytics.models import Device
from analytics.partitions import ensure_partitions, month_of, partition_name
from backoffice.core.periods import Month
from backoffice.projects.models import Project

UTC_ZONE = ZoneInfo("UTC")

# Each hour is as many units long as it is busy: a unit drawn evenly is an hour of the rhythm.
UNITS = """
    CREATE TEMP TABLE demo_unit ON COMMIT DROP AS
    SELECT project_id::integer, start_at, (upto - n)::integer AS unit
    FROM (SELECT project_id, start_at, watching,
                 sum(watching) OVER (PARTITION BY project_id ORDER BY start_at) AS upto
          FROM demo_hour) AS h,
         generate_series(1, watching) AS n
"""
EDGES = """
    CREATE TEMP TABLE demo_edge ON COMMIT DROP AS
    SELECT project_id, start_at, min(unit) AS low, max(unit) + 1 AS high
    FROM demo_unit
    GROUP BY project_id, start_at
"""

# How each person watches: idle, or with a zeal of which a few have a hundred times more than
# most; the two front ends and three devices used; how many tastes; a few only re-watch. The
# first is never idle, so that any number of viewings has a place.
VIEWERS = """
    CREATE TEMP TABLE demo_viewer ON COMMIT DROP AS
    SELECT p.id AS user_id, p.project_id::integer, p.registered_at,
           CASE WHEN pg_temp.u(p.id, 501) < 0.13 AND p.id > 1 THEN 0
                ELSE power(1 / (pg_temp.u(p.id, 502) + 0.0007), 0.7) END AS zeal,
           CASE WHEN pg_temp.u(p.id, 503) < 0.08 THEN 3
                ELSE 30 + floor(500 * pg_temp.u(p.id, 504))::integer END AS tastes,
           p.platform_id::integer AS platform_1, second.platform_id::integer AS platform_2,
           own.devices[1 + floor(own.count * pg_temp.u(p.id, 505))::integer] AS device_1,
           own.devices[1 + floor(own.count * pg_temp.u(p.id, 506))::integer] AS device_2,
           other.devices[1 + floor(other.count * pg_temp.u(p.id, 507))::integer] AS device_3,
           coalesce(nullif(country, ''), 'US') AS country
    FROM demo_profile AS p
    JOIN demo_kind AS own ON own.kind = p.kind
    JOIN demo_front AS second ON second.project_id = p.project_id
        AND second.slot = floor(100 * pg_temp.u(p.id, 508))::integer
    JOIN demo_kind AS other ON other.kind = second.kind
    WHERE deleted_at IS NULL
"""

# When each person may watch, cut at the months of the partitions: the access spans, and for
# those who never had any a few free films in the weeks after they registered.
SPANS = """
    CREATE TEMP TABLE demo_watching ON COMMIT DROP AS
    SELECT s.user_id, s.start_at AS from_at, least(s.end_at, %(now)s) AS to_at,
           1.0::double precision AS share
    FROM subscriptions_accessspan AS s
    WHERE s.kind = 1 AND s.start_at < %(now)s
    UNION ALL
    SELECT u.id, u.registered_at, least(u.registered_at + interval '45 days', %(now)s), 0.05
    FROM users_user AS u
    WHERE u.registered_at < %(now)s AND NOT EXISTS (
        SELECT FROM subscriptions_accessspan AS s WHERE s.user_id = u.id AND s.kind = 1)
"""
SLOTS = """
    CREATE TEMP TABLE demo_slot ON COMMIT DROP AS
    SELECT month, user_id, project_id, from_at, to_at, low, units,
           floor(before::double precision / total * %(viewings)s)::bigint AS first,
           floor(upto::double precision / total * %(viewings)s)::bigint AS last
    FROM (
        SELECT *, sum(weight) OVER months AS upto, sum(weight) OVER months - weight AS before,
               sum(weight) OVER () AS total
        FROM (
            SELECT c.month, c.user_id, c.project_id, c.from_at, c.to_at, a.low,
                   b.high - a.low AS units,
                   1 + (100 * zeal * share * (b.high - a.low))::bigint AS weight
            FROM (
                SELECT v.user_id, v.project_id, v.zeal, w.share, m AS month,
                       greatest(w.from_at, m) AS from_at,
                       least(w.to_at, m + interval '1 month') AS to_at
                FROM demo_watching AS w JOIN demo_viewer AS v USING (user_id),
                     generate_series(date_trunc('month', w.from_at),
                                     w.to_at - interval '1 second', interval '1 month') AS m
                WHERE v.zeal > 0 AND w.from_at < w.to_at
            ) AS c
            JOIN demo_edge AS a ON a.project_id = c.project_id
                AND a.start_at = date_trunc('hour', c.from_at)
            JOIN demo_edge AS b ON b.project_id = c.project_id
                AND b.start_at = date_trunc('hour', c.to_at - interval '1 second')
            WHERE c.from_at < c.to_at
        ) AS weighted
        WINDOW months AS (ORDER BY month, user_id, from_at)
    ) AS shared
"""

# The viewings of one month. Two of five groups of three follow each other in one sitting, an
# episode after the other. Some are at a live event if one took place while the person had
# access; the others at an hour of the rhythm.
VIEWINGS = """
    INSERT INTO {partition}
        (user_id, started_at, id, project_id, platform_id, content_id, device_id,
         watched_seconds, position_seconds, has_ended, country)
    SELECT user_id, started_at, pg_temp.id(n, 600), project_id, platform_id, content_id,
           device_id, watched, least(run_seconds, watched
               + CASE WHEN skips < 0.1 THEN (run_seconds - watched) / 3 ELSE 0 END),
           started_at + interval '1 second' * watched < %(now)s - interval '3 minutes',
           country
    FROM (
        SELECT *, least(extract(epoch FROM %(now)s - started_at)::integer, CASE
                   WHEN attention < 0.06 THEN minimum * share
                   WHEN attention < 0.24 THEN minimum + run_seconds * 0.4 * share * share
                   WHEN attention < 0.975 THEN run_seconds * (0.6 + 0.4 * share)
                   WHEN attention < 0.985 THEN run_seconds * (1 + 0.9 * share)
                   ELSE run_seconds END::integer) AS watched
        FROM (
            SELECT d.user_id, d.n, d.project_id, d.country, r.minimum_view_seconds AS minimum,
                   CASE WHEN e.start_at >= d.from_at AND e.start_at < d.to_at
                        THEN date_trunc('second', least(d.to_at - interval '1 second',
                             e.start_at + interval '50 minutes' * power(late, 3)))
                        WHEN at >= d.from_at AND at < d.to_at THEN at
                        ELSE date_trunc('second', d.from_at + (d.to_at - d.from_at) * late)
                        END AS started_at,
                   CASE WHEN e.start_at >= d.from_at AND e.start_at < d.to_at THEN e.content_id
                        WHEN late < 0.0004 THEN r.undescribed_id
                        ELSE t.first_content_id + (floor(t.episodes * power(chapter, 1.4))::integer
                             + place) %% t.episodes END AS content_id,
                   CASE WHEN e.start_at >= d.from_at AND e.start_at < d.to_at THEN e.run_seconds
                        ELSE t.run_seconds END AS run_seconds,
                   CASE WHEN front < 0.72 THEN platform_1 ELSE platform_2 END AS platform_id,
                   CASE WHEN front < 0.002 THEN r.bot_id WHEN front < 0.5 THEN device_1
                        WHEN front < 0.72 THEN device_2 ELSE device_3 END AS device_id,
                   pg_temp.u(d.n, 611) AS attention, pg_temp.u(d.n, 612) AS share,
                   pg_temp.u(d.n, 613) AS skips
            FROM (
                SELECT *, h.start_at + interval '1 second' * (
                           floor(3600 * pg_temp.u(sitting, 603)) + place * 3200) AS at
                FROM (
                    SELECT *,
                           low + floor(units * pg_temp.u(sitting, 602))::integer AS unit,
                           floor(titles * power(pg_temp.u(user_id * 1024
                               + floor(tastes * pg_temp.u(sitting, 604))::bigint, 605), 1.9)
                           )::integer AS title,
                           CASE WHEN pg_temp.u(n, 606) < 0.07
                                THEN floor(events * pg_temp.u(n, 607))::integer END AS event,
                           pg_temp.u(user_id * 1024 + sitting %% tastes, 608) AS chapter,
                           pg_temp.u(n, 609) AS late, pg_temp.u(sitting, 610) AS front
                    FROM (
                        SELECT *,
                               CASE WHEN together THEN -(n / 3) ELSE n END AS sitting,
                               CASE WHEN together THEN (n %% 3)::integer ELSE 0 END AS place
                        FROM (
                            SELECT *, pg_temp.u(n / 3, 601) < 0.4 AS together
                            FROM (
                                SELECT s.user_id, s.project_id, s.from_at, s.to_at, s.low,
                                       s.units, v.tastes, v.platform_1, v.platform_2, v.device_1,
                                       v.device_2, v.device_3, v.country, c.titles, c.events,
                                       generate_series(s.first + 1, s.last) AS n
                                FROM demo_slot AS s
                                JOIN demo_viewer AS v USING (user_id)
                                JOIN demo_count AS c ON c.project_id = s.project_id
                                    AND c.month = s.month
                                WHERE s.month = %(month)s AND s.last > s.first
                                OFFSET 0
                            ) AS counted
                            OFFSET 0
                        ) AS grouped
                        OFFSET 0
                    ) AS seated
                    OFFSET 0
                ) AS drawn
                JOIN (SELECT project_id AS hour_project, unit, start_at FROM demo_unit
                      WHERE start_at >= %(month)s
                        AND start_at < %(month)s + interval '1 month') AS h
                    ON h.hour_project = drawn.project_id AND h.unit = drawn.unit
                OFFSET 0
            ) AS d
            JOIN demo_title AS t ON t.project_id = d.project_id AND t.number = d.title
            LEFT JOIN (SELECT * FROM demo_event WHERE month = %(month)s) AS e
                ON e.project_id = d.project_id AND e.number = d.event
            JOIN demo_rule AS r ON r.project_id = d.project_id
            OFFSET 0
        ) AS placed
        OFFSET 0
    ) AS watched
"""


def create_viewings(
    projects: Sequence[Project],
    services: Sequence[Service],
    *,
    viewings: int,
    start: datetime,
    now: datetime,
    seed: int,
    progress: Callable[[str], None],
) -> None:
    """
    Create the contents, the devices and the viewings of [start, now).

    Needs the access spans, and demo_hour and demo_profile of `create_people`.
    """
    months = months_between(start, now)
    create_shelves(projects, services, viewings=viewings, start=start, now=now, seed=seed)
    values = {"now": now, "viewings": viewings}
    for statement in (UNITS, EDGES, VIEWERS, SPANS):
        run(statement, values)
    analyse("demo_unit", "demo_edge", "demo_viewer", "demo_watching")
    run(SLOTS, values)
    run("CREATE INDEX ON demo_slot (month)")
    analyse("demo_slot")
    ensure_partitions(months)
    written = 0
    for month in months:
        insert = sql.SQL(VIEWINGS).format(partition=sql.Identifier(partition_name(month)))
        statement = insert.as_string(connection.connection)
        written += run(statement, values | {"month": month_start(month)})
        progress(f"viewings until {month}: {written:,}")


def months_between(start: datetime, now: datetime) -> list[Month]:
    """Return the months of the partitions that [start, now) touches."""
    month, months = month_of(start), []
    while month <= month_of(now - timedelta(seconds=1)):
        months.append(month)
        month = month.shifted(1)
    return months


def month_start(month: Month) -> datetime:
    return month.period(UTC_ZONE).start


def create_shelves(
    projects: Sequence[Project],
    services: Sequence[Service],
    *,
    viewings: int,
    start: datetime,
    now: datetime,
    seed: int,
) -> None:
    """Create contents and devices, and write what the viewings choose from by draw."""
    contents.create_devices()
    fill_kinds()
    wanted = viewings // contents.VIEWINGS_PER_CONTENT // len(projects)
    count = min(max(wanted, contents.FEWEST_CONTENTS), contents.MOST_CONTENTS)
    rows: dict[str, list[tuple[Any, ...]]] = {"title": [], "event": [], "count": [], "rule": []}
    bot = Device.objects.filter(hardware_type=BOT).order_by("pk").first()
    for project, service in zip(projects, services, strict=True):
        # The seed makes the same data again; nobody is kept from guessing it.
        draw = random.Random(f"{seed} {project.slug}")  # noqa: S311
        titles = contents.make_titles(count, draw)
        evenings = contents.event_evenings(project, start, now, draw)
        events = contents.make_events(count + 1, evenings, now, draw)
        ids = contents.create_contents(project, service, titles, events, draw=draw, now=now)
        rows["title"] += title_rows(project, titles, ids, draw)
        events_of = event_rows(project, events, ids)
        rows["event"] += events_of
        for month in months_between(start, now):
            held = sum(row[1] == month_start(month) for row in events_of)
            rows["count"].append((project.pk, month_start(month), len(titles), held))
        undescribed = ids[f"{project.slug}-undescribed"]
        rows["rule"].append(
            (project.pk, project.minimum_view_seconds, undescribed, bot.pk if bot else None)
        )
    fill(
        "demo_title (project_id integer, number integer, first_content_id integer,"
        " episodes integer, run_seconds integer)",
        rows["title"],
    )
    fill(
        "demo_event (project_id integer, month timestamptz, number integer,"
        " start_at timestamptz, run_seconds integer, content_id integer)",
        rows["event"],
    )
    fill(
        "demo_count (project_id integer, month timestamptz, titles integer, events integer)",
        rows["count"],
    )
    fill(
        "demo_rule (project_id integer, minimum_view_seconds integer, undescribed_id integer,"
        " bot_id integer)",
        rows["rule"],
    )


def title_rows(
    project: Project, titles: Sequence[Title], ids: dict[str, int], draw: random.Random
) -> list[tuple[Any, ...]]:
    """Return the titles in the order of their popularity, which is not that of the contents."""
    ranked = draw.sample(titles, len(titles))
    return [
        (project.pk, rank, ids[contents.content_reference(project, title.first_reference)],
         title.episodes, title.run_seconds)
        for rank, title in enumerate(ranked)
    ]  # fmt: skip


def event_rows(
    project: Project, events: Sequence[Event], ids: dict[str, int]
) -> list[tuple[Any, ...]]:
    """Return the events, numbered within their month."""
    rows: list[tuple[Any, ...]] = []
    for event in events:
        month = month_start(month_of(event.start_at))
        number = sum(row[1] == month for row in rows)
        content = ids[contents.event_reference(project, event.reference)]
        rows.append((project.pk, month, number, event.start_at, event.run_seconds, content))
    return rows


def fill_kinds() -> None:
    """Write which devices are met on which kind of platform."""
    ids = dict(Device.objects.values_list("agent_hash", "pk"))
    kinds = sorted({kind for agent in AGENTS for kind in agent.kinds})
    rows = []
    for kind in kinds:
        devices = [ids[agent.hash] for agent in AGENTS if kind in agent.kinds]
        rows.append((kind, len(devices), devices))
    fill("demo_kind (kind text, count integer, devices integer[])", rows)
