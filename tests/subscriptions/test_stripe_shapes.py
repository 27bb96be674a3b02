# ruff: noqa: FBT003
"""The local Stripe writes the keys that Stripe's own published objects have."""

import json
from pathlib import Path

import pytest

from tests.local_stripe import shapes
from tests.local_stripe.world import World

# Stripe's published objects (MIT), where somebody has put them beside the checkout.
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "stripe-fixtures.json"
# Keys of older versions that the published objects carry on, and Stripe's own answers do not.
OLD = {"invoice": {"subscription"}}


@pytest.fixture(scope="module")
def published():
    if not PUBLISHED.exists():
        pytest.skip("Stripe's published objects are not here: nothing to compare with.")
    return json.loads(PUBLISHED.read_text(encoding="utf-8"))["resources"]


@pytest.fixture(scope="module")
def ours():
    """One object of each kind, from a small world."""
    world = World()
    price = world.make_price()
    customer = world.make_customer("ada@example.com", user="1")
    subscription = world.subscribe(customer, price, trial_days=14)
    world.renew(subscription)
    charge = next(iter(world.charges.values()))
    refund = world.refund(charge)
    world.dispute(charge)
    shape = world.shape_of(subscription, with_invoice=True)
    film = world.make_price("price_film", 499, every=None)
    session = world.check_out(film, customer, user="1")
    gone = world.make_customer("")
    gone.is_deleted = True
    return {
        "customer": shapes.customer(customer),
        "deleted_customer": shapes.customer(gone),
        "product": shapes.product("prod_films", "Films", world.now),
        "price": shapes.price(price),
        "subscription": shape,
        "subscription_item": shape["items"]["data"][0],
        "plan": shape["items"]["data"][0]["plan"],
        "invoice": shape["latest_invoice"],
        "line_item": shape["latest_invoice"]["lines"]["data"][0],
        "invoice_payment": shapes.invoice_payment(charge, False),
        "payment_intent": shapes.payment_intent(charge, False),
        "charge": shapes.charge(charge, False),
        "refund": shapes.refund(refund),
        "dispute": shapes.dispute(charge, False),
        "checkout.session": shapes.session(session, film, False),
        "item": shapes.sold(session, film),
        "event": shapes.event(world.events[-1]),
    }


KINDS = [
    "customer",
    "deleted_customer",
    "product",
    "price",
    "subscription",
    "subscription_item",
    "plan",
    "invoice",
    "line_item",
    "invoice_payment",
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    "checkout.session",
    "item",
    "event",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_are_those_of_the_published_object(published, ours, kind):
    assert set(ours[kind]) == set(published[kind]) - OLD.get(kind, set())


def test_each_kind_is_compared(ours):
    assert set(ours) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("subscription", ["cancellation_details"]),
        ("invoice", ["status_transitions"]),
        ("invoice", ["parent"]),
        ("charge", ["billing_details"]),
        ("price", ["recurring"]),
    ],
)
def test_what_is_read_within_has_the_published_keys_too(published, ours, kind, path):
    there, here = published[kind], ours[kind]
    for name in path:
        there, here = there[name], here[name]

    assert set(there) <= set(here)
