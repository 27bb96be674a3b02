"""What gateways say in our words, and how they fail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class ProviderTrouble(Exception):
    """
    The provider did not answer as it should: nothing is known, and it is asked again later.

    `reason` is a word of `subscriptions.webhooks.REASONS`.
    """

    reason = "odd-answer"

    def __init__(self, reason: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(reason or self.reason)
        self.reason = reason or self.reason
        # Seconds that the provider asks to wait; none if it did not say.
        self.retry_after = retry_after


class Unreachable(ProviderTrouble):
    """No connection, no answer in time, or an error of the provider's own."""

    reason = "unreachable"


class Limited(ProviderTrouble):
    """Asked too often."""

    reason = "limited"


class KeyRefused(ProviderTrouble):
    """The key kept here does not open the account, or not this part of it."""

    reason = "key-refused"


class NotFound(Exception):
    """The account has no such object."""


class ActRefused(Exception):
    """The provider refused to do it; the word says why, as the provider's code."""


class SignatureRefused(Exception):
    """What came was not sent by the provider, or too long ago."""


class BodyRefused(Exception):
    """What came is no event."""


@dataclass(frozen=True, slots=True)
class EventReport:
    """What is kept of an event: enough to ask for its object."""

    event_id: str
    type: str
    subject_kind: str
    """A value of ProviderEvent.Subject; empty for a type that changes nothing here."""
    subject: str
    happened_at: datetime
    is_live: bool | None = None
    """None where the provider does not tell."""
    account: str = ""
    """Of another account than the one that was told, if the provider names one."""


@dataclass(frozen=True, slots=True)
class CustomerReport:
    """Whom the provider charges."""

    reference: str
    user: str = ""
    """The public id that the platform left with the provider, if it did."""
    email: str = ""


@dataclass(frozen=True, slots=True)
class SubscriptionReport:
    """A subscription as the provider has it now, in the columns of ours."""

    reference: str
    customer: str
    status: str
    price_minor: int | None
    """None, with an empty currency, where the provider does not tell: the offer's counts."""
    currency: str
    started_at: datetime
    products: tuple[str, ...] = ()
    """The provider's ids of what is sold, by which the offer is found."""
    first_paid_at: datetime | None = None
    current_period_end: datetime | None = None
    past_due_since: datetime | None = None
    trial_ends_at: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_reason: str = ""
    user: str = ""
    """The public id that the platform left with it, if it did."""
    email: str = ""
    offer: str = ""
    """The platform's id of the offer, if it left that."""


@dataclass(frozen=True, slots=True)
class PurchaseReport:
    """A single payment as the provider has it now, in the columns of ours."""

    reference: str
    customer: str
    status: str
    price_minor: int | None
    """None, with an empty currency, where the provider does not tell: the offer's counts."""
    currency: str
    purchased_at: datetime
    products: tuple[str, ...] = ()
    expires_at: datetime | None = None
    user: str = ""
    """The public id that the platform left with it, if it did."""
    email: str = ""
    """Where the receipt went, of a payment without customer."""
    offer: str = ""
    """The platform's id of the offer, if it left that."""


@dataclass(frozen=True, slots=True)
class Found:
    """All that was learnt by asking for one object."""

    customers: tuple[CustomerReport, ...] = ()
    subscriptions: tuple[SubscriptionReport, ...] = ()
    purchases: tuple[PurchaseReport, ...] = ()
    is_live: bool | None = None
    """None where only the event tells."""
    nothing_because: str = "nothing-paid"
    """Why nothing was found, if so: a word of `subscriptions.webhooks.REASONS`."""


class Gateway(Protocol):
    """The way to one account with a provider."""

    def look_up(self, kind: str, reference: str) -> Found:
        """
        Return what the provider has now.

        :raises NotFound: if the account has no such object.
        :raises ProviderTrouble: if the provider does not answer as it should.
        """

    def customer(self, reference: str) -> CustomerReport:
        """Return whom the provider charges; raises like `look_up`."""

    def of_customer(self, reference: str) -> Found:
        """Return all that the provider has of the customer; raises like `look_up`."""

    def first_payment_of(self, reference: str) -> datetime | None:
        """Return when the subscription was paid first, if it was; raises like `look_up`."""
