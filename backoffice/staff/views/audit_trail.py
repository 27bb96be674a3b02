"""The register of what was done. It stands here because the trail itself lies below all pages."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from backoffice.audit.models import AuditEvent
from backoffice.audit.presenters import sentence
from backoffice.audit.recording import record
from backoffice.core.pagination import Cursor, CursorRefused, Ordering, Page, keyset_page
from backoffice.core.permissions import Permission
from backoffice.staff.filters import AuditFilter
from backoffice.staff.pages import StaffPage, StaffRequest

PER_PAGE: Final = 50
NEWEST_FIRST: Final = Ordering("-at", ("at", "pk"), is_descending=True)


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the register shows it."""

    event: AuditEvent
    said: str


class AuditTrail(StaffPage):
    """Who did what, when, and what was refused. Reading it is an event itself."""

    permission_required = Permission.AUDIT_VIEW_OWN

    def get(self, request: StaffRequest) -> HttpResponse:
        filterset = AuditFilter(request.GET, queryset=self.visible_events(), zone=self.zone)
        page = self.page_of(filterset)
        if page and not {"after", "before"} & set(request.GET):
            self.note_reading(filterset)
        return TemplateResponse(
            request,
            "audit/audit_trail.html",
            {
                "form": filterset.form,
                "lines": [Line(event, sentence(event)) for event in page.rows] if page else [],
                "page": page,
                "zone": self.zone,
                "sees_all": self.may(Permission.AUDIT_VIEW),
            },
            status=HTTPStatus.OK if page else HTTPStatus.BAD_REQUEST,
        )

    def visible_events(self) -> QuerySet[AuditEvent]:
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

    def page_of(self, filterset: AuditFilter) -> Page[AuditEvent] | None:
        """Return the page asked for; `None`, with words in the form, for what cannot be."""
        if not filterset.is_valid():
            return None
        try:
            after, before = (self.cursor(name) for name in ("after", "before"))
        except CursorRefused:
            filterset.form.add_error(None, _("This page link has expired: start from the top."))
            return None
        return keyset_page(
            filterset.qs,
            NEWEST_FIRST,
            per_page=PER_PAGE,
            at=self.now,
            after=after,
            before=None if after else before,
        )

    def cursor(self, name: str) -> Cursor | None:
        text = self.request.GET.get(name)
        return Cursor.decode(text, NEWEST_FIRST) if text else None

    def note_reading(self, filterset: AuditFilter) -> None:
        given = sorted(name for name, value in filterset.form.cleaned_data.items() if value)
        record(
            AuditEvent.Kind.AUDIT_READ,
            actor=self.request.user,
            now=self.now,
            project=self.project,
            data={"filters": given},
        )
