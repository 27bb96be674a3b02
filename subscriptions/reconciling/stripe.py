"""All that Stripe has, by its lists: what was missed is brought in, whatever the reason."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db import transaction

from subscriptions.accounts import stripe_gateway
from subscriptions.models import ProviderAccount, ProviderEvent, ProviderSync, Subscription
from subscriptions.providers.reports import NotFound, ProviderTrouble
from subscriptions.providers.stripe import ListKind
from subscriptions.providers.stripe_objects import (
    TAKEN_BACK,
    UNREADABLE,
    customer_report,
    id_of,
    names_a_sale,
    paid_at,
    sale_of_session,
    subscription_of,
    subscription_report,
)
from subscriptions.reconciling.runs import Clock, Page, Pause, Run, Told, go_through
from subscriptions.webhooks import provider_clock

_Phase = ProviderSync.Phase
_Subject = ProviderEvent.Subject
Rows = Sequence[Mapping[str, Any]]
# In this order: whoever pays is known before what was paid, and that before what was taken back.
KINDS: Final[Mapping[_Phase, ListKind]] = {
    _Phase.CUSTOMERS: "customers",
    _Phase.SUBSCRIPTIONS: "subscriptions",
    _Phase.INVOICES: "invoices",
    _Phase.SESSIONS: "sessions",
    _Phase.PAYMENTS: "payments",
    _Phase.REFUNDS: "refunds",
    _Phase.DISPUTES: "disputes",
}
NEXT: Final = dict(zip(KINDS, [*list(KINDS)[1:], _Phase.DONE], strict=True))
# In what the objects of a phase are counted; the others are payments.
COUNTED: Final = frozenset({"customers", "subscriptions", "invoices"})


def sync_stripe(
    account: ProviderAccount,
    *,
    clock: Clock,
    told: Told,
    from_start: bool = False,
    pause: Pause = time.sleep,
) -> ProviderSync:
    """
    Bring all that is kept of the account with Stripe to what Stripe has.

    Goes on where an earlier run was cut off. Cost: one request for a hundred objects, and up to
    five more for each single payment, refund and dispute.

    :param told: called after each page, in a transaction of its own.
    :raises ProviderTrouble: if Stripe does not answer, several times; run it again later.
    :raises NotConnected: if the secrets cannot be read.
    """
    run = StripeRun(account, clock=clock, pause=pause)
    sync = run.begun(_Phase.CUSTOMERS, from_start=from_start)
    return go_through(sync, run.take_page, told)


class StripeRun(Run):
    """One run over the lists of one account with Stripe."""

    def __init__(self, account: ProviderAccount, *, clock: Clock, pause: Pause) -> None:
        super().__init__(account, clock=clock, pause=pause)
        self.lists = stripe_gateway(account)

    def take_page(self, sync: ProviderSync) -> None:
        """Take over the next page of the phase, and note it in the same transaction."""
        phase = _Phase(sync.phase)
        kind = KINDS[phase]
        asked_at = provider_clock()
        try:
            rows, has_more = self.patiently(lambda: self.lists.page_of(kind, after=sync.cursor))
        except NotFound:
            if sync.cursor:
                # What the last run ended with is gone: the phase begins anew.
                sync.cursor = ""
                sync.save(update_fields=["cursor"])
                return
            rows, has_more = [], False
        page = self.read(kind, rows)
        counter = kind if kind in COUNTED else "payments"
        with transaction.atomic():
            self.take_over(sync, page, asked_at=asked_at)
            setattr(sync, counter, getattr(sync, counter) + len(rows))
            cursor = id_of(rows[-1]["id"]) if has_more else ""
            self.reached(sync, phase if has_more else NEXT[phase], cursor)

    def read(self, kind: ListKind, rows: Rows) -> Page:
        """Return what the rows say; asks further where they do not say all."""
        page = Page()
        if kind == "customers":
            page.customers = [customer_report(row) for row in rows]
        elif kind == "subscriptions":
            self._read_subscriptions(page, rows)
        elif kind == "invoices":
            self._read_invoices(page, rows)
        else:
            subject = _Subject.PURCHASE if kind in {"sessions", "payments"} else _Subject.CHARGE
            self.look_up_all(page, subject, _readable(page, NAMED_BY[kind], rows))
        return page

    def _read_subscriptions(self, page: Page, rows: Rows) -> None:
        """
        Read subscriptions; those known as taken back are asked for what was paid last.

        Whose latest payment was taken back unheard comes with the refunds and disputes.
        """
        known = Subscription.objects.filter(
            project_id=self.account.project_id,
            provider=self.account.provider,
            reference__in=[str(row.get("id")) for row in rows],
            cancel_reason__in=TAKEN_BACK,
        )
        taken_back = set(known.values_list("reference", flat=True))
        for row in rows:
            try:
                if row["id"] in taken_back:
                    report = self.patiently(lambda one=row: self.lists.as_paid(one))  # type: ignore[misc]
                else:
                    report = subscription_report(row)
            except UNREADABLE:
                page.skipped += 1
            except ProviderTrouble as trouble:
                if trouble.reason != "unknown-state":
                    raise
                page.skipped += 1
            else:
                page.subscriptions.append(report)

    def _read_invoices(self, page: Page, rows: Rows) -> None:
        """Read the first payments of subscriptions, and single payments."""
        for row in rows:
            subscription, instant = subscription_of(row), paid_at(row)
            if not subscription:
                page.purchases.append(
                    self.patiently(lambda one=row: self.lists.purchase_of(one))  # type: ignore[misc]
                )
            elif instant:
                before = page.first_paid.get(subscription, instant)
                page.first_paid[subscription] = min(before, instant)


def _sale_of(payment: Mapping[str, Any]) -> str:
    return id_of(payment["id"]) if names_a_sale(payment) else ""


def _charge_given_back(refund: Mapping[str, Any]) -> str:
    """Return the charge of a refund that left nothing of it."""
    charge = refund["charge"]
    return id_of(charge) if charge and charge["refunded"] else ""


def _charge_disputed(dispute: Mapping[str, Any]) -> str:
    return id_of(dispute["charge"])


# By what the object is asked for that a row tells of; empty if it tells of none.
NAMED_BY: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "sessions": sale_of_session,
    "payments": _sale_of,
    "refunds": _charge_given_back,
    "disputes": _charge_disputed,
}


def _readable(page: Page, name_of: Callable[[Mapping[str, Any]], str], rows: Rows) -> list[str]:
    """Return the names that the rows give, each once; rows that cannot be read are counted."""
    names: dict[str, None] = {}
    for row in rows:
        try:
            names[name_of(row)] = None
        except UNREADABLE:
            page.skipped += 1
    return [name for name in names if name]
