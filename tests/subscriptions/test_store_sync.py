"""`sync_google`, `sync_apple`: what the stores ever told of, compared with what they have now."""

import pytest
from django.core.management import CommandError, call_command

from backoffice.jobs.actions import start
from backoffice.jobs.models import Job
from subscriptions.models import Provider, ProviderSync, Purchase, Subscription
from subscriptions.providers.google import read_push
from subscriptions.providers.reports import EventReport, Unreachable
from subscriptions.reconciling.stores import sync_store
from subscriptions.webhooks import store_event
from tests.conftest import NOW
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.users import UserFactory
from tests.local_stores import (
    BEGAN,
    EXPIRES,
    milliseconds,
    notice,
    play_path,
    play_subscription,
    push,
    statuses,
    transaction_of,
)
from users.deletion import delete_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def sync():
    """Compare with a store; the pauses taken are in `sync.pauses`."""

    def run(account, told=lambda _sync: None, **kwargs):
        return sync_store(account, clock=lambda: NOW, told=told, pause=run.pauses.append, **kwargs)

    run.pauses = []
    return run


def tell_google(account, stores, user, *numbers):
    """Have Google tell of subscriptions, each by two notices, which nobody applies."""
    for number in numbers:
        found = play_subscription(user)
        order = f"GPA.{number:04}-0000-0000-00000"
        found["lineItems"][0]["latestSuccessfulOrderId"] = order
        stores.answers[play_path("subscriptionsv2", f"token-{number}")] = found
        for kind in (4, 2):
            report = read_push(notice(number * 10 + kind, kind, token=f"token-{number}"))
            store_event(account, report, now=NOW)


def asked(stores):
    return [path.rpartition("/")[2] for path in stores.requests if "tokens" in path]


def test_each_subscription_and_purchase_of_google_is_asked_for_once(google, stores, ada, sync):
    tell_google(google, stores, ada, 1, 2)
    part = {"notificationType": 1, "purchaseToken": "token-3", "sku": "film"}
    store_event(google, read_push(push(90, oneTimeProductNotification=part)), now=NOW)
    stores.answers[play_path("productsv2", "token-3")] = {
        "orderId": "GPA.9",
        "productLineItem": [{"productId": "film"}],
        "purchaseStateContext": {"purchaseState": "PURCHASED"},
        "purchaseCompletionTime": "2026-03-01T12:00:00Z",
        "obfuscatedExternalAccountId": str(ada.public_id),
    }

    done = sync(google)

    assert asked(stores) == ["token-1", "token-2", "token-3"]
    assert set(Subscription.objects.values_list("user", "status", "access_end")) == {
        (ada.pk, "active", None)
    }
    assert Purchase.objects.get().user == ada
    assert (done.phase, done.subscriptions, done.payments, done.changed) == ("done", 2, 1, 3)

    stores.answers[play_path("subscriptionsv2", "token-1")] |= {
        "subscriptionState": "SUBSCRIPTION_STATE_EXPIRED"
    }
    assert sync(google).changed == 1
    assert Subscription.objects.get(reference__startswith="GPA.0001").access_end == EXPIRES
    assert sync(google).changed == 0


def test_goes_on_where_it_was_cut_off(google, stores, ada, sync, monkeypatch):
    monkeypatch.setattr("subscriptions.reconciling.stores.PAGE_SIZE", 2)
    tell_google(google, stores, ada, 1, 2, 3, 4, 5)

    def cut_off(_sync):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(google, cut_off)
    assert asked(stores) == ["token-1", "token-2"]
    sync(google)

    assert asked(stores) == [f"token-{number}" for number in (1, 2, 3, 4, 5)]
    assert Subscription.objects.count() == 5


def test_waits_while_google_limits_or_fails_and_gives_up_in_the_end(google, stores, ada, sync):
    tell_google(google, stores, ada, 1)
    path = play_path("subscriptionsv2", "token-1")
    stores.first[path] = [503, 429]

    sync(google)

    assert [pause for pause in sync.pauses if pause >= 1] == [1, 2]
    assert Subscription.objects.count() == 1
    stores.answers[path] = 503
    with pytest.raises(Unreachable):
        sync(google)
    assert Subscription.objects.get().status == "active"


def test_what_is_gone_or_cannot_be_understood_changes_nothing(google, stores, ada, sync):
    tell_google(google, stores, ada, 1, 2, 3)
    stores.answers[play_path("subscriptionsv2", "token-1")] = 410
    stores.answers[play_path("subscriptionsv2", "token-2")] = b"<html>"

    done = sync(google)

    assert (done.subscriptions, done.changed, done.skipped) == (3, 1, 1)


def test_nobody_known_waits_and_nobody_deleted_comes_back(google, stores, ada, sync):
    grace = UserFactory(platform=ada.platform, email="grace@example.com")
    tell_google(google, stores, grace, 1)
    delete_user(user=grace, actor=grace.platform, now=NOW)
    tell_google(google, stores, ada, 2)
    stranger = stores.answers[play_path("subscriptionsv2", "token-2")]
    stranger["externalAccountIdentifiers"] = {}

    done = sync(google)

    assert (done.unmatched, Subscription.objects.count()) == (1, 0)


def test_subscriptions_and_purchases_of_apple_are_compared(apple, stores, ada, sync):
    for number, (kind, subject) in enumerate([("subscription", "2000"), ("purchase", "3000")]):
        report = EventReport(f"told-{number}", "TOLD", kind, subject, BEGAN)
        store_event(apple, report, now=NOW)
    statuses(stores, ada, 2, renews=0, intent=1)
    film = transaction_of(ada, type="Non-Consumable", productId="film", transactionId="3000")
    signed = stores.apple.signed(film | {"expiresDate": None})
    stores.answers["/inApps/v1/transactions/3000"] = {"signedTransactionInfo": signed}

    done = sync(apple)

    held = Subscription.objects.get()
    assert (held.user, held.status, held.access_end) == (ada, "canceled", EXPIRES)
    assert Purchase.objects.get().user == ada
    assert (done.subscriptions, done.payments, done.changed) == (1, 1, 2)


def test_what_the_platform_reported_by_apples_name_is_compared_too(apple, stores, ada, sync):
    SubscriptionFactory(user=ada, provider=Provider.APPLE, reference="2000", started_at=BEGAN)
    SubscriptionFactory(user=ada, provider=Provider.APPLE, reference="ours-1", started_at=BEGAN)
    statuses(stores, ada, 5, revocationDate=milliseconds(EXPIRES))

    done = sync(apple)

    held = Subscription.objects.get(reference="2000")
    assert (held.status, held.access_end, held.cancel_reason) == ("canceled", EXPIRES, "refunded")
    assert Subscription.objects.get(reference="ours-1").status == "active"
    assert (done.subscriptions, done.changed) == (2, 1)


def test_the_commands_say_what_they_did_and_name_the_cure(google, stores, ada, capsys):
    tell_google(google, stores, ada, 1)

    call_command("sync_google", "north")

    assert capsys.readouterr().out.splitlines()[-1] == (
        "1 subscriptions and 0 purchases compared: 1 taken over, 0 of nobody known,"
        " 0 not understood."
    )
    with pytest.raises(CommandError, match="connect_apple north"):
        call_command("sync_apple", "north")
    stores.answers[play_path("subscriptionsv2", "token-1")] = 401
    with pytest.raises(CommandError, match="connect the account again"):
        call_command("sync_google", "north")


@pytest.mark.django_db(transaction=True)
def test_the_job_says_what_it_compared(google, stores, ada, project, run_jobs):
    tell_google(google, stores, ada, 1)
    job = start("subscriptions.sync_google", project=project, actor=None, arguments={}, now=NOW)

    run_jobs()

    job.refresh_from_db()
    assert (job.state, job.result["subscriptions"]) == (Job.State.DONE, 1)
    assert ProviderSync.objects.get().phase == "done"
