"""
Impersonation: a staff member sees a platform as one of its users does.

The back office never changes its own session. It hands a single-use ticket to the browser, which
carries it to the platform, which redeems it with its key. Only this module writes the register.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.audit.selectors import acts_since
from backoffice.core.periods import midnight
from backoffice.core.permissions import Permission
from backoffice.core.tokens import hash_of_token
from backoffice.projects.models import Platform, Project
from backoffice.staff.access import access_of
from backoffice.staff.models import StaffMember
from users.models import Impersonation, ImpersonationHalt, ImpersonationQuerySet, User

# 256 random bits; written in 43 characters.
_TICKET_BYTES: Final = 32

NEEDED: Final = {
    Impersonation.Mode.READ_ONLY: Permission.USERS_IMPERSONATE,
    Impersonation.Mode.FULL: Permission.USERS_IMPERSONATE_FULL,
}


class SwitchedOff(Exception):
    """Impersonation is switched off in all projects; there is no ticket."""


class LimitReached(Exception):
    """The staff member has impersonated as often today as anybody may; there is no ticket."""


class UserGone(Exception):
    """The user was deleted meanwhile; there is no ticket."""


class TicketRefused(Exception):
    """The ticket was used, is late, unknown or another platform's, or may no longer be used."""


class HandOver(NamedTuple):
    """What the browser carries to the platform: the register's row, and the ticket itself."""

    row: Impersonation
    ticket: str


# --- Tickets -------------------------------------------------------------------------------


@transaction.atomic
def hand_over(
    *, user: User, staff: StaffMember, mode: Impersonation.Mode, reason: str, now: datetime
) -> HandOver:
    """
    Enter an impersonation in trail and register, and return its ticket; no entry, no ticket.

    The caller has asked for the permission of the mode, and whether a reason is needed.

    :raises SwitchedOff: if nobody is impersonated now.
    :raises UserGone: if the user is deleted.
    :raises LimitReached: if the member's day is used up.
    """
    if not is_on():
        raise SwitchedOff
    # The lock counts: of many at once each sees those before it.
    StaffMember.objects.select_for_update().get(pk=staff.pk)
    present = User.objects.present().select_related("project", "platform")
    locked = present.select_for_update(of=("self",)).filter(pk=user.pk).first()
    if locked is None:
        raise UserGone
    if left_today(staff=staff, project=locked.project, now=now) <= 0:
        raise LimitReached
    ticket = secrets.token_urlsafe(_TICKET_BYTES)
    row = Impersonation(
        project=locked.project,
        platform=locked.platform,
        user=locked,
        staff=staff,
        mode=mode,
        reason=reason,
        ticket_hash=hash_of_token(ticket),
        created_at=now,
        ticket_expires_at=now + timedelta(seconds=settings.IMPERSONATION_TICKET_SECONDS),
    )
    _record(
        AuditEvent.Kind.IMPERSONATED,
        row,
        actor=staff,
        now=now,
        data={"platform": locked.platform.slug, "reason": "given" if reason else "none"},
    )
    row.save(force_insert=True)
    return HandOver(row, ticket)


@transaction.atomic
def redeem(*, ticket: str, platform: Platform, actor: Actor, now: datetime) -> Impersonation:
    """
    Turn the ticket into a session on the platform, once; return its entry, with user and staff.

    :raises TicketRefused: whatever is wrong with it, in the same words.
    """
    # Of twenty at once the first takes the lock; the others look again, and find it redeemed.
    row = (
        _with_people()
        .select_for_update(of=("self",))
        .redeemable(now)
        .filter(ticket_hash=hash_of_token(ticket), platform=platform)
        .first()
    )
    if row is None or not _may_go_on(row):
        raise TicketRefused
    row.redeemed_at = now
    row.expires_at = now + timedelta(minutes=settings.IMPERSONATION_MINUTES)
    row.save(update_fields=["redeemed_at", "expires_at"])
    _record(AuditEvent.Kind.IMPERSONATION_BEGUN, row, actor=actor, now=now)
    return row


# --- Sessions on the platform --------------------------------------------------------------


def running(*, marker: UUID, platform: Platform, now: datetime) -> Impersonation | None:
    """
    Return the entry of an impersonation that goes on, by its marker; none once it has ended.

    It ends early if the user is deleted, the staff member loses the right, or all is switched off.
    """
    row = _with_people().running(now).filter(pk=marker, platform=platform).first()
    return row if row is not None and _may_go_on(row) else None


@transaction.atomic
def end(*, marker: UUID, platform: Platform, actor: Actor, now: datetime) -> bool:
    """
    End the impersonation with this marker; return whether the platform has one, ended or not.

    One that has ended stays as it ended.
    """
    rows = _with_people().select_for_update(of=("self",))
    row = rows.filter(pk=marker, platform=platform).first()
    if row is None or row.redeemed_at is None:
        return False
    if row.ended_by(now) is None:
        row.ended_at, row.end_reason = now, Impersonation.EndReason.STOPPED
        row.save(update_fields=["ended_at", "end_reason"])
        _record(AuditEvent.Kind.IMPERSONATION_ENDED, row, actor=actor, now=now)
    return True


def impersonations_of(user: User) -> list[Impersonation]:
    """Return when the user was impersonated, newest first; tickets nobody redeemed left out."""
    rows = _with_people().filter(user=user, redeemed_at__isnull=False)
    return list(rows.order_by("-redeemed_at", "-pk"))


def forget_impersonations(user_ids: Collection[int]) -> None:
    """Remove the entries of users who are being deleted; the trail keeps its lines."""
    Impersonation.objects.filter(user_id__in=user_ids).delete()


# --- The switch, the limit -----------------------------------------------------------------


def is_on() -> bool:
    """Tell whether anybody can be impersonated at all."""
    return bool(settings.IMPERSONATION) and not ImpersonationHalt.objects.exists()


@transaction.atomic
def halt(*, actor: Actor, now: datetime) -> int:
    """Switch impersonation off in all projects, end what is open; return how many that were."""
    _row, is_new = ImpersonationHalt.objects.get_or_create(pk=1, defaults={"halted_at": now})
    ended = Impersonation.objects.redeemable(now) | Impersonation.objects.running(now)
    count = ended.update(ended_at=now, end_reason=Impersonation.EndReason.SWITCHED_OFF)
    if is_new:
        record(AuditEvent.Kind.IMPERSONATION_HALTED, actor=actor, now=now, data={"ended": count})
    return count


@transaction.atomic
def resume(*, actor: Actor, now: datetime) -> None:
    """Switch impersonation on again; what was ended stays ended."""
    count, _tables = ImpersonationHalt.objects.all().delete()
    if count:
        record(AuditEvent.Kind.IMPERSONATION_RESUMED, actor=actor, now=now)


def left_today(*, staff: StaffMember, project: Project, now: datetime) -> int:
    """Return how often the member may impersonate in the project until its midnight."""
    today = midnight(now.astimezone(project.zone).date(), project.zone)
    done = acts_since(today, [AuditEvent.Kind.IMPERSONATED], actor=staff, project=project)
    return max(0, int(settings.IMPERSONATIONS_A_DAY) - done)


# --- Inside --------------------------------------------------------------------------------


def _with_people() -> ImpersonationQuerySet:
    return Impersonation.objects.select_related("project", "platform", "user", "staff")


def _may_go_on(row: Impersonation) -> bool:
    """Tell whether switch, user and the member's rights still allow what was handed over."""
    allowed = access_of(row.staff).permissions_on(row.project)
    return (
        is_on()
        and row.user.deleted_at is None
        and row.user.platform_id == row.platform_id
        and NEEDED[Impersonation.Mode(row.mode)] in allowed
    )


def _record(
    kind: AuditEvent.Kind,
    row: Impersonation,
    *,
    actor: Actor,
    now: datetime,
    data: dict[str, str] | None = None,
) -> None:
    record(
        kind,
        actor=actor,
        now=now,
        project=row.project,
        target=row.user,
        data={"mode": row.mode, "impersonation": str(row.pk)} | (data or {}),
    )
