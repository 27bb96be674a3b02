"""The lists of subscriptions and of purchases and rentals."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from backoffice.core.formatting import instant_text, money_text, number
from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.staff.registers import Register
from subscriptions.filters import PurchaseFilter, SubscriptionFilter
from subscriptions.models import Purchase, Subscription
from subscriptions.views.people import People


class PaymentRegister(Register):
    """What the lists of payments share: people, instants and money as the reader sees them."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW

    @property
    def language(self) -> str:
        return get_language() or "en"

    @property
    def people(self) -> People:
        return People(self.may(Permission.USERS_SEE_IDENTITY))

    def instant(self, instant: Any) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""

    def money(self, row: Subscription | Purchase) -> str:
        return money_text(row.price_minor, row.currency, self.language)

    def get_context_data(self) -> dict[str, Any]:
        """Return the total of the rows that the filter leaves, in words too."""
        if not self.asked.is_valid():
            return {}
        total = self.asked.qs.count()
        words = ngettext("%(n)s row", "%(n)s rows", total)
        return {"total": total, "total_text": words % {"n": number(total, self.language)}}


class SubscriptionList(PaymentRegister):
    """Every subscription, the latest first."""

    filterset_class = SubscriptionFilter
    ordering = Ordering("-started", ("started_at", "pk"), is_descending=True)
    template_name = "subscriptions/subscription_list.html"

    def get_queryset(self) -> QuerySet[Subscription]:
        rows = Subscription.objects.filter(project=self.project)
        return rows.select_related("user", "offer")

    def lines(self, rows: Sequence[Subscription]) -> list[dict[str, Any]]:
        return [self._line(row) for row in rows]

    def _line(self, row: Subscription) -> dict[str, Any]:
        is_active = row.is_held_at(self.now)
        return {
            "reference": row.reference,
            "person": self.people.of(row.user),
            "status": "active" if is_active else "cancelled",
            "status_label": _("Active") if is_active else pgettext("subscription", "Cancelled"),
            "precise": self._precise(row, is_active=is_active),
            "payment": row.get_provider_display(),
            "offer": row.offer.name if row.offer else "",
            "price": self.money(row),
            "start": self.instant(row.first_paid_at or row.started_at),
            "end": self.instant(row.access_end or row.ended_at),
            "reason": row.cancel_reason,
        }

    def _precise(self, row: Subscription, *, is_active: bool) -> str:
        """Return the provider's own state, where it says more than the word beside it."""
        plain = Subscription.Status.ACTIVE if is_active else Subscription.Status.CANCELED
        if row.status == plain:
            return ""
        if not is_active and row.status in Subscription.RUNNING:
            return _("ended")
        return row.get_status_display()


class PurchaseList(PaymentRegister):
    """Every pack, rental and gift that was bought, the latest first."""

    filterset_class = PurchaseFilter
    ordering = Ordering("-purchased", ("purchased_at", "pk"), is_descending=True)
    template_name = "subscriptions/purchase_list.html"

    def get_queryset(self) -> QuerySet[Purchase]:
        rows = Purchase.objects.filter(project=self.project)
        return rows.select_related("user", "offer")

    def lines(self, rows: Sequence[Purchase]) -> list[dict[str, Any]]:
        return [self._line(row) for row in rows]

    def _line(self, row: Purchase) -> dict[str, Any]:
        status = row.status_at(self.now)
        return {
            "reference": row.reference,
            "person": self.people.of(row.user),
            "status": "active" if status == Purchase.Status.ACTIVE else "cancelled",
            "status_label": status.label,
            "offer": row.offer.name if row.offer else "",
            "type": row.get_type_display(),
            "payment": row.get_provider_display(),
            "price": self.money(row),
            "date": self.instant(row.purchased_at),
        }
