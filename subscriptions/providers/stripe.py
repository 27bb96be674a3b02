"""
Stripe: the one module that speaks to it.

What its objects say is read by `subscriptions.providers.stripe_objects`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

import stripe
from django.conf import settings

from subscriptions.models import ProviderEvent, StopReason
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
    ended_by,
    free_session_report,
    id_of,
    instant_of,
    names_a_sale,
    paid_at,
    payment_report,
    plain,
    purchase_report,
    refundable_charge,
    sale_of_session,
    subscription_of,
    subscription_report,
    was_given_back,
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
# What stands for the customer, where a payment or a session of Checkout has none.
WITHOUT_CUSTOMER: Final = ("pi_", "cs_")
# Subscriptions whose first payment never came.
NEVER_PAID: Final = frozenset({"incomplete", "incomplete_expired"})

_Subject = ProviderEvent.Subject
ListKind = Literal[
    "customers", "subscriptions", "invoices", "sessions", "payments", "refunds", "disputes"
]

# By the beginning of the event's type; the longest that fits counts.
SUBJECTS: Final[Mapping[str, ProviderEvent.Subject]] = {
    "customer.created": _Subject.CUSTOMER,
    "customer.updated": _Subject.CUSTOMER,
    "customer.subscription.": _Subject.SUBSCRIPTION,
    "invoice.": _Subject.INVOICE,
    "payment_intent.succeeded": _Subject.PURCHASE,
    "checkout.session.completed": _Subject.PURCHASE,
    "checkout.session.async_payment_": _Subject.PURCHASE,
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


def read_event(body: bytes, *, now: datetime) -> EventReport:
    """
    Return what is kept of an event whose signature was good.

    The body follows the version of whoever set up the endpoint, not ours: only ids are read. An
    event that does not say when it was made was made now.

    :raises BodyRefused: if it is no event.
    """
    try:
        event = json.loads(body)
        payload = event["data"]["object"]
        if event.get("object", "event") != "event" or not isinstance(payload, dict):
            raise BodyRefused
        kind, subject = _subject_of(str(event["type"]), payload)
        created, is_live = event.get("created"), event.get("livemode")
        return EventReport(
            event_id=id_of(event["id"]),
            type=plain(str(event["type"]))[:100],
            subject_kind=kind,
            subject=subject,
            happened_at=now if created is None else instant_of(created),
            is_live=None if is_live is None else bool(is_live),
            account=plain(str(event.get("account") or ""))[:LONGEST_ID],
        )
    except (*UNREADABLE, RecursionError) as error:
        raise BodyRefused from error


def _subject_of(type_: str, payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return which object the event is about, and its id; twice nothing if it changes nothing."""
    fitting = [prefix for prefix in SUBJECTS if type_.startswith(prefix)]
    kind = SUBJECTS[max(fitting, key=len)] if fitting else _Subject.NONE
    if type_.startswith("checkout.") and kind:
        return _subject_of_session(payload)
    if kind == _Subject.INVOICE:
        subscription = subscription_of(payload)
        if subscription:
            return _Subject.SUBSCRIPTION, subscription
    elif kind == _Subject.CHARGE and not type_.startswith("charge.refunded"):
        return (kind, id_of(payload["charge"])) if payload.get("charge") else ("", "")
    if kind == _Subject.NONE or not payload.get("id"):
        return _Subject.NONE, ""
    return kind, id_of(payload["id"])


def _subject_of_session(session: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a session of Checkout led to: one name for it, whichever event tells."""
    if session["mode"] == "subscription" and session.get("subscription"):
        return _Subject.SUBSCRIPTION, id_of(session["subscription"])
    sale = sale_of_session(session)
    return (_Subject.PURCHASE, sale) if sale else (_Subject.NONE, "")


# --- What is asked for ---------------------------------------------------------------------


def _all(page: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a list, over all its pages."""
    return (row.to_dict() for row in page.auto_paging_iter())


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
            _Subject.PURCHASE: self._sale,
        }
        with _asking():
            return ask[kind](reference)

    def customer(self, reference: str) -> CustomerReport:
        with _asking():
            if not reference.startswith(WITHOUT_CUSTOMER):
                return customer_report(self._client.v1.customers.retrieve(reference).to_dict())
            for sold in self._sale(reference).purchases:
                return CustomerReport(reference, sold.user, sold.email)
        raise NotFound

    def of_customer(self, reference: str) -> Found:
        with _asking():
            if reference.startswith(WITHOUT_CUSTOMER):
                return self._sale(reference)
            subscriptions = self._client.v1.subscriptions.list(
                {
                    "customer": reference,
                    "status": "all",
                    "limit": PAGE_SIZE,
                    "expand": ["data.latest_invoice"],
                }
            )
            invoices = self._client.v1.invoices.list(
                {"customer": reference, "status": "paid", "limit": PAGE_SIZE}
            )
            sold = [self._purchase(row) for row in _all(invoices) if not subscription_of(row)]
            for sale in self._sales_of(reference):
                sold += self._sale(sale).purchases
            return Found(
                subscriptions=tuple(map(self._as_paid, _all(subscriptions))),
                # One with an invoice is found twice.
                purchases=tuple({row.reference: row for row in sold}.values()),
            )

    def first_payment_of(self, reference: str) -> datetime | None:
        with _asking():
            page = self._client.v1.invoices.list(
                {"subscription": reference, "status": "paid", "limit": PAGE_SIZE}
            )
            paid = map(paid_at, _all(page))
            return min((instant for instant in paid if instant), default=None)

    def as_paid(self, subscription: Mapping[str, Any]) -> SubscriptionReport:
        """Return the subscription of a list, ended if its latest payment was taken back."""
        with _asking():
            return self._as_paid(subscription)

    def _subscription(self, reference: str) -> Found:
        found = self._client.v1.subscriptions.retrieve(reference, {"expand": ["latest_invoice"]})
        return Found(subscriptions=(self._as_paid(found.to_dict()),))

    def _as_paid(self, subscription: Mapping[str, Any]) -> SubscriptionReport:
        """
        Return the subscription, ended if its latest payment was given back or disputed.

        For Stripe it goes on then; the next payment opens it again.
        """
        report = subscription_report(subscription)
        invoice = self._last_paid(subscription)
        taken_back = self._taken_back(invoice) if invoice and invoice["amount_paid"] else None
        report = ended_by(report, *taken_back) if taken_back else report
        if invoice and invoice.get("billing_reason") == "subscription_create":
            report = replace(report, first_paid_at=paid_at(invoice))
        return report

    def _last_paid(self, subscription: Mapping[str, Any]) -> Mapping[str, Any] | None:
        latest = subscription["latest_invoice"]
        if latest is None or subscription["status"] in NEVER_PAID:
            return None
        if isinstance(latest, Mapping) and was_paid(latest):
            return latest
        page = self._client.v1.invoices.list(
            {"subscription": id_of(subscription["id"]), "status": "paid", "limit": 1}
        )
        return next(iter(page.to_dict()["data"]), None)

    def _invoice(self, reference: str) -> Found:
        invoice = self._client.v1.invoices.retrieve(reference).to_dict()
        subscription = subscription_of(invoice)
        if subscription:
            return self._subscription(subscription)
        if not was_paid(invoice):
            return Found(concerns=id_of(invoice["customer"]))
        return Found(purchases=(self._purchase(invoice),))

    def _charge(self, reference: str) -> Found:
        """Return what the charge paid for."""
        charge = self._client.v1.charges.retrieve(reference).to_dict()
        return self._sale(id_of(charge["payment_intent"])) if charge["payment_intent"] else Found()

    # What was paid once

    def _sale(self, reference: str) -> Found:
        """
        Return what a payment, a session of Checkout or an invoice sold.

        A payment that neither an invoice nor Checkout asked for, and that names no sale, belongs
        to some other business of the account.
        """
        if reference.startswith("in_"):
            return self._invoice(reference)
        if reference.startswith("cs_"):
            return self._session(reference)
        intent = self._client.v1.payment_intents.retrieve(
            reference, {"expand": ["latest_charge"]}
        ).to_dict()
        customer = id_of(intent["customer"] or reference)
        if intent["status"] != "succeeded":
            return Found(concerns=customer)
        if invoices := self._invoices_of(reference):
            founds = [self._invoice(id_) for id_ in invoices]
            return Found(
                subscriptions=tuple(row for found in founds for row in found.subscriptions),
                purchases=tuple(row for found in founds for row in found.purchases),
            )
        sessions = self._sessions_of(reference)
        if not sessions and not names_a_sale(intent):
            return Found(nothing_because="not-ours", concerns=customer)
        charge = self._expanded_charge(intent["latest_charge"])
        is_undone = self._is_undone(charge)
        return Found(purchases=(payment_report(intent, charge, sessions, is_undone=is_undone),))

    def _session(self, reference: str) -> Found:
        session = self._client.v1.checkout.sessions.retrieve(
            reference, {"expand": ["line_items"]}
        ).to_dict()
        if session["payment_intent"]:
            return self._sale(id_of(session["payment_intent"]))
        if session["invoice"]:
            return self._invoice(id_of(session["invoice"]))
        is_free = session["payment_status"] == "no_payment_required"
        is_done = session["mode"] == "payment" and session["status"] == "complete"
        # Where an invoice follows, its own event brings it.
        waits = bool((session["invoice_creation"] or {}).get("enabled"))
        if not is_free or not is_done or waits:
            return Found()
        return Found(purchases=(free_session_report(session),))

    def _sessions_of(self, intent: str) -> list[Mapping[str, Any]]:
        """Return the sessions of Checkout that led to the payment: one, or none."""
        page = self._client.v1.checkout.sessions.list(
            {"payment_intent": intent, "expand": ["data.line_items"]}
        )
        return list(page.to_dict()["data"])

    def _invoices_of(self, intent: str) -> list[str]:
        payments = self._client.v1.invoice_payments.list(
            {"payment": {"type": "payment_intent", "payment_intent": intent}}
        )
        return [id_of(payment["invoice"]) for payment in payments.to_dict()["data"]]

    def _sales_of(self, customer: str) -> list[str]:
        """Return the payments and sessions of a customer that may have sold something."""
        sessions = self._client.v1.checkout.sessions.list(
            {"customer": customer, "status": "complete", "limit": PAGE_SIZE}
        )
        intents = self._client.v1.payment_intents.list({"customer": customer, "limit": PAGE_SIZE})
        sales = [sale for row in _all(sessions) if (sale := sale_of_session(row))]
        sales += [id_of(row["id"]) for row in _all(intents) if names_a_sale(row)]
        return list(dict.fromkeys(sales))

    def _purchase(self, invoice: Mapping[str, Any]) -> PurchaseReport:
        """
        Return the single payment of a paid invoice.

        It is named by the payment, which is there before an invoice of Checkout's is.
        """
        reference = id_of(invoice["id"])
        charges = list(self._charges_of(reference))
        is_undone = bool(charges) and all(map(self._is_undone, charges))
        intents = {str(charge["payment_intent"] or "") for charge in charges}
        name = intents.pop() if len(intents) == 1 else ""
        return purchase_report(invoice, reference=name or reference, is_undone=is_undone)

    # Whether the money stayed

    def _taken_back(self, invoice: Mapping[str, Any]) -> tuple[datetime, StopReason] | None:
        """Return when and how all that was paid for the invoice was taken back, if it was."""
        try:
            charges = list(self._charges_of(id_of(invoice["id"])))
        except NotFound:
            return None
        losses = [self._loss_of(charge) for charge in charges]
        known = [loss for loss in losses if loss]
        return max(known) if known and len(known) == len(losses) else None

    def _loss_of(self, charge: Mapping[str, Any]) -> tuple[datetime, StopReason] | None:
        if charge["refunded"]:
            refunds = self._client.v1.refunds.list(
                {"charge": id_of(charge["id"]), "limit": PAGE_SIZE}
            )
            made = [instant_of(row["created"]) for row in _all(refunds) if was_given_back(row)]
            if not made:
                raise ProviderTrouble
            return max(made), StopReason.REFUNDED
        instants = [instant_of(dispute["created"]) for dispute in self._lost(charge)]
        return (min(instants), StopReason.DISPUTED) if instants else None

    def _is_undone(self, charge: Mapping[str, Any]) -> bool:
        return bool(charge["refunded"] or self._lost(charge))

    def _lost(self, charge: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the disputes that took the money of the charge, or may."""
        if not charge["disputed"]:
            return []
        disputes = self._client.v1.disputes.list({"charge": id_of(charge["id"])})
        return [row for row in disputes.to_dict()["data"] if row["status"] in LOSING_DISPUTES]

    def _charges_of(self, invoice: str) -> Iterator[Mapping[str, Any]]:
        """Yield the charges that paid the invoice."""
        payments = self._client.v1.invoice_payments.list(
            {
                "invoice": invoice,
                "status": "paid",
                "expand": ["data.payment.payment_intent.latest_charge"],
            }
        ).to_dict()["data"]
        for payment in payments:
            how = payment["payment"]
            charge = how.get("charge")
            if how["type"] == "payment_intent":
                charge = self._expanded_intent(how["payment_intent"])["latest_charge"]
            if charge:
                yield self._expanded_charge(charge)

    def _expanded_intent(self, intent: Any) -> Mapping[str, Any]:
        if isinstance(intent, Mapping):
            return intent
        asked: Any = {"expand": ["latest_charge"]}
        return self._client.v1.payment_intents.retrieve(id_of(intent), asked).to_dict()

    def _expanded_charge(self, charge: Any) -> Mapping[str, Any]:
        if isinstance(charge, Mapping):
            return charge
        return self._client.v1.charges.retrieve(id_of(charge)).to_dict()

    # Lists, a page at a time

    def page_of(self, kind: ListKind, *, after: str) -> tuple[list[dict[str, Any]], bool]:
        """
        Return the objects that follow the one of the id, newest first, and whether more do.

        :raises NotFound: if the object to go on from is gone.
        :raises ProviderTrouble: if Stripe does not answer as it should.
        """
        v1 = self._client.v1
        lists: dict[ListKind, tuple[Any, dict[str, Any]]] = {
            "customers": (v1.customers, {}),
            "subscriptions": (
                v1.subscriptions,
                {"status": "all", "expand": ["data.latest_invoice"]},
            ),
            "invoices": (v1.invoices, {"status": "paid"}),
            "sessions": (v1.checkout.sessions, {"status": "complete"}),
            "payments": (v1.payment_intents, {}),
            "refunds": (v1.refunds, {"expand": ["data.charge"]}),
            "disputes": (v1.disputes, {}),
        }
        service, narrowed = lists[kind]
        asked: Any = {"limit": PAGE_SIZE, **narrowed}
        if after:
            asked["starting_after"] = after
        with _asking():
            page = service.list(asked).to_dict()
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
        Return the latest payment of the subscription or purchase that can be given back.

        `charge`, `amount_minor` (what is left of it), `currency`, `paid_at`, `card` (brand and
        last four digits); none if there is none.
        """
        with _asking():
            for invoice in self._payments_of(reference):
                for charge in invoice:
                    left = charge["amount_captured"] - charge["amount_refunded"]
                    if left > 0 and not charge["disputed"]:
                        return refundable_charge(charge, left)
        return None

    def _payments_of(self, reference: str) -> Iterator[Iterable[Mapping[str, Any]]]:
        """Yield the charges of each payment, the latest payment first."""
        if reference.startswith("pi_"):
            charge = self._expanded_intent(reference)["latest_charge"]
            yield [self._expanded_charge(charge)] if charge else []
        elif reference.startswith("in_"):
            yield self._charges_of(reference)
        elif reference.startswith("sub_"):
            page = self._client.v1.invoices.list(
                {"subscription": reference, "status": "paid", "limit": 3}
            )
            for row in page.to_dict()["data"]:
                yield self._charges_of(id_of(row["id"]))

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
