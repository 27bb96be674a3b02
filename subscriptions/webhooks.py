"""
Events of providers: stored once, then applied to what the provider has now.

An event is a hint that something changed. What changed is asked for, so that neither the order
nor the number of events matters, and one that cannot be applied yet waits and says why.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from subscriptions.accounts import (
    NotConnected,
    apple_gateway,
    google_gateway,
    stripe_gateway,
)
from subscriptions.actions import (
    BelongsToAnother,
    UserIsDeleted,
    put_purchase,
    put_subscription,
)
from subscriptions.customers import check_not_deleted, customer_of, known_customers, match
from subscriptions.models import (
    Provider,
    ProviderAccount,
    ProviderCustomer,
    ProviderEvent,
    Subscription,
)
from subscriptions.providers.reports import (
    ActRefused,
    EventReport,
    Found,
    Gateway,
    NotFound,
    ProviderTrouble,
    PurchaseReport,
    SubscriptionReport,
)
from subscriptions.reported import purchase_row, subscription_row
from users.models import User

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
        customer = customer_of(account, gateway, paid, now=now)
        if customer.user is None:
            return Verdict(_State.UNMATCHED, "no-user", customer=customer)
        _put(account, gateway, paid, customer.user, asked_at=asked_at, now=now)
    if customer is None:
        concerns = known_customers(account, [found.concerns]).get(found.concerns)
        if concerns is not None:
            check_not_deleted(concerns)
        return Verdict(_State.IGNORED, found.nothing_because, customer=concerns)
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
    # Of somebody deleted not even the provider's name of the object stays.
    scrubbed = {"subject": ""} if verdict.reason == "deleted-user" else {}
    ProviderEvent.objects.filter(pk__in=event_ids).update(
        state=verdict.state,
        reason=verdict.reason,
        customer=verdict.customer,
        attempts=F("attempts") + 1,
        next_try_at=None,
        settled_at=now,
        **scrubbed,
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
