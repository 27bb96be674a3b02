"""Pages about Stripe: connect, what arrived, who pays, stop, resume and refund."""

import re

import pytest

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.staff.proof import PROVED_AT
from subscriptions.models import (
    ProviderCustomer,
    ProviderEvent,
    Purchase,
    Subscription,
)
from subscriptions.webhooks import take_over_customer
from tests.conftest import NOW
from tests.factories.subscriptions import OfferFactory
from tests.local_stripe.server import Fault
from tests.local_stripe.world import DAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(signed_in, project):
    return signed_in(Role.OWNER, project)


@pytest.fixture
def held(post, work, world, ada, monthly):
    """Ada's subscription, as Stripe's events brought it."""
    world.subscribe(world.make_customer("ada@example.com"), monthly)
    for event in world.events:
        post(event)
    work()
    return Subscription.objects.get()


def page_of(source, kind="subscriptions"):
    return f"/users/{source.user.public_id}/{kind}/{source.pk}/"


def kinds():
    rows = AuditEvent.objects.order_by("pk").values_list("kind", "outcome")
    return [(kind.rpartition(".")[2], outcome) for kind, outcome in rows]


# --- What arrived ------------------------------------------------------------------------------


def test_shows_why_an_event_waits_and_tries_it_again(
    owner, post, work, world, ada, monthly, local, monkeypatch
):
    monkeypatch.setattr("subscriptions.providers.stripe.RETRIES", 0)
    world.subscribe(world.make_customer("ada@example.com"), monthly)
    post(world.events[-1])
    local.faults.append(Fault("/v1/", 503, times=1))
    work()
    event = ProviderEvent.objects.get()
    page = owner.get("/payments/events/?state=waiting").content.decode()
    assert "The provider cannot be reached." in page
    assert f'formaction="/payments/events/{event.pk}/again/"' in page

    owner.post(f"/payments/events/{event.pk}/again/")

    assert work() == [("applied", "")]
    assert kinds()[-1] == ("retried", "DONE")
    assert "No event that fits" in owner.get("/payments/events/?state=waiting").content.decode()


def test_the_registers_refuse_what_they_do_not_know(owner, account):
    assert owner.get("/payments/events/?stat=waiting").status_code == 400
    assert owner.get("/payments/unmatched/?provider=paypal").status_code == 400


def test_a_customer_is_assigned_and_what_was_paid_follows(
    owner, post, work, world, ada, monthly, project
):
    customer = world.make_customer("other@example.com")
    world.subscribe(customer, monthly)
    post(world.events[-1])
    assert work() == [("unmatched", "no-user")]
    row = ProviderCustomer.objects.get()
    assert customer.id in owner.get("/payments/unmatched/").content.decode()
    assert b"other@example.com" in owner.get(f"/payments/unmatched/{row.pk}/").content

    wrong = owner.post(f"/payments/unmatched/{row.pk}/", {"user": "nobody@example.com"})
    assert wrong.status_code == 400
    owner.post(f"/payments/unmatched/{row.pk}/", {"user": " ADA@example.com"})
    assert work() == [("applied", "")]
    take_over_customer(row.pk, now=NOW)

    assert Subscription.objects.get().user == ada
    assert kinds()[-1] == ("assigned", "DONE")
    assert owner.get(f"/payments/unmatched/{row.pk}/").status_code == 404


# --- The profile -------------------------------------------------------------------------------


def test_the_profile_leads_to_what_stripe_charges(owner, held, world, post, work):
    profile = f"/users/{held.user.public_id}/"
    assert f'<a href="{page_of(held)}">Stripe</a>' in owner.get(profile).content.decode()

    world.pass_time(DAY)
    world.stop(next(iter(world.subscriptions.values())), reason="payment_failed")
    post(world.events[-1])
    work()

    assert "Payment failed" in owner.get(profile).content.decode()
    assert "Payment failed, involuntary" in owner.get(page_of(held)).content.decode()


def test_what_stripe_charges_leads_back_with_the_filter_of_the_list(owner, held):
    way = "?list=status%3Dactive"
    profile = f"/users/{held.user.public_id}/{way}"
    page = f"{page_of(held)}{way}"

    assert f'href="{page}"' in owner.get(profile).content.decode()
    assert f'href="{profile}"' in owner.get(page).content.decode()
    assert owner.post(page, {"act": "stop-at-end"}).url == page


# --- Stop, resume, refund ----------------------------------------------------------------------


def test_stops_at_the_end_and_resumes(owner, held, world):
    assert b"Stop at the end of the period" in owner.get(page_of(held)).content

    owner.post(page_of(held), {"act": "stop-at-end"})
    held.refresh_from_db()
    assert held.access_end == held.cancel_at == held.current_period_end
    assert held.cancel_reason == "asked"
    assert b"Resume" in owner.get(page_of(held)).content

    owner.post(page_of(held), {"act": "resume"})
    held.refresh_from_db()
    assert (held.cancel_at, held.access_end) == (None, None)
    assert kinds()[-2:] == [("stopped", "DONE"), ("resumed", "DONE")]


def test_each_act_says_first_whom_it_concerns_and_what_it_does(owner, held):
    page = owner.get(page_of(held)).content.decode()

    said = [re.sub(r"<.+?>", "", text) for text in re.findall(r'panel__said">(.+?)</p>', page)]
    who = held.user.full_name
    assert len(said) == 3
    assert re.match(rf"It is not renewed. {who} keeps access until \d+ \w+ 2026 ", said[0])
    assert f"{who} loses this access at once, though its period runs until" in said[1]
    assert "nothing is refunded by this. This cannot be undone." in said[1]
    assert said[2].startswith(f"{who} is paid back €9.99, paid on")
    assert "The subscription ends with it, and the access that it gives." in said[2]


def test_stops_now_once_however_often_it_is_clicked(owner, held, world):
    world.pass_time(DAY)
    for _ in range(2):
        owner.post(page_of(held), {"act": "stop-now"})

    held.refresh_from_db()
    assert held.status == "canceled"
    assert held.access_end == held.ended_at
    assert kinds().count(("stopped", "DONE")) == 1
    assert len([e for e in world.events if e.type == "customer.subscription.deleted"]) == 1


def test_refunds_the_latest_payment_once(owner, held, world, local):
    page = owner.get(page_of(held)).content.decode()
    assert "visa •••• 4242" in page
    version = re.search('name="version" value="(.+?)"', page).group(1)

    for _ in range(2):
        owner.post(page_of(held), {"act": "refund", "version": version})

    assert [refund.amount for refund in world.refunds.values()] == [999]
    assert kinds().count(("refunded", "DONE")) == 1
    event = AuditEvent.objects.get(kind="subscriptions.payment.refunded")
    assert event.data["amount"] == "9.99 EUR"
    held.refresh_from_db()
    assert held.status == "canceled"


def test_a_refunded_purchase_ends_at_once(owner, post, work, world, ada, account):
    OfferFactory(project=ada.project, stripe_price_id="price_film", kind="pack", name="Film")
    world.sell(
        world.make_customer("ada@example.com"), world.make_price("price_film", 499, every=None)
    )
    post(world.events[-1])
    work()
    pack = Purchase.objects.get()
    page = owner.get(page_of(pack, "purchases")).content.decode()
    version = re.search('name="version" value="(.+?)"', page).group(1)

    owner.post(page_of(pack, "purchases"), {"act": "refund", "version": version})

    pack.refresh_from_db()
    assert pack.status == "cancelled"


def test_what_stripe_refuses_or_does_not_answer_changes_nothing(owner, held, local, monkeypatch):
    monkeypatch.setattr("subscriptions.providers.stripe.RETRIES", 0)
    before = Subscription.objects.values().get()
    local.faults.append(Fault("/v1/", 503, times=1))

    answer = owner.post(page_of(held), {"act": "stop-now"}, follow=True)

    assert "Stripe did not do it: The provider cannot be reached." in answer.content.decode()
    assert Subscription.objects.values().get() == before
    assert kinds()[-2:] == [("stopped", "DONE"), ("stopped", "FAILED")]


def test_acts_ask_for_the_password_again(owner, held, world):
    session = owner.session
    session[PROVED_AT] = 0
    session.save()

    answer = owner.post(page_of(held), {"act": "stop-now"})

    assert answer.status_code == 200
    assert "staff/confirm.html" in [template.name for template in answer.templates]
    held.refresh_from_db()
    assert held.status == "active"


def test_support_sees_the_state_and_no_way_to_change_it(signed_in, held, project, local):
    support = signed_in(Role.SUPPORT, project)
    asked = len(local.requests)

    page = support.get(page_of(held)).content.decode()

    assert "<button" not in page.partition("<main")[2].partition("</main")[0]
    assert support.post(page_of(held), {"act": "stop-now"}).status_code == 403
    assert len(local.requests) == asked
