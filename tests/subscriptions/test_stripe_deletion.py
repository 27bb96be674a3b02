"""Deleting users whom Stripe charges: cancelled there first, or nothing is done."""

from datetime import UTC, datetime

import pytest

from subscriptions.models import ProviderCustomer, ProviderEvent, Subscription
from tests.conftest import NOW
from tests.local_stripe.server import Fault
from tests.local_stripe.world import BEGINNING
from users.deletion import NotCancelled, delete_user
from users.models import Deletion

pytestmark = pytest.mark.django_db


def at(seconds):
    return datetime.fromtimestamp(BEGINNING + seconds, UTC)


@pytest.fixture
def paying(post, work, world, ada, monthly):
    """Ada, who is charged every month; her subscription as Stripe has it."""
    subscription = world.subscribe(world.make_customer("ada@example.com"), monthly)
    for event in world.events:
        post(event)
    work()
    return subscription


def delete(user, **options):
    delete_user(user=user, actor=user.platform, now=NOW, **options)
    user.refresh_from_db()


def test_the_subscription_is_cancelled_with_stripe_first(paying, ada):
    delete(ada)

    assert paying.status == "canceled"
    assert ada.deleted_at == NOW
    held = Subscription.objects.get()
    assert (held.status, held.ended_at, held.reference) == ("canceled", NOW, paying.id)


def test_one_that_ended_here_by_a_refund_goes_on_there_and_is_cancelled(
    paying, ada, world, post, work
):
    world.refund(world.charge_of(paying.latest_invoice))
    post(world.events[-1])
    work()
    assert (paying.status, Subscription.objects.get().ended_at) == ("active", at(0))

    delete(ada)

    assert paying.status == "canceled"


def test_whoever_wishes_it_leaves_it_running(paying, ada):
    delete(ada, mode=Deletion.Mode.KEEP)

    assert paying.status == "active"
    assert Subscription.objects.get().access_end == NOW


def test_where_stripe_does_not_answer_nobody_is_deleted(paying, ada, local):
    local.faults.append(Fault("/v1/subscriptions", status=503))

    with pytest.raises(NotCancelled):
        delete(ada)

    ada.refresh_from_db()
    assert (ada.deleted_at, ada.email) == (None, "ada@example.com")
    local.faults.clear()
    delete(ada)
    assert paying.status == "canceled"


def test_one_that_stripe_has_ended_already_does_not_stand_in_the_way(paying, ada, world):
    world.stop(paying)

    delete(ada)

    assert ada.deleted_at == NOW


def test_what_stripe_tells_afterwards_brings_nothing_back(paying, ada, post, work, world):
    delete(ada)
    before = Subscription.objects.values().get()
    ProviderEvent.objects.all().delete()

    for event in world.events:
        assert post(event).status_code == 200

    assert set(work()) == {("ignored", "deleted-user")}
    assert Subscription.objects.values().get() == before
    assert ProviderCustomer.objects.get().is_forgotten
    ada.refresh_from_db()
    assert (ada.email, ada.status) == ("", ada.Status.CANCELLED)
