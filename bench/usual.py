"""
The usual way: the Users page and its files as they are commonly written with Django's ORM.

Counts of distinct people over the raw rows (subscriptions, purchases, free copies, viewings),
EXISTS for each status, OFFSET for pages, icontains for the search. It is given every index that
our way has, and the access columns of the sources, which are derived already.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Case, Count, Exists, OuterRef, Q, Value, When
from django.db.models.query import QuerySet

from analytics.models import Device, Viewing
from backoffice.core.periods import TICK, Day, Period
from backoffice.core.scope import Scope
from backoffice.projects.models import Project
from subscriptions.models import FreeCopy, Purchase, Subscription
from subscriptions.selectors import TRIAL_ENDING
from users.models import User

SOURCES = ((Subscription, "user"), (Purchase, "access_user"), (FreeCopy, "user"))


def accounts(scope: Scope) -> QuerySet[User]:
    """Return the accounts of the project, or of some of its platforms, deleted ones included."""
    users = User.objects.filter(project_id=scope.project_id)
    return users.filter(platform__in=scope.platform_ids) if scope.platform_ids else users


def has_access(condition: Q) -> Q:
    """Return the condition of holding access of any source that fulfils the condition."""
    found = Q()
    for source, user in SOURCES:
        rows = source._default_manager.filter(condition, **{user: OuterRef("pk")})
        found |= Q(Exists(rows))
    return found


def at(instant: datetime) -> Q:
    """Access that covers the instant."""
    return Q(access_start__lte=instant) & (Q(access_end=None) | Q(access_end__gt=instant))


def within(period: Period) -> Q:
    """Access that touches the period."""
    return Q(access_start__lt=period.end) & (Q(access_end=None) | Q(access_end__gt=period.start))


def just_before(end: datetime) -> Q:
    """Access that covers the last instant before the end."""
    return at(end - TICK)


# --- Cards ---------------------------------------------------------------------------------


def registered(scope: Scope, period: Period) -> int:
    rows = accounts(scope).filter(registered_at__gte=period.start, registered_at__lt=period.end)
    return rows.count()


def active(scope: Scope, period: Period) -> int:
    return accounts(scope).filter(has_access(within(period))).count()


def in_trial(scope: Scope, period: Period) -> int:
    rows = Subscription.objects.filter(
        user__in=accounts(scope), access_start__lt=period.end, trial_end__gt=period.start
    )
    return int(rows.aggregate(n=Count("user", distinct=True))["n"])


def unsubscribed(scope: Scope, period: Period) -> int:
    held = Subscription.objects.filter(just_before(period.end), user=OuterRef("user"))
    rows = Subscription.objects.filter(
        ~Exists(held),
        user__in=accounts(scope),
        access_end__gte=period.start,
        access_end__lt=period.end,
    )
    return int(rows.aggregate(n=Count("user", distinct=True))["n"])


def trials_ending(scope: Scope, end: datetime) -> int:
    rows = Subscription.objects.filter(
        user__in=accounts(scope),
        access_start__lt=end,
        trial_end__gte=end,
        trial_end__lt=end + TRIAL_ENDING,
    )
    return int(rows.aggregate(n=Count("user", distinct=True))["n"])


def asked_to_stop(scope: Scope, end: datetime) -> int:
    rows = Subscription.objects.filter(
        Q(access_end=None) | Q(access_end__gte=end),
        user__in=accounts(scope),
        cancel_at__gte=end,
        access_start__lt=end,
    )
    return int(rows.aggregate(n=Count("user", distinct=True))["n"])


def viewers(project: Project, scope: Scope, period: Period) -> int:
    """Distinct users with a view: from the raw viewings."""
    rows = Viewing.objects.filter(
        project_id=project.pk,
        started_at__gte=period.start,
        started_at__lt=period.end,
        watched_seconds__gte=project.minimum_view_seconds,
    ).exclude(device_id__in=Device.objects.filter(hardware_type=Device.HardwareType.BOT))
    if scope.platform_ids:
        rows = rows.filter(user_id__in=accounts(scope).values("pk"))
    return int(rows.aggregate(n=Count("user_id", distinct=True))["n"])


def bridge(scope: Scope, window: Period) -> tuple[int, int, int, int, int]:
    """Return start, new, back, gone, and those who came and left."""
    at_start, at_end = has_access(at(window.start)), has_access(just_before(window.end))
    before = has_access(Q(access_start__lt=window.start))
    during = has_access(within(window))
    users = accounts(scope)
    return (
        users.filter(at_start).count(),
        users.filter(at_end & ~at_start & ~before).count(),
        users.filter(at_end & ~at_start & before).count(),
        users.filter(at_start & ~at_end).count(),
        users.filter(during & ~at_start & ~at_end).count(),
    )


# --- Chart ---------------------------------------------------------------------------------


def chart(scope: Scope, days: Sequence[Day], now: datetime) -> list[tuple[int, int, int]]:
    """Return registered, active so far and active at the day's end, of each day begun."""
    start = days[0].period.start
    return [
        (
            registered(scope, day.period),
            active(scope, Period(start, min(day.period.end, now + TICK))),
            accounts(scope)
            .filter(has_access(just_before(min(day.period.end, now + TICK))))
            .count(),
        )
        for day in days
    ]


# --- Table ---------------------------------------------------------------------------------


def table(scope: Scope, now: datetime, period: Period | None = None) -> QuerySet[User]:
    """Return the present users with their status, computed where it is read."""
    users = accounts(scope).filter(deleted_at=None)
    if period:
        users = users.filter(registered_at__gte=period.start, registered_at__lt=period.end)
    return users.annotate(
        is_active=Case(
            When(has_access(at(now)), then=Value(True)),  # noqa: FBT003  # A value of SQL.
            default=Value(False),  # noqa: FBT003
            output_field=BooleanField(),
        ),
        was_active=Case(
            When(has_access(Q(access_end__lte=now)), then=Value(True)),  # noqa: FBT003
            default=Value(False),  # noqa: FBT003
            output_field=BooleanField(),
        ),
    ).order_by("-registered_at", "-pk")


def search(scope: Scope, text: str) -> QuerySet[User]:
    """Return the present users whose name or address contains the text."""
    return (
        accounts(scope)
        .filter(deleted_at=None)
        .filter(
            Q(first_name__icontains=text) | Q(last_name__icontains=text) | Q(email__icontains=text)
        )
        .order_by("-registered_at", "-pk")
    )


def status_of(user: Any) -> int:
    """Return the status of a row of `table`."""
    if user.is_active:
        return User.Status.ACTIVE
    return User.Status.CANCELLED if user.was_active else User.Status.REGISTERED
