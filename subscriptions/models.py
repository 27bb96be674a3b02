"""
What users pay for and are given, and the access spans that follow from it.

Sources (subscriptions, purchases, free copies) are written by `subscriptions.actions` alone,
which derives the spans in the same transaction.
"""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.core.instants import within_bounds
from backoffice.projects.models import Platform, Project
from users.models import User


class Provider(models.TextChoices):
    """Who charges. OKAST stands for anything that no outside provider charges."""

    STRIPE = "stripe", "Stripe"
    GOOGLE = "google", "Google"
    APPLE = "apple", "Apple"
    OKAST = "okast", "OKAST"
    OTHER = "other", _("Other")


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


def access_constraint(name: str) -> models.CheckConstraint:
    """Return the promise that an access ends after it starts, and has a start if it has an end."""
    return models.CheckConstraint(
        condition=Q(access_end=None) | Q(access_start__lt=F("access_end")), name=name
    )


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
            models.Index(fields=["project", "reference"], name="subscription_by_reference"),
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
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"


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
    # Derived: whom the access belongs to; nobody while a gift's recipient has no account.
    access_user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="accesses_by_purchase"
    )

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
            models.Index(fields=["project", "reference"], name="purchase_by_reference"),
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
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"


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
        )

    def __str__(self) -> str:
        return self.reference


class AccessSpan(models.Model):
    """
    One span [start_at, end_at) of a user, of one kind; an end of none is open.

    Spans of one user and kind neither overlap nor touch. Each keeps the end of the user's
    previous span and the start of the next, which makes "distinct users active in a period"
    a count of spans (docs/metrics.md).
    """

    class Kind(models.IntegerChoices):
        ACCESS = 1, _("Access")
        SUBSCRIPTION = 2, _("Subscription")
        TRIAL = 3, _("Trial")

    user = models.ForeignKey(User, models.PROTECT, related_name="spans", db_index=False)
    # Copies of the user's, for counts that read the index alone.
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    kind = models.PositiveSmallIntegerField(choices=Kind)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField(null=True, blank=True)
    previous_end = models.DateTimeField(null=True, blank=True)
    next_start = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            # Checked at the end of the statement: a rebuild deletes and inserts in one.
            ExclusionConstraint(
                name="access_span_no_overlap",
                expressions=(
                    (F("user"), RangeOperators.EQUAL),
                    (F("kind"), RangeOperators.EQUAL),
                    (
                        Func(
                            F("start_at"),
                            F("end_at"),
                            Value("[)"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ),
                deferrable=models.Deferrable.IMMEDIATE,
            ),
            models.CheckConstraint(
                condition=Q(end_at=None) | Q(start_at__lt=F("end_at")),
                name="access_span_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(previous_end=None) | Q(previous_end__lt=F("start_at")),
                name="access_span_starts_after_previous",
            ),
        )
        indexes = (
            models.Index(fields=["user", "kind", "start_at"], name="access_span_by_user"),
            models.Index(
                fields=["project", "kind", "start_at"],
                include=["end_at", "previous_end", "platform", "user"],
                name="access_span_starts",
            ),
            models.Index(
                fields=["project", "kind", "end_at"],
                include=["start_at", "next_start", "platform", "user"],
                condition=Q(end_at__isnull=False),
                name="access_span_ends",
            ),
            # The few spans of people who come back: all that a long chart must read one by one.
            models.Index(
                fields=["project", "kind", "start_at"],
                include=["end_at", "previous_end", "platform", "user"],
                condition=Q(previous_end__isnull=False),
                name="access_span_returns",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} from {self.start_at:%Y-%m-%d}"


class SpanDay(models.Model):
    """How many spans of one kind began and ended on one local day, for users of one platform."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    kind = models.PositiveSmallIntegerField(choices=AccessSpan.Kind)
    day = models.DateField()
    started = models.IntegerField(default=0)
    # Those of the started that are their user's first.
    started_first = models.IntegerField(default=0)
    ended = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "kind", "day", "platform"], name="span_day_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: +{self.started} -{self.ended}"
