"""The sign-up fields of a project: which there are, in which order, and each of them."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from users.custom_fields import (
    FieldInUse,
    KeyTaken,
    archive_field,
    create_field,
    edit_field,
    move_field,
    restore_field,
)
from users.forms import CustomFieldForm
from users.models import CustomField
from users.selectors import custom_fields


class FieldPage(StaffPage):
    """A page about the sign-up fields of the project at hand."""

    permission_required = Permission.SETTINGS_VIEW
    change_permission = Permission.SETTINGS_EDIT

    @cached_property
    def field(self) -> CustomField:
        """The field that the address names, archived or not."""
        found = CustomField.objects.filter(project=self.project, key=self.kwargs["key"])
        field = found.select_related("project").first()
        if field is None:
            raise Http404
        return field

    def back_to_list(self) -> HttpResponse:
        slug = self.project.slug
        return HttpResponseRedirect(with_parameters(reverse("users:fields"), [("project", slug)]))


class FieldList(FieldPage):
    """All fields in their order, archived ones apart."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> HttpResponse:
        fields = custom_fields(self.project.pk)
        context = {
            "title": _("Sign-up fields"),
            "live": self._rows(field for field in fields if field.archived_at is None),
            "archived": self._rows(field for field in fields if field.archived_at is not None),
            "may_edit": self.may(Permission.SETTINGS_EDIT),
        }
        return TemplateResponse(request, "users/field_list.html", context)

    def _rows(self, fields: Iterable[CustomField]) -> list[dict[str, Any]]:
        languages = self.project.languages
        return [
            {"field": field, "labels": [(one, field.labels.get(one, "")) for one in languages]}
            for field in fields
        ]


class FieldForm(FieldPage):
    """What a new field and a changed one share: one form."""

    def page(self, form: CustomFieldForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": _("Sign-up field %(key)s") % {"key": form.field.key}
            if form.field
            else _("New sign-up field"),
            "form": form,
            "may_edit": self.may(Permission.SETTINGS_EDIT),
        }
        return TemplateResponse(self.request, "users/field_form.html", context, status=status)

    def form(self, field: CustomField | None, **kwargs: Any) -> CustomFieldForm:
        others = [one for one in custom_fields(self.project.pk) if field is None or one != field]
        return CustomFieldForm(
            field=field, others=others, languages=self.project.languages, **kwargs
        )


class NewField(FieldForm):
    """Add a field at the end."""

    permission_required = Permission.SETTINGS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self.page(self.form(None))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self.form(None, data=self.request.POST)
        if not form.is_valid():
            return self.page(form, status=400)
        field = CustomField(project=self.project, **form.values())
        try:
            create_field(field=field, actor=self.request.user, now=self.now)
        except KeyTaken:
            form.add_error("key", _("Another field of this project has this key."))
            return self.page(form, status=400)
        messages.success(self.request, _("The sign-up field was created."))
        return self.back_to_list()


class EditField(FieldForm):
    """Change a field; what users' values depend on stays."""

    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self.page(self.form(self.field))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self.form(self.field, data=self.request.POST)
        if not form.is_valid():
            return self.page(form, status=400)
        try:
            edit_field(
                field=self.field, changes=form.values(), actor=self.request.user, now=self.now
            )
        except KeyTaken:
            form.add_error("key", _("Another field of this project has this key."))
            return self.page(form, status=400)
        except FieldInUse:
            form.add_error(
                None,
                _("Users have filled it in: its key, its type and their choices have to stay."),
            )
            return self.page(form, status=409)
        messages.success(self.request, _("The sign-up field was changed."))
        return self.back_to_list()


class ArchiveField(FieldPage):
    """Ask for the field no more."""

    http_method_names = ("post",)

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        archive_field(field=self.field, actor=self.request.user, now=self.now)
        messages.success(self.request, _("The sign-up field was archived; its values stay."))
        return self.back_to_list()


class RestoreField(FieldPage):
    """Ask for an archived field again."""

    http_method_names = ("post",)

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        restore_field(field=self.field, actor=self.request.user, now=self.now)
        messages.success(self.request, _("The sign-up field is asked for again."))
        return self.back_to_list()


class MoveField(FieldPage):
    """Put the field one place up or down."""

    http_method_names = ("post",)

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        is_up = self.request.POST.get("direction") == "up"
        move_field(field=self.field, is_up=is_up, actor=self.request.user, now=self.now)
        return self.back_to_list()
