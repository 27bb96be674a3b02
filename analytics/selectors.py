"""Questions about viewing: how many users watched something, and who."""

from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, Sum

from analytics.models import ViewerDay, ViewerMonth
from backoffice.core.periods import Month, Period, midnight
from backoffice.core.scope import Scope


def viewers(scope: Scope, window: Period) -> int:
    """
    Return the distinct users with a view in the window, which is a month or the first of one.

    Source: whole local days from the day counts, the last day from the users' first views.
    """
    last = window.end.astimezone(scope.zone).date()
    month = Month.of(window.start.astimezone(scope.zone).date())
    days = ViewerDay.objects.filter(
        project_id=scope.project_id, day__gte=month.first_day, day__lt=last
    )
    rest = ViewerMonth.objects.filter(
        project_id=scope.project_id,
        month=month.first_day,
        first_viewed_at__gte=midnight(last, scope.zone),
        first_viewed_at__lt=window.end,
    )
    if scope.platform_ids:
        days = days.filter(platform_id__in=scope.platform_ids)
        rest = rest.filter(account_platform_id__in=scope.platform_ids)
    whole = days.aggregate(total=Sum("first_viewers", default=0))["total"]
    return int(whole) + rest.count()


def viewers_in(window: Period, zone: ZoneInfo) -> Q:
    """Return the condition that a user had a view in the window, a month or the first of one."""
    month = Month.of(window.start.astimezone(zone).date())
    return Q(
        Exists(
            ViewerMonth.objects.filter(
                user_id=OuterRef("pk"),
                month=month.first_day,
                first_viewed_at__lt=window.end,
            )
        )
    )
