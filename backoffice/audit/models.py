"""The audit trail: append-only copies, no foreign keys, no personal data beyond ids."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise


def kind_choices() -> list[tuple[str, StrOrPromise]]:
    """Return the kinds; by name, so that a new kind needs no migration."""
    return list(AuditEvent.Kind.choices)


class AuditEvent(models.Model):
    """One thing a staff member, a platform key or the system did or was refused."""

    class Kind(models.TextChoices):
        SIGNED_IN = "staff.sign_in.done", _("Signed in")
        SIGN_IN_REFUSED = "staff.sign_in.refused", _("Sign-in refused")
        SIGNED_OUT = "staff.sign_out.done", _("Signed out")
        STEP_UP_DONE = "staff.step_up.done", _("Password confirmed")
        STEP_UP_REFUSED = "staff.step_up.refused", _("Password confirmation refused")
        SECOND_FACTOR_ADDED = "staff.second_factor.added", _("Second factor set up")
        RECOVERY_CODES_MADE = "staff.recovery_codes.made", _("Recovery codes made")
        ACCESS_REFUSED = "staff.access.refused", _("Access refused")
        STAFF_CREATED = "staff.member.created", _("Staff member created")
        ROLE_GRANTED = "staff.role.granted", _("Role granted")
        ROLE_REMOVED = "staff.role.removed", _("Role removed")
        STAFF_INVITED = "staff.member.invited", _("Staff member invited")
        STAFF_JOINED = "staff.member.joined", _("Invitation accepted")
        PROJECT_CREATED = "projects.project.created", _("Project created")
        PLATFORM_CREATED = "projects.platform.created", _("Platform created")
        PROJECT_EDITED = "projects.project.edited", _("Project settings changed")
        PLATFORM_EDITED = "projects.platform.edited", _("Platform edited")
        API_KEY_CREATED = "projects.api_key.created", _("API key created")
        API_KEY_REVOKED = "projects.api_key.revoked", _("API key revoked")
        USER_CREATED = "users.user.created", _("User created")
        USER_EDITED = "users.user.edited", _("User edited")
        USER_REMOVED = "users.user.removed", _("User removed")
        IMPORT_UPLOADED = "users.import.uploaded", _("Import uploaded")
        IMPORT_CONFIRMED = "users.import.confirmed", _("Import confirmed")
        IMPORT_APPLIED = "users.import.applied", _("Import applied")
        IMPORT_UNDONE = "users.import.undone", _("Import undone")
        IMPORT_REFUSED_ROWS_TAKEN = (
            "users.import_refused_rows.exported",
            _("Refused rows of an import taken"),
        )
        IMPERSONATED = "users.impersonation.handed_over", _("Impersonation handed over")
        IMPERSONATION_BEGUN = "users.impersonation.begun", _("Impersonation begun")
        IMPERSONATION_REFUSED = "users.impersonation.refused", _("Impersonation ticket refused")
        IMPERSONATION_ENDED = "users.impersonation.ended", _("Impersonation ended")
        IMPERSONATION_HALTED = "users.impersonation.halted", _("Impersonation switched off")
        IMPERSONATION_RESUMED = "users.impersonation.resumed", _("Impersonation switched on")
        RESET_SENT = "users.reset_link.sent", _("Reset link sent")
        USER_INVITED = "users.user.invited", _("User invited")
        FIELD_CREATED = "users.field.created", _("Sign-up field created")
        FIELD_EDITED = "users.field.edited", _("Sign-up field edited")
        FIELD_ARCHIVED = "users.field.archived", _("Sign-up field archived")
        FIELD_RESTORED = "users.field.restored", _("Sign-up field restored")
        USER_DELETED = "users.user.deleted", _("User deleted")
        FREE_COPY_GIVEN = "subscriptions.free_copy.given", _("Free copy given")
        SESSIONS_ENDED = "users.device_session.ended", _("Device sessions ended")
        VIEWING_EXPORTED = "users.viewing.exported", _("Viewing of a user exported")
        FREE_COPY_CHANGED = "subscriptions.free_copy.changed", _("Free copy changed")
        FREE_COPY_REVOKED = "subscriptions.free_copy.revoked", _("Free copy taken back")
        FREE_COPY_TOLD = "subscriptions.free_copy.told", _("Free copy told of again")
        GIFT_TOLD = "subscriptions.gift.told", _("Gift told of again")
        GIFT_CHANGED = "subscriptions.gift.changed", _("Gift changed")
        GIFT_REVOKED = "subscriptions.gift.revoked", _("Gift cancelled")
        OFFER_CREATED = "subscriptions.offer.created", _("Offer created")
        OFFER_EDITED = "subscriptions.offer.edited", _("Offer edited")
        MAIL_SENT_AGAIN = "jobs.mail.sent_again", _("Mail sent again")
        USERS_EXPORTED = "users.list.exported", _("User list exported")
        PAYMENTS_EXPORTED = "subscriptions.list.exported", _("Payments exported")
        CHART_EXPORTED = "analytics.chart.exported", _("Chart exported")
        PROVIDER_CONNECTED = "subscriptions.provider.connected", _("Provider connected")
        PROVIDER_DISCONNECTED = (
            "subscriptions.provider.disconnected",
            _("Provider disconnected"),
        )
        SUBSCRIPTION_STOPPED = "subscriptions.subscription.stopped", _("Subscription stopped")
        SUBSCRIPTION_RESUMED = "subscriptions.subscription.resumed", _("Subscription resumed")
        PAYMENT_REFUNDED = "subscriptions.payment.refunded", _("Payment refunded")
        CUSTOMER_ASSIGNED = "subscriptions.customer.assigned", _("Customer assigned")
        EVENT_RETRIED = "subscriptions.event.retried", _("Event tried again")
        EXPORT_FETCHED = "jobs.export.fetched", _("File fetched")
        JOB_STARTED = "jobs.job.started", _("Job started")
        JOB_CANCELLED = "jobs.job.cancelled", _("Job stopped")
        JOB_RETRIED = "jobs.job.retried", _("Job started again")
        AUDIT_READ = "audit.trail.read", _("Audit trail read")

    class Outcome(models.TextChoices):
        DONE = "DONE", _("Done")
        REFUSED = "REFUSED", _("Refused")
        FAILED = "FAILED", _("Failed")

    class ActorType(models.TextChoices):
        STAFF = "staff", _("Staff member")
        PLATFORM = "platform", _("Platform")
        SYSTEM = "system", _("System")
        UNKNOWN = "unknown", _("Nobody known")

    at = models.DateTimeField()
    kind = models.CharField(max_length=50, choices=kind_choices)
    outcome = models.CharField(max_length=7, choices=Outcome, default=Outcome.DONE)
    project_id = models.BigIntegerField(null=True, blank=True)
    # Who did it: the kind, the id, and the label at the time (never a user's name).
    actor_type = models.CharField(max_length=8, choices=ActorType)
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_label = models.CharField(max_length=254, blank=True)
    # What it was done to, by kind and public id.
    target_type = models.CharField(max_length=30, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    # Facts without personal data: counts, filters, hashes, names of changed fields.
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(outcome__in=("DONE", "REFUSED", "FAILED")),
                name="audit_event_outcome_known",
            ),
            models.CheckConstraint(
                condition=Q(actor_type__in=("staff", "platform", "system", "unknown")),
                name="audit_event_actor_type_known",
            ),
        )
        indexes = (
            models.Index(fields=["-at", "-id"], name="audit_event_by_time"),
            models.Index(fields=["project_id", "-at", "-id"], name="audit_event_by_project"),
            models.Index(fields=["target_type", "target_id"], name="audit_event_by_target"),
        )

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M:%S} UTC"
