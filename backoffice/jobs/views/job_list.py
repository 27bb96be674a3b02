"""The register of background jobs."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import get_language

from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.jobs.filters import JobFilter
from backoffice.jobs.models import Job
from backoffice.jobs.selectors import waits_in_vain
from backoffice.jobs.views.shown import ShownJob, shown
from backoffice.staff.registers import Register


class JobList(Register):
    """What runs, what waits, what came of it."""

    permission_required = Permission.SETTINGS_VIEW
    filterset_class = JobFilter
    ordering = Ordering("-created", ("created_at", "pk"), is_descending=True)
    template_name = "jobs/job_list.html"

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.filter(project=self.project).select_related("actor")

    def lines(self, rows: Sequence[Job]) -> list[ShownJob]:
        language = get_language() or "en"
        return [shown(job, language) for job in rows]

    def get_context_data(self) -> dict[str, Any]:
        return {"waits_in_vain": waits_in_vain(self.project.pk, self.now)}
