"""The ground under every page: who asks, in which project, with which permission, when."""

from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import View

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.core.permissions import STEP_UP, Permission
from backoffice.projects.models import Project
from backoffice.staff.access import Access, access_of
from backoffice.staff.actions import remember_project
from backoffice.staff.models import StaffMember
from backoffice.staff.proof import is_proved
from backoffice.staff.step_up import ask_or_accept

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class StaffRequest(HttpRequest):
    """A request of a signed-in staff member, once a `StaffPage` has looked at it."""

    user: StaffMember
    access: Access
    project: Project


class StaffPage(View):
    """
    A page for staff: names a permission, and finds project, clock and zone set.

    Place it first among the bases. Without the permission the answer is 403; a project that
    the reader has no role on is a 404, like one that does not exist.
    """

    permission_required: ClassVar[Permission]
    change_permission: ClassVar[Permission | None] = None
    """What a change (POST) needs besides, if reading needs less."""
    change_needs_proof: ClassVar[bool] = False
    """Whether a change asks for a recent proof, though its permission does not."""

    proof_comes_first: ClassVar[bool] = False
    """
    Whether even reading asks for a recent proof: a page on which secrets are typed, which a
    question after the form would carry through its own page.
    """

    proof_required: ClassVar[bool] = True
    """Whether a grave permission asks for a fresh proof here: where it is used, not listed."""

    request: StaffRequest
    now: datetime
    """The clock, read once for the whole request; UTC."""
    project: Project
    zone: ZoneInfo
    """The project's time zone, in which its days are cut and its times shown."""
    permissions: frozenset[Permission]
    """What the reader may do on this project."""

    def dispatch(  # type: ignore[override]
        self, request: StaffRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        self.now = timezone.now()
        request.access = access_of(request.user)
        request.project = self.project = self._find_project(request)
        self.zone = self.project.zone
        self.permissions = request.access.permissions_on(self.project)
        needed = self._needed_permissions(request)
        for permission in sorted(needed):
            if permission not in self.permissions:
                self._refuse(permission)
        is_grave = self.change_needs_proof and request.method not in SAFE_METHODS
        is_grave |= self.proof_comes_first or (self.proof_required and bool(needed & STEP_UP))
        if is_grave and not is_proved(request.session, self.now):
            if self.proof_comes_first and request.method not in SAFE_METHODS:
                return HttpResponseRedirect(request.get_full_path())
            question = ask_or_accept(request, now=self.now)
            if question is not None:
                return question
        return super().dispatch(request, *args, **kwargs)

    def may(self, permission: Permission) -> bool:
        """Tell whether the reader may do this on the project at hand."""
        return permission in self.permissions

    def project_of_object(self) -> int | None:
        """
        Return the id of the project that the addressed object belongs to, `None` for no object.

        A page about one object overrides it, so that a link opens in the object's own project;
        it raises `Http404` for an object that does not exist. The reader's rights there are
        looked at afterwards, and their absence is the same 404.
        """
        return None

    def _needed_permissions(self, request: HttpRequest) -> set[Permission]:
        needed = {self.permission_required}
        if self.change_permission and request.method not in SAFE_METHODS:
            needed.add(self.change_permission)
        return needed

    def _find_project(self, request: StaffRequest) -> Project:
        asked = set(request.GET.getlist("project")) or set(request.POST.getlist("project"))
        owner = self.project_of_object()
        fitting = [
            project
            for project in request.access.projects
            if (not asked or asked == {project.slug}) and owner in {None, project.pk}
        ]
        if asked or owner is not None:
            if not fitting:
                raise Http404
            if request.method in SAFE_METHODS:
                remember_project(staff=request.user, project=fitting[0])
            return fitting[0]
        chosen = request.access.chosen(request.user.last_project_id)
        if chosen is None:
            raise PermissionDenied(_("You have no role on any project yet."))
        return chosen

    def _refuse(self, permission: Permission) -> None:
        record(
            AuditEvent.Kind.ACCESS_REFUSED,
            actor=self.request.user,
            now=self.now,
            project=self.project,
            outcome=AuditEvent.Outcome.REFUSED,
            data={"permission": permission.value},
        )
        raise PermissionDenied(_("Your role on this project does not allow this."))
