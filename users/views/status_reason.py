"""Why a user has the status they have: the facts that decide, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backoffice.core.formatting import instant_text
from subscriptions.models import FreeCopy, Provider, Purchase, Source, Subscription
from subscriptions.selectors import Sources
from users.models import User

FAILED = {Subscription.Status.UNPAID, Subscription.Status.PAST_DUE}
NEVER_PAID = {Subscription.Status.INCOMPLETE, Subscription.Status.INCOMPLETE_EXPIRED}


@dataclass(frozen=True, slots=True)
class StatusReason:
    """Writes the sentence of one user, at one instant, in the project's zone."""

    sources: Sources
    now: datetime
    zone: ZoneInfo
    language: str

    def sentence(self, status: int) -> str:
        """Return the sentence for the status that the user has now."""
        if status == User.Status.ACTIVE:
            return self._active()
        if status == User.Status.CANCELLED:
            return self._cancelled()
        return self._registered()

    @property
    def _giving(self) -> Sequence[Source]:
        """The sources that give this very user access at some time."""
        sources = self.sources
        packs = [row for row in sources.bought if row.type == Purchase.Type.PACK]
        rows = [*sources.subscriptions, *packs, *sources.gifts_received, *sources.free_copies]
        return [row for row in rows if row.access_start is not None]

    def _active(self) -> str:
        held = [
            row
            for row in self._giving
            if _start(row) <= self.now and (row.access_end is None or row.access_end > self.now)
        ]
        longest = max(held, key=_end_or_never, default=None)
        if longest is None:
            return ""
        facts = self._facts(longest)
        if isinstance(longest, Subscription):
            return self._subscribed(longest, facts)
        if longest.access_end is None:
            return _("Active since %(start)s by %(what)s, without an end.") % facts
        return _("Active since %(start)s by %(what)s, until %(end)s.") % facts

    def _subscribed(self, row: Subscription, facts: dict[str, str]) -> str:
        if row.status == Subscription.Status.PAST_DUE:
            if row.access_end:
                return _("Active until %(end)s: a payment for %(what)s is late.") % facts
            return (
                _("Active while a payment for %(what)s is late: it is still being collected.")
                % facts
            )
        if row.access_end:
            return _("Active until %(end)s: %(what)s ends then.") % facts
        if row.trial_end and row.trial_end > self.now:
            return _("Active in the trial of %(what)s, which ends on %(trial_end)s.") % facts
        if row.current_period_end and row.current_period_end > self.now:
            return _("Active since %(start)s by %(what)s, which renews on %(renewal)s.") % facts
        return _("Active since %(start)s by %(what)s.") % facts

    def _cancelled(self) -> str:
        ended = [row for row in self._giving if row.access_end and row.access_end <= self.now]
        last = max(ended, key=_end_or_never, default=None)
        if last is None:
            return ""
        facts = self._facts(last)
        if isinstance(last, Subscription):
            if last.status in FAILED:
                return _("Cancelled since %(end)s: payments for %(what)s failed.") % facts
            if last.status == Subscription.Status.PAUSED:
                return _("Cancelled since %(end)s: %(what)s was paused.") % facts
            return _("Cancelled since %(end)s: %(what)s was stopped.") % facts
        was_voided = isinstance(last, Purchase) and last.status == Purchase.Status.CANCELLED
        was_revoked = isinstance(last, FreeCopy) and last.revoked_at == last.access_end
        if was_voided or was_revoked:
            return _("Cancelled since %(end)s: %(what)s was taken back.") % facts
        return _("Cancelled since %(end)s: %(what)s ran out.") % facts

    def _registered(self) -> str:
        sources = self.sources
        for row in sorted(self._giving, key=_start):
            if _start(row) > self.now:
                return _("Registered: access by %(what)s begins on %(start)s.") % self._facts(row)
        for subscription in sources.subscriptions:
            if subscription.status in NEVER_PAID:
                facts = self._facts(subscription)
                return _("Registered: the first payment for %(what)s did not succeed.") % facts
        for copy in sources.free_copies:
            if copy.access_start is None and copy.revoked_at is None:
                return _("Registered: %(what)s was not activated.") % self._facts(copy)
        for purchase in (*sources.bought, *sources.gifts_received):
            if purchase.status == Purchase.Status.UNKNOWN:
                facts = self._facts(purchase)
                return _("Registered: nobody knows whether %(what)s was paid.") % facts
        return _("Registered: never had access.")

    def _facts(self, row: Source) -> dict[str, str]:
        return {
            "what": self._what(row),
            "start": self._instant(row.access_start),
            "end": self._instant(row.access_end),
            "trial_end": self._instant(getattr(row, "trial_end", None)),
            "renewal": self._instant(getattr(row, "current_period_end", None)),
        }

    def _what(self, row: Source) -> str:
        """Name the source: what it is, of which offer, and who charges."""
        offer = row.offer.name if row.offer else ""
        if isinstance(row, Subscription):
            provider = str(Provider(row.provider).label)
            if not offer:
                return _("the subscription (%(provider)s)") % {"provider": provider}
            words = _("the subscription “%(offer)s” (%(provider)s)")
            return words % {"offer": offer, "provider": provider}
        if isinstance(row, FreeCopy):
            return (
                _("the free copy of “%(offer)s”") % {"offer": offer}
                if offer
                else (_("the free copy"))
            )
        if isinstance(row, Purchase) and row.type == Purchase.Type.GIFT:
            return _("the gift “%(offer)s”") % {"offer": offer} if offer else _("the gift")
        return _("the pack “%(offer)s”") % {"offer": offer} if offer else _("the pack")

    def _instant(self, instant: datetime | None) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""


def _start(row: Source) -> datetime:
    if row.access_start is None:
        raise ValueError(row)
    return row.access_start


def _end_or_never(row: Source) -> float:
    return row.access_end.timestamp() if row.access_end else float("inf")
