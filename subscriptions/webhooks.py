"""
Events of providers: stored once, then applied to what the provider has now.

An event is a hint that something changed. What changed is asked for, so that neither the order
nor the number of events matters, and one that cannot be applied yet waits and says why.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.text import email_key
from subscriptions.accounts import (
    NotConnected,
    apple_gateway,
    google_gateway,
    stripe_gateway,
)
from subscriptions.actions import (
    BelongsToAnother,
    UserIsDeleted,
    forgotten_reference,
    put_purchase,
    put_subscription,
)
from subscriptions.models import (
    Offer,
    Provider,
    ProviderAccount,
    ProviderCustomer,
    ProviderEvent,
    Purchase,
    Subscription,
)
from subscriptions.providers.reports import (
    ActRefused,
    CustomerReport,
    EventReport,
    Found,
    Gateway,
    NotFound,
    ProviderTrouble,
    PurchaseReport,
    SubscriptionReport,
)
from users.models import User
from users.selectors import deleted_among

_State = ProviderEvent.State
_Subject = ProviderEvent.Subject

# Why an event waits or was ignored.
REASONS: Final = {
    "unreachable": _("The provider cannot be reached."),
    "limited": _("The provider asks to slow down."),
    "key-refused": _("The provider refuses the key: connect the account again."),
    "not-connected": _("The secrets cannot be read: connect the account again."),
    "odd-answer": _("The provider's answer could not be understood."),
    "unknown-state": _("The provider reports a state that is not known here."),
    "unknown-type": _("Nothing here depends on it."),
    "other-account": _("It concerns another account."),
    "other-mode": _("It comes from the provider's test mode, or from the live one."),
    "refused": _("The provider refused."),
    "not-found": _("The provider's account has no such object."),
    "nothing-paid": _("Nothing was paid."),
    "not-ours": _("It names neither a user nor an offer."),
    "no-user": _("No user could be found for it."),
    "deleted-user": _("Its user was deleted."),
    "other-user": _("It is known as another user's."),
}

# The first try again comes after this long, each further one after twice as long.
FIRST_WAIT: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(hours=1)
# Somebody may register, or be told by the platform, after the payment.
FIRST_WAIT_FOR_USER: Final = timedelta(minutes=1)
LONGEST_WAIT_FOR_USER: Final = timedelta(hours=12)
# Afterwards a member of staff says who it is, or a comparison finds the user.
PATIENCE_FOR_USER: Final = timedelta(days=30)

# The states of a subscription that nothing was paid for yet.
UNPAID_YET: Final = {
    Subscription.Status.INCOMPLETE,
    Subscription.Status.INCOMPLETE_EXPIRED,
    Subscription.Status.TRIALING,
}


class AlreadyAssigned(Exception):
    """The customer is somebody already, or was deleted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of trying to apply an event."""

    state: ProviderEvent.State
    reason: str = ""
    retry_after: int | None = None
    customer: ProviderCustomer | None = None


_VERDICTS: Final[dict[type[Exception], Verdict]] = {
    NotConnected: Verdict(_State.WAITING, "not-connected"),
    ActRefused: Verdict(_State.WAITING, "odd-answer"),
    NotFound: Verdict(_State.IGNORED, "not-found"),
    UserIsDeleted: Verdict(_State.IGNORED, "deleted-user"),
    BelongsToAnother: Verdict(_State.IGNORED, "other-user"),
}


# --- Arrival -------------------------------------------------------------------------------


# One statement, so that of two deliveries at once exactly one is the first.
STORE_EVENT = """
    INSERT INTO subscriptions_providerevent AS e
        (project_id, provider, event_id, type, subject_kind, subject, happened_at, received_at,
         deliveries, state, reason, attempts, next_try_at, settled_at)
    VALUES (%(project)s, %(provider)s, %(event_id)s, %(type)s, %(subject_kind)s, %(subject)s,
            %(happened_at)s, %(now)s, 1, %(state)s, %(reason)s, 0, %(next_try_at)s,
            %(settled_at)s)
    ON CONFLICT (project_id, provider, event_id) DO UPDATE SET deliveries = e.deliveries + 1
    RETURNING id, xmax = 0
"""


def store_event(account: ProviderAccount, report: EventReport, *, now: datetime) -> int | None:
    """
    Store the event once; return its id if it is new and waits to be applied.

    A repeat is only counted.
    """
    reason = _reason_to_ignore(account, report)
    with connection.cursor() as cursor:
        cursor.execute(
            STORE_EVENT,
            {
                "project": account.project_id,
                "provider": account.provider,
                "event_id": report.event_id,
                "type": report.type,
                "subject_kind": report.subject_kind,
                "subject": report.subject,
                "happened_at": report.happened_at,
                "now": now,
                "state": _State.IGNORED if reason else _State.WAITING,
                "reason": reason,
                "next_try_at": None if reason else now,
                "settled_at": now if reason else None,
            },
        )
        event_id, is_new = cursor.fetchone()
    return event_id if is_new and not reason else None


def _reason_to_ignore(account: ProviderAccount, report: EventReport) -> str:
    if report.account and report.account != account.reference:
        return "other-account"
    if None not in {account.is_live, report.is_live} and account.is_live != report.is_live:
        return "other-mode"
    return "" if report.subject_kind else "unknown-type"


# --- Application ---------------------------------------------------------------------------


def apply_event(event_id: int, *, now: datetime) -> None:
    """
    Apply a waiting event to what the provider has now, or note why that cannot be yet.

    All events about the same object that had come by then are settled with it.
    """
    event = (
        ProviderEvent.objects.select_related("project")
        .filter(pk=event_id, state__in=(_State.WAITING, _State.UNMATCHED))
        .first()
    )
    if event is None:
        return
    account = ProviderAccount.objects.filter(
        project_id=event.project_id, provider=event.provider
    ).first()
    if account and account.resting_until and account.resting_until > now:
        waiting = Verdict(_State.WAITING, event.reason or "unreachable")
        _wait(event, waiting, until=account.resting_until)
        return
    settled_with_it = _waiting_for_the_same(event)
    asked_at = provider_clock()
    verdict = _tried(account, event, asked_at, now=now)
    if verdict.state == _State.WAITING:
        _let_rest(account, verdict, now=now)
        _wait(event, verdict, until=_next_try(event, verdict, now=now))
    elif verdict.state == _State.UNMATCHED:
        _wait_for_user(event, verdict, now=now)
    else:
        _settle(
            settled_with_it if verdict.state == _State.APPLIED else [event.pk], verdict, now=now
        )
        if account and account.failures:
            ProviderAccount.objects.filter(pk=account.pk).update(failures=0, resting_until=None)


def due_events(*, now: datetime, most: int) -> list[int]:
    """Return the ids of the events whose time to be tried has come, the longest due first."""
    due = ProviderEvent.objects.filter(next_try_at__lte=now)
    return list(due.order_by("next_try_at", "pk").values_list("pk", flat=True)[:most])


def provider_clock() -> datetime:
    """
    Return the instant before a question to a provider, by the one clock of all machines.

    Answers are put in order by it, and nothing else is.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (instant,) = cursor.fetchone()
    return instant  # type: ignore[no-any-return]


def _tried(
    account: ProviderAccount | None, event: ProviderEvent, asked_at: datetime, *, now: datetime
) -> Verdict:
    if account is None:
        return Verdict(_State.WAITING, "not-connected")
    account.project = event.project
    try:
        gateway = gateway_of(account)
        found = gateway.look_up(event.subject_kind, event.subject)
        return apply_found(account, gateway, found, asked_at=asked_at, now=now)
    except ProviderTrouble as trouble:
        return Verdict(_State.WAITING, trouble.reason, trouble.retry_after)
    except tuple(_VERDICTS) as problem:
        return _VERDICTS[type(problem)]


def gateway_of(account: ProviderAccount) -> Gateway:
    """
    Return the way to the account.

    :raises NotConnected: if its secrets cannot be read.
    """
    make: dict[str, Callable[[ProviderAccount], Gateway]] = {
        Provider.STRIPE: stripe_gateway,
        Provider.GOOGLE: google_gateway,
        Provider.APPLE: apple_gateway,
    }
    return make[account.provider](account)


def apply_found(
    account: ProviderAccount,
    gateway: Gateway,
    found: Found,
    *,
    asked_at: datetime,
    now: datetime,
) -> Verdict:
    """
    Bring what is kept to what was found, for whom it concerns.

    :raises UserIsDeleted: if that is somebody who was deleted.
    :raises BelongsToAnother: if it is known as another user's.
    :raises ProviderTrouble: if the provider had to be asked and did not answer.
    """
    if account.is_live and found.is_live is False:
        return Verdict(_State.IGNORED, "other-mode")
    customer: ProviderCustomer | None = None
    for report in found.customers:
        customer = match(account, report, now=now)
        if customer.user_id is None:
            return Verdict(_State.UNMATCHED, "no-user", customer=customer)
    paid_for: list[SubscriptionReport | PurchaseReport] = [*found.subscriptions]
    for paid in [*paid_for, *found.purchases]:
        customer = _customer_of(account, gateway, paid, now=now)
        if customer.user is None:
            return Verdict(_State.UNMATCHED, "no-user", customer=customer)
        _put(account, gateway, paid, customer.user, asked_at=asked_at, now=now)
    if customer is None:
        return Verdict(_State.IGNORED, found.nothing_because)
    return Verdict(_State.APPLIED, customer=customer)


def _put(
    account: ProviderAccount,
    gateway: Gateway,
    report: SubscriptionReport | PurchaseReport,
    user: User,
    *,
    asked_at: datetime,
    now: datetime,
) -> None:
    if isinstance(report, PurchaseReport):
        put_purchase(purchase_row(account, report, user, asked_at=asked_at), now=now)
        return
    row = subscription_row(account, report, user, asked_at=asked_at)
    known = Subscription.objects.filter(
        project_id=account.project_id, provider=account.provider, reference=report.reference
    )
    before = known.values_list("first_paid_at", flat=True).first()
    row.first_paid_at = min(filter(None, [row.first_paid_at, before]), default=None)
    if row.first_paid_at is None and row.status not in UNPAID_YET:
        row.first_paid_at = gateway.first_payment_of(report.reference)
    put_subscription(row, now=now)


def subscription_row(
    account: ProviderAccount,
    report: SubscriptionReport,
    user: User,
    *,
    asked_at: datetime,
    offers: "KnownOffers | None" = None,
) -> Subscription:
    """Return the subscription as a row, unsaved; its offer among `offers`, else looked up."""
    offer = (offers or known_offers(account, [report])).of(report)
    return Subscription(
        project=account.project,
        provider=account.provider,
        reference=report.reference,
        user=user,
        offer=offer,
        status=report.status,
        **_price(account, report, offer),
        started_at=report.started_at,
        first_paid_at=report.first_paid_at,
        current_period_end=report.current_period_end,
        past_due_since=report.past_due_since,
        trial_ends_at=report.trial_ends_at,
        cancel_at=report.cancel_at,
        ended_at=report.ended_at,
        cancel_reason=report.cancel_reason,
        as_of=asked_at,
    )


def purchase_row(
    account: ProviderAccount,
    report: PurchaseReport,
    user: User,
    *,
    asked_at: datetime,
    offers: "KnownOffers | None" = None,
) -> Purchase:
    """Return the purchase as a row, unsaved; its offer among `offers`, else looked up."""
    offer = (offers or known_offers(account, [report])).of(report)
    return Purchase(
        project=account.project,
        provider=account.provider,
        reference=report.reference,
        user=user,
        offer=offer,
        type=Purchase.Type.PACK,
        status=report.status,
        **_price(account, report, offer),
        purchased_at=report.purchased_at,
        expires_at=report.expires_at,
        as_of=asked_at,
    )


def _price(
    account: ProviderAccount, report: SubscriptionReport | PurchaseReport, offer: Offer | None
) -> dict[str, Any]:
    """Return the price told, else the offer's, else none in the project's currency."""
    if report.price_minor is not None:
        return {"price_minor": report.price_minor, "currency": report.currency}
    if offer is not None:
        return {"price_minor": offer.price_minor, "currency": offer.currency}
    return {"price_minor": 0, "currency": account.project.currency}


@dataclass(frozen=True, slots=True)
class KnownOffers:
    """Offers of a project, by the provider's id of what is sold and by the platform's own."""

    by_product: Mapping[str, Offer]
    by_reference: Mapping[str, Offer]

    def of(self, report: SubscriptionReport | PurchaseReport) -> Offer | None:
        """Return what was sold; what the platform named goes before the provider's product."""
        if report.offer in self.by_reference:
            return self.by_reference[report.offer]
        known = (self.by_product[name] for name in report.products if name in self.by_product)
        return next(known, None)


def known_offers(
    account: ProviderAccount, reports: Sequence[SubscriptionReport | PurchaseReport]
) -> KnownOffers:
    """Return the offers that these reports name; of several with one product the first counts."""
    column = {"stripe": "stripe_price_id", "google": "google_product_id"}.get(
        account.provider, "apple_product_id"
    )
    products = {name for report in reports for name in report.products if name}
    references = {report.offer for report in reports if report.offer}
    rows = Offer.objects.filter(
        Q(**{f"{column}__in": products}) | Q(reference__in=references),
        project_id=account.project_id,
    ).order_by("-pk")
    return KnownOffers(
        {getattr(row, column): row for row in rows}, {row.reference: row for row in rows}
    )


@transaction.atomic
def try_again(event: ProviderEvent, *, actor: Actor, now: datetime) -> None:
    """Have an event applied anew, whatever came of it before; the caller queues it."""
    ProviderEvent.objects.filter(pk=event.pk).update(
        state=_State.WAITING, reason="", attempts=0, next_try_at=now, settled_at=None
    )
    ProviderAccount.objects.filter(project_id=event.project_id, provider=event.provider).update(
        resting_until=None, failures=0
    )
    record(
        AuditEvent.Kind.EVENT_RETRIED,
        actor=actor,
        now=now,
        project=event.project,
        target=event,
        data={"provider": event.get_provider_display()},
    )


@transaction.atomic
def assign_customer(
    customer: ProviderCustomer, user: User, *, actor: Actor, now: datetime
) -> list[int]:
    """
    Say which user a customer is; return the ids of the events that wait for it, due now.

    What the provider has of the customer is taken over by `take_over_customer`.

    :raises AlreadyAssigned: if somebody was faster, or the customer was deleted.
    """
    locked = ProviderCustomer.objects.select_for_update().get(pk=customer.pk)
    if locked.user_id is not None or locked.is_forgotten:
        raise AlreadyAssigned
    locked.user, locked.matched_by = user, ProviderCustomer.MatchedBy.STAFF
    locked.save(update_fields=["user", "matched_by"])
    waiting = ProviderEvent.objects.filter(customer=locked, state=_State.UNMATCHED)
    waiting.update(state=_State.WAITING, reason="", attempts=0, next_try_at=now)
    record(
        AuditEvent.Kind.CUSTOMER_ASSIGNED,
        actor=actor,
        now=now,
        project=user.project,
        target=user,
        data={"provider": locked.get_provider_display()},
    )
    due = ProviderEvent.objects.filter(customer=locked, next_try_at__isnull=False)
    return list(due.order_by("pk").values_list("pk", flat=True))


def take_over_customer(customer_id: int, *, now: datetime) -> None:
    """
    Bring in all that the provider has of a matched customer.

    :raises ProviderTrouble: if the provider does not answer as it should.
    """
    customer = ProviderCustomer.objects.filter(pk=customer_id).exclude(user=None).first()
    account = (
        customer
        and ProviderAccount.objects.filter(project=customer.project_id, provider=customer.provider)
        .select_related("project")
        .first()
    )
    if not customer or not account:
        return
    asked_at = provider_clock()
    gateway = gateway_of(account)
    try:
        found = gateway.of_customer(customer.reference)
        apply_found(account, gateway, found, asked_at=asked_at, now=now)
    except tuple(_VERDICTS):
        return


# --- Whom it concerns ----------------------------------------------------------------------


def _customer_of(
    account: ProviderAccount,
    gateway: Gateway,
    paid: SubscriptionReport | PurchaseReport,
    *,
    now: datetime,
) -> ProviderCustomer:
    """Return the customer with the user it is; the provider is asked who it is if need be."""
    known = known_customers(account, [paid.customer]).get(paid.customer)
    if known is not None:
        check_not_deleted(known)
        if known.user_id is not None:
            return known
    if paid.customer == paid.reference:
        told = CustomerReport(paid.customer)
    else:
        told = gateway.customer(paid.customer)
    whom = replace(told, user=told.user or paid.user, email=told.email or paid.email)
    return _matched(account, whom, now=now)


def match(account: ProviderAccount, report: CustomerReport, *, now: datetime) -> ProviderCustomer:
    """
    Return the customer with the user it was matched with, or, if nobody fits, without.

    By the id kept here, then by the id that the platform left with the provider, then by the
    address, which one user of a project has at most.

    :raises UserIsDeleted: if it is somebody who was deleted.
    """
    known = known_customers(account, [report.reference]).get(report.reference)
    if known is not None:
        check_not_deleted(known)
        if known.user_id is not None:
            return known
    return _matched(account, report, now=now)


def _matched(
    account: ProviderAccount, report: CustomerReport, *, now: datetime
) -> ProviderCustomer:
    """Return the customer, who is nobody yet, with whoever fits."""
    user, matched_by = find_user(account.project_id, report)
    customer, _is_new = ProviderCustomer.objects.get_or_create(
        project_id=account.project_id,
        provider=account.provider,
        reference=report.reference,
        defaults={"user": user, "matched_by": matched_by, "first_seen_at": now},
    )
    if customer.user_id is None and user is not None:
        customer.user, customer.matched_by = user, matched_by
        customer.save(update_fields=["user", "matched_by"])
    return customer


def find_user(project_id: int, report: CustomerReport) -> tuple[User | None, str]:
    """
    Return the user of the project who fits, and by what.

    :raises UserIsDeleted: if the id that the platform left there is somebody's who was deleted.
    """
    users = User.objects.filter(project_id=project_id)
    try:
        public_id = UUID(report.user) if report.user else None
    except ValueError:
        public_id = None
    by_id = users.filter(public_id=public_id).first() if public_id else None
    if by_id is not None and by_id.deleted_at is None:
        return by_id, ProviderCustomer.MatchedBy.USER_ID
    if by_id or (public_id and deleted_among([str(public_id)], project_id=project_id)):
        raise UserIsDeleted
    key = email_key(report.email)
    by_email = users.filter(email_key=key, deleted_at=None).first() if key else None
    return by_email, ProviderCustomer.MatchedBy.EMAIL if by_email else ""


def known_customers(
    account: ProviderAccount, references: Sequence[str]
) -> dict[str, ProviderCustomer]:
    """Return the customers known by these ids, forgotten ones included."""
    by_stored = {name: name for name in references}
    by_stored |= {forgotten_reference(account.project_id, name): name for name in references}
    rows = ProviderCustomer.objects.filter(
        project_id=account.project_id, provider=account.provider, reference__in=by_stored
    ).select_related("user")
    return {by_stored[row.reference]: row for row in rows}


def check_not_deleted(customer: ProviderCustomer) -> None:
    """
    Let pass whoever is still there.

    :raises UserIsDeleted: if the customer was a user who was deleted.
    """
    is_stub = customer.user is not None and customer.user.deleted_at is not None
    if customer.is_forgotten or is_stub:
        raise UserIsDeleted


# --- What becomes of an event --------------------------------------------------------------


def _waiting_for_the_same(event: ProviderEvent) -> list[int]:
    """Return the ids of the events that an answer settles which is asked for after this."""
    same = ProviderEvent.objects.filter(
        project_id=event.project_id,
        provider=event.provider,
        subject=event.subject,
        subject_kind=event.subject_kind,
        next_try_at__isnull=False,
    )
    return list(same.values_list("pk", flat=True))


def _settle(event_ids: Sequence[int], verdict: Verdict, *, now: datetime) -> None:
    ProviderEvent.objects.filter(pk__in=event_ids).update(
        state=verdict.state,
        reason=verdict.reason,
        customer=verdict.customer,
        attempts=F("attempts") + 1,
        next_try_at=None,
        settled_at=now,
    )


def _wait(event: ProviderEvent, verdict: Verdict, *, until: datetime) -> None:
    ProviderEvent.objects.filter(pk=event.pk).update(
        state=verdict.state,
        reason=verdict.reason,
        attempts=F("attempts") + 1,
        next_try_at=until,
    )


def _wait_for_user(event: ProviderEvent, verdict: Verdict, *, now: datetime) -> None:
    """Try again for a month: the account may be made after the payment."""
    is_late = now - event.received_at > PATIENCE_FOR_USER
    wait = min(FIRST_WAIT_FOR_USER * 2 ** min(event.attempts, 12), LONGEST_WAIT_FOR_USER)
    ProviderEvent.objects.filter(pk=event.pk).update(
        state=_State.IGNORED if is_late else _State.UNMATCHED,
        reason=verdict.reason,
        customer=verdict.customer,
        attempts=F("attempts") + 1,
        next_try_at=None if is_late else now + wait,
        settled_at=now if is_late else None,
    )


def _next_try(event: ProviderEvent, verdict: Verdict, *, now: datetime) -> datetime:
    wait: timedelta = min(FIRST_WAIT * 2 ** min(event.attempts, 10), LONGEST_WAIT)
    # Not all at once: a little later by the event's own number.
    spread = wait * (int(hashlib.sha256(event.event_id.encode()).hexdigest()[:2], 16) / 1024)
    asked = timedelta(seconds=min(verdict.retry_after or 0, LONGEST_WAIT.total_seconds()))
    return now + max(wait + spread, asked)


def _let_rest(account: ProviderAccount | None, verdict: Verdict, *, now: datetime) -> None:
    """While the provider itself is down, let no other event wait for it in vain."""
    if account is None or verdict.reason not in {"unreachable", "limited", "key-refused"}:
        return
    wait = min(FIRST_WAIT * 2 ** min(account.failures, 10), LONGEST_WAIT)
    asked = timedelta(seconds=min(verdict.retry_after or 0, LONGEST_WAIT.total_seconds()))
    ProviderAccount.objects.filter(pk=account.pk).update(
        failures=min(account.failures + 1, 100), resting_until=now + max(wait, asked)
    )
