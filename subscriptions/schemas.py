"""The wire format of offers, subscriptions, purchases and free copies."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from backoffice.core.wire import Body, CleanText, Instant, Priced, ShortReference, WholeNumber

LONGEST_DAYS = 36_500
Days = Annotated[WholeNumber, Field(ge=1, le=LONGEST_DAYS)]
Months = Annotated[WholeNumber, Field(ge=1, le=1200)]
ProductId = Annotated[CleanText, Field(max_length=255)]
UserReference = Annotated[
    str, Field(max_length=320, examples=["0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55"])
]


def examples(*bodies: JsonDict) -> ConfigDict:
    """Return the configuration of a body that shows these examples in the documentation."""
    return ConfigDict(json_schema_extra={"examples": list(bodies)})


class OfferPut(Priced):
    """An offer: what is sold. `rental_days` is how long a pack lasts; without, for ever."""

    model_config: ClassVar[ConfigDict] = examples(
        {
            "name": "Monthly",
            "kind": "subscription",
            "price": "9.99",
            "currency": "EUR",
            "interval_months": 1,
            "trial_days": 14,
        }
    )

    name: Annotated[CleanText, Field(min_length=1, max_length=200)]
    kind: Literal["subscription", "pack"]
    interval_months: Months | None = None
    rental_days: Days | None = None
    trial_days: Days | None = None
    stripe_price_id: ProductId = ""
    google_product_id: ProductId = ""
    apple_product_id: ProductId = ""


class SubscriptionPut(Priced):
    """A subscription, as the one who charges reports it. Access runs from `started_at`."""

    model_config: ClassVar[ConfigDict] = examples(
        {
            "user": "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55",
            "offer": "monthly",
            "status": "active",
            "price": "9.99",
            "currency": "EUR",
            "started_at": "2026-03-10T12:00:00Z",
            "first_paid_at": "2026-03-10T12:00:00Z",
            "current_period_end": "2026-04-10T12:00:00Z",
        }
    )

    user: UserReference
    offer: ShortReference | None = None
    status: Literal[
        "trialing",
        "active",
        "past_due",
        "canceled",
        "unpaid",
        "paused",
        "incomplete",
        "incomplete_expired",
    ]
    started_at: Instant
    first_paid_at: Instant | None = None
    current_period_end: Instant | None = None
    past_due_since: Instant | None = None
    trial_ends_at: Instant | None = None
    cancel_at: Instant | None = None
    ended_at: Instant | None = None
    cancel_reason: Annotated[CleanText, Field(max_length=200)] = ""


class PurchasePut(Priced):
    """A pack, or a gift for somebody else: the `recipient` by user id or by e-mail."""

    model_config: ClassVar[ConfigDict] = examples(
        {
            "user": "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55",
            "offer": "film-night",
            "type": "gift",
            "status": "active",
            "price": "4.99",
            "currency": "EUR",
            "purchased_at": "2026-03-10T12:00:00Z",
            "expires_at": "2026-03-12T12:00:00Z",
            "recipient": "grace@example.com",
        }
    )

    user: UserReference
    offer: ShortReference | None = None
    type: Literal["pack", "gift"]
    status: Literal["active", "expired", "unknown", "cancelled"]
    purchased_at: Instant
    expires_at: Instant | None = None
    recipient: UserReference | None = None


class FreeCopyPut(Body):
    """Access for some days that the publisher gives, to a user id or an e-mail."""

    model_config: ClassVar[ConfigDict] = examples(
        {
            "user": "grace@example.com",
            "offer": "monthly",
            "sent_at": "2026-03-10T12:00:00Z",
            "days": 30,
        }
    )

    user: UserReference
    offer: ShortReference | None = None
    sent_at: Instant
    days: Days
    activate_by: Instant | None = None
    activated_at: Instant | None = None
    revoked_at: Instant | None = None


class OfferAnswer(BaseModel):
    """An offer as it is kept."""

    id: str
    name: str
    kind: str
    price: str
    currency: str
    interval_months: int | None
    rental_days: int | None
    trial_days: int | None
    stripe_price_id: str
    google_product_id: str
    apple_product_id: str


class SubscriptionAnswer(BaseModel):
    """A subscription as it is kept."""

    provider: str
    reference: str
    user: str
    offer: str | None
    status: str
    price: str
    currency: str
    started_at: str
    first_paid_at: str | None
    current_period_end: str | None
    past_due_since: str | None
    trial_ends_at: str | None
    cancel_at: str | None
    ended_at: str | None
    cancel_reason: str


class PurchaseAnswer(BaseModel):
    """A purchase as it is kept; `recipient` is an e-mail while it has no account."""

    provider: str
    reference: str
    user: str
    offer: str | None
    type: str
    status: str
    price: str
    currency: str
    purchased_at: str
    expires_at: str | None
    recipient: str | None


class FreeCopyAnswer(BaseModel):
    """A free copy as it is kept; `user` is an e-mail while it has no account."""

    reference: str
    user: str
    offer: str | None
    sent_at: str
    days: int
    activate_by: str | None
    activated_at: str | None
    revoked_at: str | None
