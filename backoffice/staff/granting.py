"""Who may give and take which role: nobody one at or above their own, but owners."""

from collections.abc import Iterable
from dataclasses import dataclass

from backoffice.core.permissions import ROLE_PERMISSIONS, Permission, Role
from backoffice.projects.models import Project
from backoffice.staff.access import Access
from backoffice.staff.models import StaffMember, StaffRole


@dataclass(frozen=True, slots=True)
class Granting:
    """What one staff member may give and take on one project, and on all."""

    staff: StaffMember
    project: Project
    access: Access

    def roles(self, *, everywhere: bool) -> list[Role]:
        """Return the roles that may be given on the project, or on all projects, highest first."""
        held = self.access.everywhere if everywhere else self.access.permissions_on(self.project)
        if Permission.STAFF_MANAGE not in held:
            return []
        return [role for role in Role if _is_below(role, held)]

    def may_take(self, held: StaffRole) -> bool:
        """Tell whether the role may be taken from who holds it; never from oneself."""
        if held.staff_member_id == self.staff.pk:
            return False
        return Role(held.role) in self.roles(everywhere=held.project_id is None)


def _is_below(role: Role, held: frozenset[Permission]) -> bool:
    """Tell whether the role is less than what is held; an owner may do all that there is."""
    return ROLE_PERMISSIONS[role] < held or held == ROLE_PERMISSIONS[Role.OWNER]


def members_of(project: Project) -> list[tuple[StaffMember, list[StaffRole]]]:
    """Return who has a role on the project or on all, by e-mail, each with those roles."""
    roles = StaffRole.objects.filter(project=project) | StaffRole.objects.filter(project=None)
    by_member: dict[int, list[StaffRole]] = {}
    for role in roles.select_related("staff_member").order_by("staff_member__email", "pk"):
        by_member.setdefault(role.staff_member_id, []).append(role)
    return [(held[0].staff_member, _highest_first(held)) for held in by_member.values()]


def _highest_first(held: Iterable[StaffRole]) -> list[StaffRole]:
    order = list(Role)
    return sorted(held, key=lambda one: (order.index(Role(one.role)), one.pk))
