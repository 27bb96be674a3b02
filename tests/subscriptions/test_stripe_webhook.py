"""POST /webhooks/stripe/<project>/: what is let in, what is kept of it, what is answered."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
import time_machine
from procrastinate.contrib.django.models import ProcrastinateJob

from backoffice.audit.recording import SYSTEM
from subscriptions.accounts import connect_stripe
from subscriptions.models import ProviderAccount, ProviderEvent
from tests.conftest import NOW
from tests.local_stripe import shapes
from tests.local_stripe.deliveries import SECRET, signed
from tests.local_stripe.server import KEY

pytestmark = pytest.mark.django_db
ADDRESS = "/webhooks/stripe/north/"


@pytest.fixture
def told(world, monthly):
    """The event of a subscription that began."""
    world.subscribe(world.make_customer("ada@example.com"), monthly)
    return world.events[-1]


def send(client, body, headers):
    return client.post(ADDRESS, body, content_type="application/json", headers=headers)


def test_stores_what_finds_the_object_again_and_nothing_else(post, told):
    response = post(told)

    assert (response.status_code, response.json()) == (200, {"received": True})
    event = ProviderEvent.objects.get()
    assert (event.event_id, event.type) == (told.id, "customer.subscription.created")
    assert (event.subject_kind, event.subject) == ("subscription", told.payload["id"])
    assert event.state == "waiting"


def test_counts_a_repeat_and_stores_it_once(post, told):
    answers = [post(told).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert ProviderEvent.objects.get().deliveries == 3


def test_has_the_event_applied_in_the_background(post, told):
    post(told)
    post(told)

    job = ProcrastinateJob.objects.get(task_name="subscriptions.apply_event")
    assert job.args == {"event_id": ProviderEvent.objects.get().pk}


def test_accepts_nothing_while_no_secret_is_configured(client, project, told):
    body, headers = signed(told, at=NOW.timestamp(), secret="")

    assert send(client, body, headers).status_code == 503
    assert not ProviderEvent.objects.exists()


def test_accepts_nothing_when_the_secrets_cannot_be_read(post, told):
    ProviderAccount.objects.update(sealed="gAAAAA")

    assert post(told).status_code == 503


@pytest.mark.parametrize("secret", ["", " ", "whsec_of_somebody_else"])
def test_refuses_an_empty_or_foreign_secret(post, told, secret):
    assert post(told, secret=secret).status_code == 400
    assert not ProviderEvent.objects.exists()


def test_refuses_a_signature_older_than_five_minutes(post, told):
    assert post(told, at=NOW - timedelta(seconds=301)).status_code == 400
    assert post(told, at=NOW - timedelta(seconds=299)).status_code == 200


def test_refuses_a_body_that_was_written_anew(client, account, told):
    body, headers = signed(told, at=NOW.timestamp())
    again = json.dumps(json.loads(body)).encode()

    assert send(client, again, headers).status_code == 400


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=1", "v1=00", "nonsense", "t=x,v1=é"])
def test_refuses_a_header_that_is_no_signature(client, account, told, header):
    body, _ = signed(told, at=NOW.timestamp())

    assert send(client, body, {"Stripe-Signature": header}).status_code == 400


def test_accepts_both_secrets_while_they_rotate(account, post, told, project):
    connect_stripe(
        project=project,
        secret_key=KEY,
        webhook_secrets=["whsec_new_0123456789", SECRET],
        actor=SYSTEM,
        now=NOW,
    )

    assert post(told, secret="whsec_new_0123456789").status_code == 200
    assert post(told, secret=SECRET).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"object": "event"}',
        b'{"object": "charge", "id": "evt_1", "data": {"object": {}}}',
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps(
            {
                "object": "event",
                "id": "evt_\x00",
                "type": "customer.updated",
                "created": 1,
                "livemode": False,
                "data": {"object": {"id": "cus_1"}},
            }
        ).encode(),
        json.dumps(
            {
                "object": "event",
                "id": "evt_1",
                "type": "customer.updated",
                "created": 10**30,
                "livemode": False,
                "data": {"object": {"id": "cus_1"}},
            }
        ).encode(),
    ],
    ids=range(10),
)
def test_refuses_a_signed_body_that_is_no_event(client, account, body):
    at = int(NOW.timestamp())
    made = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    with time_machine.travel(NOW, tick=False):
        response = send(client, body, {"Stripe-Signature": f"t={at},v1={made}"})

    assert response.status_code == 400
    assert not ProviderEvent.objects.exists()


LEAST = {"id": "evt_1", "type": "radar.early_fraud_warning.created", "data": {"object": {}}}


def test_an_event_may_leave_out_mode_instant_and_kind_of_object(post, work):
    assert post(LEAST).json() == {"received": True}

    event = ProviderEvent.objects.get()
    assert (event.event_id, event.happened_at) == ("evt_1", NOW)
    assert (event.state, event.reason) == ("ignored", "unknown-type")


@pytest.mark.parametrize("left_out", ["livemode", "object", "created"])
def test_an_event_without_one_of_these_is_applied_like_any_other(post, told, ada, work, left_out):
    event = shapes.event(told)
    del event[left_out]

    assert post(event).status_code == 200
    assert work() == [("applied", "")]


@pytest.mark.parametrize("left_out", ["id", "type", "data"])
def test_an_event_without_one_of_these_is_none(post, left_out):
    response = post({name: value for name, value in LEAST.items() if name != left_out})

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "no_event"


@pytest.mark.parametrize("provider", ["stripe", "google", "apple"])
def test_an_unknown_project_is_404_in_the_form_of_the_other_refusals(client, db, provider):
    response = client.post(f"/webhooks/{provider}/nowhere/", b"{}", content_type="text/plain")

    assert response.status_code == 404
    assert response.json() == {
        "error": {"code": "not_found", "message": "There is no such project.", "fields": {}}
    }


def test_another_project_or_none_has_no_such_address(post, told, other_project):
    assert post(told, slug="nowhere").status_code == 404
    assert post(told, slug="south").status_code == 503


def test_a_larger_body_than_any_event_is_not_read(client, account):
    assert send(client, b" " * (1024 * 1024 + 1), {}).status_code == 413


def test_only_post_is_answered(client, account):
    assert client.get(ADDRESS).status_code == 405


def test_an_unknown_type_is_kept_as_ignored(post, world, work):
    event = world.tell("radar.early_fraud_warning.created", {"id": "issfr_1", "object": "x"})

    assert post(event).status_code == 200
    assert work() == [("ignored", "unknown-type")]


def test_the_other_mode_and_another_account_are_ignored_plainly(post, world, work, local):
    customer = world.make_customer("ada@example.com")
    live = world.tell("customer.updated", shapes.customer(customer))
    live.is_live = True
    foreign = world.tell("customer.updated", shapes.customer(customer), account="acct_other")

    post(live)
    post(foreign)

    assert work() == [("ignored", "other-mode"), ("ignored", "other-account")]
    assert local.requests == []


def test_nothing_of_the_person_or_the_card_is_kept(post, world, monthly):
    ada = world.make_customer("ada@example.com")
    world.subscribe(ada, monthly)
    charge = next(iter(world.charges.values()))
    world.refund(charge)
    for event in world.events:
        event.payload["billing_details"] = {"name": "Ada", "number": "4242424242424242"}
        post(event)

    kept = json.dumps(list(ProviderEvent.objects.values()), default=str)
    assert ProviderEvent.objects.count() == len(world.events)
    assert not any(part in kept for part in ("ada@example.com", "Ada", "4242"))
