"""
Stripe: the one module that speaks to it.

What its objects say is read by `subscriptions.providers.stripe_objects`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

import stripe
from django.conf import settings

from subscriptions.models import ProviderEvent
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
from subscriptions.providers.stripe_objects import (
    LONGEST_ID,
    LOSING_DISPUTES,
    UNREADABLE,
    customer_report,
    id_of,
    instant_of,
    paid_at,
    plain,
    purchase_report,
    refundable_charge,
    subscription_of,
    subscription_report,
    was_paid,
)

# The package asks again after a lost connection or an error of Stripe's, with the same
# idempotency key.
RETRIES: Final = 1
TIMEOUT_SECONDS: Final = (5, 15)
PAGE_SIZE: Final = 100
# A signature made longer ago is refused, as Stripe advises.
SIGNATURE_SECONDS: Final = 300
LIVE_KEYS: Final = ("sk_live_", "rk_live_")
TEST_KEYS: Final = ("sk_test_", "rk_test_")

_Subject = ProviderEvent.Subject

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
            event_id=id_of(event["id"]),
            type=plain(str(event["type"]))[:100],
            subject_kind=kind,
            subject=subject,
            happened_at=instant_of(event["created"]),
            is_live=bool(event["livemode"]),
            account=plain(str(event.get("account") or ""))[:LONGEST_ID],
        )
    except (*UNREADABLE, RecursionError) as error:
        raise BodyRefused from error


def _subject_of(type_: str, payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return which object the event is about, and its id; twice nothing if it changes nothing."""
    fitting = [prefix for prefix in SUBJECTS if type_.startswith(prefix)]
    kind = SUBJECTS[max(fitting, key=len)] if fitting else _Subject.NONE
    if kind == _Subject.INVOICE:
        subscription = subscription_of(payload)
        if subscription:
            return _Subject.SUBSCRIPTION, subscription
    elif kind == _Subject.CHARGE and not type_.startswith("charge.refunded"):
        return (kind, id_of(payload["charge"])) if payload.get("charge") else ("", "")
    if kind == _Subject.NONE or not payload.get("id"):
        return _Subject.NONE, ""
    return kind, id_of(payload["id"])


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
                if not subscription_of(row)
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
            subscription = subscription_of(invoice)
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
                        "payment_intent": id_of(charge["payment_intent"]),
                    }
                }
            ).to_dict()["data"]
            founds = [self._invoice(id_of(payment["invoice"])) for payment in payments]
        return Found(
            subscriptions=tuple(row for found in founds for row in found.subscriptions),
            purchases=tuple(row for found in founds for row in found.purchases),
        )

    def _purchase(self, invoice: Mapping[str, Any]) -> PurchaseReport:
        charges = list(self._charges_of(id_of(invoice["id"])))
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
                intent = self._client.v1.payment_intents.retrieve(id_of(how["payment_intent"]))
                charge = intent.to_dict()["latest_charge"]
            if charge:
                yield self._client.v1.charges.retrieve(id_of(charge)).to_dict()

    def _is_undone(self, charge: Mapping[str, Any]) -> bool:
        if charge["refunded"] or not charge["disputed"]:
            return bool(charge["refunded"])
        disputes = self._client.v1.disputes.list({"charge": id_of(charge["id"])}).to_dict()["data"]
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
                        return refundable_charge(charge, left)
        return None

    def _paid_invoices(self, reference: str) -> list[str]:
        if reference.startswith("in_"):
            return [reference]
        page = self._client.v1.invoices.list(
            {"subscription": reference, "status": "paid", "limit": 3}
        )
        return [id_of(row["id"]) for row in page.to_dict()["data"]]

    def refund(self, charge: str, *, key: str) -> None:
        """Give back what is left of the charge; arguments and errors as in `cancel`."""
        with _asking():
            self._client.v1.refunds.create(
                {"charge": charge, "reason": "requested_by_customer"}, {"idempotency_key": key}
            )


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
