"""POST, GET and PATCH of users, and the sign-up fields."""

import json
import threading
from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.hashers import check_password
from django.db import IntegrityError, connection, connections
from django.test import Client

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from subscriptions.actions import change_user, register_user
from tests.api.conftest import NOW
from tests.api.test_doors import error_of
from tests.factories.projects import ApiKeyFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from users.actions import ChangedSince
from users.models import CustomField, RegistrationDay, User, UserSearch

WHOLE = {
    "email": " Ada@Example.com ",
    "first_name": " Ada ",
    "last_name": "Lovelace",
    "password": "a long and private sentence",
    "language": "pt_br",
    "country": "gb",
    "custom": {"shoe": 41.5},
    "registered_at": "2026-03-10T13:00:00.9+01:00",
}


# --- POST ----------------------------------------------------------------------------------


def test_lengths_are_counted_in_characters(api):
    assert error_of(api.post("/users", {"email": "a@b.example", "first_name": "x" * 151})) == {
        "code": "invalid",
        "message": "Some fields are not valid.",
        "fields": {"first_name": "Write 150 characters at most."},
    }
    refused = api.put("/contents/film", {"name": "", "type": "hosted"})
    assert error_of(refused)["fields"] == {"name": "Write one character at least."}


def test_creates_a_user_with_all_fields(api, service, web, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    CustomFieldFactory(project=service, key="shoe", type="number")

    response = api.post("/users", WHOLE)

    user = User.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(user.public_id),
        "email": "Ada@Example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "language": "pt-BR",
        "country": "GB",
        "custom": {"shoe": 41.5},
        "platform": "north-web",
        "registered_at": "2026-03-10T12:00:00Z",
        "modified_at": "2026-03-10T12:00:00Z",
    }
    assert user.platform == web
    assert user.email_key == "ada@example.com"
    assert user.sort_name == "lovelace\x01ada"
    assert (user.status, user.status_until, user.version) == (User.Status.REGISTERED, None, 1)
    assert user.password.startswith("argon2")
    assert check_password("a long and private sentence", user.password)
    assert user.password_changed_at == NOW
    words = UserSearch.objects.get()
    assert words.text == " ada lovelace ada@example.com "
    assert (words.user, words.registered_at) == (user, user.registered_at)


def test_an_email_is_enough(api):
    response = api.post("/users", {"email": "ada@example.com"})

    assert response.status_code == 201
    assert response.json()["registered_at"] == "2026-03-20T12:00:00Z"
    assert User.objects.get().password == ""


def test_a_registration_counts_on_the_local_day_of_the_project(api, web):
    # In Paris, summer time began on the 29th: 22:30 UTC is half past midnight in April.
    UserFactory(platform=web, registered_at=datetime(2026, 3, 1, 8, tzinfo=UTC))
    for email, instant in [
        ("a@example.com", "2026-02-28T22:59:59Z"),
        ("b@example.com", "2026-02-28T23:00:00Z"),
        ("c@example.com", "2026-03-01T00:00:00+01:00"),
    ]:
        body = {"email": email, "registered_at": instant}
        assert api.post("/users", body).status_code == 201

    days = RegistrationDay.objects.order_by("day").values_list("day", "registered", "deleted")
    assert list(days) == [(date(2026, 2, 28), 1, 0), (date(2026, 3, 1), 3, 0)]


def test_who_was_created_is_audited_without_personal_data(api, web):
    api.post("/users", {"email": "ada@example.com", "first_name": "Ada"})

    event = AuditEvent.objects.get()
    assert event.kind == AuditEvent.Kind.USER_CREATED
    assert (event.actor_type, event.actor_id) == ("platform", web.pk)
    assert event.target_id == str(User.objects.get().public_id)
    assert "ada" not in json.dumps([event.data, event.reason, event.actor_label]).lower()


@pytest.mark.parametrize("email", ["ada@example.com", " ADA@Example.COM ", "Ada@example.com"])
def test_an_email_is_taken_whatever_its_case(api, ada, email):
    response = api.post("/users", {"email": email})

    assert response.status_code == 409
    error = error_of(response)
    assert error["code"] == "email_taken"
    assert "email" in error["fields"]
    assert User.objects.count() == 1
    assert RegistrationDay.objects.get().registered == 1


def test_an_email_is_free_in_another_project_and_after_deletion(api, other_api, ada, web):
    UserFactory(platform=web, deleted_at=NOW)

    assert other_api.post("/users", {"email": ada.email}).status_code == 201
    assert api.post("/users", {"email": "back@example.com"}).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", None),
        ("email", 5),
        ("email", "ada"),
        ("email", "ﬃ" * 100 + "@example.com"),
        ("email", "ada@" + ("ﬃ" * 60 + ".") * 3 + "com"),
        ("email", "ada@localhost"),
        ("email", "ada@[127.0.0.1]"),
        ("email", "ada@example.com\u202e"),
        ("email", "a\u200bda@example.com"),
        ("email", "a da@example.com"),
        ("email", "ada@example.com\nx"),
        ("email", "a" * 250 + "@example.com"),
        ("first_name", "x" * 151),
        ("first_name", "A\nda"),
        ("last_name", ["Lovelace"]),
        ("language", "klingon"),
        ("language", "e1"),
        ("country", "XX"),
        ("country", "EU"),
        ("country", "FRA"),
        ("password", "short"),
        ("password", "password"),
        ("password", "3141592653589793"),
        ("password", "x" * 257),
        ("custom", []),
        ("registered_at", "2026-03-20T12:00:01Z"),
        ("registered_at", "2026-03-20T12:00:00"),
        ("registered_at", "2026-03-20"),
        ("registered_at", "1989-12-31T23:59:59Z"),
        ("registered_at", "2026-02-30T00:00:00Z"),
        ("registered_at", "0001-01-01T00:00:00+14:00"),
        ("registered_at", "9999-12-31T23:59:59-14:00"),
        ("registered_at", "٢٠٢٦-03-10T12:00:00Z"),
        ("registered_at", 1773144000),
        ("is_staff", True),
    ],
)
def test_a_bad_value_is_422_and_named(api, field, value):
    response = api.post("/users", {"email": "ada@example.com", field: value})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == [field]
    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "name",
    [
        "=cmd|' /C calc'!A0",
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        "👩‍💻",
        "{{7*7}}",
        "<script>",
        "\ufdfa" * 150,
    ],
)
def test_names_of_all_kinds_are_kept_as_they_are(api, name):
    response = api.post("/users", {"email": "ada@example.com", "first_name": name})

    assert response.status_code == 201
    assert User.objects.get().first_name == name


def test_of_two_who_take_an_address_at_once_one_gets_it(transactional_db, service, web):
    ApiKeyFactory(platform=web, raw="north-key")
    ready = threading.Barrier(4)
    statuses = []

    def sign_up():
        ready.wait()
        response = Client().post(
            "/api/v1/users",
            {"email": "ada@example.com"},
            content_type="application/json",
            headers={"Authorization": "Bearer north-key"},
        )
        statuses.append(response.status_code)
        connections.close_all()

    threads = [threading.Thread(target=sign_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [201, 409, 409, 409]
    assert User.objects.count() == UserSearch.objects.count() == 1
    assert RegistrationDay.objects.get().registered == 1


def test_a_sign_up_costs_the_same_queries_in_a_large_project(
    api, web, service, django_assert_num_queries
):
    CustomFieldFactory.create_batch(3, project=service)
    api.post("/users", {"email": "first@example.com"})

    with django_assert_num_queries(17):
        api.post("/users", {"email": "second@example.com"})
    UserFactory.create_batch(20, platform=web)
    CustomFieldFactory.create_batch(20, project=service)
    with django_assert_num_queries(17):
        api.post("/users", {"email": "third@example.com"})


def test_empty_fields_are_as_good_as_absent_ones(api):
    body = {"email": "ada@example.com", "language": "", "country": "", "password": ""}

    response = api.post("/users", body)

    assert response.status_code == 201
    assert (response.json()["language"], response.json()["country"]) == ("", "")


# --- GET -----------------------------------------------------------------------------------


def test_reads_a_user_without_password_and_archived_fields(
    api, service, ada, django_assert_num_queries
):
    CustomFieldFactory(project=service, key="shoe")
    CustomFieldFactory(project=service, key="hat", archived_at=NOW)
    User.objects.filter(pk=ada.pk).update(custom={"shoe": "41", "hat": "7"}, password="argon2$x")
    api.get("/sign-up-fields")

    with django_assert_num_queries(4):
        response = api.get(f"/users/{ada.public_id}")

    assert response.status_code == 200
    assert response.json()["custom"] == {"shoe": "41"}
    assert "argon2" not in response.content.decode()


# --- PATCH ---------------------------------------------------------------------------------


def test_changes_what_is_sent_and_leaves_the_rest(api, ada):
    response = api.patch(f"/users/{ada.public_id}", {"first_name": "Augusta", "country": "fr"})

    assert response.status_code == 200
    assert response.json()["first_name"] == "Augusta"
    assert response.json()["modified_at"] == "2026-03-20T12:00:00Z"
    before, ada = ada, User.objects.get()
    assert (ada.first_name, ada.last_name, ada.country) == ("Augusta", before.last_name, "FR")
    assert (ada.modified_at, ada.version) == (NOW, 2)
    assert ada.sort_name.endswith("\x01augusta")
    assert " augusta " in UserSearch.objects.get().text
    event = AuditEvent.objects.get()
    assert event.kind == AuditEvent.Kind.USER_EDITED
    assert event.data == {"fields": ["first_name", "country"]}


def test_what_is_there_already_is_no_change(api, ada):
    body = {"email": ada.email, "first_name": ada.first_name}

    assert api.patch(f"/users/{ada.public_id}", body).status_code == 200

    assert User.objects.get().modified_at == ada.modified_at
    assert User.objects.get().version == 1
    assert not AuditEvent.objects.exists()


def test_null_empties_and_an_email_cannot_be_emptied(api, ada):
    assert api.patch(f"/users/{ada.public_id}", {"first_name": None}).status_code == 200
    assert User.objects.get().first_name == ""

    response = api.patch(f"/users/{ada.public_id}", {"email": None})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == ["email"]


def test_a_new_password_is_no_change_of_the_profile(api, ada):
    response = api.patch(f"/users/{ada.public_id}", {"password": "another private sentence"})

    assert response.status_code == 200
    changed = User.objects.get()
    assert check_password("another private sentence", changed.password)
    assert changed.password_changed_at == NOW
    assert (changed.modified_at, changed.version) == (ada.modified_at, 1)
    assert AuditEvent.objects.get().data == {"fields": ["password"]}


def test_custom_values_are_merged_by_key_and_archived_ones_stay(api, service, ada):
    CustomFieldFactory(project=service, key="shoe", type="number")
    CustomFieldFactory(project=service, key="glove", type="text")
    CustomFieldFactory(project=service, key="hat", archived_at=NOW)
    User.objects.update(custom={"shoe": 41, "glove": "L", "hat": "7"})

    response = api.patch(f"/users/{ada.public_id}", {"custom": {"shoe": None, "glove": "XL"}})

    assert response.json()["custom"] == {"glove": "XL"}
    assert User.objects.get().custom == {"glove": "XL", "hat": "7"}


def test_null_empties_all_custom_values_but_those_of_archived_fields(api, ada, service):
    CustomFieldFactory(project=service, key="shoe", type="number")
    CustomFieldFactory(project=service, key="glove", type="text")
    CustomFieldFactory(project=service, key="hat", archived_at=NOW)
    User.objects.update(custom={"shoe": 41, "glove": "L", "hat": "7"})

    response = api.patch(f"/users/{ada.public_id}", {"custom": None, "first_name": "Augusta"})

    assert response.status_code == 200
    assert (response.json()["custom"], response.json()["first_name"]) == ({}, "Augusta")
    assert User.objects.get().custom == {"hat": "7"}


def test_null_does_not_empty_a_required_custom_value(api, ada, service):
    CustomFieldFactory(project=service, key="shoe", type="number", is_required=True)
    CustomFieldFactory(project=service, key="glove", type="text")
    User.objects.update(custom={"shoe": 41, "glove": "L"})

    response = api.patch(f"/users/{ada.public_id}", {"custom": None})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == ["custom.shoe"]
    assert User.objects.get().custom == {"shoe": 41, "glove": "L"}


def test_a_taken_email_is_409_and_nothing_else_changes(api, ada, web):
    UserFactory(platform=web, email="grace@example.com")
    body = {"email": "Grace@example.com", "first_name": "Grace", "password": "a private sentence"}

    response = api.patch(f"/users/{ada.public_id}", body)

    assert response.status_code == 409
    assert error_of(response)["code"] == "email_taken"
    kept = User.objects.get(pk=ada.pk)
    assert (kept.first_name, kept.password) == ("Ada", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [("registered_at", "2026-03-01T00:00:00Z"), ("id", "x"), ("platform", "x"), ("status", 0)],
)
def test_what_is_no_profile_field_is_refused(api, ada, field, value):
    response = api.patch(f"/users/{ada.public_id}", {field: value, "first_name": "X"})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == [field]
    assert User.objects.get().first_name == "Ada"


def test_a_user_deleted_meanwhile_is_missing(api, ada, monkeypatch):
    def half_a_second_later(_password):
        User.objects.update(
            deleted_at=NOW, email="", email_key="", first_name="", last_name="", sort_name=""
        )
        return "hash"

    monkeypatch.setattr("users.api.hash_or_refuse", half_a_second_later)

    response = api.patch(f"/users/{ada.public_id}", {"password": "x", "first_name": "Back"})

    assert response.status_code == 404
    assert User.objects.get().first_name == ""


def test_the_second_of_two_editors_is_told(ada):
    change_user(user=ada, changes={"first_name": "One"}, actor=SYSTEM, now=NOW, version=1)

    with pytest.raises(ChangedSince):
        change_user(user=ada, changes={"first_name": "Two"}, actor=SYSTEM, now=NOW, version=1)

    assert User.objects.get().first_name == "One"


def test_another_broken_promise_of_the_database_is_not_taken_for_a_taken_email(ada):
    too_early = User(
        project=ada.project,
        platform=ada.platform,
        email="x@example.com",
        registered_at=datetime(1980, 1, 1, tzinfo=UTC),
    )

    with pytest.raises(IntegrityError):
        register_user(user=too_early, actor=SYSTEM, now=NOW)


def test_nothing_changes_when_the_audit_trail_cannot_be_written(api, ada, monkeypatch):
    api.client = Client(raise_request_exception=False)
    monkeypatch.setattr("users.actions.record", lambda *_, **__: 1 / 0)

    created = api.post("/users", {"email": "new@example.com"})
    edited = api.patch(f"/users/{ada.public_id}", {"first_name": "X", "password": "long enough x"})

    assert created.status_code == edited.status_code == 500
    kept = User.objects.get()
    assert (kept.first_name, kept.password) == ("Ada", "")
    assert UserSearch.objects.count() == RegistrationDay.objects.get().registered == 1


# --- Sign-up fields ------------------------------------------------------------------------


def test_reads_the_live_fields_of_the_project_in_order(api, other_api, service):
    CustomFieldFactory(
        project=service,
        key="size",
        type="choice",
        choices=["S", "M"],
        labels={"en": "Size", "fr": "Taille"},
        is_required=True,
        position=2,
    )
    CustomFieldFactory(project=service, key="born", type="date", position=1)
    CustomFieldFactory(project=service, key="hat", archived_at=NOW)

    assert api.get("/sign-up-fields").json() == {
        "fields": [
            {
                "key": "born",
                "type": "date",
                "labels": {"en": "Born"},
                "required": False,
                "choices": [],
            },
            {
                "key": "size",
                "type": "choice",
                "labels": {"en": "Size", "fr": "Taille"},
                "required": True,
                "choices": ["S", "M"],
            },
        ]
    }
    assert other_api.get("/sign-up-fields").json() == {"fields": []}


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("text", " Paris ", "Paris"),
        ("number", 7, 7),
        ("number", -1.5, -1.5),
        ("date", "1990-02-28", "1990-02-28"),
        ("boolean", False, False),
        ("choice", "M", "M"),
    ],
)
def test_custom_values_keep_their_type(api, service, kind, value, kept):
    CustomFieldFactory(project=service, key="thing", type=kind, choices=["S", "M"])

    response = api.post("/users", {"email": "ada@example.com", "custom": {"thing": value}})

    assert response.json()["custom"] == {"thing": kept}
    assert User.objects.get().custom == {"thing": kept}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 5),
        ("text", "x" * 1001),
        ("text", "two\nlines"),
        ("text", {"a": 1}),
        ("number", "7"),
        ("number", True),
        ("number", 10**16),
        ("date", "1990-02-30"),
        ("date", "0001-01-01"),
        ("date", "19900228"),
        ("boolean", "true"),
        ("boolean", 1),
        ("choice", "L"),
        ("choice", ["S"]),
    ],
)
def test_a_custom_value_of_another_type_is_422_and_named(api, service, kind, value):
    CustomFieldFactory(project=service, key="thing", type=kind, choices=["S", "M"])

    response = api.post("/users", {"email": "ada@example.com", "custom": {"thing": value}})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == ["custom.thing"]


def test_unknown_archived_and_missing_custom_values_are_named_together(api, service, other_api):
    CustomFieldFactory(project=service, key="hat", archived_at=NOW)
    CustomFieldFactory(project=service, key="size", is_required=True)
    CustomFieldFactory(key="foreign")

    response = api.post(
        "/users", {"email": "ada@example.com", "custom": {"hat": "7", "foreign": "x", "": "y"}}
    )

    assert response.status_code == 422
    assert set(error_of(response)["fields"]) == {
        "custom.hat",
        "custom.foreign",
        "custom.",
        "custom.size",
    }


def test_a_required_custom_value_cannot_be_emptied(api, service, ada):
    CustomFieldFactory(project=service, key="size", is_required=True)

    response = api.patch(f"/users/{ada.public_id}", {"custom": {"size": ""}})

    assert response.status_code == 422
    assert CustomField.objects.count() == 1


def test_a_stored_instant_beyond_the_bounds_is_refused_by_the_database(ada):
    with connection.cursor() as cursor, pytest.raises(Exception, match="within_bounds"):
        cursor.execute("UPDATE users_user SET registered_at = 'infinity'")
