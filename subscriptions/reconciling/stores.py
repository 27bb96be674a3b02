"""
What Google Play and the App Store have of all that was ever bought there, as far as they tell.

Neither lists who bought what: a purchase is asked for by the name that its first notification
gave. What was never told of cannot be found.
"""

import time
from collections.abc import Sequence
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from subscriptions.models import (
    Provider,
    ProviderAccount,
    ProviderEvent,
    ProviderSync,
    Subscription,
)
from subscriptions.reconciling.runs import Clock, Page, Pause, Run, Told, go_through
from subscriptions.webhooks import provider_clock

# Each costs a request.
PAGE_SIZE: Final = 50
_Phase = ProviderSync.Phase
_Subject = ProviderEvent.Subject


def sync_store(
    account: ProviderAccount,
    *,
    clock: Clock,
    told: Told,
    from_start: bool = False,
    pause: Pause = time.sleep,
) -> ProviderSync:
    """
    Bring all that is kept of the account with a store to what the store has.

    Goes on where an earlier run was cut off. Cost: a request for each subscription and purchase.

    :param told: called after each page, in a transaction of its own.
    :raises ProviderTrouble: if the store does not answer, several times; run it again later.
    :raises NotConnected: if the secrets cannot be read.
    """
    run = StoreRun(account, clock=clock, pause=pause)
    sync = run.begun(_Phase.SUBSCRIPTIONS, from_start=from_start)
    return go_through(sync, run.take_page, told)


class StoreRun(Run):
    """One run over what is known of one account with a store."""

    def take_page(self, sync: ProviderSync) -> None:
        """Ask for the next names of the phase; store and note the answers in one transaction."""
        phase = _Phase(sync.phase)
        rows = self._names(phase, after=int(sync.cursor or 0))
        kind = _Subject.PURCHASE if phase == _Phase.PAYMENTS else _Subject.SUBSCRIPTION
        asked_at = provider_clock()
        page = Page()
        self.look_up_all(page, kind, [name for _pk, name in rows])
        # The stores know no customers: who it is stands in the name, and costs no request.
        page.customers = [self.gateway.customer(report.customer) for report in page.paid]
        counter = "payments" if phase == _Phase.PAYMENTS else "subscriptions"
        has_more = len(rows) == PAGE_SIZE
        with transaction.atomic():
            self.take_over(sync, page, asked_at=asked_at)
            setattr(sync, counter, getattr(sync, counter) + len(rows))
            cursor = str(rows[-1][0]) if has_more else ""
            self.reached(sync, phase if has_more else self._after(phase), cursor)

    def _after(self, phase: ProviderSync.Phase) -> ProviderSync.Phase:
        if phase == _Phase.SUBSCRIPTIONS:
            return _Phase.PAYMENTS
        # A platform may have reported by Apple's own name; Google's purchases have another.
        is_apple = self.account.provider == Provider.APPLE
        return _Phase.HELD if phase == _Phase.PAYMENTS and is_apple else _Phase.DONE

    def _names(self, phase: ProviderSync.Phase, *, after: int) -> Sequence[tuple[int, str]]:
        """Return key and name of what comes next, each name once."""
        of_account = {"project_id": self.account.project_id, "provider": self.account.provider}
        events = ProviderEvent.objects.filter(**of_account).exclude(reason="other-account")
        if phase == _Phase.HELD:
            return self._held(events, after=after)
        kind = _Subject.PURCHASE if phase == _Phase.PAYMENTS else _Subject.SUBSCRIPTION
        told = events.filter(subject_kind=kind).exclude(subject="")
        later = told.filter(subject=OuterRef("subject"), pk__gt=OuterRef("pk"))
        latest = told.filter(~Exists(later), pk__gt=after).order_by("pk")
        return list(latest.values_list("pk", "subject")[:PAGE_SIZE])

    def _held(self, events: QuerySet[ProviderEvent], *, after: int) -> Sequence[tuple[int, str]]:
        """Return the subscriptions of present users that no notification told of."""
        told = events.filter(subject=OuterRef("reference"))
        rows = Subscription.objects.filter(
            ~Exists(told),
            project_id=self.account.project_id,
            provider=self.account.provider,
            user__deleted_at=None,
            pk__gt=after,
        )
        return list(rows.order_by("pk").values_list("pk", "reference")[:PAGE_SIZE])
