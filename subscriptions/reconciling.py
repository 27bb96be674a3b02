"""
Everything that a provider has, compared with what is kept here, and taken over where it differs.

It goes through the provider's lists a page at a time and notes after each how far it has come,
so that it needs the memory of one page and goes on where it was cut off.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from backoffice.core.text import email_key
from subscriptions.accounts import stripe_gateway
from subscriptions.actions import (
    BelongsToAnother,
    UserIsDeleted,
    put_purchase,
    put_subscriptions,
)
from subscriptions.models import (
    Offer,
    ProviderAccount,
    ProviderCustomer,
    ProviderSync,
    Subscription,
)
from subscriptions.providers.reports import (
    CustomerReport,
    KeyRefused,
    Limited,
    NotFound,
    ProviderTrouble,
    SubscriptionReport,
    Unreachable,
)
from subscriptions.providers.stripe_objects import (
    UNREADABLE,
    customer_report,
    paid_at,
    subscription_of,
    subscription_report,
)
from subscriptions.webhooks import (
    check_not_deleted,
    known_customers,
    offers_by_product,
    provider_clock,
    purchase_row,
    subscription_row,
)
from users.models import User

# Stripe lets a live account read a hundred times a second; others want to read as well.
REQUESTS_PER_SECOND: Final = 25
TRIES: Final = 8
LONGEST_PAUSE_SECONDS: Final = 60

_Phase = ProviderSync.Phase
NEXT: Final = {
    _Phase.CUSTOMERS: _Phase.SUBSCRIPTIONS,
    _Phase.SUBSCRIPTIONS: _Phase.INVOICES,
    _Phase.INVOICES: _Phase.DONE,
}
Kind = Literal["customers", "subscriptions", "invoices"]
KINDS: Final[Mapping[str, Kind]] = {
    _Phase.CUSTOMERS: "customers",
    _Phase.SUBSCRIPTIONS: "subscriptions",
    _Phase.INVOICES: "invoices",
}
Answer = TypeVar("Answer")


def sync_stripe(
    account: ProviderAccount,
    *,
    clock: Callable[[], datetime],
    told: Callable[[ProviderSync], None],
    from_start: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> ProviderSync:
    """
    Bring all that is kept of the account with Stripe to what Stripe has.

    Goes on where an earlier run was cut off. Cost: one request for a hundred objects, and two
    more for each single payment.

    :param told: called after each page, in a transaction of its own.
    :raises ProviderTrouble: if Stripe does not answer, several times; run it again later.
    :raises NotConnected: if the secrets cannot be read.
    """
    comparison = _Comparison(account, clock=clock, pause=pause)
    sync = comparison.begun(from_start=from_start)
    while sync.phase != _Phase.DONE:
        comparison.take_page(sync)
        told(sync)
    return sync


class _Comparison:
    """One run over the lists of one account."""

    def __init__(
        self,
        account: ProviderAccount,
        *,
        clock: Callable[[], datetime],
        pause: Callable[[float], None],
    ) -> None:
        self.account = account
        self.clock = clock
        self.pause = pause
        self.gateway = stripe_gateway(account)
        self.asked_last = 0.0

    def begun(self, *, from_start: bool) -> ProviderSync:
        now = self.clock()
        fresh = {
            "phase": _Phase.CUSTOMERS,
            "cursor": "",
            "started_at": now,
            "updated_at": now,
        } | dict.fromkeys(
            ("customers", "subscriptions", "invoices", "changed", "unmatched", "skipped"), 0
        )
        sync, is_new = ProviderSync.objects.get_or_create(
            project=self.account.project, provider=self.account.provider, defaults=fresh
        )
        if not is_new and (from_start or sync.phase == _Phase.DONE):
            for name, value in fresh.items():
                setattr(sync, name, value)
            sync.save()
        return sync

    def take_page(self, sync: ProviderSync) -> None:
        """Take over the next page of the phase, and note it in the same transaction."""
        asked_at = provider_clock()
        kind = KINDS[sync.phase]
        try:
            rows, has_more = self.patiently(lambda: self.gateway.page_of(kind, after=sync.cursor))
        except NotFound:
            # What the last run ended with is gone: the phase begins anew.
            sync.cursor = ""
            sync.save(update_fields=["cursor"])
            return
        take = {
            "customers": self.customers,
            "subscriptions": self.subscriptions,
            "invoices": self.invoices,
        }[kind]
        with transaction.atomic():
            take(sync, rows, asked_at)
            setattr(sync, kind, getattr(sync, kind) + len(rows))
            sync.cursor = str(rows[-1]["id"]) if has_more else ""
            sync.phase = sync.phase if has_more else NEXT[_Phase(sync.phase)]
            sync.updated_at = self.clock()
            sync.save()

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Return the answer, asked for no faster than allowed and again while Stripe is down."""
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

    # --- One page ----------------------------------------------------------------------------

    def customers(
        self, sync: ProviderSync, rows: Sequence[Mapping[str, Any]], _asked_at: datetime
    ) -> None:
        """Match those customers with users who are not matched yet, where somebody fits."""
        reports = [customer_report(row) for row in rows]
        known = known_customers(self.account, [report.reference for report in reports])
        missing = [r for r in reports if r.reference not in known or _waits(known[r.reference])]
        matches = find_users(self.account.project_id, missing)
        new = []
        for reference, (user_id, matched_by) in matches.items():
            waiting = known.get(reference)
            if waiting is None:
                new.append(
                    ProviderCustomer(
                        project_id=self.account.project_id,
                        provider=self.account.provider,
                        reference=reference,
                        user_id=user_id,
                        matched_by=matched_by,
                        first_seen_at=sync.updated_at,
                    )
                )
            else:
                waiting.user_id, waiting.matched_by = user_id, matched_by
                waiting.save(update_fields=["user", "matched_by"])
        ProviderCustomer.objects.bulk_create(new, ignore_conflicts=True)

    def subscriptions(
        self, sync: ProviderSync, rows: Sequence[Mapping[str, Any]], asked_at: datetime
    ) -> None:
        reports = [report for report in map(self._readable, rows) if report is not None]
        sync.skipped += len(rows) - len(reports)
        users = self._users_of(sync, [report.customer for report in reports])
        offers = self._offers([name for report in reports for name in report.products])
        found = [
            subscription_row(
                self.account,
                report,
                users[report.customer],
                asked_at=asked_at,
                offers=offers,
            )
            for report in reports
            if report.customer in users
        ]
        sync.changed += put_subscriptions(found, now=self.clock())

    def invoices(
        self, sync: ProviderSync, rows: Sequence[Mapping[str, Any]], asked_at: datetime
    ) -> None:
        """Note the first payments of subscriptions, and take over single payments."""
        first: dict[str, datetime] = {}
        single = []
        for row in rows:
            subscription, instant = subscription_of(row), paid_at(row)
            if not subscription:
                single.append(row)
            elif instant:
                first[subscription] = min(first.get(subscription, instant), instant)
        self._note_first_payments(first)
        if single:
            self._purchases(sync, single, asked_at)

    def _purchases(
        self, sync: ProviderSync, invoices: Sequence[Mapping[str, Any]], asked_at: datetime
    ) -> None:
        reports = [
            self.patiently(lambda row=row: self.gateway.purchase_of(row))  # type: ignore[misc]
            for row in invoices
        ]
        users = self._users_of(sync, [report.customer for report in reports])
        offers = self._offers([name for report in reports for name in report.products])
        for report in reports:
            user = users.get(report.customer)
            if user is None:
                continue
            row = purchase_row(self.account, report, user, asked_at=asked_at, offers=offers)
            try:
                sync.changed += put_purchase(row, now=self.clock())
            except (BelongsToAnother, UserIsDeleted):
                sync.skipped += 1

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

    def _readable(self, row: Mapping[str, Any]) -> SubscriptionReport | None:
        try:
            return subscription_report(row)
        except (ProviderTrouble, *UNREADABLE):
            return None

    def _users_of(self, sync: ProviderSync, references: Sequence[str]) -> dict[str, User]:
        """Return the users by customer; those who are nobody yet are noted, deleted ones not."""
        known = known_customers(self.account, references)
        new = [
            ProviderCustomer(
                project_id=self.account.project_id,
                provider=self.account.provider,
                reference=reference,
                first_seen_at=sync.updated_at,
            )
            for reference in dict.fromkeys(references)
            if reference not in known
        ]
        ProviderCustomer.objects.bulk_create(new, ignore_conflicts=True)
        users = {}
        for reference, customer in known.items():
            try:
                check_not_deleted(customer)
            except UserIsDeleted:
                continue
            if customer.user is None:
                sync.unmatched += 1
            else:
                users[reference] = customer.user
        sync.unmatched += len(new)
        return users

    def _offers(self, products: Sequence[str]) -> dict[str, Offer]:
        return offers_by_product(self.account, list(dict.fromkeys(products)))


def find_users(project_id: int, reports: Sequence[CustomerReport]) -> dict[str, tuple[int, str]]:
    """
    Return for each customer whom somebody fits the user's key and by what it fits.

    As `webhooks.find_user`, for many in two queries; somebody deleted fits nobody.
    """
    ids = {report.reference: _uuid(report.user) for report in reports if report.user}
    keys = {report.reference: email_key(report.email) for report in reports if report.email}
    present = User.objects.filter(project_id=project_id, deleted_at=None)
    by_id = dict(
        present.filter(public_id__in=[one for one in ids.values() if one]).values_list(
            "public_id", "pk"
        )
    )
    by_email = dict(present.filter(email_key__in=keys.values()).values_list("email_key", "pk"))
    found = {}
    for report in reports:
        public_id, key = ids.get(report.reference), keys.get(report.reference)
        if public_id in by_id:
            found[report.reference] = (by_id[public_id], ProviderCustomer.MatchedBy.USER_ID.value)
        elif key in by_email:
            found[report.reference] = (by_email[key], ProviderCustomer.MatchedBy.EMAIL.value)
    return found


def _waits(customer: ProviderCustomer) -> bool:
    return customer.user_id is None and not customer.is_forgotten


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
