"""What a provider reports, as the rows that are kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from subscriptions.models import Offer, ProviderAccount, Purchase, Subscription
from subscriptions.providers.reports import PurchaseReport, SubscriptionReport
from users.models import User


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
