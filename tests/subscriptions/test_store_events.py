"""Google Play and the App Store: who is believed, and what any order of events ends in."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from subscriptions.accounts import apple_secrets as read_secrets
from subscriptions.models import ProviderAccount, ProviderEvent, Purchase, Subscription
from subscriptions.providers.apple import read_notification
from subscriptions.providers.google import read_push
from tests.local_stores import (
    AUDIENCE,
    BEGAN,
    EXPIRES,
    PACKAGE,
    SENDER,
    AppleChain,
    LocalStores,
    milliseconds,
    notice,
    play_path,
    play_subscription,
    push,
    statuses,
    transaction_of,
)

pytestmark = pytest.mark.django_db
GOOGLE, APPLE = "/webhooks/google/north/", "/webhooks/apple/north/"


# --- Google Play -----------------------------------------------------------------------------


def send_google(stores, body, **claims):
    return Client().post(
        GOOGLE,
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {stores.push_token(**claims)}"},
    )


def test_a_push_of_google_is_applied_to_what_google_has(google, stores, ada, work):
    stores.answers[play_path("subscriptionsv2", "token-1")] = play_subscription(ada)

    assert send_google(stores, notice(1)).status_code == 200
    assert work() == [("applied", "")]

    held = Subscription.objects.get()
    assert (held.user, held.provider, held.status) == (ada, "google", "active")
    assert held.reference == "GPA.1111-2222-3333-44444"
    assert (held.price_minor, held.currency, held.offer.name) == (999, "EUR", "Monthly")
    assert (held.access_start, held.access_end) == (BEGAN, None)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example.com/"},
        {"email": "somebody@example.com"},
        {"email_verified": False},
        {"iss": "https://accounts.example.com"},
        {"exp": 1, "iat": 0},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_a_push_for_or_of_somebody_else_is_refused(google, stores, claims):
    assert send_google(stores, notice(1), **claims).status_code == 400
    assert not ProviderEvent.objects.exists()


def test_a_push_without_a_token_or_signed_by_another_key_is_refused(google, stores):
    other = LocalStores()
    plain = Client().post(GOOGLE, notice(1), content_type="application/json")

    assert plain.status_code == 400
    assert send_google(stores, notice(1), key=other.google_key).status_code == 400
    other._server.server_close()


def test_a_push_that_cannot_be_checked_is_to_be_sent_again(google, stores):
    stores.answers["/certs"] = 503

    assert send_google(stores, notice(1)).status_code == 503


def test_without_an_account_nothing_of_a_store_is_accepted(project, stores):
    assert send_google(stores, notice(1)).status_code == 503
    assert Client().post(APPLE, b"{}", content_type="application/json").status_code == 503


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"message": {"data": "?"}}', b'{"message": {"data": "e30="}}']
)
def test_a_push_that_is_no_notice_is_refused(google, stores, body):
    assert send_google(stores, body).status_code == 400


def test_another_app_a_test_purchase_and_a_test_notice_are_ignored(google, stores, ada, work):
    # Google marks it by a part without content.
    test = play_subscription(ada, testPurchase={})
    stores.answers[play_path("subscriptionsv2", "token-1")] = test
    send_google(
        stores,
        push(
            1,
            package="com.example.other",
            subscriptionNotification={"purchaseToken": "token-1", "notificationType": 4},
        ),
    )
    send_google(stores, push(2, testNotification={"version": "1.0"}))
    send_google(stores, notice(3))

    assert work() == [
        ("ignored", "other-account"),
        ("ignored", "unknown-type"),
        ("ignored", "other-mode"),
    ]


@pytest.mark.parametrize(
    ("state", "status", "end"),
    [
        ("IN_GRACE_PERIOD", "past_due", None),
        ("ON_HOLD", "unpaid", EXPIRES),
        ("PAUSED", "paused", EXPIRES),
        ("CANCELED", "active", EXPIRES),
        ("EXPIRED", "canceled", EXPIRES),
    ],
)
def test_states_of_google_are_ours(google, stores, ada, work, state, status, end):
    context = {"canceledStateContext": {"userInitiatedCancellation": {}}}
    found = play_subscription(ada, state, **context)
    stores.answers[play_path("subscriptionsv2", "token-1")] = found
    send_google(stores, notice(1))
    work()

    held = Subscription.objects.get()
    assert (held.status, held.access_end, held.cancel_reason) == (status, end, "asked")


def test_every_order_of_five_notices_of_google_ends_in_the_truth(
    google, stores, ada, in_every_order
):
    stores.answers[play_path("subscriptionsv2", "token-1")] = play_subscription(ada, "EXPIRED")
    five = [read_push(notice(number, kind)) for number, kind in enumerate((4, 2, 5, 3, 13))]
    in_every_order(google, five, Subscription, {"status": "canceled", "access_end": EXPIRES})


def test_a_purchase_of_google_and_its_refund(google, stores, ada, work):
    bought = play_purchase(ada)
    path = play_path("productsv2", "token-2")
    stores.answers[path] = bought
    part = {"notificationType": 1, "purchaseToken": "token-2", "sku": "film"}
    send_google(stores, push(1, oneTimeProductNotification=part))
    work()
    pack = Purchase.objects.get()
    assert (pack.user, pack.status, pack.price_minor) == (ada, "active", 499)

    stores.answers[path] = bought | {"purchaseStateContext": {"purchaseState": "CANCELLED"}}
    voided = {"purchaseToken": "token-2", "orderId": "GPA.9", "productType": 2}
    send_google(stores, push(2, voidedPurchaseNotification=voided))
    work()
    assert Purchase.objects.get().status == "cancelled"


def play_purchase(user, state="PURCHASED", **more):
    return {
        "kind": "androidpublisher#productPurchaseV2",
        "orderId": "GPA.9",
        "productLineItem": [{"productId": "film", "productOfferDetails": {"quantity": 1}}],
        "purchaseStateContext": {"purchaseState": state},
        "purchaseCompletionTime": "2026-03-01T12:00:00Z",
        "obfuscatedExternalAccountId": str(user.public_id),
    } | more


@pytest.mark.parametrize("state", ["PENDING", "PENDING_PURCHASE_CANCELED"])
def test_what_google_waits_for_money_for_is_nothing_yet(google, stores, ada, work, state):
    pending = play_subscription(ada, state)
    del pending["startTime"], pending["lineItems"][0]["latestSuccessfulOrderId"]
    pending["lineItems"][0].pop("expiryTime")
    stores.answers[play_path("subscriptionsv2", "token-1")] = pending
    bought = play_purchase(ada, "PENDING")
    del bought["purchaseCompletionTime"], bought["orderId"]
    stores.answers[play_path("productsv2", "token-2")] = bought
    part = {"notificationType": 1, "purchaseToken": "token-2", "sku": "film"}

    send_google(stores, notice(1))
    send_google(stores, push(2, oneTimeProductNotification=part))

    assert work() == [("ignored", "nothing-paid")] * 2
    assert not Subscription.objects.exists()


def test_what_google_gave_away_has_no_order(google, stores, ada, work):
    given = play_purchase(ada)
    del given["orderId"]
    stores.answers[play_path("productsv2", "token-2")] = given
    part = {"notificationType": 1, "purchaseToken": "token-2", "sku": "film"}
    send_google(stores, push(1, oneTimeProductNotification=part))

    assert work() == [("applied", "")]
    assert Purchase.objects.get().reference == "token-2"


def test_a_trial_of_google_is_remembered_once_it_is_paid(google, stores, ada, work):
    trial = play_subscription(ada)
    trial["lineItems"][0]["offerPhase"] = {"freeTrial": {}}
    stores.answers[play_path("subscriptionsv2", "token-1")] = trial
    send_google(stores, notice(1))
    work()
    held = Subscription.objects.get()
    assert (held.status, held.trial_ends_at, held.first_paid_at) == ("trialing", EXPIRES, None)

    paid = play_subscription(ada)
    paid["lineItems"][0] |= {"offerPhase": {"basePrice": {}}, "expiryTime": "2026-05-01T12:00:00Z"}
    stores.answers[play_path("subscriptionsv2", "token-1")] = paid
    for number in (2, 3):
        send_google(stores, notice(number))
        work()
        held = Subscription.objects.get()
        assert (held.status, held.trial_end, held.first_paid_at) == ("active", EXPIRES, EXPIRES)


def test_what_is_to_replace_an_item_later_is_not_owned_yet(google, stores, ada, work):
    found = play_subscription(ada)
    found["lineItems"].insert(0, {"productId": "yearly"})
    stores.answers[play_path("subscriptionsv2", "token-1")] = found
    send_google(stores, notice(1))

    assert work() == [("applied", "")]
    assert Subscription.objects.get().reference == "GPA.1111-2222-3333-44444"


def test_a_quota_that_is_used_up_is_no_bad_key(google, stores, ada, work):
    stores.first[play_path("subscriptionsv2", "token-1")] = [
        (403, {"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}})
    ]
    send_google(stores, notice(1))

    assert work() == [("waiting", "limited")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(503, "unreachable"), (429, "limited"), (403, "key-refused"), (b"<html>", "odd-answer")],
)
def test_while_google_fails_the_notice_waits(google, stores, ada, work, answer, reason):
    stores.answers[play_path("subscriptionsv2", "token-1")] = answer
    send_google(stores, notice(1))

    assert work() == [("waiting", reason)]


# --- App Store -------------------------------------------------------------------------------


def notification(chain, user, number, type_="DID_RENEW", **data):
    told = {
        "notificationType": type_,
        "notificationUUID": f"notification-{number}",
        "signedDate": milliseconds(BEGAN),
        "version": "2.0",
        "data": {
            "bundleId": "com.example.films",
            "appAppleId": 1234,
            "environment": "Sandbox",
            "signedTransactionInfo": chain.signed(transaction_of(user)),
        }
        | data,
    }
    return json.dumps({"signedPayload": chain.signed(told)}).encode()


def send_apple(body):
    return Client().post(APPLE, body, content_type="application/json")


def test_a_notification_of_apple_is_applied_to_what_apple_has(apple, stores, ada, work):
    statuses(stores, ada, 1)

    assert send_apple(notification(stores.apple, ada, 1)).status_code == 200
    assert work() == [("applied", "")]

    held = Subscription.objects.get()
    assert (held.user, held.provider, held.status) == (ada, "apple", "active")
    assert (held.reference, held.price_minor, held.currency) == ("2000", 999, "EUR")
    assert (held.offer.name, held.access_start, held.access_end) == ("Monthly", BEGAN, None)


def test_a_chain_to_another_root_or_a_changed_payload_is_refused(apple, stores, ada):
    stranger = AppleChain("Apple Root CA")
    good = json.loads(notification(stores.apple, ada, 1))["signedPayload"]
    head, payload, signature = good.split(".")
    other = json.loads(notification(stores.apple, ada, 2))["signedPayload"].split(".")[1]

    assert send_apple(notification(stranger, ada, 1)).status_code == 400
    for forged in (f"{head}.{other}.{signature}", f"{head}.{payload}.", "a.b.c", ""):
        body = json.dumps({"signedPayload": forged}).encode()
        assert send_apple(body).status_code == 400, forged
    assert send_apple(b"[]").status_code == 400
    assert not ProviderEvent.objects.exists()


def test_another_app_and_the_other_environment_are_ignored(apple, stores, ada, work):
    send_apple(notification(stores.apple, ada, 1, bundleId="com.example.other"))
    send_apple(notification(stores.apple, ada, 2, environment="Production"))

    assert work() == [("ignored", "other-account"), ("ignored", "other-mode")]


@pytest.mark.parametrize(
    ("state", "more", "status", "end", "reason"),
    [
        (1, {"renews": 0}, "active", EXPIRES, "asked"),
        (1, {"offerDiscountType": "FREE_TRIAL"}, "trialing", None, ""),
        (2, {"renews": 0, "intent": 2}, "canceled", EXPIRES, "not-paid"),
        (3, {}, "unpaid", EXPIRES, ""),
        (4, {}, "past_due", None, ""),
        (5, {"revocationDate": milliseconds(BEGAN) + 86_400_000}, "canceled", None, "refunded"),
    ],
)
def test_states_of_apple_are_ours(apple, stores, ada, work, state, more, status, end, reason):
    statuses(stores, ada, state, **more)
    send_apple(notification(stores.apple, ada, 1))
    assert work() == [("applied", "")]

    held = Subscription.objects.get()
    if state == 5:
        end = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert (held.status, held.access_end, held.cancel_reason) == (status, end, reason)


def test_every_order_of_five_notifications_of_apple_ends_in_the_truth(
    apple, apple_secrets, stores, ada, in_every_order
):
    statuses(stores, ada, 2, renews=0, intent=1)
    kinds = (
        "SUBSCRIBED",
        "DID_RENEW",
        "DID_CHANGE_RENEWAL_STATUS",
        "DID_FAIL_TO_RENEW",
        "EXPIRED",
    )
    five = [
        read_notification(notification(stores.apple, ada, number, kind), apple_secrets)
        for number, kind in enumerate(kinds)
    ]
    in_every_order(apple, five, Subscription, {"status": "canceled", "access_end": EXPIRES})


def test_a_single_purchase_of_apple_taken_back(apple, stores, ada, work):
    film = transaction_of(ada, type="Non-Consumable", productId="film", price=4990)
    film |= {"revocationDate": milliseconds(EXPIRES), "expiresDate": None}
    signed = stores.apple.signed(film)
    stores.answers["/inApps/v1/transactions/2001"] = {"signedTransactionInfo": signed}
    send_apple(notification(stores.apple, ada, 1, "REFUND", signedTransactionInfo=signed))
    work()

    pack = Purchase.objects.get()
    assert (pack.user, pack.status, pack.price_minor) == (ada, "cancelled", 499)


def test_a_purchase_of_apple_given_back_in_part_stays(apple, stores, ada, work):
    film = transaction_of(ada, type="Consumable", productId="film", price=4990)
    film |= {"revocationDate": milliseconds(EXPIRES), "revocationType": "REFUND_PRORATED"}
    signed = stores.apple.signed(film | {"expiresDate": None, "revocationPercentage": 50_000})
    stores.answers["/inApps/v1/transactions/2001"] = {"signedTransactionInfo": signed}
    send_apple(notification(stores.apple, ada, 1, "REFUND", signedTransactionInfo=signed))
    work()

    assert Purchase.objects.get().status == "active"


@pytest.mark.parametrize(("answer", "reason"), [(500, "unreachable"), (401, "key-refused")])
def test_while_apple_fails_the_notification_waits(apple, stores, ada, work, answer, reason):
    stores.answers["/inApps/v1/subscriptions/2000"] = answer
    send_apple(notification(stores.apple, ada, 1))

    assert work() == [("waiting", reason)]


# --- Connecting ------------------------------------------------------------------------------


def test_google_is_connected_from_the_environment(project, stores, monkeypatch, tmp_path):
    (tmp_path / "key.json").write_text(stores.service_account())
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_FILE", str(tmp_path / "key.json"))
    monkeypatch.setenv("GOOGLE_PACKAGE_NAME", PACKAGE)
    monkeypatch.setenv("GOOGLE_PUSH_AUDIENCE", AUDIENCE)
    with pytest.raises(CommandError, match="sender of pushes"):
        call_command("connect_google", "north")

    monkeypatch.setenv("GOOGLE_PUSH_SENDER", SENDER)
    call_command("connect_google", "north")

    account = ProviderAccount.objects.get()
    assert (account.provider, account.reference) == ("google", PACKAGE)
    assert "PRIVATE" not in account.sealed


def test_apple_is_connected_from_the_environment(project, stores, monkeypatch, tmp_path):
    monkeypatch.setenv("APPLE_PRIVATE_KEY", stores.apple.private_key())
    for name in ("BUNDLE_ID", "ISSUER_ID", "KEY_ID"):
        monkeypatch.setenv(f"APPLE_{name}", "films")
    monkeypatch.setenv("APPLE_APP_ID", "1234567890")
    with pytest.raises(CommandError, match="root certificate is missing"):
        call_command("connect_apple", "north")
    monkeypatch.setenv("APPLE_ROOT_CERTIFICATES", str(tmp_path / "root.cer"))
    with pytest.raises(CommandError, match="no root certificate"):
        call_command("connect_apple", "north")
    (tmp_path / "root.cer").write_bytes(stores.apple.root_der)

    call_command("connect_apple", "north")

    account = ProviderAccount.objects.get()
    assert (account.provider, account.reference, account.is_live) == ("apple", "films", True)
    assert read_secrets(account).root_certificates == (stores.apple.root_der,)
