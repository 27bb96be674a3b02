"""The register of what was done. It stands here because the trail itself lies below all pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from backoffice.audit.models import AuditEvent
from backoffice.audit.presenters import sentence
from backoffice.audit.recording import record
from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.staff.filters import AuditFilter, RegisterFilter
from backoffice.staff.registers import Register


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the register shows it."""

    event: AuditEvent
    said: str


class AuditTrail(Register):
    """Who did what, when, and what was refused. Reading it is an event itself."""

    permission_required = Permission.AUDIT_VIEW_OWN
    filterset_class = AuditFilter
    ordering = Ordering("-at", ("at", "pk"), is_descending=True)
    template_name = "audit/audit_trail.html"

    def get_queryset(self) -> QuerySet[AuditEvent]:
        """
        Return what this reader may see: the project's events, or only their own in it.

        Events of no project (sign-ins, staff) are for those whose role covers all projects.
        """
        here = Q(project_id=self.project.pk)
        own = Q(actor_type=AuditEvent.ActorType.STAFF, actor_id=self.request.user.pk)
        if not self.may(Permission.AUDIT_VIEW):
            return AuditEvent.objects.filter(own, here | Q(project_id=None))
        if Permission.AUDIT_VIEW in self.request.access.everywhere:
            here |= Q(project_id=None)
        return AuditEvent.objects.filter(here)

    def lines(self, rows: Sequence[AuditEvent]) -> list[Line]:
        return [Line(event, sentence(event)) for event in rows]

    def get_context_data(self) -> dict[str, Any]:
        return {"sees_all": self.may(Permission.AUDIT_VIEW)}

    def read(self, asked: RegisterFilter) -> None:
        if {"after", "before"} & set(self.request.GET):
            return
        given = sorted(name for name, value in asked.form.cleaned_data.items() if value)
        record(
            AuditEvent.Kind.AUDIT_READ,
            actor=self.request.user,
            now=self.now,
            project=self.project,
            data={"filters": given},
        )
