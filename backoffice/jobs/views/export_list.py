"""The register of files that were taken."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import get_language

from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.jobs.filters import ExportFilter
from backoffice.jobs.models import Export
from backoffice.jobs.views.shown_export import ShownExport, shown_export
from backoffice.staff.registers import Register


class ExportList(Register):
    """Who took which rows when; one's own, or everybody's for those who see the settings."""

    permission_required = Permission.USERS_EXPORT
    proof_required = False
    filterset_class = ExportFilter
    ordering = Ordering("-created", ("created_at", "pk"), is_descending=True)
    template_name = "jobs/export_list.html"

    def get_queryset(self) -> QuerySet[Export]:
        here = Export.objects.filter(project=self.project).select_related("actor", "job__actor")
        if self.may(Permission.SETTINGS_VIEW):
            return here
        return here.filter(actor=self.request.user)

    def lines(self, rows: Sequence[Export]) -> list[ShownExport]:
        language = get_language() or "en"
        me = self.request.user.pk
        return [
            shown_export(export, language, now=self.now, is_own=export.actor_id == me)
            for export in rows
        ]

    def get_context_data(self) -> dict[str, Any]:
        return {"sees_all": self.may(Permission.SETTINGS_VIEW)}
