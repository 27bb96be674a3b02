"""Events of Stripe applied: in any order and number, to what Stripe has now."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from subscriptions.actions import forget_payments
from subscriptions.models import ProviderCustomer, ProviderEvent, Purchase, Subscription
from subscriptions.providers.stripe import _http_client, read_event
from subscriptions.webhooks import apply_found, gateway_of, provider_clock
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.subscriptions import OfferFactory
from tests.factories.users import UserFactory
from tests.local_stripe.deliveries import signed
from tests.local_stripe.server import Fault
from tests.local_stripe.world import BEGINNING, DAY, MONTH, World

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


def test_every_order_of_five_doubled_events_ends_in_the_truth(
    account, in_every_order, world, ada, monthly
):
    reports = [
        read_event(signed(event, at=0)[0], now=NOW) for event in life_of_five(world, monthly)
    ]
    in_every_order(account, reports, Subscription, TRUTH)


def test_the_same_orders_applied_one_by_one_end_alike(post, work, world, ada, monthly):
    five = life_of_five(world, monthly)
    for order in itertools.islice(itertools.permutations(five), 0, 120, 40):
        with transaction.atomic():
            for event in (*order, *order):
                post(event)
                work()
            assert list(Subscription.objects.values(*TRUTH)) == [TRUTH]
            transaction.set_rollback(True)


# --- Whom it concerns ----------------------------------------------------------------------


def test_the_id_that_the_platform_left_goes_before_the_address(post, work, world, ada, monthly):
    grace = UserFactory(platform=ada.platform, email="grace@example.com")
    customer = world.make_customer("ada@example.com", user=str(grace.public_id))
    world.subscribe(customer, monthly)

    post(world.events[-1])
    work()

    assert Subscription.objects.get().user == grace
    assert ProviderCustomer.objects.get().matched_by == "user-id"


def test_the_stored_id_goes_before_both(post, work, world, ada, monthly):
    customer = world.make_customer("ada@example.com")
    post(world.events[-1])
    work()
    grace = UserFactory(platform=ada.platform, email="grace@example.com")
    world.change_customer(customer, email="grace@example.com", metadata={"user": grace.public_id})
    world.subscribe(customer, monthly)

    post(world.events[-1])
    work()

    assert Subscription.objects.get().user == ada


@pytest.mark.parametrize("hint", ["", "nobody", "00000000-0000-4000-8000-000000000001"])
def test_whoever_fits_nobody_waits_and_is_found_once_registered(
    post, work, world, ada, monthly, hint
):
    customer = world.make_customer("grace@example.com", user=hint)
    world.subscribe(customer, monthly)
    post(world.events[-1])

    assert work() == [("unmatched", "no-user")]
    assert not Subscription.objects.exists()
    assert ProviderCustomer.objects.get().user is None

    grace = UserFactory(platform=ada.platform, email="grace@example.com")
    assert work(NOW + timedelta(minutes=1)) == [("applied", "")]
    assert Subscription.objects.get().user == grace


def test_a_user_of_another_project_is_nobody_here(post, work, world, account, other_project):
    web = PlatformFactory(project=other_project)
    stranger = UserFactory(platform=web, email="ada@example.com")
    world.make_customer("ada@example.com", user=str(stranger.public_id))

    post(world.events[-1])

    assert work() == [("unmatched", "no-user")]


def test_events_about_a_deleted_user_bring_nothing_back(post, work, world, ada, monthly):
    customer = world.make_customer("ada@example.com")
    subscription = world.subscribe(customer, monthly)
    for event in world.events:
        post(event)
    work()
    forget_payments([ada.pk])
    ProviderEvent.objects.all().delete()
    ada.deleted_at, ada.email, ada.email_key = NOW, "", ""
    ada.first_name = ada.last_name = ada.sort_name = ""
    ada.save()
    before = Subscription.objects.values().get()

    world.renew(subscription)
    world.change_customer(customer, email="ada@example.com")
    for event in world.events[-3:]:
        assert post(event).status_code == 200

    assert set(work()) == {("ignored", "deleted-user")}
    assert Subscription.objects.values().get() == before
    kept = ProviderCustomer.objects.get()
    assert (kept.user, kept.is_forgotten) == (None, True)
    assert customer.id not in kept.reference


def test_an_object_of_nobody_elses_account_is_ignored(post, work, world, monthly):
    other = World()
    other.subscribe(other.make_customer("ada@example.com"), other.make_price())

    post(other.events[-1])

    assert work() == [("ignored", "not-found")]


# --- States ---------------------------------------------------------------------------------


def test_an_incomplete_subscription_gives_nothing(post, work, world, ada, monthly):
    world.subscribe(world.make_customer("ada@example.com"), monthly, is_paid=False)
    post(world.events[-1])

    assert work() == [("applied", "")]
    held = Subscription.objects.get()
    assert (held.status, held.access_start, held.first_paid_at) == ("incomplete", None, None)


def test_a_late_payer_keeps_access_and_a_stop_comes_when_the_period_ends(
    post, work, world, ada, monthly
):
    subscription = world.subscribe(world.make_customer("ada@example.com"), monthly)
    world.renew(subscription, is_paid=False)
    post(world.events[-1])
    work()
    late = Subscription.objects.get()
    assert (late.status, late.access_end, late.past_due_since) == ("past_due", None, at(MONTH))

    world.stop(subscription, at_period_end=True, feedback="too_expensive")
    post(world.events[-1])
    work()

    held = Subscription.objects.get()
    assert (held.cancel_at, held.access_end) == (at(2 * MONTH), at(2 * MONTH))
    assert held.cancel_reason == "asked: too_expensive"
    assert held.first_paid_at == at(0)


def test_a_state_that_is_not_known_is_not_guessed(post, work, world, ada, monthly):
    subscription = world.subscribe(world.make_customer("ada@example.com"), monthly)
    subscription.status = "meditating"
    post(world.events[-1])

    assert work() == [("waiting", "unknown-state")]
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [(500, "jpy", 500), (12_300, "isk", 123), (1_999, "kwd", 1_999), (5_000, "mga", 500_000)],
)
def test_amounts_are_in_minor_units_whatever_the_currency(
    post, work, world, ada, account, amount, currency, minor
):
    price = world.make_price("price_other", amount, currency)
    world.subscribe(world.make_customer("ada@example.com"), price)
    post(world.events[-1])
    work()

    held = Subscription.objects.get()
    assert (held.price_minor, held.currency, held.offer) == (minor, currency.upper(), None)


# --- Single payments ------------------------------------------------------------------------


@pytest.fixture
def bought(post, work, world, ada, account):
    """A film that Ada bought, and the charge that paid it."""
    OfferFactory(project=ada.project, stripe_price_id="price_film", kind="pack", name="Film")
    film = world.make_price("price_film", 499, every=None)
    world.sell(world.make_customer("ada@example.com"), film)
    post(world.events[-1])
    work()
    return next(iter(world.charges.values()))


def test_a_single_payment_is_a_pack(bought, ada):
    pack = Purchase.objects.get()

    assert (pack.user, pack.type, pack.status) == (ada, "pack", "active")
    assert (pack.offer.name, pack.price_minor, pack.purchased_at) == ("Film", 499, at(0))
    assert pack.access_start == at(0)


def test_a_refund_in_full_ends_it_and_one_in_part_does_not(bought, post, work, world):
    world.refund(bought, 99)
    post(world.events[-1])
    work()
    assert Purchase.objects.get().status == "active"

    world.refund(bought)
    post(world.events[-1])
    work()
    pack = Purchase.objects.get()
    assert (pack.status, pack.access_end) == ("cancelled", NOW)


def test_a_dispute_ends_it_until_it_is_won(bought, post, work, world):
    world.dispute(bought)
    post(world.events[-1])
    work()
    assert Purchase.objects.get().status == "cancelled"

    world.dispute(bought, "won")
    post(world.events[-1])
    work()
    assert Purchase.objects.get().status == "active"


# --- What goes wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("/v1/subscriptions", status=500), "unreachable"),
        (Fault("/v1/subscriptions", status=0), "unreachable"),
        (
            Fault(
                "/v1/subscriptions",
                status=429,
                body=b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}',
                headers={"Retry-After": "90"},
            ),
            "limited",
        ),
        (
            Fault(
                "/v1/subscriptions",
                status=401,
                body=b'{"error": {"type": "invalid_request_error"}}',
            ),
            "key-refused",
        ),
        (Fault("/v1/subscriptions", status=200, body=b"<html>maintenance</html>"), "odd-answer"),
        (Fault("/v1/subscriptions", status=200, body=b'{"object": "list"}'), "odd-answer"),
        (Fault("/v1/subscriptions", status=400, body=b'{"error": {"code": "x"}}'), "odd-answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
def test_while_stripe_fails_the_event_waits_says_why_and_heals(
    post, work, world, ada, monthly, local, monkeypatch, fault, reason
):
    monkeypatch.setattr("subscriptions.providers.stripe.RETRIES", 0)
    world.subscribe(world.make_customer("ada@example.com"), monthly)
    post(world.events[-1])
    fault.times = 1
    local.faults.append(fault)

    assert work() == [("waiting", reason)]
    assert not Subscription.objects.exists()
    event = ProviderEvent.objects.get()
    assert NOW + timedelta(seconds=15) <= event.next_try_at <= NOW + timedelta(seconds=90)

    assert work(NOW + timedelta(seconds=91)) == [("applied", "")]
    assert Subscription.objects.get().user == ada


def test_while_stripe_is_down_it_is_not_asked_for_each_event(
    post, work, world, ada, monthly, local, monkeypatch
):
    monkeypatch.setattr("subscriptions.providers.stripe.RETRIES", 0)
    for _ in range(5):
        world.subscribe(world.make_customer("ada@example.com"), monthly)
        post(world.events[-1])
    local.faults.append(Fault("/v1/", status=503, times=1))

    assert set(work()) == {("waiting", "unreachable")}
    assert len(local.requests) == 0
    assert set(work(NOW + timedelta(minutes=1))) == {("applied", "")}


def test_a_slow_stripe_is_not_waited_for(post, work, world, ada, monthly, local, monkeypatch):
    monkeypatch.setattr("subscriptions.providers.stripe.RETRIES", 0)
    _http_client.cache_clear()
    monkeypatch.setattr("subscriptions.providers.stripe.TIMEOUT_SECONDS", 0.05)
    world.subscribe(world.make_customer("ada@example.com"), monthly)
    post(world.events[-1])
    local.faults.append(Fault("/v1/", status=200, delay=0.2, times=1))

    assert work() == [("waiting", "unreachable")]
    _http_client.cache_clear()


def test_an_older_answer_does_not_replace_a_newer_one(account, world, ada, monthly):
    subscription = world.subscribe(world.make_customer("ada@example.com"), monthly)
    gateway = gateway_of(account)
    asked_first = provider_clock()
    older = gateway.look_up("subscription", subscription.id)
    world.stop(subscription)
    asked_later = provider_clock()
    newer = gateway.look_up("subscription", subscription.id)

    apply_found(account, gateway, newer, asked_at=asked_later, now=NOW)
    apply_found(account, gateway, older, asked_at=asked_first, now=NOW)

    assert Subscription.objects.get().status == "canceled"
