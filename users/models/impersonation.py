"""Staff who took on a user's identity, and the switch that stops it all."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.projects.models import Platform, Project
from backoffice.staff.models import StaffMember
from users.models.people import User


class ImpersonationState(models.TextChoices):
    """How an impersonation stands at an instant."""

    WAITING = "waiting", _("Ticket handed out")
    RUNNING = "running", _("Goes on")
    ENDED = "ended", pgettext_lazy("an impersonation", "Ended")
    UNUSED = "unused", _("Ticket never redeemed")


class ImpersonationQuerySet(models.QuerySet["Impersonation"]):
    def in_state(self, state: str, now: datetime) -> Self:
        """Keep those that stand so at this instant."""
        is_redeemed = Q(redeemed_at__isnull=False)
        is_over = Q(ended_at__isnull=False)
        conditions = {
            ImpersonationState.WAITING: ~is_redeemed & ~is_over & Q(ticket_expires_at__gt=now),
            ImpersonationState.RUNNING: is_redeemed & ~is_over & Q(expires_at__gt=now),
            ImpersonationState.ENDED: is_redeemed & (is_over | Q(expires_at__lte=now)),
            ImpersonationState.UNUSED: ~is_redeemed & (is_over | Q(ticket_expires_at__lte=now)),
        }
        return self.filter(conditions[ImpersonationState(state)])

    def redeemable(self, now: datetime) -> Self:
        """Keep those whose ticket still opens the platform."""
        return self.in_state(ImpersonationState.WAITING, now)

    def running(self, now: datetime) -> Self:
        """Keep those that a platform shows at this instant."""
        return self.in_state(ImpersonationState.RUNNING, now)


class Impersonation(models.Model):
    """
    One time that a staff member was handed over to a platform as one of its users; written by
    `users.impersonation`.

    The id is the marker that the platform sends with what it reports meanwhile.
    """

    class Mode(models.TextChoices):
        READ_ONLY = "read-only", _("Read-only")
        FULL = "full", _("Full")

    class EndReason(models.TextChoices):
        STOPPED = "stopped", _("Stopped on the platform")
        SWITCHED_OFF = "switched-off", _("Switched off everywhere")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Where the account was created; no other platform's key redeems the ticket.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="impersonations")
    staff = models.ForeignKey(StaffMember, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=9, choices=Mode, default=Mode.READ_ONLY)
    # Typed by staff, so it may name somebody: it goes with the user, and the trail has no copy.
    reason = models.CharField(max_length=500, blank=True)
    # The ticket itself is in the browser alone.
    ticket_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    ticket_expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True, blank=True)
    # When the platform stops at the latest; set as the ticket is redeemed.
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=12, choices=EndReason, blank=True)

    objects = ImpersonationQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(("ticket_hash__regex", r"^[0-9a-f]{64}$")),
                name="impersonation_ticket_is_sha_256",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=("read-only", "full")), name="impersonation_mode_known"
            ),
            models.CheckConstraint(
                condition=Q(redeemed_at=None, expires_at=None)
                | Q(
                    redeemed_at__isnull=False,
                    expires_at__isnull=False,
                    expires_at__gt=F("redeemed_at"),
                ),
                name="impersonation_lasts_from_redemption",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | Q(ended_at__isnull=False, end_reason__in=("stopped", "switched-off")),
                name="impersonation_end_has_a_reason",
            ),
        )
        indexes = (
            models.Index(
                F("project"), F("created_at").desc(), F("id").desc(), name="impersonation_by_time"
            ),
        )

    def __str__(self) -> str:
        return f"impersonation {self.id}"

    def state(self, now: datetime) -> ImpersonationState:
        """Return how it stands at this instant, as `in_state` does."""
        if self.redeemed_at is None:
            is_late = self.ended_at is not None or self.ticket_expires_at <= now
            return ImpersonationState.UNUSED if is_late else ImpersonationState.WAITING
        return ImpersonationState.ENDED if self.ended_by(now) else ImpersonationState.RUNNING

    def ended_by(self, now: datetime) -> datetime | None:
        """Return when it ended, if it has by now; a ticket that nobody redeemed never began."""
        if self.ended_at is not None:
            return self.ended_at
        if self.expires_at is not None and self.expires_at <= now:
            return self.expires_at
        return None


class ImpersonationHalt(models.Model):
    """That impersonation is switched off in all projects: one row while it is, none else."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    halted_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="impersonation_halt_is_one_row"),
        )

    def __str__(self) -> str:
        return f"since {self.halted_at:%Y-%m-%d %H:%M} UTC"
