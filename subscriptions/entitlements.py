"""
When a source lets its user watch: the rules that turn what was reported into instants.

Pure functions of one source each. `subscriptions.actions` stores what they return on the
source; `check_figures` compares.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from subscriptions.models import FreeCopy, Provider, Purchase, Subscription
from users.models import User


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The instants [start, end) in which one source gives access; no start: it gives none."""

    start: datetime | None = None
    end: datetime | None = None
    """None is open."""
    trial_end: datetime | None = None
    """The end of the unpaid first span, never after `end`."""


NOTHING = Entitlement()

NEVER_OPENED = {Subscription.Status.INCOMPLETE, Subscription.Status.INCOMPLETE_EXPIRED}
CLOSED = {
    Subscription.Status.CANCELED,
    Subscription.Status.UNPAID,
    Subscription.Status.PAUSED,
}
OVER = {Purchase.Status.EXPIRED, Purchase.Status.CANCELLED}
# Nobody retries a payment that no outside provider charges.
WITHOUT_RETRIES = {Provider.OKAST, Provider.OTHER}


def subscription_entitlement(subscription: Subscription, *, grace_days: int) -> Entitlement:
    """
    Return the access of one subscription.

    `ended_at` and `cancel_at` close it, whichever comes first. A closed status without either
    closes it when it arrived. A late payer keeps access as long as the provider retries, and
    for the grace period where nobody does.
    """
    if subscription.status in NEVER_OPENED:
        return NOTHING
    ends = [subscription.cancel_at, subscription.ended_at]
    if closes(subscription) and ends == [None, None]:
        ends.append(subscription.status_since)
    if (
        subscription.status == Subscription.Status.PAST_DUE
        and subscription.provider in WITHOUT_RETRIES
    ):
        late_since = subscription.past_due_since or subscription.status_since
        ends.append(late_since + timedelta(days=grace_days))
    return _between(subscription.started_at, ends, trial_end=subscription.trial_ends_at)


def purchase_entitlement(purchase: Purchase) -> Entitlement:
    """
    Return the access of one purchase, for `beneficiary_of(purchase)`.

    A pack from its purchase, a gift from its purchase too but not before its recipient
    registered; until it expires, else for the offer's rental days, else for ever. What is
    expired or cancelled ends when that arrived, unless it ended before.
    """
    beneficiary = beneficiary_of(purchase)
    if beneficiary is None or purchase.status == Purchase.Status.UNKNOWN:
        return NOTHING
    start = purchase.purchased_at
    if purchase.type == Purchase.Type.GIFT:
        start = max(start, beneficiary.registered_at)
    ends = [purchase.expires_at]
    if purchase.expires_at is None and purchase.offer and purchase.offer.rental_days:
        ends.append(start + timedelta(days=purchase.offer.rental_days))
    if closes(purchase):
        ends.append(purchase.status_since)
    return _between(start, ends)


def closes(source: Subscription | Purchase) -> bool:
    """Return whether the status ends access when it arrives, where no earlier end is known."""
    return source.status in (CLOSED if isinstance(source, Subscription) else OVER)


def beneficiary_of(purchase: Purchase) -> User | None:
    """Return who may watch: the recipient of a gift, if there is an account, else the buyer."""
    return purchase.recipient if purchase.type == Purchase.Type.GIFT else purchase.user


def free_copy_entitlement(free_copy: FreeCopy, *, needs_activation: bool) -> Entitlement:
    """
    Return the access of one free copy: `days` long, cut where it was revoked.

    It runs from sending for an account that existed then, unless the project asks for an
    activation; else from its activation.
    """
    user = free_copy.user
    if user is None:
        return NOTHING
    runs_from_sending = not needs_activation and user.registered_at <= free_copy.sent_at
    start = free_copy.sent_at if runs_from_sending else free_copy.activated_at
    if start is None:
        return NOTHING
    return _between(start, [start + timedelta(days=free_copy.days), free_copy.revoked_at])


def _between(
    start: datetime, ends: list[datetime | None], *, trial_end: datetime | None = None
) -> Entitlement:
    """Return the access from the start to the earliest of the known ends; nothing if empty."""
    end = min((end for end in ends if end is not None), default=None)
    if end is not None and end <= start:
        return NOTHING
    if trial_end is not None:
        trial_end = trial_end if end is None else min(trial_end, end)
        trial_end = trial_end if trial_end > start else None
    return Entitlement(start, end, trial_end)
