"""When each source lets its user watch: one rule a case, by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from subscriptions.entitlements import (
    NOTHING,
    Entitlement,
    beneficiary_of,
    free_copy_entitlement,
    purchase_entitlement,
    subscription_entitlement,
)
from subscriptions.models import FreeCopy, Offer, Provider, Purchase, Subscription
from users.models import User

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARRIVED = datetime(2026, 3, 20, 8, tzinfo=UTC)
GRACE_DAYS = 3


def day(number):
    """Return noon of that day of March."""
    return START.replace(day=number)


def subscribed(**values):
    values = {
        "status": "active",
        "provider": Provider.STRIPE,
        "started_at": START,
        "status_since": ARRIVED,
    } | values
    return subscription_entitlement(Subscription(**values), grace_days=GRACE_DAYS)


# --- subscriptions -------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["active", "trialing"])
def test_what_runs_has_no_end(status):
    assert subscribed(status=status, current_period_end=day(10)) == Entitlement(START)


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
def test_what_was_never_paid_gives_nothing(status):
    assert subscribed(status=status, ended_at=day(10), trial_ends_at=day(5)) == NOTHING


@pytest.mark.parametrize("status", ["canceled", "unpaid", "paused"])
def test_a_closed_state_without_dates_closes_when_it_arrives(status):
    assert subscribed(status=status) == Entitlement(START, ARRIVED)


@pytest.mark.parametrize("status", ["active", "canceled", "unpaid", "paused", "past_due"])
@pytest.mark.parametrize("name", ["ended_at", "cancel_at"])
def test_a_date_closes_whatever_the_state(status, name):
    assert subscribed(status=status, **{name: day(15)}) == Entitlement(START, day(15))
    assert subscribed(status=status, **{name: day(25)}) == Entitlement(START, day(25))


def test_the_earlier_of_two_dates_closes():
    assert subscribed(ended_at=day(10), cancel_at=day(12)).end == day(10)
    assert subscribed(ended_at=day(12), cancel_at=day(10)).end == day(10)


@pytest.mark.parametrize("provider", [Provider.STRIPE, Provider.GOOGLE, Provider.APPLE])
def test_a_late_payer_keeps_access_while_the_provider_retries(provider):
    late = subscribed(status="past_due", provider=provider, past_due_since=day(5))

    assert late == Entitlement(START)


@pytest.mark.parametrize("provider", [Provider.OKAST, Provider.OTHER])
def test_a_late_payer_has_the_grace_period_where_nobody_retries(provider):
    late = subscribed(status="past_due", provider=provider, past_due_since=day(5))
    undated = subscribed(status="past_due", provider=provider)

    assert late == Entitlement(START, day(8))
    assert undated == Entitlement(START, ARRIVED + timedelta(days=3))


def test_a_date_within_the_grace_period_closes_earlier():
    late = subscribed(
        status="past_due", provider=Provider.OKAST, past_due_since=day(5), ended_at=day(6)
    )

    assert late.end == day(6)


def test_a_trial_lasts_as_long_as_the_access_at_most():
    assert subscribed(trial_ends_at=day(8)) == Entitlement(START, None, day(8))
    assert subscribed(trial_ends_at=day(8), ended_at=day(5)) == Entitlement(START, day(5), day(5))
    assert subscribed(trial_ends_at=day(8), ended_at=day(20)).trial_end == day(8)
    assert subscribed(trial_ends_at=START) == Entitlement(START)
    assert subscribed(trial_ends_at=START - timedelta(days=1)).trial_end is None


@pytest.mark.parametrize("end", [START, START - timedelta(seconds=1)])
def test_an_end_that_is_not_after_the_start_leaves_nothing(end):
    assert subscribed(ended_at=end, trial_ends_at=day(8)) == NOTHING


# --- purchases -----------------------------------------------------------------------------


BUYER = User(pk=1, registered_at=START - timedelta(days=9))
RENTAL = Offer(kind="pack", rental_days=2)


def bought(**values):
    values = {
        "user": BUYER,
        "type": "pack",
        "status": "active",
        "purchased_at": START,
        "status_since": ARRIVED,
    } | values
    return purchase_entitlement(Purchase(**values))


def test_a_pack_runs_until_it_expires_else_as_long_as_rented_else_for_ever():
    assert bought() == Entitlement(START)
    assert bought(offer=Offer(kind="pack")) == Entitlement(START)
    assert bought(offer=RENTAL) == Entitlement(START, day(3))
    assert bought(offer=RENTAL, expires_at=day(9)) == Entitlement(START, day(9))


def test_unknown_gives_nothing():
    assert bought(status="unknown", expires_at=day(9)) == NOTHING


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_what_is_over_ends_when_that_arrived_unless_it_ended_before(status):
    assert bought(status=status) == Entitlement(START, ARRIVED)
    assert bought(status=status, expires_at=day(9)) == Entitlement(START, day(9))
    assert bought(status=status, expires_at=day(30)) == Entitlement(START, ARRIVED)
    assert bought(status=status, offer=RENTAL) == Entitlement(START, day(3))


def test_a_gift_is_its_recipients_from_when_they_have_an_account():
    early = User(pk=2, registered_at=START - timedelta(days=1))
    late = User(pk=3, registered_at=day(4))

    assert bought(type="gift", recipient=early, offer=RENTAL) == Entitlement(START, day(3))
    assert bought(type="gift", recipient=late, offer=RENTAL) == Entitlement(day(4), day(6))
    assert bought(type="gift", recipient=late, expires_at=day(3)) == NOTHING
    assert bought(type="gift", recipient=None) == NOTHING
    assert beneficiary_of(Purchase(user=BUYER, type="gift", recipient=early)) == early
    assert beneficiary_of(Purchase(user=BUYER, type="gift")) is None
    assert beneficiary_of(Purchase(user=BUYER, type="pack")) == BUYER


# --- free copies ---------------------------------------------------------------------------


def given(*, needs_activation=False, **values):
    values = {"user": BUYER, "sent_at": START, "days": 5} | values
    return free_copy_entitlement(FreeCopy(**values), needs_activation=needs_activation)


def test_a_copy_for_an_account_runs_from_sending():
    assert given() == Entitlement(START, day(6))
    assert given(activated_at=day(3)) == Entitlement(START, day(6))
    assert given(user=User(registered_at=START)) == Entitlement(START, day(6))


def test_a_copy_for_an_address_runs_from_its_activation():
    newcomer = User(pk=4, registered_at=day(2))

    assert given(user=newcomer) == NOTHING
    assert given(user=newcomer, activated_at=day(3)) == Entitlement(day(3), day(8))
    assert given(user=None, activated_at=day(3)) == NOTHING


def test_where_the_project_asks_for_it_every_copy_runs_from_its_activation():
    assert given(needs_activation=True) == NOTHING
    assert given(needs_activation=True, activated_at=day(3)) == Entitlement(day(3), day(8))


def test_a_revoked_copy_is_cut():
    assert given(revoked_at=day(4)) == Entitlement(START, day(4))
    assert given(revoked_at=day(20)) == Entitlement(START, day(6))
    assert given(revoked_at=START) == NOTHING
