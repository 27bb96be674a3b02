"""Events of Stripe applied: in any order and number, to what Stripe has now."""

import itertools
from datetime import UTC, datetime

import pytest
from django.db import transaction

from subscriptions.models import Subscription
from subscriptions.providers.stripe import read_event
from subscriptions.webhooks import store_event
from tests.conftest import NOW
from tests.local_stripe.deliveries import signed
from tests.local_stripe.world import BEGINNING, DAY, MONTH

pytestmark = pytest.mark.django_db


def at(seconds):
    return datetime.fromtimestamp(BEGINNING + seconds, UTC)


def test_a_subscription_arrives_with_all_that_the_profile_shows(post, work, world, ada, monthly):
    customer = world.make_customer("ADA@example.com ")
    world.subscribe(customer, monthly, trial_days=14)
    world.renew(next(iter(world.subscriptions.values())))

    for event in world.events:
        post(event)

    assert set(work()) == {("applied", "")}
    held = Subscription.objects.get()
    assert (held.user, held.provider, held.status) == (ada, "stripe", "active")
    assert (held.offer.name, held.price_minor, held.currency) == ("Monthly", 999, "EUR")
    assert held.started_at == held.access_start == at(0)
    assert held.trial_ends_at == held.trial_end == held.first_paid_at == at(14 * DAY)
    assert held.current_period_end == at(14 * DAY + MONTH)
    assert held.access_end is None
    ada.refresh_from_db()
    assert ada.status == ada.Status.ACTIVE


def life_of_five(world, monthly):
    """Begin in trial, pay, fall behind and stop: five events, two of them in one second."""
    customer = world.make_customer("ada@example.com")
    subscription = world.subscribe(customer, monthly, trial_days=14)
    world.renew(subscription)
    world.renew(subscription, is_paid=False)
    world.pass_time(DAY)
    world.stop(subscription, reason="payment_failed")
    wanted = ["customer.created", "invoice.paid", "customer.subscription.deleted"]
    told = {event.type: event for event in world.events}
    late = [e for e in world.events if e.type == "customer.subscription.updated"][-1]
    five = [*(told[type_] for type_ in wanted), late, told["customer.subscription.created"]]
    assert five[1].created != five[2].created
    assert len({event.created for event in five}) == 4
    return five


# What Stripe says in the end; the second payment failed 44 days after the beginning.
TRUTH = {
    "status": "canceled",
    "price_minor": 999,
    "currency": "EUR",
    "started_at": at(0),
    "first_paid_at": at(14 * DAY),
    "trial_end": at(14 * DAY),
    "ended_at": at(14 * DAY + MONTH + DAY),
    "access_start": at(0),
    "access_end": at(14 * DAY + MONTH + DAY),
    "cancel_reason": "not-paid",
}


def test_every_order_of_five_doubled_events_ends_in_the_truth(account, work, world, ada, monthly):
    reports = [read_event(signed(event, at=0)[0]) for event in life_of_five(world, monthly)]
    orders = list(itertools.permutations(reports))
    assert len(orders) == 120
    for order in orders:
        with transaction.atomic():
            for report in (*order, *order):
                store_event(account, report, now=NOW)
            assert set(work()) == {("applied", "")}
            assert list(Subscription.objects.values(*TRUTH)) == [TRUTH], order
            transaction.set_rollback(True)


def test_the_same_orders_applied_one_by_one_end_alike(post, work, world, ada, monthly):
    five = life_of_five(world, monthly)
    for order in itertools.islice(itertools.permutations(five), 0, 120, 40):
        with transaction.atomic():
            for event in (*order, *order):
                post(event)
                work()
            assert list(Subscription.objects.values(*TRUTH)) == [TRUTH]
            transaction.set_rollback(True)
