"""How users sign in on their devices: sessions, resets of passwords, what counts attempts."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.projects.models import Platform, Project
from users.models.people import User


class DeviceSession(models.Model):
    """
    One sign-in of a user on a device, ended ones included.

    The user leads every key, so that the table can be distributed (architecture D5).
    """

    class EndReason(models.TextChoices):
        LIMIT = "limit", _("Too many devices")
        SIGNED_OUT = "signed-out", _("Signed out")
        STAFF = "staff", _("Ended by staff")
        PASSWORD = "password", _("Password changed")
        DELETED = "deleted", _("User deleted")

    pk = models.CompositePrimaryKey("user_id", "id")
    user = models.ForeignKey(User, models.CASCADE, related_name="device_sessions", db_index=False)
    id = models.UUIDField(default=uuid.uuid4)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Whose key signed the user in.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    token_hash = models.CharField(max_length=64)
    # The hardware type of analytics.models.Device, which lies above; as text.
    device_type = models.CharField(max_length=8)
    device_name = models.CharField(max_length=100, blank=True)
    # To the microsecond, unlike other instants: the oldest ends first.
    created_at = models.DateTimeField()
    # Up to five minutes behind.
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=10, choices=EndReason, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "token_hash"], name="device_session_token_unique_for_user"
            ),
            models.CheckConstraint(
                condition=Q(("token_hash__regex", r"^[0-9a-f]{64}$")),
                name="device_session_token_is_sha_256",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | Q(
                    ended_at__isnull=False,
                    end_reason__in=("limit", "signed-out", "staff", "password", "deleted"),
                ),
                name="device_session_end_has_a_reason",
            ),
        )
        indexes = (
            # Not unique, so that the user need not lead: signing out names the session alone.
            models.Index(fields=["id"], name="device_session_by_id"),
            models.Index(fields=["platform", "user"], name="device_session_by_platform"),
        )

    def __str__(self) -> str:
        return f"device session {self.id}"


class PasswordReset(models.Model):
    """
    One link by which a user may choose a new password: gone as soon as it was used.

    The mail holds the token, the row its hash.
    """

    pk = models.CompositePrimaryKey("user_id", "token_hash")
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    token_hash = models.CharField(max_length=64)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(("token_hash__regex", r"^[0-9a-f]{64}$")),
                name="password_reset_token_is_sha_256",
            ),
        )

    def __str__(self) -> str:
        return f"password reset until {self.expires_at:%Y-%m-%d %H:%M} UTC"


class ResetRequest(models.Model):
    """
    That somebody asked for a reset link, until a job has sent it and removed the row.

    An address that nobody has leaves a row as well, without the address: the answer takes the
    same time, and says the same.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    # Whose page the link leads to.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    requested_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"asked at {self.requested_at:%Y-%m-%d %H:%M} UTC"


class AttemptAllowance(models.Model):
    """
    How often something may still be tried, by one address of mail or network: a bucket that
    fills with time.

    The table is unlogged: a crash empties it, and nobody waits for the disk.
    """

    # A keyed hash of what is limited and for whom: no address can be read from it.
    name = models.CharField(max_length=64, primary_key=True)
    attempts_left = models.FloatField()
    counted_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.attempts_left:.1f} left"
