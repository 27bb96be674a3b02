"""Questions to the audit trail that limits depend on."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Model

from backoffice.audit.models import AuditEvent


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
