"""
Objects of Stripe in our words: pure readings of what its lists and answers hold.

Shapes are those of the API version of the `stripe` package: a subscription's period stands on
its items, an invoice names its subscription under `parent`, payments hang on the invoice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT
from backoffice.core.money import CODE_LENGTH, decimals
from subscriptions.models import Purchase, StopReason, Subscription
from subscriptions.providers.reports import (
    CustomerReport,
    ProviderTrouble,
    PurchaseReport,
    SubscriptionReport,
)

LONGEST_ID: Final = 255
_Status = Subscription.Status

# --- What Stripe's words are in ours -------------------------------------------------------

STATUSES: Final[Mapping[str, Subscription.Status]] = {
    "trialing": _Status.TRIALING,
    "active": _Status.ACTIVE,
    "past_due": _Status.PAST_DUE,
    "canceled": _Status.CANCELED,
    "unpaid": _Status.UNPAID,
    "paused": _Status.PAUSED,
    "incomplete": _Status.INCOMPLETE,
    "incomplete_expired": _Status.INCOMPLETE_EXPIRED,
}
REASONS: Final[Mapping[str, StopReason]] = {
    "cancellation_requested": StopReason.ASKED,
    "payment_failed": StopReason.NOT_PAID,
    "payment_disputed": StopReason.DISPUTED,
}
# Why a subscription has ended here while it goes on with Stripe.
TAKEN_BACK: Final = frozenset({StopReason.REFUNDED, StopReason.DISPUTED})
# Disputes that took the money, or may.
LOSING_DISPUTES: Final = frozenset({"needs_response", "under_review", "lost"})

# Currencies whose amounts Stripe writes with other decimals than ISO 4217 has.
DECIMALS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}


# What reading an object of another shape than expected ends in.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    InvalidOperation,
)

# --- Objects in our words ------------------------------------------------------------------


def customer_report(customer: Mapping[str, Any]) -> CustomerReport:
    """Return whom Stripe charges; a deleted customer has neither user nor address."""
    metadata = customer.get("metadata") or {}
    return CustomerReport(
        reference=id_of(customer["id"]),
        user=_left(metadata, "user"),
        email=str(customer.get("email") or ""),
    )


def subscription_report(found: Mapping[str, Any]) -> SubscriptionReport:
    """
    Return the subscription in our words.

    :raises ProviderTrouble: for a state that is not known here: nothing is guessed.
    """
    status = STATUSES.get(found["status"])
    if status is None:
        raise ProviderTrouble("unknown-state")
    items = found["items"]["data"]
    period_end = min((instant_of(item["current_period_end"]) for item in items), default=None)
    currency = _currency(found["currency"])
    cancel_at = _maybe(found["cancel_at"])
    if cancel_at is None and found["cancel_at_period_end"]:
        cancel_at = period_end
    started_at, trial_end = instant_of(found["start_date"]), _maybe(found["trial_end"])
    return SubscriptionReport(
        reference=id_of(found["id"]),
        customer=id_of(found["customer"]),
        status=status,
        price_minor=sum(_price(item, currency) for item in items),
        currency=currency,
        started_at=started_at,
        products=tuple(id_of(item["price"]["id"]) for item in items),
        current_period_end=period_end,
        past_due_since=_late_since(found) if status == _Status.PAST_DUE else None,
        trial_ends_at=trial_end if trial_end and trial_end > started_at else None,
        cancel_at=cancel_at,
        ended_at=_maybe(found["ended_at"]),
        cancel_reason=_reason(found),
        user=_left(found["metadata"] or {}, "user"),
        offer=_left(found["metadata"] or {}, "offer"),
    )


def ended_by(
    report: SubscriptionReport, at: datetime, reason: StopReason | str
) -> SubscriptionReport:
    """Return the report of a subscription whose latest payment was taken back at the instant."""
    if report.ended_at is not None and report.ended_at < at:
        return report
    return replace(report, ended_at=at, cancel_reason=str(reason))


def purchase_report(
    invoice: Mapping[str, Any], *, reference: str, is_undone: bool
) -> PurchaseReport:
    """Return the single payment of a paid invoice, given back or disputed if `is_undone`."""
    currency = _currency(invoice["currency"])
    prices = (_price_of_line(line) for line in invoice["lines"]["data"])
    return PurchaseReport(
        reference=reference,
        customer=id_of(invoice["customer"]),
        status=_status(is_undone=is_undone),
        price_minor=_minor(invoice["amount_paid"], currency),
        currency=currency,
        purchased_at=_maybe(invoice["status_transitions"]["paid_at"])
        or instant_of(invoice["created"]),
        products=tuple(price for price in prices if price),
        user=_left(invoice["metadata"] or {}, "user"),
        offer=_left(invoice["metadata"] or {}, "offer"),
    )


def payment_report(
    intent: Mapping[str, Any],
    charge: Mapping[str, Any],
    sessions: Sequence[Mapping[str, Any]],
    *,
    is_undone: bool,
) -> PurchaseReport:
    """
    Return what a payment without invoice bought, given back or disputed if `is_undone`.

    Who paid for what stands on the payment or on the sessions of Checkout that led to it. A
    payment without customer is a customer of its own.
    """
    currency = _currency(intent["currency"])
    reference = id_of(intent["id"])
    addresses = [intent["receipt_email"], charge["billing_details"]["email"]]
    return PurchaseReport(
        reference=reference,
        customer=id_of(intent["customer"]) if intent["customer"] else reference,
        status=_status(is_undone=is_undone),
        price_minor=_minor(intent["amount_received"], currency),
        currency=currency,
        purchased_at=instant_of(charge["created"]),
        products=_prices_of(sessions),
        user=_left(intent["metadata"] or {}, "user") or _user_of(sessions),
        email=_first([*map(_email_of, sessions), *addresses]),
        offer=_left(intent["metadata"] or {}, "offer") or _offer_of(sessions),
    )


def free_session_report(session: Mapping[str, Any]) -> PurchaseReport:
    """Return what a session of Checkout sold for nothing: no payment tells of it."""
    reference = id_of(session["id"])
    return PurchaseReport(
        reference=reference,
        customer=id_of(session["customer"]) if session["customer"] else reference,
        status=Purchase.Status.ACTIVE,
        price_minor=0,
        currency=_currency(session["currency"]),
        purchased_at=instant_of(session["created"]),
        products=_prices_of([session]),
        user=_user_of([session]),
        email=_email_of(session),
        offer=_offer_of([session]),
    )


def sale_of_session(session: Mapping[str, Any]) -> str:
    """Return by what a session of Checkout is asked for; empty if it sold nothing single."""
    if session["mode"] != "payment":
        return ""
    return id_of(session.get("payment_intent") or session["id"])


def names_a_sale(payment: Mapping[str, Any]) -> bool:
    """Tell whether the platform left with the payment who bought something, or what."""
    metadata = payment["metadata"] or {}
    return bool(metadata.get("user") or metadata.get("offer"))


def _prices_of(sessions: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    lines = (line for one in sessions for line in (one.get("line_items") or {}).get("data", ()))
    return tuple(id_of(line["price"]) for line in lines if line.get("price"))


def _user_of(sessions: Iterable[Mapping[str, Any]]) -> str:
    return _first(
        _left(one["metadata"] or {}, "user") or str(one["client_reference_id"] or "")[:LONGEST_ID]
        for one in sessions
    )


def _offer_of(sessions: Iterable[Mapping[str, Any]]) -> str:
    return _first(_left(one["metadata"] or {}, "offer") for one in sessions)


def _email_of(session: Mapping[str, Any]) -> str:
    return str((session["customer_details"] or {}).get("email") or "")


def _first(texts: Iterable[str | None]) -> str:
    return next((text for text in texts if text), "")


def _left(metadata: Mapping[str, Any], name: str) -> str:
    """Return what the platform left under the name; empty if nothing."""
    return str(metadata.get(name) or "")[:LONGEST_ID]


def _status(*, is_undone: bool) -> Purchase.Status:
    return Purchase.Status.CANCELLED if is_undone else Purchase.Status.ACTIVE


def was_given_back(refund: Mapping[str, Any]) -> bool:
    return refund["status"] not in {"failed", "canceled"}


def was_paid(invoice: Mapping[str, Any]) -> bool:
    return bool(invoice["status"] == "paid")


def paid_at(invoice: Mapping[str, Any]) -> datetime | None:
    """Return when money came for the invoice; none for one that was free."""
    if not was_paid(invoice) or not invoice["amount_paid"]:
        return None
    return _maybe(invoice["status_transitions"]["paid_at"])


def subscription_of(invoice: Mapping[str, Any]) -> str:
    """Return the id of the invoice's subscription, where today's or an older version has it."""
    parent = invoice.get("parent") or {}
    details = parent.get("subscription_details") or {}
    named = details.get("subscription") or invoice.get("subscription")
    return id_of(named) if named else ""


def _late_since(subscription: Mapping[str, Any]) -> datetime | None:
    invoice = subscription["latest_invoice"]
    if not isinstance(invoice, Mapping):
        return None
    return _maybe(invoice["status_transitions"]["finalized_at"])


def _reason(subscription: Mapping[str, Any]) -> str:
    """Return why it stops, as "asked" or "asked: too_expensive"; the comment stays with Stripe."""
    details = subscription["cancellation_details"] or {}
    reason = REASONS.get(details.get("reason") or "")
    feedback = details.get("feedback")
    if reason is None:
        return ""
    return f"{reason}: {plain(str(feedback))[:50]}" if feedback else str(reason)


def refundable_charge(charge: Mapping[str, Any], left: int) -> dict[str, Any]:
    currency = _currency(charge["currency"])
    card = (charge["payment_method_details"] or {}).get("card") or {}
    shown = f"{card['brand']} •••• {card['last4']}" if card.get("last4") else ""
    return {
        "charge": id_of(charge["id"]),
        "amount_minor": _minor(left, currency),
        "currency": currency,
        "paid_at": instant_of(charge["created"]),
        "card": shown,
    }


def _price(item: Mapping[str, Any], currency: str) -> int:
    price = item["price"]
    amount = price["unit_amount"]
    if amount is None:
        # Parts of a cent, or tiers, whose price is on the invoice alone.
        amount = Decimal(price["unit_amount_decimal"] or 0)
    return _minor(int(amount * item.get("quantity", 1)), currency)


def _price_of_line(line: Mapping[str, Any]) -> str:
    pricing = line["pricing"] or {}
    return str((pricing.get("price_details") or {}).get("price") or "")


def _minor(amount: int, currency: str) -> int:
    """Return the amount in the minor units that ISO 4217 gives the currency."""
    shift = decimals(currency) - DECIMALS.get(currency, decimals(currency))
    return int(amount * 10**shift if shift >= 0 else amount // 10**-shift)


def _currency(code: str) -> str:
    if len(code) != CODE_LENGTH or not code.isascii():
        raise ValueError("No currency.")
    return code.upper()


def id_of(named: Any) -> str:
    """Return the id of an object that is named or expanded."""
    if isinstance(named, Mapping):
        named = named["id"]
    if not isinstance(named, str) or not 0 < len(named) <= LONGEST_ID or plain(named) != named:
        raise ValueError("No id.")
    return named


def plain(text: str) -> str:
    return "".join(c for c in text if c.isascii() and c.isprintable())


def _maybe(seconds: Any) -> datetime | None:
    return None if seconds is None else instant_of(seconds)


def instant_of(seconds: Any) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise TypeError("No instant.")
    instant = datetime.fromtimestamp(seconds, UTC)
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError("An instant out of bounds.")
    return instant
