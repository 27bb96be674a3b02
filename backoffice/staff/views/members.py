"""The staff of a project: who has which role, and how one is given and taken."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views import View

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.core.addresses import with_parameters
from backoffice.core.permissions import Permission, Role
from backoffice.staff.actions import (
    RoleAlreadyHeld,
    StaffRefused,
    accept_invitation,
    invite_staff,
    invited,
    take_role,
)
from backoffice.staff.forms import ChoosePasswordForm, InviteForm
from backoffice.staff.granting import Granting, members_of
from backoffice.staff.models import StaffMember, StaffRole
from backoffice.staff.pages import StaffPage
from backoffice.staff.tasks import mail_invitation


class MembersPage(StaffPage):
    """A page about the staff of the project at hand."""

    permission_required = Permission.STAFF_MANAGE
    change_needs_proof = True

    @property
    def granting(self) -> Granting:
        return Granting(self.request.user, self.project, self.request.access)

    def back_to_list(self) -> HttpResponse:
        address = reverse("staff:list")
        return HttpResponseRedirect(with_parameters(address, [("project", self.project.slug)]))


class Members(MembersPage):
    """Who may do what here; a form invites somebody."""

    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self._form(data=self.request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            self._invite(form)
        except RoleAlreadyHeld:
            form.add_error("role", _("This person has this role there already."))
            return self._page(form, status=409)
        except StaffRefused as refusal:
            form.add_error("email", str(refusal))
            return self._page(form, status=400)
        return self.back_to_list()

    @transaction.atomic
    def _invite(self, form: InviteForm) -> None:
        role = Role(form.cleaned_data["role"])
        member = invite_staff(
            email=form.cleaned_data["email"],
            role=role,
            project=self.project if form.cleaned_data["scope"] == "project" else None,
            actor=self.request.user,
            now=self.now,
        )
        if member.has_usable_password():
            messages.success(self.request, _("The role was given. This person signs in already."))
            return
        mail_invitation(
            member=member,
            role=role,
            project=self.project,
            language=get_language() or "en",
            site=self.request.build_absolute_uri("/").rstrip("/"),
            now=self.now,
        )
        record(
            AuditEvent.Kind.STAFF_INVITED,
            actor=self.request.user,
            now=self.now,
            project=self.project,
            target=member,
        )
        messages.success(
            self.request, _("The invitation was written; its mail is in the register.")
        )

    def _form(self, **kwargs: Any) -> InviteForm:
        granting = self.granting
        return InviteForm(
            here=granting.roles(everywhere=False),
            everywhere=granting.roles(everywhere=True),
            **kwargs,
        )

    def _page(self, form: InviteForm, *, status: int = 200) -> HttpResponse:
        granting = self.granting
        members = [
            {
                "member": member,
                "is_invited": not member.has_usable_password(),
                "roles": [{"held": held, "may_take": granting.may_take(held)} for held in roles],
            }
            for member, roles in members_of(self.project)
        ]
        context = {"title": _("Staff and roles"), "members": members, "form": form}
        return TemplateResponse(self.request, "staff/members.html", context, status=status)


class TakeRole(MembersPage):
    """Take a role away; one's own and those at or above it stay."""

    http_method_names = ("post",)

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        roles = StaffRole.objects.filter(project=self.project) | StaffRole.objects.filter(
            project=None
        )
        found = roles.select_related("staff_member", "project").filter(pk=self.kwargs["role_id"])
        held = found.first()
        if held is None:
            raise Http404
        if not self.granting.may_take(held):
            raise PermissionDenied(_("Your role on this project does not allow this."))
        take_role(held=held, actor=self.request.user, now=self.now)
        messages.success(self.request, _("The role was taken away."))
        return self.back_to_list()


@method_decorator(login_not_required, name="dispatch")
class Invitation(View):
    """Where the link of an invitation leads: a first password, once."""

    http_method_names = ("get", "head", "post")

    def get(self, request: HttpRequest, number: str, token: str) -> HttpResponse:
        member = invited(number, token)
        if member is None:
            return self._page(None, None, status=410)
        return self._page(member, ChoosePasswordForm(staff=member))

    def post(self, request: HttpRequest, number: str, token: str) -> HttpResponse:
        member = invited(number, token)
        if member is None:
            return self._page(None, None, status=410)
        form = ChoosePasswordForm(request.POST, staff=member)
        if not form.is_valid():
            return self._page(member, form, status=400)
        try:
            accept_invitation(
                staff=member,
                password=form.cleaned_data["password"],
                name=form.cleaned_data["name"],
                now=timezone.now(),
            )
        except StaffRefused:
            return self._page(None, None, status=410)
        messages.success(request, _("Your password was set: sign in."))
        return HttpResponseRedirect(reverse("account_login"))

    def _page(
        self, member: StaffMember | None, form: ChoosePasswordForm | None, *, status: int = 200
    ) -> HttpResponse:
        context = {"title": _("Invitation"), "member": member, "form": form}
        return TemplateResponse(self.request, "staff/invitation.html", context, status=status)
