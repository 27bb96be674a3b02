"""
Changes of the settings that figures depend on: the setting and all that follows from it change in
one transaction, so that nobody ever reads one without the other.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Sum
from psycopg import sql

from analytics.models import ViewingDay
from analytics.rollups import ROOM_FOR_LARGE_SORTS, rebuild_rollups
from backoffice.audit.recording import Actor
from backoffice.core.derived import DerivedTable
from backoffice.projects.actions import edit_project
from backoffice.projects.models import Project
from subscriptions.actions import derive_free_copy, derive_subscription
from subscriptions.checks import STORED_SPAN_DAYS
from subscriptions.entitlements import WITHOUT_RETRIES
from subscriptions.models import FreeCopy, Subscription
from subscriptions.spans import rebuild_spans
from users.checks import REGISTRATION_DAYS
from users.models import RegistrationDay

RULES: Final = ("time_zone", "minimum_view_seconds", "grace_days", "free_copies_need_activation")
# What a request does by itself takes a few seconds; the rest is a job.
QUICK_VIEWS: Final = 300_000
QUICK_ACCOUNTS: Final = 20_000
CHUNK: Final = 2_000

# Whatever is read and written, in the order of `check_figures --repair`: nobody stores a viewing
# or a subscription by the old rule meanwhile. Pages go on.
LOCKED = """
    LOCK TABLE users_user, users_registrationday,
        subscriptions_subscription, subscriptions_freecopy,
        subscriptions_accessspan, subscriptions_spanday,
        analytics_userviewing, analytics_viewing,
        analytics_viewermonth, analytics_viewerday, analytics_viewingday
    IN SHARE ROW EXCLUSIVE MODE
"""


def is_quick(project: Project) -> bool:
    """Tell whether a change of rules takes no longer than a page may."""
    days = ViewingDay.objects.filter(project=project)
    views = days.aggregate(n=Sum("views"))["n"] or 0
    accounts = RegistrationDay.objects.filter(project=project).aggregate(n=Sum("registered"))["n"]
    return views <= QUICK_VIEWS and (accounts or 0) <= QUICK_ACCOUNTS


@transaction.atomic
def change_rules(
    *, project: Project, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> list[str]:
    """
    Give the project new rules and derive anew what depends on them; return which changed.

    Writers of viewings and payments wait until the end.

    :param changes: values by names of RULES.
    :raises backoffice.projects.actions.ProjectRefused: if a value will not do.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCKED)
        cursor.execute(ROOM_FOR_LARGE_SORTS)
        changed = set(edit_project(project=project, changes=changes, actor=actor, now=now))
        project.refresh_from_db()
        if "time_zone" in changed:
            for table in (REGISTRATION_DAYS, STORED_SPAN_DAYS):
                _count_days_anew(cursor, table, project)
        if changed & {"time_zone", "minimum_view_seconds"}:
            rebuild_rollups([project.pk])
    if "grace_days" in changed:
        _derive_late_payers(project, now=now)
    if "free_copies_need_activation" in changed:
        _derive_free_copies(project, now=now)
    return [name for name in RULES if name in changed]


def _count_days_anew(cursor: CursorWrapper, table: DerivedTable, project: Project) -> None:
    names = {
        "table": sql.Identifier(table.table),
        "columns": sql.SQL(", ").join(sql.Identifier(name) for name in table.columns),
        "expected": sql.SQL(table.expected),
    }
    values = {"project": project.pk}
    cursor.execute(
        sql.SQL("DELETE FROM {table} WHERE project_id = %(project)s").format(**names), values
    )
    cursor.execute(
        sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM ({expected}) AS e"
            " WHERE e.project_id = %(project)s"
        ).format(**names),
        values,
    )


def _derive_late_payers(project: Project, *, now: datetime) -> None:
    late = Subscription.objects.filter(
        project=project,
        status=Subscription.Status.PAST_DUE,
        provider__in=[one.value for one in WITHOUT_RETRIES],
    ).select_related("project")
    rows = iter(late.order_by("user_id", "pk").iterator(chunk_size=CHUNK))
    while chunk := list(islice(rows, CHUNK)):
        for row in chunk:
            derive_subscription(row)
        Subscription.objects.bulk_update(chunk, ["access_start", "access_end", "trial_end"])
        _rebuild((row.user_id for row in chunk), now=now)


def _derive_free_copies(project: Project, *, now: datetime) -> None:
    copies = FreeCopy.objects.filter(project=project, user__isnull=False)
    rows = iter(
        copies.select_related("project", "user")
        .order_by("user_id", "pk")
        .iterator(chunk_size=CHUNK)
    )
    while chunk := list(islice(rows, CHUNK)):
        for row in chunk:
            derive_free_copy(row)
        FreeCopy.objects.bulk_update(chunk, ["access_start", "access_end"])
        _rebuild((row.user_id for row in chunk if row.user_id is not None), now=now)


def _rebuild(user_ids: Iterable[int], *, now: datetime) -> None:
    rebuild_spans(sorted(set(user_ids)), now=now)
