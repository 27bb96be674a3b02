"""Questions to the audit trail: how often, to whom, and what happened to one thing."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Model

from backoffice.audit.models import AuditEvent

MOST_EVENTS = 100


def acts_since(
    since: datetime, kinds: Iterable[AuditEvent.Kind], *, actor: Model, project: Model
) -> int:
    """Return how often the staff member has done one of these on the project since then."""
    return AuditEvent.objects.filter(
        project_id=project.pk,
        at__gte=since,
        kind__in=list(kinds),
        actor_type=AuditEvent.ActorType.STAFF,
        actor_id=actor.pk,
        outcome=AuditEvent.Outcome.DONE,
    ).count()


def targets_of(
    kind: AuditEvent.Kind, target_ids: Iterable[str], *, target: type[Model], project_id: int
) -> set[str]:
    """Return those of the ids of such targets to which this was done on the project."""
    events = AuditEvent.objects.filter(
        kind=kind,
        project_id=project_id,
        target_type=target._meta.label_lower,
        target_id__in=list(target_ids),
        outcome=AuditEvent.Outcome.DONE,
    )
    return set(events.values_list("target_id", flat=True))


def events_about(target: Model) -> list[AuditEvent]:
    """Return what happened to the object, latest first, at most a hundred events."""
    about = AuditEvent.objects.filter(
        target_type=target._meta.label_lower,
        target_id=str(getattr(target, "public_id", target.pk)),
    )
    return list(about.order_by("-at", "-pk")[:MOST_EVENTS])
