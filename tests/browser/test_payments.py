"""What staff see of payments and do about them: each page for axe, each act by the keyboard."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.test import override_settings
from playwright.sync_api import expect

from backoffice.audit.recording import SYSTEM
from subscriptions.accounts import connect_stripe
from subscriptions.models import (
    FreeCopy,
    Offer,
    ProviderCustomer,
    ProviderEvent,
    Purchase,
    Subscription,
)
from tests.browser.test_layout import NARROW, WIDE, axe, sticking_out
from tests.browser.world import LONG
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.subscriptions import (
    FreeCopyFactory,
    OfferFactory,
    PurchaseFactory,
    SubscriptionFactory,
)
from tests.factories.users import UserFactory
from tests.local_stripe.server import KEY, LocalStripe
from tests.local_stripe.world import DAY as DAY_SECONDS
from users.models import User

pytestmark = pytest.mark.browser
DAY = timedelta(days=1)


@dataclass
class Paying:
    """A project with something in each list, connected to a Stripe on loopback."""

    grace: User
    held: Subscription
    offer: Offer
    free_copy: FreeCopy
    gift: Purchase
    event: ProviderEvent
    customer: ProviderCustomer


@pytest.fixture(scope="module")
def stripe():
    with LocalStripe() as local, override_settings(STRIPE_API_BASE=local.url):
        local.world.now = int((NOW - 2 * DAY).timestamp())
        yield local


@pytest.fixture(scope="module")
def paying(world, stripe):
    """Make it; Grace pays by Stripe, and her film was a gift to somebody with a long name."""
    project = ProjectFactory(slug="paying", name="Paying", created_at=NOW)
    web = PlatformFactory(project=project, slug="web", name="Web")
    connect_stripe(
        project=project, secret_key=KEY, webhook_secrets=["whsec_1"], actor=SYSTEM, now=NOW
    )
    grace = UserFactory(platform=web, first_name="Grace", last_name="Hopper")
    hubert = UserFactory(platform=web, first_name="Hubert", last_name=LONG)
    offer = OfferFactory(project=project, name="Cinéma illimité", trial_days=14)
    film = OfferFactory(
        project=project, name="Le Voyage", kind="pack", rental_days=2, interval_months=None
    )
    theirs = stripe.world.make_customer(grace.email)
    made = stripe.world.subscribe(theirs, stripe.world.make_price())
    held = SubscriptionFactory(
        user=grace,
        offer=offer,
        provider="stripe",
        reference=made.id,
        started_at=NOW - 2 * DAY,
        first_paid_at=NOW - 2 * DAY,
        current_period_end=NOW + 28 * DAY,
        now=NOW,
    )
    SubscriptionFactory(
        user=hubert,
        offer=offer,
        provider="google",
        reference="GPA.3333-4444-5555-66666",
        started_at=NOW - 90 * DAY,
        ended_at=NOW - 20 * DAY,
        status="canceled",
        cancel_reason="not-paid",
        now=NOW,
    )
    PurchaseFactory(user=hubert, offer=film, purchased_at=NOW - 9 * DAY, now=NOW)
    gift = PurchaseFactory(
        user=grace,
        offer=film,
        type="gift",
        recipient_email_key="somebody.with.a.long.address@subdomain.example.com",
        purchased_at=NOW - DAY,
        now=NOW,
    )
    free_copy = FreeCopyFactory(user=hubert, offer=offer, sent_at=NOW - DAY, now=NOW)
    FreeCopyFactory(
        user=None,
        project=project,
        offer=None,
        email_key="later@example.com",
        sent_at=NOW - DAY,
        activate_by=NOW + 9 * DAY,
        now=NOW,
    )
    customer = ProviderCustomer.objects.create(
        project=project, provider="apple", reference="account:a1b2", first_seen_at=NOW - DAY
    )
    events = [
        ProviderEvent.objects.create(
            project=project,
            provider="stripe",
            event_id=f"evt_{state}",
            type="customer.subscription.updated",
            subject_kind="subscription",
            subject=made.id,
            happened_at=NOW - DAY,
            received_at=NOW - DAY,
            state=state,
            reason=reason,
            attempts=3,
            next_try_at=NOW + DAY if state == "waiting" else None,
        )
        for state, reason in (("applied", ""), ("waiting", "key-refused"))
    ]
    return Paying(grace, held, offer, free_copy, gift, events[-1], customer)


PAGES = {
    "offers": "/offers/",
    "offer": "/offers/{offer.pk}/",
    "new offer": "/offers/new/",
    "subscriptions": "/subscriptions/",
    "purchases": "/purchases/",
    "free copies": "/free-copies/",
    "free copy": "/free-copies/{free_copy.pk}/",
    "gifts": "/gifts/",
    "gift": "/gifts/{gift.pk}/",
    "unmatched": "/payments/unmatched/",
    "assign": "/payments/unmatched/{customer.pk}/",
    "events": "/payments/events/",
    "settings": "/settings/payments/",
    "connect": "/settings/payments/apple/",
    "disconnect": "/settings/payments/stripe/disconnect/",
    "charged": "/users/{grace.public_id}/subscriptions/{held.pk}/",
    "profile": "/users/{grace.public_id}/",
}


@pytest.mark.parametrize("name", PAGES)
def test_page(page, paying, address, name):
    """Once wide, light and English; once narrow, dark and French, which is longer."""
    path = PAGES[name].format(**vars(paying))

    for width, theme, language in ((WIDE, "light", "en"), (NARROW, "dark", "fr")):
        page.context.add_cookies([{"name": "language", "value": language, "url": address}])
        page.set_viewport_size(width)
        page.emulate_media(color_scheme=theme)
        assert page.goto(f"{path}?project=paying").status == 200
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        found = axe.run(page)
        assert found.violations_count == 0, f"{theme}: {found.generate_report()}"
        assert not sticking_out(page, width)


def tab_to(page, target):
    """Go to the element as somebody without a mouse does."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"No way by the keyboard to {target}")


def test_stop_resume_and_refund_by_the_keyboard(page, paying, stripe):
    stripe.world.pass_time(DAY_SECONDS)
    page.goto(f"/users/{paying.grace.public_id}/?project=paying")
    tab_to(page, page.get_by_role("link", name="Stripe", exact=True))
    page.keyboard.press("Enter")

    expect(page.get_by_text("Grace Hopper keeps access until")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Stop at the end of the period"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("will not be renewed")
    tab_to(page, page.get_by_role("button", name="Resume"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The subscription goes on.")
    expect(page.get_by_text("Grace Hopper is paid back €9.99")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Refund €9.99"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("€9.99 are refunded.")


def test_an_event_is_tried_again_by_the_keyboard(page, paying):
    page.goto("/payments/events/?project=paying")
    expect(page.get_by_text("The provider refuses the key")).to_be_visible()

    tab_to(page, page.get_by_role("button", name="Try again"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("The event is tried again.")
    paying.event.refresh_from_db()
    assert (paying.event.reason, paying.event.attempts) == ("", 0)
