"""
What staff has Stripe do about a subscription or a payment: stop, resume, refund.

The trail says so before Stripe is asked, and says so again if Stripe did not do it. Each act
carries a key that makes a repeat of it harmless.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.money import major_units
from subscriptions.accounts import NotConnected, account_of, stripe_gateway
from subscriptions.actions import BelongsToAnother, UserIsDeleted, put_subscription
from subscriptions.models import (
    Provider,
    ProviderAccount,
    ProviderEvent,
    Purchase,
    Subscription,
)
from subscriptions.providers.reports import (
    ActRefused,
    NotFound,
    ProviderTrouble,
    SubscriptionReport,
)
from subscriptions.providers.stripe import StripeGateway
from subscriptions.providers.stripe_objects import TAKEN_BACK, ended_by
from subscriptions.reported import subscription_row
from subscriptions.webhooks import apply_found, provider_clock

_Status = Subscription.Status
_Subject = ProviderEvent.Subject
# Charged, or may be again.
STILL_CHARGED: Final = frozenset(
    {
        _Status.TRIALING,
        _Status.ACTIVE,
        _Status.PAST_DUE,
        _Status.UNPAID,
        _Status.PAUSED,
        _Status.INCOMPLETE,
    }
)


class ActFailed(Exception):
    """The provider did not do it; `reason` is a word of `subscriptions.webhooks.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotStopped(ActFailed):
    """The payment was given back, but the subscription that it paid for was not stopped."""


class ChangedMeanwhile(Exception):
    """What was shown is not what is there any more; nothing was done."""


@dataclass(frozen=True, slots=True)
class Payment:
    """The latest payment that can be given back."""

    charge: str
    amount_minor: int
    """What is left of it."""
    currency: str
    paid_at: datetime
    card: str
    """Brand and last four digits; empty for another way to pay."""

    @property
    def version(self) -> str:
        """What a form says it was shown for."""
        return f"{self.charge}:{self.amount_minor}"


def stop_subscription(
    subscription: Subscription, *, at_period_end: bool, actor: Actor, now: datetime
) -> None:
    """
    Have Stripe stop the subscription, now or when what was paid has run out.

    :raises ActFailed: if it did not.
    """
    when = "end" if at_period_end else "now"
    _act(
        subscription,
        AuditEvent.Kind.SUBSCRIPTION_STOPPED,
        lambda gateway, key: gateway.cancel(
            subscription.reference, at_period_end=at_period_end, key=key
        ),
        data={"when": when},
        actor=actor,
        now=now,
    )


def resume_subscription(subscription: Subscription, *, actor: Actor, now: datetime) -> None:
    """
    Have Stripe take back a stop that has not come yet.

    :raises ActFailed: if it did not.
    """
    _act(
        subscription,
        AuditEvent.Kind.SUBSCRIPTION_RESUMED,
        lambda gateway, key: gateway.resume(subscription.reference, key=key),
        data={},
        actor=actor,
        now=now,
    )


def last_payment(source: Subscription | Purchase) -> Payment | None:
    """
    Return the latest payment that can be given back, asked of Stripe.

    :raises ActFailed: if Stripe does not say.
    """
    with _failing():
        found = _gateway(source).refundable(source.reference)
    return Payment(**found) if found else None


def refund(
    source: Subscription | Purchase, *, version: str, actor: Actor, now: datetime
) -> Payment:
    """
    Have Stripe give back the payment that the form was shown for; return it.

    What it paid for ends: a subscription whose latest payment is given back is stopped too, so
    that nobody is charged for what cannot be watched.

    :raises ChangedMeanwhile: if the latest payment is another one by now.
    :raises NotStopped: if Stripe gave it back, and did not stop the subscription.
    :raises ActFailed: if Stripe did not give it back.
    """
    payment = last_payment(source)
    if payment is None or payment.version != version:
        raise ChangedMeanwhile
    amount = f"{major_units(payment.amount_minor, payment.currency)} {payment.currency}"
    kind, data = AuditEvent.Kind.PAYMENT_REFUNDED, {"provider": "Stripe", "amount": amount}
    record(kind, actor=actor, now=now, project=source.project, target=source, data=data)
    try:
        with _failing():
            _gateway(source).refund(payment.charge, key=f"refund-{payment.version}")
    except ActFailed as failed:
        _record_failure(kind, source, data | {"reason": failed.reason}, actor, now)
        raise
    trouble = _take_over(source, now=now)
    if isinstance(source, Subscription):
        _stop_if_taken_back(source, trouble, actor=actor, now=now)
    return payment


def _stop_if_taken_back(
    subscription: Subscription, trouble: str, *, actor: Actor, now: datetime
) -> None:
    """
    Stop the subscription if its latest payment is the one that was given back.

    :param trouble: why nobody knows whether it is; empty if it is known.
    :raises NotStopped: if Stripe did not.
    """
    if trouble:
        kind, data = AuditEvent.Kind.SUBSCRIPTION_STOPPED, {"provider": "Stripe", "when": "now"}
        _record_failure(kind, subscription, data | {"reason": trouble}, actor, now)
        raise NotStopped(trouble)
    subscription.refresh_from_db()
    if subscription.stop_reason not in TAKEN_BACK or subscription.status not in STILL_CHARGED:
        return
    try:
        stop_subscription(subscription, at_period_end=False, actor=actor, now=now)
    except ActFailed as failed:
        raise NotStopped(failed.reason) from failed


def _act(
    subscription: Subscription,
    kind: AuditEvent.Kind,
    ask: Callable[[StripeGateway, str], SubscriptionReport],
    *,
    data: dict[str, str],
    actor: Actor,
    now: datetime,
) -> None:
    data = {"provider": "Stripe"} | data
    project = subscription.project
    record(kind, actor=actor, now=now, project=project, target=subscription, data=data)
    # What was shown is part of the key: the same click twice is one act, a later one is another.
    seen = f"{subscription.as_of:%Y%m%dT%H%M%S.%f}" if subscription.as_of else "unseen"
    key = f"{kind}-{data.get('when', '')}-{subscription.reference}-{seen}"
    asked_at = provider_clock()
    try:
        with _failing():
            account = account_of(project, Provider.STRIPE)
            report = ask(stripe_gateway(account), key)
    except ActFailed as failed:
        _record_failure(kind, subscription, data | {"reason": failed.reason}, actor, now)
        raise
    _store(account, subscription, report, asked_at=asked_at, now=now)


def _store(
    account: ProviderAccount,
    subscription: Subscription,
    report: SubscriptionReport,
    *,
    asked_at: datetime,
    now: datetime,
) -> None:
    if subscription.stop_reason in TAKEN_BACK and subscription.ended_at:
        # An answer to an act says nothing of payments.
        report = ended_by(report, subscription.ended_at, subscription.cancel_reason)
    row = subscription_row(account, report, subscription.user, asked_at=asked_at)
    row.first_paid_at = subscription.first_paid_at
    put_subscription(row, now=now)


def _take_over(source: Subscription | Purchase, *, now: datetime) -> str:
    """Ask what became of it; return why that failed, if so: Stripe's own event brings it then."""
    kind = _Subject.SUBSCRIPTION if isinstance(source, Subscription) else _Subject.PURCHASE
    asked_at = provider_clock()
    try:
        with _failing():
            account = account_of(source.project, Provider.STRIPE)
            gateway = stripe_gateway(account)
            found = gateway.look_up(kind, source.reference)
            apply_found(account, gateway, found, asked_at=asked_at, now=now)
    except ActFailed as failed:
        return failed.reason
    except UserIsDeleted:
        return "deleted-user"
    except BelongsToAnother:
        return "other-user"
    return ""


def _gateway(source: Subscription | Purchase) -> StripeGateway:
    return stripe_gateway(account_of(source.project, Provider.STRIPE))


def _record_failure(
    kind: AuditEvent.Kind,
    source: Subscription | Purchase,
    data: dict[str, str],
    actor: Actor,
    now: datetime,
) -> None:
    record(
        kind,
        actor=actor,
        now=now,
        project=source.project,
        target=source,
        outcome=AuditEvent.Outcome.FAILED,
        data=data,
    )


@contextmanager
def _failing() -> Iterator[None]:
    """Turn what a gateway raises into one failure with a reason."""
    try:
        yield
    except ProviderTrouble as error:
        raise ActFailed(error.reason) from error
    except NotConnected as error:
        raise ActFailed("not-connected") from error
    except NotFound as error:
        raise ActFailed("not-found") from error
    except ActRefused as error:
        raise ActFailed("refused") from error
