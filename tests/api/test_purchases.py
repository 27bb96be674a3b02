"""PUT of purchases and free copies: packs, gifts, and what waits for an account."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.test import Client

from backoffice.core.money import major_units
from backoffice.jobs.models import Mail
from subscriptions.models import AccessSpan, FreeCopy, Purchase
from tests.api.conftest import NOW
from tests.api.test_doors import error_of
from tests.api.test_subscriptions import (
    ACTIVE,
    CANCELLED,
    REGISTERED,
    SUBSCRIPTION,
    day,
    spans_of,
    status_of,
)
from tests.factories.projects import ApiKeyFactory
from tests.factories.subscriptions import OfferFactory
from tests.factories.users import UserFactory
from users.models import User

BOUGHT = "2026-03-11T12:00:00Z"


@pytest.fixture
def grace(web):
    return UserFactory(platform=web, email="grace@example.com")


def pack(user, **fields):
    return {
        "user": str(user.public_id),
        "type": "pack",
        "status": "active",
        "purchased_at": BOUGHT,
        **fields,
    }


def gift(user, recipient, **fields):
    return pack(user, type="gift", recipient=recipient, **fields)


# --- Packs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "rental_days", "end", "status", "until"),
    [
        pytest.param({}, None, None, ACTIVE, None, id="for ever"),
        pytest.param({}, 2, day(13), CANCELLED, None, id="rented, over"),
        pytest.param({}, 30, day(10, 4), ACTIVE, day(10, 4), id="rented, runs"),
        pytest.param(
            {"expires_at": "2026-03-25T12:00:00Z"},
            2,
            day(25),
            ACTIVE,
            day(25),
            id="its own date goes before the offer's days",
        ),
        pytest.param(
            {"expires_at": "2026-03-20T12:00:00Z"}, None, NOW, CANCELLED, None, id="over now"
        ),
        pytest.param({"status": "expired"}, None, NOW, CANCELLED, None, id="expired as it came"),
        pytest.param(
            {"status": "expired", "expires_at": "2026-03-15T12:00:00Z"},
            None,
            day(15),
            CANCELLED,
            None,
            id="expired before",
        ),
        pytest.param(
            {"status": "cancelled", "expires_at": "2026-03-25T12:00:00Z"},
            None,
            NOW,
            CANCELLED,
            None,
            id="cancelled as it came",
        ),
    ],
)
def test_a_pack_gives_access_until_it_ends(api, ada, fields, rental_days, end, status, until):
    OfferFactory(project=ada.project, reference="film", kind="pack", rental_days=rental_days)

    response = api.put("/purchases/okast/1", pack(ada, offer="film", **fields))

    assert response.status_code == 201
    assert spans_of(ada) == [(day(11), end)]
    assert spans_of(ada, SUBSCRIPTION) == []
    assert status_of(ada) == (status, until)


def test_an_unknown_purchase_gives_no_access(api, ada):
    api.put("/purchases/other/1", pack(ada, status="unknown"))

    assert spans_of(ada) == []
    assert status_of(ada) == (REGISTERED, None)


def test_keeps_and_answers_the_whole_purchase(api, service, ada, grace):
    OfferFactory(project=service, reference="film", kind="pack")
    body = gift(
        ada,
        str(grace.public_id),
        offer="film",
        price="4.99",
        currency="EUR",
        expires_at="2026-04-01T00:00:00Z",
    )

    response = api.put("/purchases/apple/70", body)

    assert response.status_code == 201
    assert response.json() == {**body, "provider": "apple", "reference": "70"}
    kept = Purchase.objects.get()
    assert major_units(kept.price_minor, kept.currency) == "4.99"
    assert api.put("/purchases/apple/70", body).status_code == 200
    assert Purchase.objects.count() == 1


def test_a_repeated_cancellation_ends_where_the_first_one_did(api, ada, clock):
    api.put("/purchases/okast/1", pack(ada, status="cancelled"))
    clock.shift(timedelta(days=1))

    api.put("/purchases/okast/1", pack(ada, status="cancelled"))

    assert spans_of(ada) == [(day(11), NOW)]


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        pytest.param({"status": "expired"}, [(day(11), NOW)], id="expired before"),
        pytest.param({"expires_at": "2026-03-15T12:00:00Z"}, [(day(11), day(15))], id="over"),
        pytest.param({"status": "unknown"}, [], id="gave none"),
    ],
)
def test_a_late_cancellation_opens_nothing_again(api, ada, clock, first, ends):
    api.put("/purchases/okast/1", pack(ada, **first))
    assert spans_of(ada) == ends
    clock.shift(timedelta(days=1))

    api.put("/purchases/okast/1", pack(ada, status="cancelled"))

    assert spans_of(ada) == ends


def test_a_new_rental_length_applies_to_what_was_rented_without_a_date(api, service, ada, grace):
    OfferFactory(project=service, reference="film", name="Film", kind="pack", rental_days=2)
    api.put("/purchases/okast/1", pack(ada, offer="film"))
    api.put("/purchases/okast/2", pack(grace, offer="film", expires_at="2026-03-12T12:00:00Z"))

    api.put("/offers/film", {"name": "Film", "kind": "pack", "rental_days": 10})

    assert spans_of(ada) == [(day(11), day(21))]
    assert status_of(ada) == (ACTIVE, day(21))
    assert spans_of(grace) == [(day(11), day(12))]


# --- Gifts ---------------------------------------------------------------------------------


def test_a_gift_lets_its_recipient_watch_and_not_its_buyer(api, ada, grace):
    api.put("/purchases/okast/1", gift(ada, "GRACE@example.com"))

    assert spans_of(grace) == [(day(11), None)]
    assert spans_of(grace, SUBSCRIPTION) == []
    assert status_of(grace) == (ACTIVE, None)
    assert spans_of(ada) == []
    assert status_of(ada) == (REGISTERED, None)


def test_a_gift_to_an_address_waits_for_its_account(api, service, ada):
    OfferFactory(project=service, reference="film", kind="pack", rental_days=30)
    answer = api.put("/purchases/okast/1", gift(ada, "Later@Example.com", offer="film")).json()
    assert answer["recipient"] == "later@example.com"
    assert not AccessSpan.objects.exists()

    response = api.post("/users", {"email": "later@example.com"})

    later = User.objects.get(email_key="later@example.com")
    # From the registration, not from the purchase: nobody could watch before.
    assert spans_of(later) == [(NOW, NOW + timedelta(days=30))]
    assert status_of(later) == (ACTIVE, NOW + timedelta(days=30))
    again = api.put("/purchases/okast/1", gift(ada, "Later@Example.com", offer="film"))
    assert again.json()["recipient"] == response.json()["id"]
    assert spans_of(later) == [(NOW, NOW + timedelta(days=30))]


def test_a_changed_address_receives_what_waits_for_it(api, ada, grace):
    api.put("/purchases/okast/1", gift(ada, "later@example.com"))

    api.patch(f"/users/{grace.public_id}", {"email": "later@example.com"})

    assert status_of(grace) == (ACTIVE, None)


def test_a_gift_passed_on_leaves_the_first_recipient(api, ada, grace, web):
    alan = UserFactory(platform=web)
    api.put("/purchases/okast/1", gift(ada, str(grace.public_id)))

    api.put("/purchases/okast/1", gift(ada, str(alan.public_id)))

    assert spans_of(grace) == []
    assert status_of(grace) == (REGISTERED, None)
    assert spans_of(alan) == [(day(11), None)]


def test_a_gift_to_an_address_of_another_project_waits(api, other_api, ada):
    other_api.post("/users", {"email": "eve@example.com"})

    api.put("/purchases/okast/1", gift(ada, "eve@example.com"))

    assert not AccessSpan.objects.exists()


@pytest.mark.parametrize("recipient", ["x", "x@y", "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55"])
def test_a_recipient_who_cannot_be_is_422(api, ada, recipient):
    response = api.put("/purchases/okast/1", gift(ada, recipient))

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == ["recipient"]


def test_a_pack_has_no_recipient_and_stays_its_buyers(api, ada, grace):
    response = api.put("/purchases/okast/1", pack(ada, recipient=str(grace.public_id)))
    assert list(error_of(response)["fields"]) == ["recipient"]

    api.put("/purchases/okast/1", pack(ada))
    assert api.put("/purchases/okast/1", pack(grace)).status_code == 409


def test_a_gift_from_or_to_a_deleted_user_is_accepted_and_not_kept(api, ada, web):
    stub = UserFactory(platform=web, deleted_at=NOW)

    assert api.put("/purchases/okast/1", pack(stub)).status_code == 204
    assert api.put("/purchases/okast/2", gift(ada, str(stub.public_id))).status_code == 204
    assert not Purchase.objects.exists()


def test_a_gift_and_its_recipient_coming_at_once_find_each_other(transactional_db, web):
    ApiKeyFactory(platform=web, raw="north-key")
    ada = UserFactory(platform=web)

    def send(method, path, body):
        ready.wait()
        getattr(Client(), method)(
            f"/api/v1{path}",
            body,
            content_type="application/json",
            headers={"Authorization": "Bearer north-key"},
        )
        connections.close_all()

    for n in range(10):
        ready = threading.Barrier(2)
        address = f"late.{n}@example.com"
        both = [
            threading.Thread(target=send, args=("post", "/users", {"email": address})),
            threading.Thread(
                target=send, args=("put", f"/purchases/okast/{n}", gift(ada, address))
            ),
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    assert User.objects.exclude(pk=ada.pk).count() == 10
    assert not Purchase.objects.exclude(recipient_email_key="").exists()
    assert AccessSpan.objects.count() == 10


# --- Free copies ---------------------------------------------------------------------------


def copy_for(user, **fields):
    return {"user": user, "sent_at": BOUGHT, "days": 30, **fields}


def test_a_free_copy_runs_from_sending_for_who_has_an_account(api, ada):
    response = api.put("/free-copies/1", copy_for(str(ada.public_id)))

    assert response.status_code == 201
    assert response.json() == {
        "reference": "1",
        "user": str(ada.public_id),
        "offer": None,
        "sent_at": BOUGHT,
        "days": 30,
        "activate_by": None,
        "activated_at": None,
        "revoked_at": None,
    }
    assert spans_of(ada) == [(day(11), day(10, 4))]
    assert spans_of(ada, SUBSCRIPTION) == []
    assert status_of(ada) == (ACTIVE, day(10, 4))


def test_a_revoked_free_copy_ends_there(api, ada):
    api.put("/free-copies/1", copy_for(ada.email, revoked_at="2026-03-19T12:00:00Z"))

    assert spans_of(ada) == [(day(11), day(19))]
    assert status_of(ada) == (CANCELLED, None)


def test_where_activation_is_required_a_free_copy_runs_from_it(api, service, ada):
    service.free_copies_need_activation = True
    service.save()
    api.put("/free-copies/1", copy_for(str(ada.public_id)))
    assert status_of(ada) == (REGISTERED, None)

    api.put("/free-copies/1", copy_for(str(ada.public_id), activated_at="2026-03-18T12:00:00Z"))

    assert spans_of(ada) == [(day(18), day(17, 4))]
    assert status_of(ada) == (ACTIVE, day(17, 4))


def test_a_free_copy_to_an_address_waits_for_account_and_activation(api):
    assert api.put("/free-copies/1", copy_for("later@example.com")).status_code == 201
    assert FreeCopy.objects.get().email_key == "later@example.com"
    user_id = api.post("/users", {"email": "Later@example.com"}).json()["id"]
    later = User.objects.get()
    assert FreeCopy.objects.get().user == later
    assert status_of(later) == (REGISTERED, None)

    api.put("/free-copies/1", copy_for("later@example.com", activated_at="2026-03-20T12:00:00Z"))

    assert FreeCopy.objects.get().user.public_id.hex == user_id.replace("-", "")
    assert spans_of(later) == [(NOW, datetime(2026, 4, 19, 12, tzinfo=UTC))]
    assert status_of(later) == (ACTIVE, datetime(2026, 4, 19, 12, tzinfo=UTC))


def test_a_free_copy_stays_its_users(api, ada, grace):
    api.put("/free-copies/1", copy_for(str(ada.public_id)))

    response = api.put("/free-copies/1", copy_for(str(grace.public_id)))

    assert response.status_code == 409
    assert error_of(response)["code"] == "belongs_to_another"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("days", 0),
        ("days", 36_501),
        ("days", 1.5),
        ("days", None),
        ("sent_at", "2026-03-11"),
        ("user", "nobody"),
        ("offer", "unknown"),
    ],
)
def test_a_bad_field_of_a_free_copy_is_422_and_named(api, ada, field, value):
    response = api.put("/free-copies/1", copy_for(str(ada.public_id)) | {field: value})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == [field]
    assert not FreeCopy.objects.exists()


def test_a_free_copy_for_a_deleted_user_is_accepted_and_not_kept(api, web):
    stub = UserFactory(platform=web, deleted_at=NOW)

    assert api.put("/free-copies/1", copy_for(str(stub.public_id))).status_code == 204
    assert not FreeCopy.objects.exists()


# --- Mail ----------------------------------------------------------------------------------


def test_whoever_is_given_a_gift_is_told_once(api, service, ada, grace):
    OfferFactory(project=service, reference="film", name="Film")
    body = gift(ada, "grace@example.com", offer="film", purchased_at="2026-03-20T11:00:00Z")

    api.put("/purchases/okast/1", body)
    api.put("/purchases/okast/1", body)
    api.put("/purchases/okast/2", body | {"recipient": "later@example.com"})

    mails = Mail.objects.order_by("pk").values_list("kind", "recipient", "target_user")
    assert list(mails) == [
        ("gift", "grace@example.com", grace.public_id),
        ("gift", "later@example.com", None),
    ]
    assert Mail.objects.first().values["offer"] == "Film"


@pytest.mark.parametrize(
    "changed",
    [
        {"purchased_at": BOUGHT},
        {"status": "cancelled"},
        {"type": "pack", "recipient": None},
    ],
    ids=["of long ago", "cancelled", "no gift"],
)
def test_nobody_is_told_of_what_is_no_news(api, ada, grace, changed):
    body = gift(ada, "grace@example.com", purchased_at="2026-03-20T11:00:00Z") | changed
    answer = api.put("/purchases/okast/1", {k: v for k, v in body.items() if v is not None})

    assert answer.status_code == 201
    assert not Mail.objects.exists()
