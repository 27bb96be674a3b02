"""Questions about accounts: how many were created, which are gone, their fields and sessions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import F

from backoffice.audit.models import AuditEvent
from backoffice.audit.selectors import targets_of
from backoffice.core.running_counts import accumulate, bucket_days, edges_of
from backoffice.core.scope import Scope
from backoffice.core.tokens import hash_of_token, owner_of_token
from backoffice.projects.models import Project
from users.models import CustomField, DeviceSession, PasswordReset, RegistrationDay, User


@dataclass(frozen=True, slots=True)
class AccountCounts:
    """Accounts created before an instant."""

    registered: int
    """All of them, those deleted since included."""
    deleted: int


ACCOUNTS_BY_BUCKET = """
    SELECT width_bucket(day, %(days)s::date[]) AS bucket, sum(registered), sum(deleted)
    FROM users_registrationday
    WHERE project_id = %(project)s
      AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY bucket
"""

ACCOUNTS_OF_DAY_PARTS = """
    SELECT edge.number, users.registered, users.deleted
    FROM unnest(%(froms)s::timestamptz[], %(tos)s::timestamptz[])
         WITH ORDINALITY AS edge (day_start, instant, number)
    CROSS JOIN LATERAL (
        SELECT count(*) AS registered, count(deleted_at) AS deleted
        FROM users_user
        WHERE project_id = %(project)s
          AND registered_at >= edge.day_start AND registered_at < edge.instant
          AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    ) AS users
"""


def account_counts(scope: Scope, instants: Sequence[datetime]) -> dict[datetime, AccountCounts]:
    """
    Return how many accounts were created before each instant, in two queries.

    Source: the day counts for whole local days, the accounts for the day that an instant cuts.
    """
    edges = edges_of(instants, scope.zone)
    values = {
        "project": scope.project_id,
        "platforms": scope.platforms,
        "days": bucket_days(edges),
        "froms": [edge.day_start for edge in edges],
        "tos": [edge.instant for edge in edges],
    }
    with connection.cursor() as cursor:
        cursor.execute(ACCOUNTS_BY_BUCKET, values)
        buckets = cursor.fetchall()
        cursor.execute(ACCOUNTS_OF_DAY_PARTS, values)
        parts = {number: counts for number, *counts in cursor}
    registered = accumulate(edges, [(bucket, count) for bucket, count, _ in buckets])
    deleted = accumulate(edges, [(bucket, count) for bucket, _, count in buckets])
    return {
        edge.instant: AccountCounts(
            registered=registered[edge.instant] + parts[number][0],
            deleted=deleted[edge.instant] + parts[number][1],
        )
        for number, edge in enumerate(edges, start=1)
    }


REGISTERED_BY_DAY = """
    SELECT day, sum(registered)
    FROM users_registrationday
    WHERE project_id = %(project)s AND day >= %(first)s AND day <= %(last)s
      AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY day
"""


def registered_by_day(scope: Scope, first: date, last: date) -> dict[date, int]:
    """Return the accounts created on each local day that had any, both ends included."""
    with connection.cursor() as cursor:
        cursor.execute(
            REGISTERED_BY_DAY,
            {
                "project": scope.project_id,
                "platforms": scope.platforms,
                "first": first,
                "last": last,
            },
        )
        return dict(cursor.fetchall())


def first_registration_day(scope: Scope) -> date | None:
    """Return the local day of the project's first account, whatever the platform; or none."""
    days = RegistrationDay.objects.filter(project_id=scope.project_id, registered__gt=0)
    return days.order_by("day").values_list("day", flat=True).first()


def custom_fields(project_id: int) -> list[CustomField]:
    """Return the project's sign-up fields in its order, archived ones included."""
    fields = CustomField.objects.filter(project_id=project_id)
    return list(fields.order_by("position", "pk"))


# As many as two of the larger limit of devices: those live, and as many that have ended.
SESSIONS_SHOWN = 10


def device_sessions_of(user_id: int) -> list[DeviceSession]:
    """Return the user's live device sessions, then those that ended last, with platforms."""
    sessions = DeviceSession.objects.filter(user=user_id).select_related("platform")
    ended_last = F("ended_at").desc(nulls_first=True)
    return list(sessions.order_by(ended_last, "-created_at", "-id")[:SESSIONS_SHOWN])


def live_reset(project: Project, token: str, *, now: datetime) -> PasswordReset | None:
    """Return the reset link of the token while it works: of the project, unused, not too old."""
    owner = owner_of_token(token)
    if owner is None:
        return None
    return PasswordReset.objects.filter(
        user__public_id=owner,
        user__deleted_at=None,
        project=project,
        token_hash=hash_of_token(token),
        expires_at__gt=now,
    ).first()


def deleted_among(public_ids: Iterable[str], *, project_id: int) -> set[str]:
    """
    Return those of the ids, in their usual form, that belonged to users deleted since.

    A stub has another id: the audit trail alone still knows whom a platform speaks of.
    """
    return targets_of(AuditEvent.Kind.USER_DELETED, public_ids, target=User, project_id=project_id)
