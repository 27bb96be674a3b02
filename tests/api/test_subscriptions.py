"""PUT of offers and subscriptions: what is kept, and the access that follows."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connections
from django.test import Client

from subscriptions.actions import put_offer, put_subscription
from subscriptions.models import AccessSpan, Offer, SpanDay, Subscription
from tests.api.conftest import NOW, Caller
from tests.api.test_doors import error_of
from tests.factories.projects import ApiKeyFactory
from tests.factories.subscriptions import OfferFactory, SubscriptionFactory
from tests.factories.users import UserFactory
from users.models import User

ACTIVE, REGISTERED, CANCELLED = User.Status
ACCESS, SUBSCRIPTION, TRIAL = AccessSpan.Kind

STARTED = "2026-03-11T12:00:00Z"
START = datetime(2026, 3, 11, 12, tzinfo=UTC)


def day(number, month=3, hour=12):
    return datetime(2026, month, number, hour, tzinfo=UTC)


def spans_of(user, kind=ACCESS):
    rows = AccessSpan.objects.filter(user=user, kind=kind).order_by("start_at")
    return list(rows.values_list("start_at", "end_at"))


def status_of(user):
    return User.objects.values_list("status", "status_until").get(pk=user.pk)


# --- Subscriptions -------------------------------------------------------------------------


def test_keeps_and_answers_the_whole_object(api, service, ada):
    OfferFactory(project=service, reference="monthly")
    body = {
        "user": str(ada.public_id),
        "offer": "monthly",
        "status": "past_due",
        "price": "9.9",
        "currency": "eur",
        "started_at": "2026-03-11T13:00:00+01:00",
        "first_paid_at": "2026-03-12T12:00:00Z",
        "current_period_end": "2026-04-12T12:00:00Z",
        "past_due_since": "2026-03-19T12:00:00Z",
        "trial_ends_at": "2026-03-12T12:00:00Z",
        "cancel_at": "2026-05-01T00:00:00Z",
        "ended_at": None,
        "cancel_reason": "too dear",
    }

    response = api.put("/subscriptions/google/GPA.1234-5678..0", body)

    assert response.status_code == 201
    assert response.json() == {
        **body,
        "provider": "google",
        "reference": "GPA.1234-5678..0",
        "price": "9.90",
        "currency": "EUR",
        "started_at": STARTED,
    }
    kept = Subscription.objects.get()
    assert (kept.project, kept.user, kept.offer.reference) == (service, ada, "monthly")
    assert (kept.price_minor, kept.currency) == (990, "EUR")
    assert (kept.started_at, kept.status_since) == (START, NOW)
    assert api.put("/subscriptions/google/GPA.1234-5678..0", body).status_code == 200
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize(
    ("reported", "end", "status", "until"),
    [
        pytest.param({"status": "active"}, None, ACTIVE, None, id="runs on"),
        pytest.param({"status": "trialing"}, None, ACTIVE, None, id="trial"),
        pytest.param(
            {"status": "active", "cancel_at": "2026-03-31T22:00:00Z"},
            day(31, hour=22),
            ACTIVE,
            day(31, hour=22),
            id="asked to stop, paid until",
        ),
        pytest.param(
            {"status": "active", "cancel_at": "2026-03-15T12:00:00Z"},
            day(15),
            CANCELLED,
            None,
            id="stopped",
        ),
        pytest.param(
            {"status": "past_due", "past_due_since": "2026-03-18T12:00:00Z"},
            day(21),
            ACTIVE,
            day(21),
            id="late by two of three days",
        ),
        pytest.param(
            {"status": "past_due", "past_due_since": "2026-03-17T12:00:00Z"},
            day(20),
            CANCELLED,
            None,
            id="late by three days",
        ),
        pytest.param({"status": "past_due"}, day(23), ACTIVE, day(23), id="late since it came"),
        pytest.param({"status": "canceled"}, NOW, CANCELLED, None, id="closed as it came"),
        pytest.param({"status": "unpaid"}, NOW, CANCELLED, None, id="unpaid as it came"),
        pytest.param({"status": "paused"}, NOW, CANCELLED, None, id="paused as it came"),
        pytest.param(
            {"status": "canceled", "ended_at": "2026-03-19T12:00:00Z"},
            day(19),
            CANCELLED,
            None,
            id="closed before",
        ),
        pytest.param(
            {"status": "canceled", "cancel_at": "2026-04-01T12:00:00Z"},
            day(1, 4),
            ACTIVE,
            day(1, 4),
            id="closed, paid until",
        ),
        pytest.param(
            {
                "status": "canceled",
                "cancel_at": "2026-04-01T12:00:00Z",
                "ended_at": "2026-03-20T11:59:59Z",
            },
            datetime(2026, 3, 20, 11, 59, 59, tzinfo=UTC),
            CANCELLED,
            None,
            id="the earlier end counts",
        ),
    ],
)
def test_access_runs_from_the_start_to_what_closes_it(api, ada, reported, end, status, until):
    body = {"user": str(ada.public_id), "started_at": STARTED, **reported}

    assert api.put("/subscriptions/okast/1", body).status_code == 201

    assert spans_of(ada) == [(START, end)]
    assert spans_of(ada, SUBSCRIPTION) == [(START, end)]
    assert status_of(ada) == (status, until)


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
def test_what_was_never_opened_gives_no_access(api, ada, status):
    body = {"user": str(ada.public_id), "status": status, "started_at": STARTED}

    assert api.put("/subscriptions/okast/1", body).status_code == 201

    assert not AccessSpan.objects.exists()
    assert status_of(ada) == (REGISTERED, None)


def test_a_provider_that_retries_decides_how_long_late_is(api, ada):
    body = {
        "user": str(ada.public_id),
        "status": "past_due",
        "started_at": STARTED,
        "past_due_since": "2026-03-12T12:00:00Z",
    }

    api.put("/subscriptions/google/1", body)

    assert spans_of(ada) == [(START, None)]
    assert status_of(ada) == (ACTIVE, None)


def test_a_start_to_come_makes_nobody_active_yet(api, ada):
    body = {"user": str(ada.public_id), "status": "active", "started_at": "2026-04-01T12:00:00Z"}

    api.put("/subscriptions/okast/1", body)

    assert status_of(ada) == (REGISTERED, day(1, 4))


def test_a_trial_ends_with_the_access_at_the_latest(api, ada):
    body = {
        "user": str(ada.public_id),
        "status": "trialing",
        "started_at": "2026-01-31T12:00:00Z",
        "trial_ends_at": "2026-02-28T12:00:00Z",
    }

    api.put("/subscriptions/okast/1", body)
    assert spans_of(ada, TRIAL) == [(day(31, 1), day(28, 2))]
    api.put("/subscriptions/okast/1", {**body, "ended_at": "2026-02-10T12:00:00Z"})
    assert spans_of(ada, TRIAL) == [(day(31, 1), day(10, 2))]
    assert status_of(ada) == (CANCELLED, None)


def test_day_counts_are_those_of_the_projects_days(api, web, ada):
    # Summer time begins in Paris on the 29th: 22:00 UTC is midnight then.
    body = {
        "user": str(ada.public_id),
        "status": "active",
        "started_at": "2026-03-11T23:30:00Z",
        "cancel_at": "2026-03-31T22:00:00Z",
    }

    api.put("/subscriptions/okast/1", body)

    rows = SpanDay.objects.filter(kind=ACCESS, platform=web).order_by("day")
    assert list(rows.values_list("day", "started", "started_first", "ended")) == [
        (date(2026, 3, 12), 1, 1, 0),
        (date(2026, 4, 1), 0, 0, 1),
    ]


def test_a_repeat_moves_nothing_and_a_change_of_status_does(api, ada, clock):
    body = {"user": str(ada.public_id), "status": "canceled", "started_at": STARTED}
    api.put("/subscriptions/okast/1", body)

    clock.shift(timedelta(days=1))
    api.put("/subscriptions/okast/1", {**body, "cancel_reason": "moved away"})
    assert spans_of(ada) == [(START, NOW)]

    api.put("/subscriptions/okast/1", {**body, "status": "active"})
    assert spans_of(ada) == [(START, None)]
    assert status_of(ada) == (ACTIVE, None)

    clock.shift(timedelta(days=1))
    api.put("/subscriptions/okast/1", body)
    assert spans_of(ada) == [(START, NOW + timedelta(days=2))]


def test_what_has_ended_is_not_opened_again_by_another_end(api, ada, clock):
    body = {"user": str(ada.public_id), "started_at": STARTED}
    # Three days of grace.
    api.put(
        "/subscriptions/okast/1",
        body | {"status": "past_due", "past_due_since": "2026-03-14T12:00:00Z"},
    )
    assert spans_of(ada) == [(START, day(17))]

    for status in ("canceled", "unpaid", "paused"):
        clock.shift(timedelta(days=1))
        api.put("/subscriptions/okast/1", body | {"status": status})
        assert spans_of(ada) == [(START, day(17))]

    clock.shift(timedelta(days=1))
    api.put("/subscriptions/okast/1", body | {"status": "active"})
    clock.shift(timedelta(days=1))
    api.put("/subscriptions/okast/1", body | {"status": "unpaid"})
    clock.shift(timedelta(days=1))
    api.put("/subscriptions/okast/1", body | {"status": "canceled"})
    assert spans_of(ada) == [(START, NOW + timedelta(days=5))]


def test_what_never_gave_access_gives_none_when_it_is_canceled(api, ada):
    body = {"user": str(ada.public_id), "started_at": STARTED}
    api.put("/subscriptions/okast/1", body | {"status": "incomplete"})

    api.put("/subscriptions/okast/1", body | {"status": "canceled"})

    assert spans_of(ada) == []
    assert status_of(ada) == (REGISTERED, None)


def test_an_absent_field_is_empty_in_the_next_put(api, service, ada):
    OfferFactory(project=service, reference="monthly")
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED}
    more = {
        "offer": "monthly",
        "price": "9.99",
        "currency": "USD",
        "cancel_at": "2026-04-01T12:00:00Z",
    }
    api.put("/subscriptions/okast/1", body | more)

    answer = api.put("/subscriptions/okast/1", body).json()

    assert (answer["offer"], answer["price"], answer["currency"]) == (None, "0.00", "EUR")
    assert answer["cancel_at"] is None
    assert spans_of(ada) == [(START, None)]


def test_a_subscription_stays_its_users(api, ada, web):
    grace = UserFactory(platform=web)
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED}
    api.put("/subscriptions/okast/1", body)

    response = api.put("/subscriptions/okast/1", {**body, "user": str(grace.public_id)})

    assert response.status_code == 409
    assert error_of(response)["code"] == "belongs_to_another"
    assert Subscription.objects.get().user == ada
    assert status_of(grace) == (REGISTERED, None)


def test_one_reference_at_two_providers_and_in_two_projects_is_three(api, other_api, ada):
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED}
    theirs = other_api.post("/users", {"email": "eve@example.com"}).json()["id"]

    assert api.put("/subscriptions/okast/1", body).status_code == 201
    assert api.put("/subscriptions/apple/1", body).status_code == 201
    assert other_api.put("/subscriptions/okast/1", {**body, "user": theirs}).status_code == 201


@pytest.mark.parametrize("provider", ["stripe", "Okast", "paypal", "²"])
def test_an_unknown_provider_and_stripe_are_refused(api, ada, provider):
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED}

    response = api.put(f"/subscriptions/{provider}/1", body)

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == ["provider"]
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", None),
        ("user", "x"),
        ("user", "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55"),
        ("user", "ada@example.com"),
        ("offer", "unknown"),
        ("status", "cancelled"),
        ("status", None),
        ("started_at", None),
        ("started_at", "2200-01-01T00:00:00Z"),
        ("cancel_at", "2026-03-31"),
        ("price", 9.99),
        ("price", "-1"),
        ("price", "9.999"),
        ("price", "1e2"),
        ("currency", "EURO"),
        ("currency", "QQQ"),
        ("cancel_reason", "x" * 201),
        ("access_end", "2026-03-31T00:00:00Z"),
    ],
)
def test_a_bad_field_is_422_and_named(api, ada, field, value):
    body = {
        "user": str(ada.public_id),
        "status": "active",
        "started_at": STARTED,
        "price": "1",
        "currency": "EUR",
        field: value,
    }

    response = api.put("/subscriptions/okast/1", body)

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == [field]
    assert not Subscription.objects.exists()


def test_a_price_needs_a_currency(api, ada):
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED, "price": "1"}

    assert list(error_of(api.put("/subscriptions/okast/1", body))["fields"]) == ["price"]


def test_another_projects_user_and_offer_are_unknown(api, other_api, ada):
    foreign = OfferFactory(reference="foreign")
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED}

    response = api.put("/subscriptions/okast/1", {**body, "offer": foreign.reference})
    assert list(error_of(response)["fields"]) == ["offer"]
    response = other_api.put("/subscriptions/okast/1", body)
    assert list(error_of(response)["fields"]) == ["user"]


def test_what_comes_late_for_a_deleted_user_is_accepted_and_not_kept(api, web):
    stub = UserFactory(platform=web, deleted_at=NOW)
    body = {"user": str(stub.public_id), "status": "active", "started_at": STARTED}

    response = api.put("/subscriptions/okast/1", body)

    assert (response.status_code, response.content) == (204, b"")
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("reference", ["x" * 256, "%00", "a%0Ab", "%20", "%20a"])
def test_a_reference_that_no_text_can_be_is_422(api, ada, reference):
    body = {"user": str(ada.public_id), "status": "active", "started_at": STARTED}

    response = api.put(f"/subscriptions/okast/{reference}", body)

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == ["reference"]


def test_a_report_costs_the_same_queries_for_a_long_history(
    api, ada, service, django_assert_num_queries
):
    OfferFactory(project=service, reference="monthly")
    body = {
        "user": str(ada.public_id),
        "offer": "monthly",
        "status": "active",
        "started_at": STARTED,
    }
    api.put("/subscriptions/okast/1", body)

    with django_assert_num_queries(14):
        api.put("/subscriptions/okast/1", {**body, "status": "canceled"})
    for month in range(1, 11):
        SubscriptionFactory(
            user=ada,
            started_at=datetime(2025, month, 1, tzinfo=UTC),
            ended_at=datetime(2025, month, 9, tzinfo=UTC),
        )
    with django_assert_num_queries(14):
        api.put("/subscriptions/okast/1", {**body, "status": "active"})
    assert len(spans_of(ada)) == 11


def at_once(*calls):
    """Send the calls at the same moment, each on a connection of its own; return the statuses."""
    ready = threading.Barrier(len(calls))
    statuses = []

    def send(path, body):
        ready.wait()
        response = Caller(Client(), "north-key").put(path, body)
        statuses.append(response.status_code)
        connections.close_all()

    threads = [threading.Thread(target=send, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_of_two_users_reported_at_once_with_one_reference_one_gets_it(transactional_db, web):
    ApiKeyFactory(platform=web, raw="north-key")
    users = UserFactory.create_batch(4, platform=web)
    bodies = [
        {"user": str(user.public_id), "status": "active", "started_at": STARTED} for user in users
    ]

    for n in range(5):
        path = f"/subscriptions/okast/{n}"
        assert at_once(*((path, body) for body in bodies)) == [201, 409, 409, 409]
    assert Subscription.objects.count() == 5


def test_an_offer_reported_four_times_at_once_is_one(transactional_db, web):
    ApiKeyFactory(platform=web, raw="north-key")
    body = {"name": "Monthly", "kind": "subscription"}

    for n in range(5):
        assert at_once(*[(f"/offers/{n}", body)] * 4) == [200, 200, 200, 201]
    assert Offer.objects.count() == 5


@pytest.mark.parametrize("write", [put_offer, put_subscription])
def test_another_broken_promise_of_the_database_is_not_taken_for_a_race(service, ada, write):
    offer = Offer(project=service, reference="o", name="o", kind="pack", price_minor=-1)
    subscription = Subscription(
        project=service,
        user=ada,
        provider="okast",
        reference="s",
        status="incomplete",
        started_at=datetime(1980, 1, 1, tzinfo=UTC),
    )

    with pytest.raises(IntegrityError):
        write(offer if write is put_offer else subscription, now=NOW)


# --- Offers --------------------------------------------------------------------------------


def test_keeps_an_offer_as_reported(api, service):
    body = {
        "name": "Film night",
        "kind": "pack",
        "price": "500",
        "currency": "JPY",
        "interval_months": None,
        "rental_days": 2,
        "trial_days": None,
        "stripe_price_id": "price_1",
        "google_product_id": "g",
        "apple_product_id": "a",
    }

    response = api.put("/offers/film-night", body)

    assert response.status_code == 201
    assert response.json() == {"id": "film-night", **body}
    assert Offer.objects.get().price_minor == 500
    shorter = api.put("/offers/film-night", {"name": "Film", "kind": "pack"})
    assert shorter.status_code == 200
    assert shorter.json() == {
        "id": "film-night",
        "name": "Film",
        "kind": "pack",
        "price": "0.00",
        "currency": "EUR",
        "interval_months": None,
        "rental_days": None,
        "trial_days": None,
        "stripe_price_id": "",
        "google_product_id": "",
        "apple_product_id": "",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 201),
        ("kind", "gift"),
        ("kind", None),
        ("interval_months", 0),
        ("interval_months", True),
        ("interval_months", 1.0),
        ("rental_days", -1),
        ("rental_days", 10**20),
        ("trial_days", "14"),
        ("stripe_price_id", "x" * 256),
        ("id", "other"),
    ],
)
def test_a_bad_field_of_an_offer_is_422_and_named(api, field, value):
    response = api.put(
        "/offers/monthly", {"name": "Monthly", "kind": "subscription", field: value}
    )

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == [field]


def test_an_offers_id_has_64_characters_at_most(api):
    body = {"name": "Monthly", "kind": "subscription"}

    assert api.put(f"/offers/{'x' * 64}", body).status_code == 201
    assert api.put(f"/offers/{'x' * 65}", body).status_code == 422
