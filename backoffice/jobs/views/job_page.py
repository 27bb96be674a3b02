"""One job: how far it is, what came of it, and the two things that can be done about it."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.audit.presenters import sentence
from backoffice.audit.selectors import events_about
from backoffice.core.permissions import Permission
from backoffice.jobs.actions import JobRefused, cancel, retry
from backoffice.jobs.models import Job
from backoffice.jobs.running import KINDS
from backoffice.jobs.selectors import waits_in_vain
from backoffice.jobs.views.shown import shown
from backoffice.staff.pages import StaffPage, StaffRequest


class OneJob(StaffPage):
    """
    A page about one job: of its starter, or of whoever sees the project's settings.

    The permission is the least that any role has; what is asked besides is asked by `job`.
    """

    permission_required = Permission.USERS_VIEW
    permission_on_others = Permission.SETTINGS_VIEW
    """What it takes for a job that somebody else asked for."""

    def project_of_object(self) -> int | None:
        return self._found.project_id if self._found else None

    @cached_property
    def _found(self) -> Job | None:
        return Job.objects.select_related("actor").filter(pk=self.kwargs["job_id"]).first()

    @property
    def _row(self) -> Job:
        if self._found is None:
            raise Http404
        return self._found

    @property
    def job(self) -> Job:
        """The job; a 404 for those whom it does not concern."""
        if self._row.actor_id != self.request.user.pk and not self.may(self.permission_on_others):
            raise Http404
        return self._row


class JobPage(OneJob):
    """How far it is; it can be left and come back to."""

    http_method_names = ("get", "head")

    def get(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        is_own = self.job.actor_id == request.user.pk
        return TemplateResponse(
            request,
            "jobs/job.html",
            {
                "job": shown(self.job, get_language() or "en"),
                "events": [(event, sentence(event)) for event in events_about(self.job)],
                "zone": self.zone,
                "may_change": is_own or self.may(Permission.SETTINGS_EDIT),
                "sees_all": self.may(Permission.SETTINGS_VIEW),
                "waits_in_vain": not self.job.is_finished
                and waits_in_vain(self.project.pk, self.now),
            },
        )


class CancelJob(OneJob):
    """Stop it."""

    permission_on_others = Permission.SETTINGS_EDIT
    http_method_names = ("post",)

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        try:
            cancel(job=self.job, actor=request.user, now=self.now)
        except JobRefused:
            messages.info(request, _("It had ended already."))
        return HttpResponseRedirect(reverse("jobs:job", args=[self.job.pk]))


class RetryJob(OneJob):
    """Begin it again, with the proof that such a job asks for."""

    permission_on_others = Permission.SETTINGS_EDIT
    http_method_names = ("post",)

    def _needed_permissions(self, request: HttpRequest) -> set[Permission]:
        kind = KINDS.get(self._found.kind) if self._found else None
        return super()._needed_permissions(request) | (kind.needs if kind else set())

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        try:
            retry(job=self.job, actor=request.user, now=self.now)
        except JobRefused:
            messages.info(request, _("It is not one that failed or was stopped."))
        return HttpResponseRedirect(reverse("jobs:job", args=[self.job.pk]))
