"""Mails: what was written to whom, and whether it has left."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.projects.models import Project


class MailQuerySet(models.QuerySet["Mail"]):
    def not_left(self) -> Self:
        """Keep those that failed, those included that will be tried again."""
        return self.exclude(failure="").exclude(state=Mail.State.SENT)


class Mail(models.Model):
    """
    One mail to one person, written by `backoffice.jobs.mailing` alone.

    Its text is made when it leaves or is looked at, from its kind and its values.
    """

    class Kind(models.TextChoices):
        PASSWORD_RESET = "password_reset", _("Password reset")
        INVITATION = "invitation", _("Invitation")
        FREE_COPY = "free_copy", _("Free copy")
        GIFT = "gift", _("Gift")
        EXPORT_READY = "export_ready", _("Export ready")
        STAFF_INVITATION = "staff_invitation", _("Staff invitation")

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        SENT = "SENT", _("Sent")
        FAILED = "FAILED", _("Failed")
        # No mail server is configured.
        KEPT = "KEPT", _("Kept here")

    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind)
    recipient = models.CharField(max_length=320)
    # One that texts exist in: the recipient's, else the project's first.
    language = models.CharField(max_length=10)
    subject = models.CharField(max_length=300)
    # What the text names: offers, days, plain addresses; no names of people, and no secret.
    values = models.JSONField(default=dict)
    # The address with a token in it, encrypted, until the mail has left.
    sealed_secret = models.TextField(blank=True)
    # After this the secret opens nothing: a mail that has not left by then needs a new one.
    secret_expires_at = models.DateTimeField(null=True, blank=True)
    # The public id of the user whom it is about, if it is about one.
    target_user = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=7, choices=State)
    # How often it was tried since somebody asked for it.
    attempts = models.PositiveSmallIntegerField(default=0)
    # Why it has not left, as a message to translate.
    failure = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("WAITING", "SENT", "FAILED", "KEPT")),
                name="mail_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="SENT", sent_at__isnull=False, sealed_secret="")
                | (~Q(state="SENT") & Q(sent_at=None)),
                name="mail_sent_keeps_no_secret",
            ),
            models.CheckConstraint(
                condition=~Q(state="FAILED") | ~Q(failure=""), name="mail_failed_says_why"
            ),
        )
        indexes = (
            models.Index(fields=["project", "-created_at", "-id"], name="mail_by_project"),
            models.Index(
                fields=["target_user"],
                condition=Q(target_user__isnull=False),
                name="mail_by_user",
            ),
            models.Index(fields=["created_at"], name="mail_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def failure_said(self) -> str:
        """Why it has not left, in the reader's language; empty if nothing went wrong."""
        return gettext(self.failure) if self.failure else ""

    @property
    def is_waiting(self) -> bool:
        """Whether it will be tried by itself, for the first time or again."""
        return self.state == self.State.WAITING
