"""No card number is kept or logged, whatever a provider puts into its events and answers."""

import io
import json
import logging
import re
import zipfile

import pytest
from django.apps import apps
from django.db import connection

from backoffice.core.permissions import Role
from subscriptions.models import ProviderCustomer, Subscription
from tests.local_stripe.server import Fault

pytestmark = pytest.mark.django_db
CARD = "4242424242424242"


def card_numbers(text):
    """Return the runs of 13 to 19 digits, spaces and dashes within, that pass Luhn's check."""
    runs = (re.sub(r"[ -]", "", run) for run in re.findall(r"(?<!\d)\d(?:[ -]?\d){12,18}", text))
    return [run for run in runs if run[0] in "23456" and passes(run)]


def passes(digits):
    doubled = [int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits))]
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"x{CARD}y", [CARD]),
        ("4242 4242-4242 4242", [CARD]),
        ("4242424242424241", []),
        ("2026-11-22 12:00", []),
    ],
)
def test_the_search_finds_what_it_should(text, found):
    assert card_numbers(text) == found


@pytest.fixture
def live(post, work, world, ada, monthly, local):
    """Run a life with Stripe, a single payment, an unknown payer; a number wherever it fits."""

    def run():
        customer = world.make_customer("ada@example.com", card=CARD)
        subscription = world.subscribe(customer, monthly)
        world.sell(customer, world.make_price("price_film", 499, every=None))
        stranger = world.make_customer("stranger@example.com", card=CARD)
        world.subscribe(stranger, monthly)
        world.stop(subscription, feedback="other")
        world.refund(next(iter(world.charges.values())))
        for event in world.events:
            event.payload |= {"description": CARD, "number": CARD, "metadata": {"card": CARD}}
            post(event)
        broken = json.dumps({"error": {"type": "api_error", "message": f"card {CARD}"}}).encode()
        local.faults.append(Fault("/v1/charges", 400, broken, times=1))
        work()
        return Subscription.objects.get()

    return run


def test_none_is_kept_logged_or_shown(caplog, live, signed_in, settings, tmp_path, project):
    caplog.set_level(logging.DEBUG)
    settings.EXPORT_DIR = tmp_path
    held = live()
    owner = signed_in(Role.OWNER, project)
    profile = f"/users/{held.user.public_id}/"
    customer = ProviderCustomer.objects.get(user=None)
    pages = [
        profile,
        f"{profile}subscriptions/{held.pk}/",
        f"/payments/unmatched/{customer.pk}/",
        *("/offers/", "/subscriptions/", "/purchases/", "/free-copies/", "/gifts/"),
        *("/payments/events/", "/payments/unmatched/", "/settings/payments/", "/audit/", "/jobs/"),
    ]
    for address in pages:
        answer = owner.get(address)
        assert (address, answer.status_code) == (address, 200)
        assert (address, card_numbers(answer.content.decode())) == (address, [])
    for address in ("/subscriptions/export", "/purchases/export"):
        text = b"".join(owner.get(f"{address}.csv").streaming_content).decode()
        assert "ada@example.com" in text
        assert card_numbers(text) == []
        sheet = io.BytesIO(b"".join(owner.get(f"{address}.xlsx").streaming_content))
        with zipfile.ZipFile(sheet) as parts:
            assert [card_numbers(parts.read(name).decode()) for name in parts.namelist()] == [
                [] for _ in parts.namelist()
            ]

    assert card_numbers(caplog.text) == []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} AS t")
            for (row,) in cursor:
                assert card_numbers(row) == [], model
