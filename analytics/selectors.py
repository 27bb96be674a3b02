"""Questions about viewing: how many users watched something, and who."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, Q, Sum

from analytics.models import AnonymousViewerDay, UserViewing, ViewerDay, ViewerMonth
from backoffice.core.periods import TICK, Month, Period, midnight
from backoffice.core.scope import Scope

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


def viewing_so_far(user_id: int) -> ViewingSums:
    """Return all that the user ever watched; from the roll-up."""
    row = UserViewing.objects.filter(user_id=user_id).first()
    if row is None:
        return NOTHING_WATCHED
    return ViewingSums(row.media_viewed, row.views, row.viewing_seconds)
