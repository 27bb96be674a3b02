"""Who may do what: the roles of a staff member, read once for each request."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from backoffice.core.permissions import ROLE_PERMISSIONS, Permission
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember

NOTHING: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Access:
    """What one staff member may do, project by project."""

    projects: tuple[Project, ...]
    """The projects on which they hold a role, by name."""
    permissions: Mapping[int, frozenset[Permission]]
    """By project id: the permissions of all roles held there, added up."""
    everywhere: frozenset[Permission] = NOTHING
    """Those of the roles held on all projects, which also cover what belongs to none."""

    def project(self, slug: str) -> Project | None:
        """Return the project of that slug, if they hold a role on it."""
        return next((one for one in self.projects if one.slug == slug), None)

    def chosen(self, project_id: int | None) -> Project | None:
        """Return that project, else the first one; `None` if they hold no role at all."""
        first = self.projects[0] if self.projects else None
        return next((one for one in self.projects if one.pk == project_id), first)

    def permissions_on(self, project: Project) -> frozenset[Permission]:
        return self.permissions.get(project.pk, NOTHING)


def access_of(staff: StaffMember) -> Access:
    """Return what the member may do now, in two queries; nothing if disabled."""
    if not staff.is_active:
        return Access(projects=(), permissions={})
    everywhere = NOTHING
    by_project: dict[int, frozenset[Permission]] = {}
    for project_id, role in staff.roles.values_list("project_id", "role"):
        if project_id is None:
            everywhere |= ROLE_PERMISSIONS[role]
        else:
            by_project[project_id] = by_project.get(project_id, NOTHING) | ROLE_PERMISSIONS[role]
    wanted = Q() if everywhere else Q(pk__in=by_project)
    projects = tuple(Project.objects.filter(wanted).order_by("name", "pk"))
    return Access(
        projects=projects,
        permissions={one.pk: everywhere | by_project.get(one.pk, NOTHING) for one in projects},
        everywhere=everywhere,
    )
