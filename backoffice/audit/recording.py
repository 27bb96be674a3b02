"""The one way into the audit trail: `record`, called inside the transaction of the act."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from django.db import connection
from django.db.models import Model
from psycopg import sql

from backoffice.audit.models import AuditEvent
from backoffice.core.logs import current_request_id


@dataclass(frozen=True, slots=True)
class Nameless:
    """An actor that is no row: the system itself, or somebody who proved to be nobody."""

    type: AuditEvent.ActorType


SYSTEM: Final = Nameless(AuditEvent.ActorType.SYSTEM)
"""Commands, jobs and time: nobody clicked."""

NOBODY: Final = Nameless(AuditEvent.ActorType.UNKNOWN)
"""Whoever failed to sign in."""

Actor: TypeAlias = Model | Nameless
"""A staff member, a platform or its key, the system or nobody."""

# By name, because the trail lies below all apps and imports none.
_ACTOR_TYPES: Final = {
    "staff.staffmember": AuditEvent.ActorType.STAFF,
    "projects.platform": AuditEvent.ActorType.PLATFORM,
}


# In one statement: what thousands of users were done is as much as what one was.
RECORD_EACH: Final = """
    INSERT INTO audit_auditevent (
        at, kind, outcome, project_id, actor_type, actor_id, actor_label, target_type, target_id,
        reason, data, request_id
    )
    SELECT %(audit_at)s, %(audit_kind)s, 'DONE', %(audit_project)s, %(audit_actor_type)s,
           %(audit_actor_id)s, %(audit_actor_label)s, %(audit_target_type)s, target, '', data,
           %(audit_request)s
    FROM ({}) AS targets
"""


def record(
    kind: AuditEvent.Kind,
    *,
    actor: Actor,
    now: datetime,
    project: Model | None = None,
    target: Model | None = None,
    outcome: AuditEvent.Outcome = AuditEvent.Outcome.DONE,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
    request_id: str | None = None,
) -> AuditEvent:
    """
    Write one event in the caller's transaction, so that act and event stand or fall together.

    :param target: named by its public id if it has one, else by its key.
    :param request_id: that of the request at hand, unless the act belongs to another.
    :param data: facts that JSON can say, without personal data: counts, filters, field names.
    """
    return AuditEvent.objects.create(
        at=now,
        kind=kind,
        outcome=outcome,
        project_id=project.pk if project else None,
        **_columns_of_actor(actor),
        **_columns_of_target(target),
        reason=reason,
        data=dict(data or {}),
        request_id=current_request_id() if request_id is None else request_id,
    )


def record_each(
    kind: AuditEvent.Kind,
    *,
    actor: Actor,
    now: datetime,
    project: Model,
    target_type: str,
    targets: sql.Composable,
    values: Mapping[str, Any],
) -> None:
    """
    Write one event for each of many targets, as `record` would.

    :param targets: a query that gives `target`, the public id of each as text, and `data`, the
        facts of its event as jsonb, in the order of the trail.
    :param values: what the query is run with.
    """
    who = {"actor_type": "", "actor_id": None, "actor_label": ""} | _columns_of_actor(actor)
    event = who | {
        "at": now,
        "kind": kind.value,
        "project": project.pk,
        "target_type": target_type,
        "request": current_request_id(),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(RECORD_EACH).format(targets),
            {**values, **{f"audit_{name}": value for name, value in event.items()}},
        )


def _columns_of_actor(actor: Actor) -> dict[str, Any]:
    if isinstance(actor, Nameless):
        return {"actor_type": actor.type}
    # Keys come and go; who acts is the platform.
    who: Model = getattr(actor, "platform", actor)
    return {
        "actor_type": _ACTOR_TYPES[who._meta.label_lower],
        "actor_id": who.pk,
        "actor_label": str(who),
    }


def _columns_of_target(target: Model | None) -> dict[str, str]:
    if target is None:
        return {}
    return {
        "target_type": target._meta.label_lower,
        "target_id": str(getattr(target, "public_id", target.pk)),
    }
