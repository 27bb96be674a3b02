"""What a person pays for, bought and was given, as rows of the profile's two tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import instant_text, money_text
from backoffice.core.masking import mask_name
from subscriptions.models import FreeCopy, GivenState, Provider, Purchase, Source, Subscription
from subscriptions.selectors import Sources
from users.models import User


@dataclass(frozen=True, slots=True)
class PaymentWriter:
    """Turns sources into table rows, at one instant, in one language and zone."""

    sources: Sources
    now: datetime
    zone: ZoneInfo
    language: str
    sees_identity: bool
    carried: Sequence[tuple[str, str]] = ()
    """The parameters that each link takes along: the way back."""

    def subscriptions(self) -> list[dict[str, Any]]:
        """Return subscriptions, gifts received and free copies, the latest first."""
        rows = [
            *((row.started_at, self._subscription(row)) for row in self.sources.subscriptions),
            *((row.purchased_at, self._gift(row)) for row in self.sources.gifts_received),
            *((row.sent_at, self._free_copy(row)) for row in self.sources.free_copies),
        ]
        return [row for _at, row in sorted(rows, key=lambda pair: pair[0], reverse=True)]

    def purchases(self) -> list[dict[str, Any]]:
        """Return packs, and gifts for others, the latest first."""
        return [self._purchase(row) for row in self.sources.bought]

    def _subscription(self, row: Subscription) -> dict[str, Any]:
        is_held = row.is_held_at(self.now)
        return self._row(
            row,
            is_held=is_held,
            precise=row.detail_at(self.now),
            payment=str(Provider(row.provider).label),
            price=money_text(row.price_minor, row.currency, self.language),
            start=self._subscription_start(row),
            end=self._subscription_end(row, is_held=is_held),
        ) | {"url": self._charged(row, "subscriptions:charged-subscription")}

    def _charged(self, row: Subscription | Purchase, name: str) -> str:
        """Return the page on which what Stripe charges can be changed; none for other payments."""
        if row.provider != Provider.STRIPE:
            return ""
        return with_parameters(reverse(name, args=[row.user.public_id, row.pk]), self.carried)

    def _subscription_start(self, row: Subscription) -> str:
        is_unpaid = row.first_paid_at is None or row.first_paid_at > self.now
        if is_unpaid and row.trial_ends_at:
            return _("trial since %(day)s") % {"day": self._instant(row.started_at)}
        return self._instant(row.first_paid_at or row.started_at)

    def _subscription_end(self, row: Subscription, *, is_held: bool) -> str:
        end = row.access_end or row.ended_at
        if end:
            return self._end(end)
        if is_held and row.current_period_end and row.current_period_end > self.now:
            return _("renews %(day)s") % {"day": self._instant(row.current_period_end)}
        return ""

    def _gift(self, row: Purchase) -> dict[str, Any]:
        is_known = row.status in {Purchase.Status.ACTIVE, Purchase.Status.EXPIRED}
        return self._row(
            row,
            is_held=row.status_at(self.now) == Purchase.Status.ACTIVE,
            precise=self._gift_words(row.user)
            if is_known
            else f"{self._gift_words(row.user)}, {str(Purchase.Status(row.status).label).lower()}",
            start=self._instant(row.access_start or row.purchased_at),
            end=self._end(row.access_end),
        )

    def _gift_words(self, buyer: User) -> str:
        if buyer.deleted_at:
            return _("gift from a user who was deleted")
        shown = buyer.full_name if self.sees_identity else mask_name(buyer.full_name)
        return _("gift from %(name)s") % {"name": shown} if shown else _("gift")

    def _free_copy(self, row: FreeCopy) -> dict[str, Any]:
        if row.access_start is None:
            is_late = row.revoked_at or (row.activate_by and row.activate_by <= self.now)
            precise = (
                _("free copy, never activated") if is_late else _("free copy, not activated yet")
            )
        elif row.revoked_at and row.revoked_at == row.access_end:
            precise = _("free copy, taken back")
        else:
            precise = _("free copy")
        return self._row(
            row,
            is_held=row.given_state(self.now) == GivenState.ENABLED,
            precise=precise,
            start=self._instant(row.access_start or row.sent_at),
            end=self._end(row.access_end),
        )

    def _row(
        self,
        row: Source,
        *,
        is_held: bool,
        precise: str,
        start: str,
        end: str,
        payment: str = "",
        price: str = "",
    ) -> dict[str, Any]:
        """Return the row; what nobody charges is free and of OKAST."""
        return {
            "status": "active" if is_held else "cancelled",
            "status_label": _("Active") if is_held else pgettext("subscription", "Cancelled"),
            "precise": precise,
            "payment": payment or str(Provider.OKAST.label),
            "offer": row.offer.name if row.offer else "",
            "price": price or _("Free"),
            "start": start,
            "end": end,
        }

    def _purchase(self, row: Purchase) -> dict[str, Any]:
        status = row.status_at(self.now)
        return {
            "status": "active" if status == Purchase.Status.ACTIVE else "cancelled",
            "status_label": str(status.label),
            "offer": row.offer.name if row.offer else "",
            "type": str(Purchase.Type(row.type).label),
            "price": money_text(row.price_minor, row.currency, self.language),
            "date": self._instant(row.purchased_at),
            "url": self._charged(row, "subscriptions:charged-purchase"),
        }

    def _end(self, end: datetime | None) -> str:
        if end is None:
            return ""
        day = self._instant(end)
        return day if end <= self.now else _("ends %(day)s") % {"day": day}

    def _instant(self, instant: datetime | None) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""
