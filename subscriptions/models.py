"""
What users pay for and are given, and the access spans that follow from it.

Sources (subscriptions, purchases, free copies) are written by `subscriptions.actions` alone,
which derives the spans in the same transaction.
"""

from datetime import datetime
from typing import Self

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
