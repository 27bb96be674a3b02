"""Changes to staff members: their making, their roles, what they chose."""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.permissions import Role
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember, StaffRole


class RoleAlreadyHeld(Exception):
    """The member holds this role there already; nothing was changed."""


class StaffRefused(Exception):
    """The e-mail or the password will not do; the message says why."""


@transaction.atomic
def create_staff(
    *,
    email: str,
    password: str,
    role: Role,
    project: Project | None,
    actor: Actor,
    now: datetime,
    name: str = "",
) -> StaffMember:
    """
    Make a staff member with one role, on one project or, without a project, on all.

    :raises StaffRefused: if the e-mail is not one or is taken, or the password is too weak.
    """
    staff = StaffMember(email=email.strip().lower(), name=name, created_at=now)
    try:
        validate_password(password, staff)
        staff.set_password(password)
        staff.full_clean()
    except ValidationError as error:
        raise StaffRefused(" ".join(error.messages)) from error
    staff.save()
    record(AuditEvent.Kind.STAFF_CREATED, actor=actor, now=now, project=project, target=staff)
    grant_role(staff=staff, role=role, project=project, actor=actor, now=now)
    return staff


@transaction.atomic
def grant_role(
    *, staff: StaffMember, role: Role, project: Project | None, actor: Actor, now: datetime
) -> StaffRole:
    """
    Give the member one more role, on one project or, without a project, on all.

    :raises RoleAlreadyHeld: if they hold it there already.
    """
    held, is_new = StaffRole.objects.get_or_create(staff_member=staff, project=project, role=role)
    if not is_new:
        raise RoleAlreadyHeld
    record(
        AuditEvent.Kind.ROLE_GRANTED,
        actor=actor,
        now=now,
        project=project,
        target=staff,
        data={"role": role.value},
    )
    return held


def remember_project(*, staff: StaffMember, project: Project) -> None:
    """Keep the project at hand for the next visit; no event, it changes nothing but that."""
    if staff.last_project_id != project.pk:
        staff.last_project = project
        staff.save(update_fields=["last_project"])


def choose_language(*, staff: StaffMember, language: str) -> None:
    """Keep the language that the member reads; no event, it changes nothing but that."""
    staff.language = language
    staff.save(update_fields=["language"])
