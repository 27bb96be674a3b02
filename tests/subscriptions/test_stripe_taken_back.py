"""Payments given back or disputed: what was paid with them ends, and nothing else does."""

from datetime import UTC, datetime

import pytest

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from subscriptions.models import Purchase, Subscription
from subscriptions.providers.stripe import read_event
from tests.conftest import NOW
from tests.local_stripe.deliveries import signed
from tests.local_stripe.server import Fault
from tests.local_stripe.world import BEGINNING, DAY, MONTH

pytestmark = pytest.mark.django_db


def at(seconds):
    return datetime.fromtimestamp(BEGINNING + seconds, UTC)


@pytest.fixture
def tell(post, work, world):
    """Deliver the latest event, apply it and return what is kept of the subscription."""

    def deliver():
        post(world.events[-1])
        work()
        row = Subscription.objects.get()
        return row.status, row.access_end, row.cancel_reason

    return deliver


@pytest.fixture
def paying(world, ada, monthly):
    """Ada's subscription, paid twice, ten days into its second month."""
    subscription = world.subscribe(world.make_customer("ada@example.com"), monthly)
    world.renew(subscription)
    world.pass_time(10 * DAY)
    return subscription


def test_the_latest_payment_given_back_in_full_ends_the_subscription(paying, world, tell):
    world.refund(world.charge_of(paying.latest_invoice))

    assert tell() == ("active", at(MONTH + 10 * DAY), "refunded")
    ada = Subscription.objects.get().user
    assert ada.status == ada.Status.CANCELLED


def test_a_payment_given_back_in_part_ends_nothing_until_the_rest_follows(paying, world, tell):
    charge = world.charge_of(paying.latest_invoice)
    world.refund(charge, 500)
    assert tell() == ("active", None, "")

    world.pass_time(DAY)
    world.refund(charge)
    assert tell() == ("active", at(MONTH + 11 * DAY), "refunded")


def test_an_older_payment_given_back_ends_nothing(paying, world, tell):
    first, _second = world.billed[paying.id]
    world.refund(world.charge_of(first.id))

    assert tell() == ("active", None, "")


def test_the_next_payment_opens_it_again(paying, world, tell):
    world.refund(world.charge_of(paying.latest_invoice))
    tell()

    world.renew(paying)

    assert tell() == ("active", None, "")


def test_whoever_does_not_pay_after_a_refund_has_no_access(paying, world, tell):
    world.refund(world.charge_of(paying.latest_invoice))
    world.renew(paying, is_paid=False)

    assert tell() == ("past_due", at(MONTH + 10 * DAY), "refunded")


def test_a_refund_after_the_end_moves_no_end(paying, world, tell):
    world.stop(paying, feedback="too_expensive")
    world.pass_time(DAY)
    world.refund(world.charge_of(paying.latest_invoice))

    assert tell() == ("canceled", at(MONTH + 10 * DAY), "asked: too_expensive")


def test_a_stop_after_the_refund_ended_with_the_refund(paying, world, tell):
    world.refund(world.charge_of(paying.latest_invoice))
    world.pass_time(DAY)
    world.stop(paying)

    assert tell() == ("canceled", at(MONTH + 10 * DAY), "refunded")


def test_a_disputed_payment_ends_it_until_the_dispute_is_won(paying, world, tell):
    charge = world.charge_of(paying.latest_invoice)
    world.dispute(charge)
    assert tell() == ("active", at(MONTH + 10 * DAY), "disputed")

    world.dispute(charge, "won")
    assert tell() == ("active", None, "")


def test_a_mere_inquiry_takes_nothing(paying, world, tell):
    world.dispute(world.charge_of(paying.latest_invoice), "warning_needs_response")

    assert tell() == ("active", None, "")


def test_every_order_with_a_refund_and_a_dispute_ends_in_the_truth(
    account, in_every_order, paying, world
):
    charge = world.charge_of(paying.latest_invoice)
    world.dispute(charge)
    world.pass_time(DAY)
    world.refund(charge)
    told = {event.type: event for event in world.events}
    kinds = (
        "customer.subscription.created",
        "customer.subscription.updated",
        "invoice.paid",
        "charge.dispute.created",
        "charge.refunded",
    )
    five = [read_event(signed(told[kind], at=0)[0], now=NOW) for kind in kinds]
    truth = {
        "status": "active",
        "access_end": at(MONTH + 11 * DAY),
        "cancel_reason": "refunded",
        "first_paid_at": at(0),
    }
    in_every_order(account, five, Subscription, truth)


# --- Given back here -------------------------------------------------------------------------


@pytest.fixture
def owner(signed_in, project):
    return signed_in(Role.OWNER, project)


def kinds():
    rows = AuditEvent.objects.order_by("pk").values_list("kind", "outcome")
    return [(kind.rpartition(".")[2], outcome) for kind, outcome in rows]


def give_back(owner, kind):
    source = Subscription.objects.get() if kind == "subscriptions" else Purchase.objects.get()
    page = f"/users/{source.user.public_id}/{kind}/{source.pk}/"
    version = owner.get(page).context["payment"]["version"]
    return owner.post(page, {"act": "refund", "version": version})


def test_giving_back_the_latest_payment_stops_the_subscription(paying, world, tell, owner):
    tell()

    give_back(owner, "subscriptions")

    assert world.charge_of(paying.latest_invoice).refunded == 999
    assert paying.status == "canceled"
    held = Subscription.objects.get()
    assert (held.status, held.cancel_reason) == ("canceled", "refunded")
    assert held.access_end == at(MONTH + 10 * DAY)
    assert kinds()[-2:] == [("refunded", "DONE"), ("stopped", "DONE")]


@pytest.mark.parametrize(
    ("method", "ends_at_once"), [("DELETE", True), ("GET", False)], ids=["stop", "look"]
)
def test_what_was_given_back_but_not_stopped_is_said(
    paying, world, tell, owner, local, method, ends_at_once
):
    tell()
    local.faults.append(Fault("/v1/subscriptions/", 503, method=method))

    answer = give_back(owner, "subscriptions")

    assert b"the subscription was not stopped" in owner.get(answer.url).content
    assert kinds()[-1] == ("stopped", "FAILED")
    assert (Subscription.objects.get().access_end is not None) == ends_at_once
    local.faults.clear()
    assert tell()[:2] == ("active", at(MONTH + 10 * DAY))
    owner.post(answer.url, {"act": "stop-now"})
    assert paying.status == "canceled"
