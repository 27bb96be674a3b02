"""`sync_stripe`: all that was missed is brought in, in pages, and goes on where it was cut off."""

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from subscriptions.accounts import stripe_secrets
from subscriptions.models import ProviderCustomer, ProviderSync, Purchase, Subscription
from subscriptions.providers.reports import Unreachable
from subscriptions.reconciling.runs import TRIES
from subscriptions.reconciling.stripe import sync_stripe
from tests.conftest import NOW
from tests.factories.users import UserFactory
from tests.local_stripe.server import Fault
from tests.local_stripe.world import BEGINNING, DAY
from users.deletion import delete_user

pytestmark = pytest.mark.django_db


def at(seconds):
    return datetime.fromtimestamp(BEGINNING + seconds, UTC)


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def sync(account, pauses):
    def run(told=lambda _sync: None, **kwargs):
        return sync_stripe(account, clock=lambda: NOW, told=told, pause=pauses.append, **kwargs)

    return run


@pytest.fixture
def past(world, monthly, ada):
    """Three customers whose events nobody heard: Ada, Grace and somebody unknown."""
    grace = UserFactory(platform=ada.platform, email="grace@example.com")
    for email in ("ada@example.com", "nobody@example.com"):
        subscription = world.subscribe(world.make_customer(email), monthly, trial_days=14)
        world.renew(subscription)
    customer = world.make_customer("old@example.com", user=str(grace.public_id))
    stopped = world.subscribe(customer, monthly)
    world.pass_time(DAY)
    world.stop(stopped)
    world.sell(customer, world.make_price("price_film", 499, every=None))
    world.refund(world.charge_of(list(world.invoices)[-1]))
    return grace


def test_brings_in_everything_that_was_missed(sync, past, ada):
    done = sync()

    held, ended = Subscription.objects.order_by("started_at")
    assert (held.user, held.status, held.trial_end) == (ada, "active", at(14 * DAY))
    assert held.first_paid_at == at(14 * DAY)
    assert (ended.user, ended.status, ended.access_end) == (past, "canceled", ended.ended_at)
    pack = Purchase.objects.get()
    assert (pack.user, pack.status, pack.price_minor) == (past, "cancelled", 499)
    assert ProviderCustomer.objects.filter(user=None).count() == 1
    assert (done.phase, done.customers, done.subscriptions) == ("done", 3, 3)


def test_a_second_run_changes_nothing(sync, past):
    sync()
    before = list(Subscription.objects.order_by("pk").values())

    assert sync().changed == 0
    assert list(Subscription.objects.order_by("pk").values()) == before


def test_finds_single_payments_refunds_and_disputes_nobody_told_of(sync, world, monthly, ada):
    customer = world.make_customer("ada@example.com")
    refunded, disputed, stays = (world.subscribe(customer, monthly) for _ in range(3))
    world.pass_time(DAY)
    world.refund(world.charge_of(refunded.latest_invoice))
    world.dispute(world.charge_of(disputed.latest_invoice))
    world.refund(world.charge_of(stays.latest_invoice), 100)
    film = world.make_price("price_film", 499, every=None)
    world.check_out(film, reference=str(ada.public_id))
    world.check_out(film, is_free=True, email="ADA@example.com")
    world.charge(customer, 250, user="not an id", offer="")
    world.charge(None, 300, offer="pack-1")
    world.charge(customer, 700, purpose="a donation")

    done = sync()

    assert list(
        Subscription.objects.order_by("pk").values_list("reference", "ended_at", "cancel_reason")
    ) == [
        (stays.id, None, ""),
        (disputed.id, at(DAY), "disputed"),
        (refunded.id, at(DAY), "refunded"),
    ]
    bought = Purchase.objects.order_by("price_minor").values_list("user", "price_minor", "status")
    assert list(bought) == [
        (ada.pk, 0, "active"),
        (ada.pk, 250, "active"),
        (ada.pk, 499, "active"),
    ]
    assert ProviderCustomer.objects.filter(user=None).get().reference.startswith("pi_")
    # Two sessions, seven payments, two refunds and a dispute.
    assert (done.payments, done.unmatched, done.skipped) == (12, 1, 0)
    before = list(Subscription.objects.order_by("pk").values())
    assert sync(stop_after_subscriptions).changed == 0
    assert list(Subscription.objects.order_by("pk").values()) == before


def stop_after_subscriptions(sync):
    """See that what was taken back stays so in the middle of a run, too."""
    if sync.phase == "invoices":
        assert Subscription.objects.filter(ended_at=None).count() == 1


def test_passes_over_who_was_deleted(sync, world, ada):
    gone = str(ada.public_id)
    delete_user(user=ada, actor=ada.platform, now=NOW)
    world.check_out(world.make_price("price_film", 499, every=None), reference=gone)

    assert sync().unmatched == 0
    assert not Purchase.objects.exists()
    assert not ProviderCustomer.objects.exists()


def test_goes_on_where_it_was_cut_off(sync, world, monthly, ada, local, monkeypatch):
    monkeypatch.setattr("subscriptions.providers.stripe.PAGE_SIZE", 2)
    for _ in range(5):
        world.subscribe(world.make_customer("ada@example.com"), monthly)
    pages = iter(range(4))

    def cut_off(_sync):
        if next(pages) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(cut_off)
    assert ProviderSync.objects.get().phase == "subscriptions"
    asked_before = len(local.requests)
    sync()

    # Three pages of customers and one of subscriptions were done. What remains: two, three of
    # invoices, one without sessions, three of payments, none of refunds and none of disputes.
    assert len(local.requests) - asked_before == 2 + 3 + 1 + 3 + 1 + 1
    assert Subscription.objects.count() == 5


def test_waits_while_stripe_limits_or_fails_and_gives_up_in_the_end(
    sync, past, pauses, local, monkeypatch
):
    monkeypatch.setattr("subscriptions.providers.stripe.RETRIES", 0)
    limit = b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'
    local.faults.append(
        Fault("/v1/subscriptions", 429, limit, headers={"Retry-After": "7"}, times=2)
    )
    local.faults.append(Fault("/v1/invoices", 503, times=1))
    sync()
    assert pauses.count(7) == 2
    assert Subscription.objects.count() == 2

    local.faults.append(Fault("/v1/customers", 503))
    with pytest.raises(Unreachable):
        sync()
    assert TRIES == 8


def test_what_cannot_be_understood_is_counted_and_passed_over(sync, past, world):
    next(iter(world.subscriptions.values())).status = "meditating"

    assert sync().skipped == 1
    assert Subscription.objects.count() == 1


def test_the_command_says_what_it_did(past, account, capsys):
    call_command("sync_stripe", "north")

    assert capsys.readouterr().out.splitlines()[-1] == (
        "3 customers, 3 subscriptions, 6 paid invoices and 5 other payments compared:"
        " 3 taken over, 1 of nobody known, 0 not understood."
    )


def test_the_command_names_the_cure(project, local, account):
    local.faults.append(
        Fault("/v1/", 401, b'{"error": {"type": "invalid_request_error"}}', times=5)
    )
    with pytest.raises(CommandError, match="connect the account again"):
        call_command("sync_stripe", "north")
    account.delete()
    with pytest.raises(CommandError, match="connect_stripe north"):
        call_command("sync_stripe", "north")


@pytest.mark.parametrize(
    ("key", "secrets", "said"),
    [
        ("", "whsec_x", "STRIPE_SECRET_KEY is missing"),
        ("sk_test_1", "", "STRIPE_WEBHOOK_SECRETS is missing"),
        ("sk_test_1", " , ", "STRIPE_WEBHOOK_SECRETS is missing"),
        ("pk_test_1", "whsec_x", "publishable"),
        ("sk_test 1", "whsec_x", "no key"),
        ("sk_live_1", "whsec_x", "other mode"),
    ],
)
def test_connecting_refuses_what_cannot_be_a_secret(account, monkeypatch, key, secrets, said):
    monkeypatch.setenv("STRIPE_SECRET_KEY", key)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", secrets)

    with pytest.raises(CommandError, match=said):
        call_command("connect_stripe", "north")


def test_connecting_keeps_the_secrets_encrypted(account, monkeypatch, capsys):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_brand_new")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", "whsec_old,whsec_new")

    call_command("connect_stripe", "north")

    account.refresh_from_db()
    assert "brand" not in account.sealed
    assert stripe_secrets(account).secret_key == "sk_test_brand_new"
    assert stripe_secrets(account).webhook_secrets == ("whsec_old", "whsec_new")
    assert "brand" not in capsys.readouterr().out
