"""Changes to staff members: their making, their roles, what they chose."""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

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


@transaction.atomic
def invite_staff(
    *, email: str, role: Role, project: Project | None, actor: Actor, now: datetime
) -> StaffMember:
    """
    Give the role to the member with this address, who is made if there is none.

    A new member has no password, and chooses one by a link (`invitation_of`).

    :raises StaffRefused: if the e-mail is not one.
    :raises RoleAlreadyHeld: if they hold the role there already.
    """
    address = email.strip().lower()
    staff = StaffMember.objects.filter(email=address).first()
    if staff is None:
        staff = StaffMember(email=address, created_at=now)
        staff.set_unusable_password()
        try:
            staff.full_clean()
        except ValidationError as error:
            raise StaffRefused(" ".join(error.messages)) from error
        staff.save()
        record(AuditEvent.Kind.STAFF_CREATED, actor=actor, now=now, project=project, target=staff)
    grant_role(staff=staff, role=role, project=project, actor=actor, now=now)
    return staff


def invitation_of(staff: StaffMember) -> tuple[str, str]:
    """
    Return the two parts of the link by which the member chooses a first password.

    Nothing of it is stored: it is a keyed hash of the member's row, void once there is a password
    and after INVITATION_DAYS.
    """
    return urlsafe_base64_encode(force_bytes(staff.pk)), default_token_generator.make_token(staff)


def invited(number: str, token: str) -> StaffMember | None:
    """Return the member whom the link invites; none if it is void."""
    try:
        pk = int(urlsafe_base64_decode(number))
    except (ValueError, OverflowError):
        return None
    staff = StaffMember.objects.filter(pk=pk, is_active=True).first()
    is_open = staff is not None and not staff.has_usable_password()
    return staff if is_open and default_token_generator.check_token(staff, token) else None


@transaction.atomic
def accept_invitation(*, staff: StaffMember, password: str, name: str, now: datetime) -> None:
    """
    Give the invited member a first password, already found good enough.

    :raises StaffRefused: if there is one by now.
    """
    staff = StaffMember.objects.select_for_update().get(pk=staff.pk)
    if staff.has_usable_password():
        raise StaffRefused
    staff.name = name
    staff.set_password(password)
    staff.save(update_fields=["name", "password"])
    record(AuditEvent.Kind.STAFF_JOINED, actor=staff, now=now, target=staff)


@transaction.atomic
def take_role(*, held: StaffRole, actor: Actor, now: datetime) -> None:
    """Take the role away, from the next request on. Again changes nothing."""
    removed, _by_model = StaffRole.objects.filter(pk=held.pk).delete()
    if removed:
        record(
            AuditEvent.Kind.ROLE_REMOVED,
            actor=actor,
            now=now,
            project=held.project,
            target=held.staff_member,
            data={"role": held.role},
        )


def remember_project(*, staff: StaffMember, project: Project) -> None:
    """Keep the project at hand for the next visit; no event, it changes nothing but that."""
    if staff.last_project_id != project.pk:
        staff.last_project = project
        staff.save(update_fields=["last_project"])


def choose_language(*, staff: StaffMember, language: str) -> None:
    """Keep the language that the member reads; no event, it changes nothing but that."""
    staff.language = language
    staff.save(update_fields=["language"])
