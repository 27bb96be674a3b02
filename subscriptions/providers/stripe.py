"""
Stripe: the one module that speaks to it, and that knows the shapes of its objects.

Shapes are those of the API version of the `stripe` package: a subscription's period stands on
its items, an invoice names its subscription under `parent`, payments hang on the invoice.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, Literal

import stripe
from django.conf import settings

from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT
from backoffice.core.money import CODE_LENGTH, decimals
from subscriptions.models import ProviderEvent, Purchase, StopReason, Subscription
from subscriptions.providers.reports import (
    ActRefused,
    BodyRefused,
    CustomerReport,
    EventReport,
    Found,
    KeyRefused,
    Limited,
    NotFound,
    ProviderTrouble,
    PurchaseReport,
    SignatureRefused,
    SubscriptionReport,
    Unreachable,
)

# The package asks again after a lost connection or an error of Stripe's, with the same
# idempotency key.
RETRIES: Final = 1
TIMEOUT_SECONDS: Final = (5, 15)
PAGE_SIZE: Final = 100
# A signature made longer ago is refused, as Stripe advises.
SIGNATURE_SECONDS: Final = 300
LONGEST_ID: Final = 255
LIVE_KEYS: Final = ("sk_live_", "rk_live_")
TEST_KEYS: Final = ("sk_test_", "rk_test_")

_Status = Subscription.Status
_Subject = ProviderEvent.Subject

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
# Disputes that took the money, or may.
LOSING_DISPUTES: Final = frozenset({"needs_response", "under_review", "lost"})

# By the beginning of the event's type; the longest that fits counts.
SUBJECTS: Final[Mapping[str, ProviderEvent.Subject]] = {
    "customer.created": _Subject.CUSTOMER,
    "customer.updated": _Subject.CUSTOMER,
    "customer.subscription.": _Subject.SUBSCRIPTION,
    "invoice.": _Subject.INVOICE,
    "charge.refunded": _Subject.CHARGE,
    "charge.refund.": _Subject.CHARGE,
    "charge.dispute.": _Subject.CHARGE,
    "refund.": _Subject.CHARGE,
}

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

# --- What comes by itself ------------------------------------------------------------------


def is_live_key(secret_key: str) -> bool | None:
    """Tell whether the key moves money; none if it does not look like either kind."""
    if secret_key.startswith(LIVE_KEYS):
        return True
    return False if secret_key.startswith(TEST_KEYS) else None


def check_signature(body: bytes, header: str, secrets: Iterable[str], *, now: datetime) -> None:
    """
    Let pass what one of the secrets signed less than five minutes ago.

    :raises SignatureRefused: otherwise, and always without a secret.
    """
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, header, secret)
            signed_at = int(header.partition("t=")[2].partition(",")[0])
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError):
            continue
        if now.timestamp() - signed_at <= SIGNATURE_SECONDS:
            return
    raise SignatureRefused


def read_event(body: bytes) -> EventReport:
    """
    Return what is kept of an event whose signature was good.

    The body follows the version of whoever set up the endpoint, not ours: only ids are read.

    :raises BodyRefused: if it is no event.
    """
    try:
        event = json.loads(body)
        payload = event["data"]["object"]
        if event["object"] != "event" or not isinstance(payload, dict):
            raise BodyRefused
        kind, subject = _subject_of(str(event["type"]), payload)
        return EventReport(
            event_id=_id(event["id"]),
            type=_plain(str(event["type"]))[:100],
            subject_kind=kind,
            subject=subject,
            happened_at=_instant(event["created"]),
            is_live=bool(event["livemode"]),
            account=_plain(str(event.get("account") or ""))[:LONGEST_ID],
        )
    except (*UNREADABLE, RecursionError) as error:
        raise BodyRefused from error


def _subject_of(type_: str, payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return which object the event is about, and its id; twice nothing if it changes nothing."""
    fitting = [prefix for prefix in SUBJECTS if type_.startswith(prefix)]
    kind = SUBJECTS[max(fitting, key=len)] if fitting else _Subject.NONE
    if kind == _Subject.INVOICE:
        subscription = _subscription_of_invoice(payload)
        if subscription:
            return _Subject.SUBSCRIPTION, subscription
    elif kind == _Subject.CHARGE and not type_.startswith("charge.refunded"):
        return (kind, _id(payload["charge"])) if payload.get("charge") else ("", "")
    if kind == _Subject.NONE or not payload.get("id"):
        return _Subject.NONE, ""
    return kind, _id(payload["id"])


def _subscription_of_invoice(invoice: Mapping[str, Any]) -> str:
    """Return the id of the invoice's subscription, where today's or an older version has it."""
    parent = invoice.get("parent") or {}
    details = parent.get("subscription_details") or {}
    named = details.get("subscription") or invoice.get("subscription")
    return _id(named) if named else ""


# --- What is asked for ---------------------------------------------------------------------


@cache
def _http_client() -> stripe.HTTPClient:
    """Return the connections that all accounts share; each thread has its own."""
    return stripe.RequestsClient(timeout=TIMEOUT_SECONDS)


class StripeGateway:
    """The way to one account with Stripe."""

    def __init__(self, secret_key: str) -> None:
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": settings.STRIPE_API_BASE},
            max_network_retries=RETRIES,
            http_client=_http_client(),
        )

    # Objects

    def look_up(self, kind: str, reference: str) -> Found:
        ask: dict[str, Callable[[str], Found]] = {
            _Subject.CUSTOMER: lambda id_: Found(customers=(self.customer(id_),)),
            _Subject.SUBSCRIPTION: self._subscription,
            _Subject.INVOICE: self._invoice,
            _Subject.CHARGE: self._charge,
        }
        return ask[kind](reference)

    def customer(self, reference: str) -> CustomerReport:
        with _asking():
            found = self._client.v1.customers.retrieve(reference).to_dict()
        return customer_report(found)

    def of_customer(self, reference: str) -> Found:
        with _asking():
            page = self._client.v1.subscriptions.list(
                {
                    "customer": reference,
                    "status": "all",
                    "limit": PAGE_SIZE,
                    "expand": ["data.latest_invoice"],
                }
            )
            subscriptions = tuple(
                subscription_report(row.to_dict()) for row in page.auto_paging_iter()
            )
            invoices = self._client.v1.invoices.list(
                {"customer": reference, "status": "paid", "limit": PAGE_SIZE}
            )
            single = [
                row
                for row in (found.to_dict() for found in invoices.auto_paging_iter())
                if not _subscription_of_invoice(row)
            ]
            purchases = tuple(self._purchase(invoice) for invoice in single)
        return Found(subscriptions=subscriptions, purchases=purchases)

    def first_payment_of(self, reference: str) -> datetime | None:
        with _asking():
            page = self._client.v1.invoices.list(
                {"subscription": reference, "status": "paid", "limit": PAGE_SIZE}
            )
            paid = [paid_at(row.to_dict()) for row in page.auto_paging_iter()]
        return min((instant for instant in paid if instant), default=None)

    def _subscription(self, reference: str) -> Found:
        with _asking():
            found = self._client.v1.subscriptions.retrieve(
                reference, {"expand": ["latest_invoice"]}
            ).to_dict()
            return Found(subscriptions=(subscription_report(found),))

    def _invoice(self, reference: str) -> Found:
        with _asking():
            invoice = self._client.v1.invoices.retrieve(reference).to_dict()
            subscription = _subscription_of_invoice(invoice)
            if subscription:
                return self._subscription(subscription)
            return Found(purchases=(self._purchase(invoice),)) if was_paid(invoice) else Found()

    def _charge(self, reference: str) -> Found:
        """Return what the charge paid for, found through the payments of invoices."""
        with _asking():
            charge = self._client.v1.charges.retrieve(reference).to_dict()
            if not charge["payment_intent"]:
                return Found()
            payments = self._client.v1.invoice_payments.list(
                {
                    "payment": {
                        "type": "payment_intent",
                        "payment_intent": _id(charge["payment_intent"]),
                    }
                }
            ).to_dict()["data"]
            founds = [self._invoice(_id(payment["invoice"])) for payment in payments]
        return Found(
            subscriptions=tuple(row for found in founds for row in found.subscriptions),
            purchases=tuple(row for found in founds for row in found.purchases),
        )

    def _purchase(self, invoice: Mapping[str, Any]) -> PurchaseReport:
        charges = list(self._charges_of(_id(invoice["id"])))
        is_undone = bool(charges) and all(self._is_undone(charge) for charge in charges)
        return purchase_report(invoice, is_undone=is_undone)

    def _charges_of(self, invoice: str) -> Iterator[dict[str, Any]]:
        """Yield the charges that paid the invoice."""
        payments = self._client.v1.invoice_payments.list(
            {"invoice": invoice, "status": "paid"}
        ).to_dict()["data"]
        for payment in payments:
            how = payment["payment"]
            charge = how.get("charge")
            if how["type"] == "payment_intent":
                intent = self._client.v1.payment_intents.retrieve(_id(how["payment_intent"]))
                charge = intent.to_dict()["latest_charge"]
            if charge:
                yield self._client.v1.charges.retrieve(_id(charge)).to_dict()

    def _is_undone(self, charge: Mapping[str, Any]) -> bool:
        if charge["refunded"] or not charge["disputed"]:
            return bool(charge["refunded"])
        disputes = self._client.v1.disputes.list({"charge": _id(charge["id"])}).to_dict()["data"]
        return any(dispute["status"] in LOSING_DISPUTES for dispute in disputes)

    # Lists, a page at a time

    def page_of(
        self, kind: Literal["customers", "subscriptions", "invoices"], *, after: str
    ) -> tuple[list[dict[str, Any]], bool]:
        """
        Return the objects that follow the one of the id, newest first, and whether more do.

        :raises NotFound: if the object to go on from is gone.
        :raises ProviderTrouble: if Stripe does not answer as it should.
        """
        narrowed: dict[str, dict[str, Any]] = {
            "customers": {},
            "subscriptions": {"status": "all", "expand": ["data.latest_invoice"]},
            "invoices": {"status": "paid"},
        }
        asked: Any = {"limit": PAGE_SIZE, **narrowed[kind]}
        if after:
            asked["starting_after"] = after
        with _asking():
            page = getattr(self._client.v1, kind).list(asked).to_dict()
            return list(page["data"]), bool(page["has_more"])

    def purchase_of(self, invoice: Mapping[str, Any]) -> PurchaseReport:
        """Return the single payment of an invoice from a list; asks for its charges."""
        with _asking():
            return self._purchase(invoice)

    # Acts

    def cancel(self, reference: str, *, at_period_end: bool, key: str) -> SubscriptionReport:
        """
        Stop the subscription, now or when what was paid has run out; return it as it is then.

        :param key: makes a repeat of the same act harmless.
        :raises ActRefused: if Stripe will not.
        """
        with _asking():
            if at_period_end:
                return self._changed(reference, key, cancel_at_period_end=True)
            found = self._client.v1.subscriptions.cancel(
                reference, {"expand": ["latest_invoice"]}, {"idempotency_key": key}
            )
            return subscription_report(found.to_dict())

    def resume(self, reference: str, *, key: str) -> SubscriptionReport:
        """Take back a stop that has not come yet; arguments and errors as in `cancel`."""
        with _asking():
            return self._changed(reference, key, cancel_at_period_end=False)

    def _changed(self, reference: str, key: str, **changes: bool) -> SubscriptionReport:
        asked: Any = {**changes, "expand": ["latest_invoice"]}
        found = self._client.v1.subscriptions.update(reference, asked, {"idempotency_key": key})
        return subscription_report(found.to_dict())

    def refundable(self, reference: str) -> dict[str, Any] | None:
        """
        Return the latest payment of the subscription or single invoice that can be given back.

        `charge`, `amount_minor` (what is left of it), `currency`, `paid_at`, `card` (brand and
        last four digits); none if there is none.
        """
        with _asking():
            for invoice in self._paid_invoices(reference):
                for charge in self._charges_of(invoice):
                    left = charge["amount_captured"] - charge["amount_refunded"]
                    if left > 0 and not charge["disputed"]:
                        return _refundable(charge, left)
        return None

    def _paid_invoices(self, reference: str) -> list[str]:
        if reference.startswith("in_"):
            return [reference]
        page = self._client.v1.invoices.list(
            {"subscription": reference, "status": "paid", "limit": 3}
        )
        return [_id(row["id"]) for row in page.to_dict()["data"]]

    def refund(self, charge: str, *, key: str) -> None:
        """Give back what is left of the charge; arguments and errors as in `cancel`."""
        with _asking():
            self._client.v1.refunds.create(
                {"charge": charge, "reason": "requested_by_customer"}, {"idempotency_key": key}
            )


# --- Objects in our words ------------------------------------------------------------------


def customer_report(customer: Mapping[str, Any]) -> CustomerReport:
    """Return whom Stripe charges; a deleted customer has neither user nor address."""
    metadata = customer.get("metadata") or {}
    return CustomerReport(
        reference=_id(customer["id"]),
        user=str(metadata.get("user") or "")[:LONGEST_ID],
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
    period_end = min((_instant(item["current_period_end"]) for item in items), default=None)
    currency = _currency(found["currency"])
    cancel_at = _maybe(found["cancel_at"])
    if cancel_at is None and found["cancel_at_period_end"]:
        cancel_at = period_end
    started_at, trial_end = _instant(found["start_date"]), _maybe(found["trial_end"])
    return SubscriptionReport(
        reference=_id(found["id"]),
        customer=_id(found["customer"]),
        status=status,
        price_minor=sum(_price(item, currency) for item in items),
        currency=currency,
        started_at=started_at,
        products=tuple(_id(item["price"]["id"]) for item in items),
        current_period_end=period_end,
        past_due_since=_late_since(found) if status == _Status.PAST_DUE else None,
        trial_ends_at=trial_end if trial_end and trial_end > started_at else None,
        cancel_at=cancel_at,
        ended_at=_maybe(found["ended_at"]),
        cancel_reason=_reason(found),
    )


def purchase_report(invoice: Mapping[str, Any], *, is_undone: bool) -> PurchaseReport:
    """Return the single payment of a paid invoice, given back or disputed if `is_undone`."""
    currency = _currency(invoice["currency"])
    status = Purchase.Status.CANCELLED if is_undone else Purchase.Status.ACTIVE
    prices = (_price_of_line(line) for line in invoice["lines"]["data"])
    return PurchaseReport(
        reference=_id(invoice["id"]),
        customer=_id(invoice["customer"]),
        status=status,
        price_minor=_minor(invoice["amount_paid"], currency),
        currency=currency,
        purchased_at=_maybe(invoice["status_transitions"]["paid_at"])
        or _instant(invoice["created"]),
        products=tuple(price for price in prices if price),
    )


def was_paid(invoice: Mapping[str, Any]) -> bool:
    return bool(invoice["status"] == "paid")


def paid_at(invoice: Mapping[str, Any]) -> datetime | None:
    """Return when money came for the invoice; none for one that was free."""
    if not was_paid(invoice) or not invoice["amount_paid"]:
        return None
    return _maybe(invoice["status_transitions"]["paid_at"])


def subscription_of(invoice: Mapping[str, Any]) -> str:
    """Return the id of the subscription that the invoice is for; empty for a single payment."""
    return _subscription_of_invoice(invoice)


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
    return f"{reason}: {_plain(str(feedback))[:50]}" if feedback else str(reason)


def _refundable(charge: Mapping[str, Any], left: int) -> dict[str, Any]:
    currency = _currency(charge["currency"])
    card = (charge["payment_method_details"] or {}).get("card") or {}
    shown = f"{card['brand']} •••• {card['last4']}" if card.get("last4") else ""
    return {
        "charge": _id(charge["id"]),
        "amount_minor": _minor(left, currency),
        "currency": currency,
        "paid_at": _instant(charge["created"]),
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


def _id(named: Any) -> str:
    """Return the id of an object that is named or expanded."""
    if isinstance(named, Mapping):
        named = named["id"]
    if not isinstance(named, str) or not 0 < len(named) <= LONGEST_ID or _plain(named) != named:
        raise ValueError("No id.")
    return named


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isascii() and c.isprintable())


def _maybe(seconds: Any) -> datetime | None:
    return None if seconds is None else _instant(seconds)


def _instant(seconds: Any) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise TypeError("No instant.")
    instant = datetime.fromtimestamp(seconds, UTC)
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError("An instant out of bounds.")
    return instant


# --- What goes wrong -----------------------------------------------------------------------


@contextmanager
def _asking() -> Iterator[None]:
    """Say in our words what went wrong; an answer that cannot be read is trouble as well."""
    try:
        yield
    except stripe.RateLimitError as error:
        raise Limited(retry_after=_retry_after(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise KeyRefused from error
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing" or error.http_status == 404:  # noqa: PLR2004
            raise NotFound from error
        raise ActRefused(str(error.code or "invalid")) from error
    except (stripe.CardError, stripe.IdempotencyError) as error:
        raise ActRefused(str(error.code or "refused")) from error
    except stripe.APIConnectionError as error:
        raise Unreachable from error
    except stripe.APIError as error:
        status = error.http_status or 0
        is_theirs = status >= 500  # noqa: PLR2004
        raise (Unreachable if is_theirs else ProviderTrouble)(
            retry_after=_retry_after(error)
        ) from error
    except stripe.StripeError as error:
        raise ActRefused(str(error.code or "refused")) from error
    except UNREADABLE as error:
        raise ProviderTrouble from error


def _retry_after(error: stripe.StripeError) -> int | None:
    text = str((error.headers or {}).get("Retry-After", ""))
    return int(text) if text.isascii() and text.isdigit() else None
