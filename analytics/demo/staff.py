"""The demo staff: one person for each role, with one password that everybody may know."""

from datetime import datetime

from django.contrib.auth.hashers import make_password

from backoffice.core.permissions import Role
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember, StaffRole

# Never in production: demo_data refuses to run there.
PASSWORD = "demo-lumiere-2026"  # noqa: S105

# (e-mail, name, role, project; none for all)
PEOPLE = (
    ("owner@example.com", "Olive Owner", Role.OWNER, None),
    ("admin@example.com", "Adèle Admin", Role.ADMIN, None),
    ("support@example.com", "Sam Support", Role.SUPPORT, None),
    ("analyst@example.com", "Anna Lyst", Role.ANALYST, None),
    ("reader@example.com", "Remi Reader", Role.READER, "lumiere"),
)


def create_staff(*, now: datetime) -> None:
    """Create the demo staff. One hash serves all: hashing is meant to be slow."""
    password = make_password(PASSWORD)
    for email, name, role, slug in PEOPLE:
        member = StaffMember.objects.create(
            email=email, name=name, password=password, created_at=now
        )
        project = Project.objects.get(slug=slug) if slug else None
        StaffRole.objects.create(staff_member=member, project=project, role=role)
