"""What is sold once, by Checkout or by a payment of the platform's: one purchase, to its end."""

from datetime import UTC, datetime

import pytest

from backoffice.core.permissions import Role
from subscriptions.models import ProviderCustomer, Purchase
from subscriptions.providers.stripe import read_event
from subscriptions.webhooks import take_over_customer
from tests.conftest import NOW
from tests.factories.subscriptions import OfferFactory
from tests.local_stripe.deliveries import signed
from tests.local_stripe.world import BEGINNING, DAY

pytestmark = pytest.mark.django_db
KEPT = ("user", "offer__name", "price_minor", "currency", "status", "purchased_at")


def at(seconds):
    return datetime.fromtimestamp(BEGINNING + seconds, UTC)


@pytest.fixture
def film(world, ada, account):
    """The price of a film that the project sells."""
    OfferFactory(
        project=ada.project,
        reference="film-1",
        stripe_price_id="price_film",
        kind="pack",
        name="Film",
    )
    return world.make_price("price_film", 499, every=None)


@pytest.fixture
def tell(post, work, world):
    """Deliver and apply all events so far; return what became of them and what is kept."""

    def deliver():
        for event in world.events:
            post(event)
        return set(work()), list(Purchase.objects.values_list(*KEPT))

    return deliver


def test_a_payment_names_its_user_and_its_offer(tell, world, ada, film):
    world.charge(None, 350, "jpy", user=str(ada.public_id), offer="film-1")

    assert tell() == (
        {("applied", "")},
        [(ada.pk, "Film", 350, "JPY", "active", at(0))],
    )
    assert Purchase.objects.get().reference == next(iter(world.intents))


def test_a_session_of_checkout_names_its_user_and_its_lines_name_the_offer(tell, world, ada, film):
    world.check_out(film, reference=str(ada.public_id))

    assert tell() == ({("applied", "")}, [(ada.pk, "Film", 499, "EUR", "active", at(0))])


def test_a_guest_is_found_by_the_address_of_the_receipt(tell, world, ada, film):
    world.check_out(film, email=" ADA@example.com")

    assert tell() == ({("applied", "")}, [(ada.pk, "Film", 499, "EUR", "active", at(0))])


def test_a_session_that_was_free_is_a_purchase_too(tell, world, ada, film):
    world.check_out(film, is_free=True, user=str(ada.public_id), offer="film-1")

    assert tell() == ({("applied", "")}, [(ada.pk, "Film", 0, "EUR", "active", at(0))])


def test_a_payment_that_names_nothing_is_other_business(tell, world, ada, film):
    world.charge(world.make_customer("ada@example.com"), 5_000)

    assert tell() == ({("applied", ""), ("ignored", "not-ours")}, [])


def test_a_payment_that_did_not_succeed_is_no_purchase(tell, world, ada, film):
    world.charge(None, user=str(ada.public_id)).status = "processing"

    assert tell() == ({("ignored", "nothing-paid")}, [])


@pytest.mark.parametrize("invoice_comes", ["before", "after"])
def test_an_invoice_of_the_same_payment_is_the_same_purchase(
    tell, world, ada, film, invoice_comes
):
    session = world.check_out(film, world.make_customer("ada@example.com"), with_invoice=True)
    once = [(ada.pk, "Film", 499, "EUR", "active", at(0))]
    if invoice_comes == "after":
        assert tell() == ({("applied", "")}, once)
    world.bill_session(session)

    assert tell() == ({("applied", "")}, once)


def test_every_order_of_its_events_ends_in_one_purchase(account, in_every_order, world, ada, film):
    session = world.check_out(film, world.make_customer("ada@example.com"), with_invoice=True)
    world.bill_session(session)
    charge = world.intents[session.payment_intent]
    world.pass_time(DAY)
    world.refund(charge, 99)
    world.dispute(charge)
    five = [read_event(signed(event, at=0)[0], now=NOW) for event in world.events[1:]]
    assert [report.type for report in five] == [
        "payment_intent.succeeded",
        "checkout.session.completed",
        "invoice.paid",
        "charge.refunded",
        "charge.dispute.created",
    ]
    truth = dict(zip(KEPT, (ada.pk, "Film", 499, "EUR", "cancelled", at(0)), strict=True))
    in_every_order(account, five, Purchase, truth)


def test_a_refund_in_full_ends_it_and_one_in_part_does_not(tell, world, ada, film):
    charge = world.charge(None, user=str(ada.public_id), offer="film-1")
    world.refund(charge, 99)
    assert tell()[1] == [(ada.pk, "Film", 499, "EUR", "active", at(0))]

    world.refund(charge)
    assert tell()[1] == [(ada.pk, "Film", 499, "EUR", "cancelled", at(0))]
    assert Purchase.objects.get().access_end == NOW


def test_a_dispute_ends_it_until_it_is_won(tell, world, ada, film):
    charge = world.charge(None, user=str(ada.public_id), offer="film-1")
    world.dispute(charge)
    assert tell()[1][0][4] == "cancelled"

    world.dispute(charge, "won")
    assert tell()[1][0][4] == "active"


def test_a_guest_nobody_knows_waits_in_the_list_until_somebody_says_who_it_is(
    tell, world, ada, film, signed_in
):
    world.check_out(film, email="grace@example.com")
    assert tell() == ({("unmatched", "no-user")}, [])
    waiting = ProviderCustomer.objects.get()
    owner = signed_in(Role.OWNER, ada.project)
    page = f"/payments/unmatched/{waiting.pk}/"
    assert waiting.reference in owner.get("/payments/unmatched/").content.decode()
    assert b"grace@example.com" in owner.get(page).content

    owner.post(page, {"user": "ada@example.com"})
    take_over_customer(waiting.pk, now=NOW)

    assert tell() == ({("applied", "")}, [(ada.pk, "Film", 499, "EUR", "active", at(0))])


def test_what_a_customer_bought_without_invoice_follows_the_assignment(tell, world, ada, film):
    customer = world.make_customer("other@example.com")
    world.charge(customer, 250, offer="film-1")
    world.check_out(film, customer)
    world.events.clear()
    waiting = ProviderCustomer.objects.create(
        project=ada.project,
        provider="stripe",
        reference=customer.id,
        first_seen_at=NOW,
        user=ada,
        matched_by="staff",
    )

    take_over_customer(waiting.pk, now=NOW)

    assert {row[2] for row in tell()[1]} == {250, 499}
    take_over_customer(waiting.pk, now=NOW)
    assert Purchase.objects.count() == 2


def test_staff_gives_back_what_was_paid_once(tell, world, ada, film, signed_in):
    charge = world.charge(None, user=str(ada.public_id), offer="film-1")
    tell()
    owner = signed_in(Role.OWNER, ada.project)
    page = f"/users/{ada.public_id}/purchases/{Purchase.objects.get().pk}/"
    version = owner.get(page).context["payment"]["version"]

    owner.post(page, {"act": "refund", "version": version})

    assert charge.refunded == 499
    assert Purchase.objects.get().status == "cancelled"
