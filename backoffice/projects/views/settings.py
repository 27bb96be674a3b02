"""The settings of a project, and what changing them does."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from analytics.rules import RULES, change_rules, is_quick
from backoffice.core.addresses import with_parameters
from backoffice.core.permissions import Permission
from backoffice.jobs.actions import start
from backoffice.jobs.models import Job
from backoffice.projects.actions import ProjectRefused, edit_project
from backoffice.projects.forms import ProjectForm
from backoffice.staff.pages import StaffPage

JOB = "analytics.change_rules"


class ProjectSettings(StaffPage):
    """
    Name, money, languages, limits and rules.

    What figures depend on changes together with them: at once where that is quick, else in a job.
    """

    permission_required = Permission.SETTINGS_VIEW
    change_permission = Permission.SETTINGS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(ProjectForm(project=self.project))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = ProjectForm(self.request.POST, project=self.project)
        if not form.is_valid():
            return self._page(form, status=400)
        asked = form.cleaned_data
        rules = {name: asked[name] for name in RULES if asked[name] != getattr(self.project, name)}
        if rules and self._job_at_work():
            form.add_error(None, _("A change of the rules is still being applied: wait for it."))
            return self._page(form, status=409)
        try:
            edit_project(
                project=self.project,
                changes={name: value for name, value in asked.items() if name not in RULES},
                actor=self.request.user,
                now=self.now,
            )
            return self._apply(rules)
        except ProjectRefused as refusal:
            form.add_error(None, str(refusal))
            return self._page(form, status=400)

    def _apply(self, rules: dict[str, Any]) -> HttpResponse:
        """Change the rules at once, or lead to the job that does."""
        if rules and not is_quick(self.project):
            job = start(
                JOB, project=self.project, actor=self.request.user, arguments=rules, now=self.now
            )
            messages.success(
                self.request, _("Saved. The figures are computed anew by the new rules.")
            )
            return HttpResponseRedirect(reverse("jobs:job", args=[job.pk]))
        if rules:
            change_rules(
                project=self.project, changes=rules, actor=self.request.user, now=self.now
            )
        messages.success(self.request, _("The settings were saved."))
        address = reverse("projects:settings")
        return HttpResponseRedirect(with_parameters(address, [("project", self.project.slug)]))

    def _job_at_work(self) -> Job | None:
        return Job.objects.unfinished().filter(project=self.project, kind=JOB).first()

    def _page(self, form: ProjectForm, *, status: int = 200) -> HttpResponse:
        job = self._job_at_work()
        context = {
            "title": _("Project settings"),
            "form": form,
            "plain": [field for field in form.visible_fields() if field.name not in RULES],
            "rules": [form[name] for name in RULES],
            "is_quick": is_quick(self.project),
            "job_url": reverse("jobs:job", args=[job.pk]) if job else None,
            "may_edit": self.may(Permission.SETTINGS_EDIT),
        }
        return TemplateResponse(self.request, "projects/settings.html", context, status=status)
