"""What every template may use: menu, project, permissions, whom to ask."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from backoffice.core.permissions import Permission
from backoffice.staff.access import NOTHING, Access, access_of
from backoffice.staff.models import StaffMember
from backoffice.staff.navigation import help_address, menu_for


def staff(request: HttpRequest) -> dict[str, Any]:
    """
    Give the shell of the page its content.

    nav              sections of the menu: label, items with label, url, is_current
    project          the project at hand, or nothing
    project_choices  the projects of the switch, by name
    may              by permission, with "_" for ".": {% if may.users_export %}
    help_url         the help, for who has a role; else nothing
    support_contact  whom to ask; empty if the operator named nobody
    """
    # A request that is refused at the door (a foreign Host) has nobody yet, but a page.
    user = getattr(request, "user", None)
    access = _access(request, user)
    project = getattr(request, "project", None)
    if project is None and isinstance(user, StaffMember):
        project = access.chosen(user.last_project_id)
    permissions = access.permissions_on(project) if project else NOTHING
    return {
        "nav": menu_for(request, permissions),
        "project": project,
        "project_choices": access.projects,
        "may": {one.value.replace(".", "_"): one in permissions for one in Permission},
        "help_url": help_address() if permissions else "",
        "support_contact": settings.SUPPORT_CONTACT,
    }


def _access(request: HttpRequest, user: object) -> Access:
    """Return what a page has read already, or on a page without a project read it."""
    known = getattr(request, "access", None)
    if isinstance(known, Access):
        return known
    if isinstance(user, StaffMember):
        return access_of(user)
    return Access(projects=(), permissions={})
