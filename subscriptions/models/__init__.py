"""What users pay for and are given, and the access spans that follow from it.

Sources (subscriptions, purchases, free copies) are written by `subscriptions.actions` alone,
which derives the spans in the same transaction."""

from subscriptions.models.access import AccessSpan, SpanDay
from subscriptions.models.payments import (
    GAVE_ACCESS,
    FreeCopy,
    FreeCopyQuerySet,
    GiftQuerySet,
    GivenState,
    Offer,
    Provider,
    Purchase,
    Source,
    StopReason,
    Subscription,
    access_constraint,
    is_over,
)
from subscriptions.models.providers import (
    ProviderAccount,
    ProviderCustomer,
    ProviderEvent,
    ProviderSync,
)

__all__ = [
    "GAVE_ACCESS",
    "AccessSpan",
    "FreeCopy",
    "FreeCopyQuerySet",
    "GiftQuerySet",
    "GivenState",
    "Offer",
    "Provider",
    "ProviderAccount",
    "ProviderCustomer",
    "ProviderEvent",
    "ProviderSync",
    "Purchase",
    "Source",
    "SpanDay",
    "StopReason",
    "Subscription",
    "access_constraint",
    "is_over",
]
