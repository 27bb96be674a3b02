"""What a local Stripe holds: facts, a clock that is set by hand, and the events that followed."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.local_stripe import shapes

DAY = 86_400
MONTH = 30 * DAY
# 1 March 2026, 12:00 UTC.
BEGINNING = 1_772_366_400


@dataclass(slots=True)
class Customer:
    id: str
    email: str
    metadata: dict[str, str]
    created: int
    is_deleted: bool = False


@dataclass(slots=True)
class Price:
    id: str
    product: str
    unit_amount: int
    currency: str
    interval: str | None
    created: int


@dataclass(slots=True)
class Subscription:
    id: str
    customer: str
    price: str
    created: int
    status: str
    period_start: int
    period_end: int
    trial_end: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    reason: str | None = None
    feedback: str | None = None
    latest_invoice: str | None = None


@dataclass(slots=True)
class Invoice:
    id: str
    customer: str
    subscription: str | None
    price: str
    amount: int
    currency: str
    created: int
    status: str = "open"
    paid_at: int | None = None
    payment_intent: str | None = None
    reason: str = "manual"


@dataclass(slots=True)
class Charge:
    """A payment: the charge, the intent that led to it and the invoice that it paid, if any."""

    id: str
    payment_intent: str
    invoice: str | None
    customer: str | None
    amount: int
    currency: str
    created: int
    refunded: int = 0
    dispute: str | None = None
    disputed: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    status: str = "succeeded"


@dataclass(slots=True)
class Session:
    """A visit to Checkout that ended in a payment, or in a gift of the house."""

    id: str
    customer: str | None
    price: str
    amount: int
    created: int
    email: str
    metadata: dict[str, str]
    client_reference_id: str | None
    payment_intent: str | None = None
    invoice: str | None = None
    has_invoice: bool = False
    status: str = "complete"


@dataclass(slots=True)
class Refund:
    id: str
    charge: str
    payment_intent: str
    amount: int
    currency: str
    created: int


@dataclass(slots=True)
class Event:
    id: str
    type: str
    created: int
    payload: dict[str, Any]
    account: str | None = None
    is_live: bool = False


@dataclass
class World:
    """Everything in one account, in the order it was made."""

    now: int = BEGINNING
    is_live: bool = False
    customers: dict[str, Customer] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    keeps_events: bool = True
    # Invoices by subscription, so that a large world answers as fast as a small one.
    billed: dict[str, list[Invoice]] = field(default_factory=dict)
    # Charges by their invoice and by their intent, for the same reason.
    paid: dict[str, list[Charge]] = field(default_factory=dict)
    intents: dict[str, Charge] = field(default_factory=dict)
    # Of the server: ids by kind in the order made.
    orders: dict[str, tuple[list[str], dict[str, int]]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    # --- What one does ---------------------------------------------------------------------

    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    def make_price(
        self,
        id_: str = "price_monthly",
        amount: int = 999,
        currency: str = "eur",
        *,
        every="month",
    ) -> Price:
        """Make a product and its price; `every=None` is paid once."""
        self.products.setdefault("prod_films", "Films")
        price = Price(id_, "prod_films", amount, currency, every, self.now)
        return self.prices.setdefault(id_, price)

    def make_customer(self, email: str, **metadata: str) -> Customer:
        customer = Customer(self._id("cus"), email, metadata, self.now)
        self.customers[customer.id] = customer
        self.tell("customer.created", shapes.customer(customer))
        return customer

    def change_customer(self, customer: Customer, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(customer, name, value)
        self.tell("customer.updated", shapes.customer(customer))

    def subscribe(
        self, customer: Customer, price: Price, *, trial_days: int = 0, is_paid: bool = True
    ) -> Subscription:
        """Begin one: in trial, paid at once, or incomplete where the card is refused."""
        length = trial_days * DAY or MONTH
        status = "trialing" if trial_days else "active" if is_paid else "incomplete"
        made = Subscription(
            id=self._id("sub"),
            customer=customer.id,
            price=price.id,
            created=self.now,
            status=status,
            period_start=self.now,
            period_end=self.now + length,
            trial_end=self.now + length if trial_days else None,
        )
        self.subscriptions[made.id] = made
        self._bill(made, amount=0 if trial_days else None, is_paid=is_paid)
        self.tell("customer.subscription.created", self.shape_of(made))
        return made

    def renew(self, subscription: Subscription, *, is_paid: bool = True) -> None:
        """Go on to the next period at the end of this one; late where the card is refused."""
        self.now = max(self.now, subscription.period_end)
        subscription.period_start = subscription.period_end
        subscription.period_end += MONTH
        subscription.status = "active" if is_paid else "past_due"
        self._bill(subscription, is_paid=is_paid)
        self.tell("customer.subscription.updated", self.shape_of(subscription))

    def stop(
        self,
        subscription: Subscription,
        *,
        at_period_end: bool = False,
        reason: str = "cancellation_requested",
        feedback: str | None = None,
    ) -> None:
        subscription.reason, subscription.feedback = reason, feedback
        subscription.canceled_at = self.now
        if at_period_end:
            subscription.cancel_at_period_end = True
            self.tell("customer.subscription.updated", self.shape_of(subscription))
        else:
            self.end(subscription)

    def end(self, subscription: Subscription) -> None:
        """End it now, for whatever reason was noted."""
        subscription.status = "canceled"
        subscription.ended_at = self.now
        subscription.canceled_at = subscription.canceled_at or self.now
        self.tell("customer.subscription.deleted", self.shape_of(subscription))

    def resume(self, subscription: Subscription) -> None:
        subscription.cancel_at_period_end = False
        subscription.canceled_at = subscription.reason = subscription.feedback = None
        self.tell("customer.subscription.updated", self.shape_of(subscription))

    def sell(self, customer: Customer, price: Price) -> Invoice:
        """Sell something once, paid at once."""
        invoice = self._invoice(customer.id, price, None, price.unit_amount)
        self.pay(invoice)
        return invoice

    def charge(
        self,
        customer: Customer | None,
        amount: int = 499,
        currency: str = "eur",
        *,
        invoice: str | None = None,
        **metadata: str,
    ) -> Charge:
        """Charge once, for an invoice or for whatever the metadata tells."""
        made = Charge(
            id=self._id("ch"),
            payment_intent=self._id("pi"),
            invoice=invoice,
            customer=customer.id if customer else None,
            amount=amount,
            currency=currency,
            created=self.now,
            metadata=metadata,
        )
        self.charges[made.id] = self.intents[made.payment_intent] = made
        if invoice:
            self.paid.setdefault(invoice, []).append(made)
        self.tell("payment_intent.succeeded", shapes.payment_intent(made, self.is_live))
        return made

    def check_out(
        self,
        price: Price,
        customer: Customer | None = None,
        *,
        email: str = "",
        reference: str | None = None,
        is_free: bool = False,
        with_invoice: bool = False,
        **metadata: str,
    ) -> Session:
        """Sell something once through Checkout, paid at once; an invoice follows on demand."""
        made = Session(
            id=self._id("cs"),
            customer=customer.id if customer else None,
            price=price.id,
            amount=0 if is_free else price.unit_amount,
            created=self.now,
            email=email or (customer.email if customer else ""),
            metadata=metadata,
            client_reference_id=reference,
            has_invoice=with_invoice,
        )
        self.sessions[made.id] = made
        if not is_free:
            charge = self.charge(customer, price.unit_amount, price.currency)
            made.payment_intent = charge.payment_intent
        self.tell("checkout.session.completed", self.shape_of_session(made))
        return made

    def bill_session(self, session: Session) -> Invoice:
        """Make the invoice that follows a payment by Checkout."""
        price = self.prices[session.price]
        invoice = self._invoice(str(session.customer), price, None, session.amount)
        charge = self.intents[str(session.payment_intent)]
        charge.invoice = session.invoice = invoice.id
        self.paid.setdefault(invoice.id, []).append(charge)
        invoice.status, invoice.paid_at = "paid", self.now
        invoice.payment_intent = charge.payment_intent
        self.tell("invoice.paid", shapes.invoice(invoice, self.is_live))
        return invoice

    def refund(self, charge: Charge, amount: int | None = None) -> Refund:
        left = charge.amount - charge.refunded
        made = Refund(
            self._id("re"),
            charge.id,
            charge.payment_intent,
            amount or left,
            charge.currency,
            self.now,
        )
        self.refunds[made.id] = made
        charge.refunded += made.amount
        self.tell("charge.refunded", shapes.charge(charge, self.is_live))
        return made

    def dispute(self, charge: Charge, status: str = "needs_response") -> None:
        is_new = charge.dispute is None
        charge.dispute, charge.disputed = status, charge.disputed or self.now
        type_ = "charge.dispute.created" if is_new else "charge.dispute.closed"
        self.tell(type_, shapes.dispute(charge, self.is_live))

    def tell(self, type_: str, payload: dict[str, Any], **more: Any) -> Event:
        event = Event(self._id("evt"), type_, self.now, payload, is_live=self.is_live, **more)
        if self.keeps_events:
            self.events.append(event)
        return event

    # --- What follows ----------------------------------------------------------------------

    def shape_of(
        self, subscription: Subscription, *, with_invoice: bool = False
    ) -> dict[str, Any]:
        price = self.prices[subscription.price]
        shape = shapes.subscription(subscription, price, self.is_live)
        if with_invoice and subscription.latest_invoice:
            invoice = self.invoices[subscription.latest_invoice]
            shape["latest_invoice"] = shapes.invoice(invoice, self.is_live)
        return shape

    def shape_of_session(self, session: Session, *, with_lines: bool = False) -> dict[str, Any]:
        return shapes.session(
            session, self.prices[session.price], self.is_live, with_lines=with_lines
        )

    def charge_of(self, invoice: str) -> Charge | None:
        return next(iter(self.paid.get(invoice, ())), None)

    def pay(self, invoice: Invoice) -> None:
        invoice.status, invoice.paid_at = "paid", self.now
        if invoice.amount:
            charge = self.charge(
                self.customers.get(invoice.customer),
                invoice.amount,
                invoice.currency,
                invoice=invoice.id,
            )
            invoice.payment_intent = charge.payment_intent
        self.tell("invoice.paid", shapes.invoice(invoice, self.is_live))

    def _bill(
        self, subscription: Subscription, *, is_paid: bool, amount: int | None = None
    ) -> None:
        price = self.prices[subscription.price]
        due = price.unit_amount if amount is None else amount
        invoice = self._invoice(subscription.customer, price, subscription.id, due)
        subscription.latest_invoice = invoice.id
        if is_paid:
            self.pay(invoice)
        else:
            self.tell("invoice.payment_failed", shapes.invoice(invoice, self.is_live))

    def _invoice(
        self, customer: str, price: Price, subscription: str | None, amount: int
    ) -> Invoice:
        made = Invoice(
            id=self._id("in"),
            customer=customer,
            subscription=subscription,
            price=price.id,
            amount=amount,
            currency=price.currency,
            created=self.now,
        )
        self.invoices[made.id] = made
        if subscription:
            before = self.billed.setdefault(subscription, [])
            made.reason = "subscription_cycle" if before else "subscription_create"
            before.append(made)
        return made

    def _id(self, kind: str) -> str:
        return f"{kind}_local{next(self._numbers):08d}"
