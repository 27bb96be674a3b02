"""
One run of a comparison: how far it has come, how it asks, and how it takes over what it learnt.

A page at a time is asked for and then stored together with the place that was reached, so that
a run needs the memory of one page and goes on where it was cut off.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar

from django.db.models import Q

from subscriptions.actions import (
    BelongsToAnother,
    UserIsDeleted,
    put_purchase,
    put_subscriptions,
)
from subscriptions.customers import (
    deleted_customers,
    find_users,
    is_deleted,
    known_customers,
)
from subscriptions.models import (
    ProviderAccount,
    ProviderCustomer,
    ProviderSync,
    Subscription,
)
from subscriptions.providers.reports import (
    ActRefused,
    CustomerReport,
    Found,
    Gateway,
    KeyRefused,
    Limited,
    NotFound,
    ProviderTrouble,
    PurchaseReport,
    SubscriptionReport,
    Unreachable,
)
from subscriptions.reported import known_offers, purchase_row, subscription_row
from subscriptions.webhooks import gateway_of
from users.models import User

# Stripe lets a live account read a hundred times a second, Google and Apple fifty times; others
# want to read as well.
REQUESTS_PER_SECOND: Final = 25
TRIES: Final = 8
LONGEST_PAUSE_SECONDS: Final = 60

Answer = TypeVar("Answer")
Clock = Callable[[], datetime]
Told = Callable[[ProviderSync], None]
Pause = Callable[[float], None]


class Sync(Protocol):
    """A comparison with one account, to its end."""

    def __call__(
        self, account: ProviderAccount, *, clock: Clock, told: Told, from_start: bool = False
    ) -> ProviderSync: ...


@dataclass(slots=True)
class Page:
    """What one page of a provider's objects said, in our words."""

    customers: list[CustomerReport] = field(default_factory=list)
    subscriptions: list[SubscriptionReport] = field(default_factory=list)
    purchases: list[PurchaseReport] = field(default_factory=list)
    first_paid: dict[str, datetime] = field(default_factory=dict)
    """By subscription."""
    skipped: int = 0
    """Objects that could not be understood."""

    @property
    def paid(self) -> list[SubscriptionReport | PurchaseReport]:
        return [*self.subscriptions, *self.purchases]

    def add(self, found: Found) -> None:
        self.subscriptions += found.subscriptions
        self.purchases += found.purchases


class Run:
    """One run over what one account has; it begins where the last one was cut off."""

    def __init__(self, account: ProviderAccount, *, clock: Clock, pause: Pause) -> None:
        """Raises NotConnected if the secrets cannot be read."""
        self.account = account
        self.clock = clock
        self.pause = pause
        self.gateway: Gateway = gateway_of(account)
        self.asked_last = 0.0

    def begun(self, phase: ProviderSync.Phase, *, from_start: bool) -> ProviderSync:
        """Return how far the comparison is: at the phase, unless an earlier run got further."""
        now = self.clock()
        fresh = {"phase": phase, "cursor": "", "started_at": now, "updated_at": now}
        counted = ("customers", "subscriptions", "invoices", "payments")
        fresh |= dict.fromkeys((*counted, "changed", "unmatched", "skipped"), 0)
        sync, is_new = ProviderSync.objects.get_or_create(
            project=self.account.project, provider=self.account.provider, defaults=fresh
        )
        if not is_new and (from_start or sync.phase == ProviderSync.Phase.DONE):
            for name, value in fresh.items():
                setattr(sync, name, value)
            sync.save()
        return sync

    # --- Asking ------------------------------------------------------------------------------

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """
        Return the answer, asked for no faster than allowed and again while nobody answers.

        :raises ProviderTrouble: if the provider does not answer, several times.
        """
        for number in range(TRIES):
            wait = self.asked_last + 1 / REQUESTS_PER_SECOND - time.monotonic()
            if wait > 0:
                self.pause(wait)
            self.asked_last = time.monotonic()
            try:
                return ask()
            except KeyRefused:
                raise
            except (Limited, Unreachable) as trouble:
                if number == TRIES - 1:
                    raise
                self.pause(min(trouble.retry_after or 2**number, LONGEST_PAUSE_SECONDS))
        raise Unreachable

    def look_up_all(self, page: Page, kind: str, references: Iterable[str]) -> None:
        """Add to the page what the provider has of each; what is gone there is left out."""
        for reference in references:
            try:
                found = self.patiently(lambda one=reference: self.gateway.look_up(kind, one))  # type: ignore[misc]
            except NotFound:
                continue
            except (KeyRefused, Limited, Unreachable):
                raise
            except (ProviderTrouble, ActRefused):
                page.skipped += 1
                continue
            if not self.account.is_live or found.is_live is not False:
                page.add(found)

    # --- Taking over -------------------------------------------------------------------------

    def take_over(self, sync: ProviderSync, page: Page, *, asked_at: datetime) -> None:
        """Store what the page said, for those users who are known; within a transaction."""
        users = self._users_of(sync, page.customers, page.paid)
        offers = known_offers(self.account, page.paid)
        rows = [
            subscription_row(
                self.account, report, users[report.customer], asked_at=asked_at, offers=offers
            )
            for report in {one.reference: one for one in page.subscriptions}.values()
            if report.customer in users
        ]
        sync.changed += put_subscriptions(rows, now=self.clock())
        sync.skipped += page.skipped
        for report in page.purchases:
            user = users.get(report.customer)
            if user is None:
                continue
            row = purchase_row(self.account, report, user, asked_at=asked_at, offers=offers)
            try:
                sync.changed += put_purchase(row, now=self.clock())
            except (BelongsToAnother, UserIsDeleted):
                sync.skipped += 1
        self._note_first_payments(page.first_paid)

    def reached(self, sync: ProviderSync, phase: ProviderSync.Phase, cursor: str) -> None:
        """Note the place; in the transaction of what was taken over."""
        sync.phase, sync.cursor, sync.updated_at = phase, cursor, self.clock()
        sync.save()

    def _note_first_payments(self, first: Mapping[str, datetime]) -> None:
        later = Q(first_paid_at=None)
        rows = Subscription.objects.select_for_update().filter(
            later | Q(first_paid_at__gt=min(first.values(), default=self.clock())),
            project_id=self.account.project_id,
            provider=self.account.provider,
            reference__in=first,
        )
        changed = []
        for row in rows.order_by("pk"):
            instant = first[row.reference]
            if row.first_paid_at is None or row.first_paid_at > instant:
                row.first_paid_at = instant
                changed.append(row)
        Subscription.objects.bulk_update(changed, ["first_paid_at"])

    # --- Whom it concerns --------------------------------------------------------------------

    def _users_of(
        self,
        sync: ProviderSync,
        customers: Sequence[CustomerReport],
        paid: Sequence[SubscriptionReport | PurchaseReport],
    ) -> dict[str, User]:
        """
        Return the users by customer.

        Whoever pays and is nobody yet is noted; whoever was deleted is not.
        """
        hints = [CustomerReport(one.customer, one.user, one.email) for one in paid]
        told = [*customers, *(hint for hint in hints if hint.user or hint.email)]
        named = dict.fromkeys(report.reference for report in (*hints, *told))
        known = known_customers(self.account, list(named))
        missing = [
            one for one in told if one.reference not in known or _waits(known[one.reference])
        ]
        gone = deleted_customers(self.account.project_id, missing)
        known |= self._match(sync, [one for one in missing if one.reference not in gone], known)
        users, strangers = {}, []
        for reference in dict.fromkeys(hint.reference for hint in hints):
            customer = known.get(reference)
            if customer is None and reference not in gone:
                strangers.append(self._customer(sync, reference))
            elif customer is not None and customer.user and not is_deleted(customer):
                users[reference] = customer.user
            elif customer is not None and _waits(customer):
                sync.unmatched += 1
        ProviderCustomer.objects.bulk_create(strangers, ignore_conflicts=True)
        sync.unmatched += len(strangers)
        return users

    def _match(
        self,
        sync: ProviderSync,
        missing: Sequence[CustomerReport],
        known: Mapping[str, ProviderCustomer],
    ) -> dict[str, ProviderCustomer]:
        """Return those customers whom somebody fits, stored with their users."""
        matched, new = {}, []
        for reference, (user, matched_by) in find_users(self.account.project_id, missing).items():
            customer = known.get(reference) or self._customer(sync, reference)
            customer.user, customer.matched_by = user, matched_by
            matched[reference] = customer
            if customer.pk:
                customer.save(update_fields=["user", "matched_by"])
            else:
                new.append(customer)
        ProviderCustomer.objects.bulk_create(new, ignore_conflicts=True)
        return matched

    def _customer(self, sync: ProviderSync, reference: str) -> ProviderCustomer:
        return ProviderCustomer(
            project_id=self.account.project_id,
            provider=self.account.provider,
            reference=reference,
            first_seen_at=sync.updated_at,
        )


def go_through(
    sync: ProviderSync, take_page: Callable[[ProviderSync], None], told: Told
) -> ProviderSync:
    """Take page after page until all is done; `told` is called after each."""
    while sync.phase != ProviderSync.Phase.DONE:
        take_page(sync)
        told(sync)
    return sync


def _waits(customer: ProviderCustomer) -> bool:
    return customer.user_id is None and not customer.is_forgotten
