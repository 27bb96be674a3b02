"""The platforms of a project and their keys."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.permissions import Permission
from backoffice.projects.actions import (
    ProjectRefused,
    create_api_key,
    create_platform,
    edit_platform,
    revoke_api_key,
)
from backoffice.projects.forms import PlatformForm
from backoffice.projects.models import ApiKey, Platform
from backoffice.projects.selectors import platforms_with_keys
from backoffice.staff.pages import StaffPage


class PlatformPage(StaffPage):
    """A page about the platforms of the project at hand."""

    permission_required = Permission.SETTINGS_VIEW
    change_permission = Permission.SETTINGS_EDIT

    @cached_property
    def platform(self) -> Platform:
        """The platform that the address names."""
        found = self.project.platforms.filter(slug=self.kwargs["slug"])
        platform = found.select_related("project").first()
        if platform is None:
            raise Http404
        return platform

    def back_to_list(self) -> HttpResponse:
        address = reverse("projects:platforms")
        return HttpResponseRedirect(with_parameters(address, [("project", self.project.slug)]))


class PlatformList(PlatformPage):
    """All platforms, each with its keys, revoked ones included."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "title": _("Platforms and keys"),
            "platforms": platforms_with_keys(self.project),
            "may_edit": self.may(Permission.SETTINGS_EDIT),
            "zone": self.zone,
        }
        return TemplateResponse(request, "projects/platform_list.html", context)


class NewPlatform(PlatformPage):
    """Add a platform."""

    permission_required = Permission.SETTINGS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(PlatformForm())

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = PlatformForm(self.request.POST)
        if form.is_valid():
            try:
                create_platform(
                    project=self.project,
                    **form.cleaned_data,
                    actor=self.request.user,
                    now=self.now,
                )
            except ProjectRefused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(self.request, _("The platform was created. It needs a key."))
                return self.back_to_list()
        return self._page(form, status=400)

    def _page(self, form: PlatformForm, *, status: int = 200) -> HttpResponse:
        context = {"title": _("New platform"), "form": form, "may_edit": True}
        return TemplateResponse(
            self.request, "projects/platform_form.html", context, status=status
        )


class EditPlatform(PlatformPage):
    """Change a platform's name and addresses."""

    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(PlatformForm(platform=self.platform))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = PlatformForm(self.request.POST, platform=self.platform)
        if form.is_valid():
            try:
                edit_platform(
                    platform=self.platform,
                    changes=form.cleaned_data,
                    actor=self.request.user,
                    now=self.now,
                )
            except ProjectRefused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(self.request, _("The platform was changed."))
                return self.back_to_list()
        return self._page(form, status=400)

    def _page(self, form: PlatformForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": self.platform.name,
            "form": form,
            "may_edit": self.may(Permission.SETTINGS_EDIT),
        }
        return TemplateResponse(
            self.request, "projects/platform_form.html", context, status=status
        )


class NewKey(PlatformPage):
    """Make a key and show it, this once."""

    http_method_names = ("post",)
    change_needs_proof = True

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        issued = create_api_key(platform=self.platform, actor=self.request.user, now=self.now)
        context = {"title": _("New key"), "platform": self.platform, "key": issued.key}
        return TemplateResponse(request, "projects/key_made.html", context)


class RevokeKey(StaffPage):
    """Let a key open nothing any more."""

    permission_required = Permission.SETTINGS_EDIT
    http_method_names = ("post",)
    change_needs_proof = True

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        keys = ApiKey.objects.filter(platform__project=self.project)
        key = keys.select_related("platform__project").filter(pk=self.kwargs["key_id"]).first()
        if key is None:
            raise Http404
        revoke_api_key(key=key, actor=self.request.user, now=self.now)
        messages.success(
            request, _("The key %(hint)s… opens nothing any more.") % {"hint": key.hint}
        )
        address = reverse("projects:platforms")
        return HttpResponseRedirect(with_parameters(address, [("project", self.project.slug)]))
