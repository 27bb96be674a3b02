"""Questions about viewing: how many users watched something, and who."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, Q, Sum

from analytics.models import AnonymousViewerDay, UserViewing, ViewerDay, ViewerMonth
from backoffice.core.figures import Grain
from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT
from backoffice.core.periods import TICK, Month, Period, midnight
from backoffice.core.scope import Scope
from users.models import User

# The part of a day that the window's end cuts off; of deleted users all who are of the day.
VIEWERS_OF_DAY = """
    SELECT (
        SELECT count(*) FROM analytics_viewermonth
        WHERE project_id = %(project)s AND month = %(month)s
          AND first_viewed_at >= %(start)s AND first_viewed_at < %(end)s
          AND (%(platforms)s::bigint[] IS NULL
               OR account_platform_id = ANY (%(platforms)s::bigint[]))
    ) + (
        SELECT coalesce(sum(first_viewers), 0) FROM analytics_anonymousviewerday
        WHERE project_id = %(project)s AND day = %(day)s AND %(start)s < %(end)s
          AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    )
"""


def viewers(scope: Scope, window: Period) -> int:
    """
    Return the distinct users with a view in the window, which is a month or the first of one.

    Source: whole local days from the day counts, the last day from the users' first views. Of
    users deleted since, nothing but the day is kept: they count from its beginning.
    """
    last = window.end.astimezone(scope.zone).date()
    month = Month.of(window.start.astimezone(scope.zone).date())
    days = ViewerDay.objects.filter(
        project_id=scope.project_id, day__gte=month.first_day, day__lt=last
    )
    if scope.platform_ids:
        days = days.filter(platform_id__in=scope.platform_ids)
    whole = days.aggregate(total=Sum("first_viewers", default=0))["total"]
    with connection.cursor() as cursor:
        cursor.execute(
            VIEWERS_OF_DAY,
            {
                "project": scope.project_id,
                "platforms": scope.platforms,
                "month": month.first_day,
                "day": last,
                "start": midnight(last, scope.zone),
                "end": window.end,
            },
        )
        (rest,) = cursor.fetchone()
    return int(whole) + int(rest)


def deleted_viewers(scope: Scope, window: Period) -> int:
    """Return how many of `viewers` were deleted since."""
    first = Month.of(window.start.astimezone(scope.zone).date()).first_day
    last = (window.end - TICK).astimezone(scope.zone).date()
    days = AnonymousViewerDay.objects.filter(
        project_id=scope.project_id, day__gte=first, day__lte=last
    )
    if scope.platform_ids:
        days = days.filter(platform_id__in=scope.platform_ids)
    return int(days.aggregate(total=Sum("first_viewers", default=0))["total"])


def viewers_in(window: Period, project_id: int, zone: ZoneInfo) -> Q:
    """Return the condition that a user had a view in the window, a month or the first of one."""
    month = Month.of(window.start.astimezone(zone).date())
    return Q(
        Exists(
            ViewerMonth.objects.filter(
                user_id=OuterRef("pk"),
                project_id=project_id,
                month=month.first_day,
                first_viewed_at__lt=window.end,
            )
        )
    )


@dataclass(frozen=True, slots=True)
class ViewingSums:
    """What one user watched in some period: views only, none of the shorter viewings."""

    media: int
    """Distinct contents."""
    views: int
    seconds: int


NOTHING_WATCHED = ViewingSums(0, 0, 0)

# The raw viewings of one user: the key begins with the user, the partitions with the month.
SUMS_IN_PERIOD = """
    SELECT count(DISTINCT v.content_id), count(*), coalesce(sum(v.watched_seconds), 0)
    FROM analytics_viewing AS v
    JOIN analytics_device AS d ON d.id = v.device_id
    WHERE v.user_id = %(user)s AND v.started_at >= %(start)s AND v.started_at < %(end)s
      AND v.watched_seconds >= %(least)s AND d.hardware_type <> 'bot'
"""


def viewing_in(user_id: int, period: Period, *, minimum_seconds: int) -> ViewingSums:
    """Return what the user watched in the period, by the start of each viewing; from raw rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            SUMS_IN_PERIOD,
            {
                "user": user_id,
                "start": period.start,
                "end": period.end,
                "least": minimum_seconds,
            },
        )
        return ViewingSums(*cursor.fetchone())


@dataclass(frozen=True, slots=True)
class ViewingSoFar:
    """All that one user ever watched, and the edges of it; none without a view."""

    sums: ViewingSums
    first_viewed_at: datetime | None = None
    last_viewed_at: datetime | None = None


def viewing_so_far(user: User) -> ViewingSoFar:
    """
    Return all that the user ever watched; from the roll-up.

    No query if `viewing` was selected with the user.
    """
    row: UserViewing | None = getattr(user, "viewing", None)
    if row is None:
        return ViewingSoFar(NOTHING_WATCHED)
    return ViewingSoFar(
        ViewingSums(row.media_viewed, row.views, row.viewing_seconds),
        row.first_viewed_at,
        row.last_viewed_at,
    )


@dataclass(frozen=True, slots=True)
class LastViewed:
    """One content among those that a user viewed last."""

    title: str
    type: str
    status: str
    url: str
    duration_seconds: int | None
    viewed_at: datetime
    """The start of the latest view."""
    position_seconds: int
    """The furthest position, over the views looked at."""


# Whoever watches most days of the year has as many; progress is not looked for further back.
VIEWS_LOOKED_AT = 1_000

# The latest views first, from the end of the key; then the contents among them. Joined last:
# few of them are shown. A limit of NULL is none.
LAST_VIEWED = """
    SELECT coalesce(nullif(c.name, ''), c.reference), c.type, c.status, c.url,
           c.duration_seconds, contents.viewed_at, contents.position_seconds
    FROM (
        SELECT content_id, max(started_at) AS viewed_at,
               max(position_seconds) AS position_seconds
        FROM (
            SELECT v.content_id, v.started_at, v.position_seconds
            FROM analytics_viewing AS v
            JOIN analytics_device AS d ON d.id = v.device_id
            WHERE v.user_id = %(user)s AND v.watched_seconds >= %(least)s
              AND d.hardware_type <> 'bot'
            ORDER BY v.started_at DESC, v.id DESC
            LIMIT %(looked_at)s
        ) AS latest
        GROUP BY content_id
        ORDER BY viewed_at DESC, content_id DESC
        LIMIT %(shown)s
    ) AS contents
    JOIN analytics_content AS c ON c.id = contents.content_id
    ORDER BY contents.viewed_at DESC, contents.content_id DESC
"""


def last_viewed(
    user_id: int, *, minimum_seconds: int, media_viewed: int, shown: int
) -> list[LastViewed]:
    """
    Return the contents that the user viewed last, the latest first.

    One query; another one over all of the user's views if the latest of them were of fewer
    contents than there are.

    :param media_viewed: how many distinct contents there are (`ViewingSums.media`).
    :param shown: how many to return at most.
    """
    wanted = min(shown, media_viewed)
    if not wanted:
        return []
    found: list[LastViewed] = []
    for looked_at in (VIEWS_LOOKED_AT, None):
        with connection.cursor() as cursor:
            cursor.execute(
                LAST_VIEWED,
                {
                    "user": user_id,
                    "least": minimum_seconds,
                    "looked_at": looked_at,
                    "shown": shown,
                },
            )
            found = [LastViewed(*row) for row in cursor.fetchall()]
        if len(found) >= wanted:
            break
    return found


@dataclass(frozen=True, slots=True)
class ViewingBar:
    """What one user watched of one content, or of all the rest, in one day, week or month."""

    first_day: date
    """The day itself, the Monday of the ISO week, the first of the month."""
    rank: int
    """The content's place among those watched most, from 1 on; 0 for all the rest."""
    views: int
    seconds: int


@dataclass(frozen=True, slots=True)
class RankedContent:
    """One of the contents that a user watched most in some period."""

    title: str
    views: int
    seconds: int


@dataclass(frozen=True, slots=True)
class ViewingGraph:
    """What one user watched in some period, over time and by content."""

    contents: Sequence[RankedContent]
    """Those watched most, in their order."""
    bars: Sequence[ViewingBar]
    """By first day, then rank; only where something was watched."""
    sums: ViewingSums
    not_counted: int
    """Viewings of the period that are no views."""


# One pass over the user's rows of the period; what comes back is as large as the graph.
GRAPH = """
    WITH viewings AS MATERIALIZED (
        SELECT date_trunc(%(grain)s, v.started_at AT TIME ZONE %(zone)s)::date AS first_day,
               v.content_id, v.watched_seconds,
               v.watched_seconds >= %(least)s AND d.hardware_type <> 'bot' AS is_view
        FROM analytics_viewing AS v
        JOIN analytics_device AS d ON d.id = v.device_id
        WHERE v.user_id = %(user)s AND v.started_at >= %(start)s AND v.started_at < %(end)s
    ), bars AS MATERIALIZED (
        SELECT first_day, content_id, count(*) AS views, sum(watched_seconds) AS seconds
        FROM viewings WHERE is_view
        GROUP BY first_day, content_id
    ), contents AS MATERIALIZED (
        SELECT content_id, sum(views) AS views, sum(seconds) AS seconds,
               row_number() OVER (
                   ORDER BY CASE WHEN %(by_views)s THEN sum(views) ELSE sum(seconds) END DESC,
                            sum(views) DESC, content_id
               ) AS rank
        FROM bars
        GROUP BY content_id
    )
    SELECT NULL::date AS first_day, rank, c.views, c.seconds,
           coalesce(nullif(content.name, ''), content.reference) AS title
    FROM contents AS c JOIN analytics_content AS content ON content.id = c.content_id
    WHERE rank <= %(ranks)s
    UNION ALL
    SELECT first_day, CASE WHEN rank <= %(ranks)s THEN rank ELSE 0 END AS place,
           sum(bars.views), sum(bars.seconds), NULL
    FROM bars JOIN contents USING (content_id)
    GROUP BY first_day, place
    UNION ALL
    SELECT NULL, -1, coalesce(sum(views), 0), coalesce(sum(seconds), 0), count(*)::text
    FROM contents
    UNION ALL
    SELECT NULL, -2, count(*), 0, NULL FROM viewings WHERE NOT is_view
    ORDER BY first_day, rank
"""
OF_ALL, NOT_COUNTED = -1, -2


def viewing_graph(
    user_id: int,
    period: Period | None,
    zone: ZoneInfo,
    *,
    minimum_seconds: int,
    grain: Grain,
    by_views: bool,
    ranks: int,
) -> ViewingGraph:
    """
    Return what the user watched in the period, each viewing by its start; from raw rows.

    One query, which reads the user's viewings of the period once.

    :param period: none is all that there ever was.
    :param by_views: whether contents are ranked by views, else by time.
    :param ranks: how many contents are told apart.
    """
    period = period or Period(FIRST_INSTANT, LAST_INSTANT)
    with connection.cursor() as cursor:
        cursor.execute(
            GRAPH,
            {
                "user": user_id,
                "start": period.start,
                "end": period.end,
                "zone": zone.key,
                "least": minimum_seconds,
                "grain": grain.value,
                "by_views": by_views,
                "ranks": ranks,
            },
        )
        rows = cursor.fetchall()
    whole = {rank: (views, seconds, text) for day, rank, views, seconds, text in rows if not day}
    views, seconds, media = whole[OF_ALL]
    return ViewingGraph(
        contents=[
            RankedContent(whole[rank][2], int(whole[rank][0]), int(whole[rank][1]))
            for rank in range(1, ranks + 1)
            if rank in whole
        ],
        bars=[
            ViewingBar(day, rank, int(views), int(seconds))
            for day, rank, views, seconds, _text in rows
            if day
        ],
        sums=ViewingSums(int(media), int(views), int(seconds)),
        not_counted=int(whole[NOT_COUNTED][0]),
    )
