"""Accounts with payment providers: their customers, events and comparisons."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backoffice.projects.models import Project
from subscriptions.models.payments import Provider
from users.models import User

# --- What arrives from providers -----------------------------------------------------------


class ProviderAccount(models.Model):
    """The project's account with one outside provider: how to reach it, and what proves it."""

    project = models.ForeignKey(
        Project, models.PROTECT, related_name="provider_accounts", db_index=False
    )
    provider = models.CharField(max_length=6, choices=Provider)
    # What the provider calls the account or the app; empty while it is not known.
    reference = models.CharField(max_length=255, blank=True)
    # Money, or the provider's test mode; none where the key does not tell.
    is_live = models.BooleanField(null=True, blank=True)
    # The keys and secrets as JSON, encrypted (backoffice.core.sealing).
    sealed = models.TextField()
    # The last characters of the key, so that a person can tell two apart.
    hint = models.CharField(max_length=40)
    connected_at = models.DateTimeField()
    # While the provider does not answer as it should, nobody asks it before this instant.
    resting_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "provider"], name="provider_account_once_per_project"
            ),
            models.CheckConstraint(condition=~Q(sealed=""), name="provider_account_has_secrets"),
        )

    def __str__(self) -> str:
        return f"{self.provider} …{self.hint}"


class ProviderCustomer(models.Model):
    """
    Somebody whom a provider charges, by the provider's own id: a user, or one yet to be found.

    After the user's deletion only a keyed hash of the id remains, so that a late event is
    recognised and brings nobody back.
    """

    class MatchedBy(models.TextChoices):
        USER_ID = "user-id", _("Id of the user")
        EMAIL = "email", _("E-mail")
        STAFF = "staff", _("Staff member")

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    provider = models.CharField(max_length=6, choices=Provider)
    reference = models.CharField(max_length=255)
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="provider_customers"
    )
    matched_by = models.CharField(max_length=8, choices=MatchedBy, blank=True)
    first_seen_at = models.DateTimeField()
    # The reference is a hash then.
    is_forgotten = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "provider", "reference"], name="provider_customer_once"
            ),
            models.CheckConstraint(
                condition=Q(is_forgotten=False) | Q(user=None),
                name="provider_customer_forgotten_is_nobody",
            ),
        )
        indexes = (
            models.Index(
                F("project"),
                F("first_seen_at").desc(),
                F("id").desc(),
                condition=Q(user=None, is_forgotten=False),
                name="provider_customer_waiting",
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"


class ProviderEvent(models.Model):
    """
    One event that a provider told, stored once however often it came.

    Of its body only what finds the object again is kept: what happened is asked for anew.
    """

    class Subject(models.TextChoices):
        """What is asked for to learn what happened."""

        NONE = "", _("Nothing")
        CUSTOMER = "customer", _("Customer")
        SUBSCRIPTION = "subscription", _("Subscription")
        INVOICE = "invoice", _("Invoice")
        CHARGE = "charge", _("Charge")
        PURCHASE = "purchase", _("Purchase")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Ignored")
        UNMATCHED = "unmatched", _("Nobody found")

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    provider = models.CharField(max_length=6, choices=Provider)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    subject_kind = models.CharField(max_length=12, choices=Subject, blank=True)
    # The provider's id of the object; scrubbed when its user is deleted.
    subject = models.CharField(max_length=500, blank=True)
    # Whom it concerns, once that is known.
    customer = models.ForeignKey(
        ProviderCustomer, models.SET_NULL, null=True, blank=True, related_name="events"
    )
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    deliveries = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=9, choices=State)
    # Why it waits or was ignored; a word of subscriptions.webhooks.REASONS.
    reason = models.CharField(max_length=20, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    # When it is tried again; none for one that is settled.
    next_try_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "provider", "event_id"], name="provider_event_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "unmatched"), next_try_at__isnull=False)
                | Q(state__in=("applied", "ignored"), next_try_at=None),
                name="provider_event_waits_for_an_instant",
            ),
        )
        indexes = (
            models.Index(
                F("project"),
                F("received_at").desc(),
                F("id").desc(),
                name="provider_event_by_arrival",
            ),
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="provider_event_due",
            ),
            models.Index(
                fields=["project", "provider", "subject"],
                condition=~Q(subject=""),
                name="provider_event_by_subject",
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class ProviderSync(models.Model):
    """How far the comparison with a provider has come; the next run goes on from there."""

    class Phase(models.TextChoices):
        CUSTOMERS = "customers", _("Customers")
        SUBSCRIPTIONS = "subscriptions", _("Subscriptions")
        INVOICES = "invoices", _("Invoices")
        SESSIONS = "sessions", _("Checkout")
        PAYMENTS = "payments", _("Payments")
        REFUNDS = "refunds", _("Refunds")
        DISPUTES = "disputes", _("Disputes")
        HELD = "held", _("Held here")
        DONE = "done", _("Done")

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    provider = models.CharField(max_length=6, choices=Provider)
    phase = models.CharField(max_length=13, choices=Phase, default=Phase.CUSTOMERS)
    # The provider's id of the last object that was taken over in the phase.
    cursor = models.CharField(max_length=255, blank=True)
    customers = models.PositiveIntegerField(default=0)
    subscriptions = models.PositiveIntegerField(default=0)
    invoices = models.PositiveIntegerField(default=0)
    # Single payments, and what tells of them: sessions of Checkout, refunds, disputes.
    payments = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unmatched = models.PositiveIntegerField(default=0)
    # Objects that could not be understood.
    skipped = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "provider"], name="provider_sync_once_per_project"
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider}: {self.phase}"

    @property
    def looked_at(self) -> int:
        """How many objects of the provider the run has seen so far."""
        return self.customers + self.subscriptions + self.invoices + self.payments
