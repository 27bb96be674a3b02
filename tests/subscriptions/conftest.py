"""A project connected to a local Stripe, and one user of it."""

import itertools

import pytest
import time_machine
from django.db import transaction
from django.test import Client

from backoffice.audit.recording import SYSTEM
from subscriptions.accounts import connect_apple, connect_google, connect_stripe
from subscriptions.models import ProviderEvent
from subscriptions.providers.apple import AppleSecrets
from subscriptions.providers.google import _kept
from subscriptions.webhooks import apply_event, due_events, store_event
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.subscriptions import OfferFactory
from tests.factories.users import UserFactory
from tests.local_stores import AUDIENCE, PACKAGE, SENDER, LocalStores
from tests.local_stripe.deliveries import SECRET, signed
from tests.local_stripe.server import KEY, LocalStripe


@pytest.fixture(autouse=True)
def clock():
    """The pages read the clock that the tests speak of; it stands still."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture(scope="session")
def stripe_server():
    """One server for all tests; each gets a world of its own."""
    with LocalStripe() as local:
        yield local


@pytest.fixture
def local(stripe_server, settings):
    """An empty local Stripe, which our own requests go to."""
    stripe_server.reset()
    settings.STRIPE_API_BASE = stripe_server.url
    return stripe_server


@pytest.fixture
def world(local):
    return local.world


@pytest.fixture
def account(project, local):
    """The project's account with the local Stripe."""
    return connect_stripe(
        project=project, secret_key=KEY, webhook_secrets=[SECRET], actor=SYSTEM, now=NOW
    )


@pytest.fixture
def ada(project):
    web = PlatformFactory(project=project, slug="web")
    return UserFactory(platform=web, email="ada@example.com")


@pytest.fixture
def monthly(project, world):
    """An offer, and the price that sells it."""
    OfferFactory(project=project, stripe_price_id="price_monthly", name="Monthly")
    return world.make_price("price_monthly")


@pytest.fixture
def post(account):
    """Deliver an event as Stripe does, from nobody's browser; return the answer."""
    client = Client()

    def deliver(event, *, at=NOW, secret=SECRET, slug="north"):
        body, headers = signed(event, at=at.timestamp(), secret=secret)
        return client.post(
            f"/webhooks/stripe/{slug}/",
            body,
            content_type="application/json",
            headers=headers,
        )

    return deliver


@pytest.fixture
def work():
    """Apply, as the worker does, all events whose time has come."""

    def apply(now=NOW):
        for event_id in due_events(now=now, most=10_000):
            apply_event(event_id, now=now)
        return list(ProviderEvent.objects.order_by("pk").values_list("state", "reason"))

    return apply


@pytest.fixture
def in_every_order(work):
    """Store five reports in each of their 120 orders, all twice: one row is left, the truth."""

    def check(account, five, model, truth):
        orders = list(itertools.permutations(five))
        assert len(orders) == 120
        for order in orders:
            with transaction.atomic():
                for report in (*order, *order):
                    store_event(account, report, now=NOW)
                assert set(work()) == {("applied", "")}
                assert list(model.objects.values(*truth)) == [truth], order
                transaction.set_rollback(True)

    return check


# --- Stores ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def stores_server():
    """Both stores for all tests."""
    with LocalStores() as stores:
        yield stores


@pytest.fixture
def stores(stores_server, settings):
    """Stores that sold nothing yet, which our own requests go to."""
    stores_server.reset()
    _kept.clear()
    settings.GOOGLE_API_BASE = settings.APPLE_API_BASE = stores_server.url
    settings.GOOGLE_CERTIFICATES_URL = f"{stores_server.url}/certs"
    return stores_server


@pytest.fixture
def google(project, stores):
    OfferFactory(project=project, google_product_id="monthly", name="Monthly")
    OfferFactory(
        project=project, google_product_id="film", kind="pack", name="Film", price_minor=499
    )
    return connect_google(
        project=project,
        package_name=PACKAGE,
        audience=AUDIENCE,
        sender=SENDER,
        service_account_json=stores.service_account(),
        actor=SYSTEM,
        now=NOW,
    )


@pytest.fixture
def apple_secrets(stores):
    return AppleSecrets(
        bundle_id="com.example.films",
        app_id=1234,
        is_live=False,
        issuer_id="issuer-1",
        key_id="key-1",
        private_key=stores.apple.private_key(),
        root_certificates=(stores.apple.root_der,),
    )


@pytest.fixture
def apple(project, apple_secrets):
    OfferFactory(project=project, apple_product_id="monthly", name="Monthly")
    return connect_apple(project=project, secrets=apple_secrets, actor=SYSTEM, now=NOW)
