"""
What is sold, and what users have of it.

Sources (subscriptions, purchases, free copies) are written by `subscriptions.actions` alone,
which derives the spans of access in the same transaction.
"""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.core.instants import within_bounds
from backoffice.projects.models import Project
from users.models import User


class Provider(models.TextChoices):
    """Who charges. OKAST stands for anything that no outside provider charges."""

    STRIPE = "stripe", "Stripe"
    GOOGLE = "google", "Google"
    APPLE = "apple", "Apple"
    OKAST = "okast", "OKAST"
    OTHER = "other", _("Other")


class StopReason(models.TextChoices):
    """
    Why a subscription stops: because its user wants it, or against the user's will.

    `cancel_reason` begins with one of these where a provider told it; a detail of the
    provider's may follow after a colon.
    """

    ASKED = "asked", _("Asked to stop")
    REPLACED = "replaced", _("Replaced by another")
    NOT_PAID = "not-paid", _("Payment failed")
    DISPUTED = "disputed", _("Payment disputed")
    REFUNDED = "refunded", _("Payment refunded")
    PROVIDER = "provider", _("Ended by the provider")

    @property
    def is_voluntary(self) -> bool:
        return self in {StopReason.ASKED, StopReason.REPLACED, StopReason.REFUNDED}


class Offer(models.Model):
    """One thing that a project sells."""

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", _("Subscription")
        PACK = "pack", _("Pack")

    project = models.ForeignKey(Project, models.PROTECT, related_name="offers", db_index=False)
    # The platform's own id of the offer.
    reference = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Kind)
    price_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    interval_months = models.PositiveSmallIntegerField(null=True, blank=True)
    rental_days = models.PositiveIntegerField(null=True, blank=True)
    trial_days = models.PositiveIntegerField(null=True, blank=True)
    stripe_price_id = models.CharField(max_length=255, blank=True)
    google_product_id = models.CharField(max_length=255, blank=True)
    apple_product_id = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "reference"], name="offer_reference_unique_in_project"
            ),
            models.CheckConstraint(
                condition=Q(price_minor__gte=0), name="offer_price_not_negative"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Source(models.Model):
    """What a subscription, a purchase and a free copy share: the access that follows from it."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    offer = models.ForeignKey(Offer, models.PROTECT, null=True, blank=True, related_name="+")
    # Derived: the instants in which this source alone lets its user watch; none if it never does.
    access_start = models.DateTimeField(null=True, blank=True)
    access_end = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def has_access_at(self, instant: datetime) -> bool:
        """Tell whether this source alone lets its user watch at the instant."""
        if self.access_start is None or self.access_start > instant:
            return False
        return self.access_end is None or self.access_end > instant


def access_constraint(name: str) -> models.CheckConstraint:
    """Return the promise that an access ends after it starts, and has a start if it has an end."""
    return models.CheckConstraint(
        condition=Q(access_end=None) | Q(access_start__lt=F("access_end")), name=name
    )


class GivenState(models.TextChoices):
    """How far a free copy or a gift is, for those who gave it."""

    PENDING = "pending", pgettext_lazy("free copy or gift", "Pending")
    ENABLED = "enabled", pgettext_lazy("free copy or gift", "Enabled")
    EXPIRED = "expired", pgettext_lazy("free copy or gift", "Expired")
    DONE = "done", pgettext_lazy("free copy or gift", "Done")


GAVE_ACCESS = Q(access_start__isnull=False)


def is_over(now: datetime) -> Q:
    """Return the condition that a source gave access and does so no more."""
    return GAVE_ACCESS & Q(access_end__lte=now)


class GiftQuerySet(models.QuerySet["Purchase"]):
    def gifts(self) -> Self:
        return self.filter(type=Purchase.Type.GIFT)

    def in_state(self, state: str, now: datetime) -> Self:
        """Keep gifts in the state; see `Purchase.given_state`."""
        waits = Q(access_start=None, recipient=None, status=Purchase.Status.ACTIVE)
        waits &= Q(expires_at=None) | Q(expires_at__gt=now)
        return self.gifts().filter(_given_in(state, waits=waits, late=~waits, now=now))


class FreeCopyQuerySet(models.QuerySet["FreeCopy"]):
    def in_state(self, state: str, now: datetime) -> Self:
        """Keep copies in the state; see `FreeCopy.given_state`."""
        unused = Q(access_start=None, revoked_at=None)
        late = unused & Q(activate_by__lte=now)
        waits = unused & (Q(activate_by=None) | Q(activate_by__gt=now))
        taken_back = Q(access_start=None, revoked_at__isnull=False)
        return self.filter(_given_in(state, waits=waits, late=late, now=now, done=taken_back))


def _given_in(state: str, *, waits: Q, late: Q, now: datetime, done: Q | None = None) -> Q:
    over = is_over(now)
    conditions = {
        GivenState.PENDING: waits,
        GivenState.ENABLED: GAVE_ACCESS & (Q(access_end=None) | Q(access_end__gt=now)),
        GivenState.EXPIRED: Q(access_start=None) & late,
        GivenState.DONE: over | done if done else over,
    }
    return conditions[GivenState(state)]


class Subscription(Source):
    """One subscription of one user with one provider, as the provider reports it."""

    class Status(models.TextChoices):
        TRIALING = "trialing", _("In trial")
        ACTIVE = "active", _("Active")
        PAST_DUE = "past_due", _("Payment late")
        CANCELED = "canceled", _("Cancelled")
        UNPAID = "unpaid", _("Unpaid")
        PAUSED = "paused", _("Paused")
        INCOMPLETE = "incomplete", _("Incomplete")
        INCOMPLETE_EXPIRED = "incomplete_expired", _("Incomplete, expired")

    # The provider's states that read Active; all others read Cancelled.
    RUNNING = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})

    user = models.ForeignKey(User, models.PROTECT, related_name="subscriptions")
    provider = models.CharField(max_length=6, choices=Provider)
    reference = models.CharField(max_length=255)
    status = models.CharField(max_length=18, choices=Status)
    price_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    started_at = models.DateTimeField()
    first_paid_at = models.DateTimeField(null=True, blank=True)
    current_period_end = models.DateTimeField(null=True, blank=True)
    past_due_since = models.DateTimeField(null=True, blank=True)
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    cancel_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=200, blank=True)
    # When the present status arrived here; stands in for dates that the provider left out.
    status_since = models.DateTimeField()
    # When the provider was asked for what stands here: an older answer does not replace it.
    as_of = models.DateTimeField(null=True, blank=True)
    # Derived: the end of the unpaid first span, within the access; none without a trial.
    trial_end = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "provider", "reference"], name="subscription_reference_unique"
            ),
            access_constraint("subscription_access_ends_after_start"),
            models.CheckConstraint(
                condition=within_bounds("started_at")
                & within_bounds("cancel_at")
                & within_bounds("ended_at")
                & within_bounds("trial_ends_at"),
                name="subscription_instants_within_bounds",
            ),
        )
        indexes = (
            models.Index(
                fields=["project", "cancel_at"],
                condition=Q(cancel_at__isnull=False),
                include=["user", "access_start", "access_end"],
                name="subscription_asked_to_stop",
            ),
            # As it is searched for: without case.
            models.Index(F("project"), Lower("reference"), name="subscription_by_any_case"),
            # Who holds what, from the index alone.
            models.Index(
                fields=["project", "provider", "user"],
                include=["access_start", "access_end"],
                name="subscription_by_provider",
            ),
            models.Index(
                fields=["offer", "user"],
                include=["access_start", "access_end"],
                name="subscription_by_offer",
            ),
            models.Index(fields=["project", "started_at", "id"], name="subscription_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it stops, where the provider told it; what a platform wrote is its own text."""
        word = self.cancel_reason.partition(":")[0]
        return StopReason(word) if word in StopReason.values else None

    def is_held_at(self, instant: datetime) -> bool:
        """Tell which of the seed's two words fits: Active, trial and late payment included."""
        has_ended = self.access_end is not None and self.access_end <= instant
        return self.status in self.RUNNING and self.access_start is not None and not has_ended

    def detail_at(self, instant: datetime) -> str:
        """Return the provider's own state, or why it stops, where that says more than the word."""
        if self.status in self.RUNNING and not self.is_held_at(instant):
            return str(_("ended"))
        if self.status == self.Status.CANCELED:
            return str(self.stop_reason.label) if self.stop_reason else ""
        is_paid = self.trial_end is not None and self.trial_end <= instant
        if self.status == self.Status.ACTIVE or (self.status == self.Status.TRIALING and is_paid):
            return ""
        return str(self.Status(self.status).label)


class Purchase(Source):
    """One pack bought or rented by a user, or one gift that a user bought for somebody else."""

    class Type(models.TextChoices):
        PACK = "pack", _("Pack")
        GIFT = "gift", _("Gift")

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        EXPIRED = "expired", _("Expired")
        UNKNOWN = "unknown", _("Unknown")
        # French has another word for a purchase than for a subscription.
        CANCELLED = "cancelled", pgettext_lazy("purchase", "Cancelled")

    # The buyer. A gift gives its access to the recipient instead.
    user = models.ForeignKey(User, models.PROTECT, related_name="purchases")
    provider = models.CharField(max_length=6, choices=Provider)
    reference = models.CharField(max_length=255)
    type = models.CharField(max_length=4, choices=Type)
    status = models.CharField(max_length=9, choices=Status)
    price_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    purchased_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    recipient = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="gifts_received"
    )
    # Of a recipient who has no account yet: backoffice.core.text.email_key.
    recipient_email_key = models.CharField(max_length=320, blank=True)
    status_since = models.DateTimeField()
    # When the provider was asked for what stands here: an older answer does not replace it.
    as_of = models.DateTimeField(null=True, blank=True)
    # Derived: whom the access belongs to; nobody while a gift's recipient has no account.
    access_user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="accesses_by_purchase"
    )

    objects = GiftQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "provider", "reference"], name="purchase_reference_unique"
            ),
            access_constraint("purchase_access_ends_after_start"),
            models.CheckConstraint(
                condition=within_bounds("purchased_at") & within_bounds("expires_at"),
                name="purchase_instants_within_bounds",
            ),
        )
        indexes = (
            # As it is searched for: without case.
            models.Index(F("project"), Lower("reference"), name="purchase_by_any_case"),
            models.Index(
                fields=["project", "provider", "access_user"],
                include=["type", "access_start", "access_end"],
                name="purchase_by_provider",
            ),
            models.Index(
                fields=["offer", "access_user"],
                include=["access_start", "access_end"],
                name="purchase_by_offer",
            ),
            models.Index(
                fields=["project", "recipient_email_key"],
                condition=~Q(recipient_email_key=""),
                name="purchase_waiting_for_recipient",
            ),
            models.Index(fields=["project", "purchased_at", "id"], name="purchase_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"

    def status_at(self, instant: datetime) -> Status:
        """Return the status by the clock: sent as active, it reads Expired once it ended."""
        ends = (self.expires_at, self.access_end)
        is_over = any(end is not None and end <= instant for end in ends)
        if self.status == self.Status.ACTIVE and is_over:
            return self.Status.EXPIRED
        return self.Status(self.status)

    def given_state(self, now: datetime) -> GivenState:
        """Return how far a gift is: it waits while its recipient has no account."""
        if self.access_start is not None:
            is_done = self.access_end is not None and self.access_end <= now
            return GivenState.DONE if is_done else GivenState.ENABLED
        is_late = self.expires_at is not None and self.expires_at <= now
        if self.recipient_id is None and self.status == self.Status.ACTIVE and not is_late:
            return GivenState.PENDING
        return GivenState.EXPIRED


class FreeCopy(Source):
    """Time-limited access that the publisher gave to a user, or to an address without account."""

    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="free_copies"
    )
    # Of an addressee who has no account yet: backoffice.core.text.email_key.
    email_key = models.CharField(max_length=320, blank=True)
    reference = models.CharField(max_length=64)
    sent_at = models.DateTimeField()
    days = models.PositiveIntegerField()
    activate_by = models.DateTimeField(null=True, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = FreeCopyQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "reference"], name="free_copy_reference_unique_in_project"
            ),
            access_constraint("free_copy_access_ends_after_start"),
            models.CheckConstraint(
                condition=within_bounds("sent_at")
                & within_bounds("activated_at")
                & within_bounds("revoked_at"),
                name="free_copy_instants_within_bounds",
            ),
        )
        indexes = (
            models.Index(
                fields=["project", "email_key"],
                condition=~Q(email_key=""),
                name="free_copy_waiting_for_user",
            ),
            models.Index(fields=["project", "sent_at", "id"], name="free_copy_by_time"),
        )

    def __str__(self) -> str:
        return self.reference

    def given_state(self, now: datetime) -> GivenState:
        """Return how far it is: what was taken back before it was used is done."""
        if self.access_start is not None:
            is_done = self.access_end is not None and self.access_end <= now
            return GivenState.DONE if is_done else GivenState.ENABLED
        if self.revoked_at is not None:
            return GivenState.DONE
        if self.activate_by is not None and self.activate_by <= now:
            return GivenState.EXPIRED
        return GivenState.PENDING
