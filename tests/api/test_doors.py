"""Keys, allowance, addresses and the one shape of errors."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client

from backoffice.projects.api import take_request
from backoffice.projects.models import ApiKey
from tests.api.conftest import NOW
from tests.factories.projects import ApiKeyFactory
from tests.factories.users import UserFactory

CALLS = [
    ("POST", "/users"),
    ("GET", "/users/0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55"),
    ("PATCH", "/users/0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55"),
    ("GET", "/sign-up-fields"),
    ("PUT", "/contents/film"),
    ("PUT", "/offers/monthly"),
    ("PUT", "/subscriptions/okast/1"),
    ("PUT", "/purchases/okast/1"),
    ("PUT", "/free-copies/1"),
]


def error_of(response):
    """Return the error; its shape is part of every assertion."""
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "fields"}
    assert body["error"]["message"]
    return body["error"]


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic north-key", "north-key"]
)
def test_without_a_live_key_there_is_no_way_in(api, method, path, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}

    response = Client(enforce_csrf_checks=True).generic(
        method, f"/api/v1{path}", "{}", content_type="application/json", headers=headers
    )

    assert response.status_code == 401
    assert error_of(response)["code"] == "unauthorized"
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_opens_nothing(api):
    assert api.get("/sign-up-fields").status_code == 200

    ApiKey.objects.update(revoked_at=NOW)

    assert api.get("/sign-up-fields").status_code == 401


def test_a_key_is_enough_without_session_or_csrf_token(api):
    api.client = Client(enforce_csrf_checks=True)

    response = api.put("/contents/film", {"name": "Film"})

    assert response.status_code == 201
    assert not response.cookies


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/users/", "/users/1/2", "/docs/x"])
def test_an_unknown_address_is_404_in_the_one_shape(api, path):
    response = api.get(path or "/")

    assert response.status_code == 404
    assert error_of(response)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/users", "POST"),
        ("DELETE", "/contents/film", "PUT"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_in_the_one_shape(api, method, path, allowed):
    response = api.send(method, path)

    assert response.status_code == 405
    assert error_of(response)["code"] == "method_not_allowed"
    assert response["Allow"] == allowed


@pytest.mark.parametrize("user_id", ["x", "1", "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55", "²"])
def test_a_user_who_is_not_there_is_404(api, user_id):
    assert error_of(api.get(f"/users/{user_id}"))["code"] == "not_found"
    assert api.patch(f"/users/{user_id}", {}).status_code == 404


def test_another_projects_user_is_missing_like_any_other(api, other_api):
    ours = UserFactory(platform=ApiKey.objects.get(hint="north-key").platform)

    theirs = other_api.get(f"/users/{ours.public_id}")
    nobody = other_api.get("/users/0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55")

    assert theirs.status_code == nobody.status_code == 404
    assert theirs.content == nobody.content
    assert other_api.patch(f"/users/{ours.public_id}", {"first_name": "X"}).status_code == 404


def test_a_deleted_user_is_missing(api, web):
    stub = UserFactory(platform=web, deleted_at=NOW)

    assert api.get(f"/users/{stub.public_id}").status_code == 404
    assert api.patch(f"/users/{stub.public_id}", {"first_name": "X"}).status_code == 404


# --- Size ----------------------------------------------------------------------------------


def test_four_megabytes_are_read_and_more_are_not(api):
    def body(size):
        start, end = b'{"name": "', b'"}'
        return start + b"x" * (size - len(start) - len(end)) + end

    most = 4 * 1024 * 1024

    assert api.put("/contents/film", body(most)).status_code == 422
    too_large = api.put("/contents/film", body(most + 1))
    assert too_large.status_code == 413
    assert error_of(too_large)["code"] == "too_large"


# --- Allowance -----------------------------------------------------------------------------


def test_a_key_sends_fifty_a_second_and_a_hundred_at_once(db):
    key = ApiKeyFactory()

    at_once = [take_request(key, now=NOW) for _ in range(101)]
    a_second_later = [take_request(key, now=NOW + timedelta(seconds=1)) for _ in range(51)]
    for second in range(2, 12):
        steady = [take_request(key, now=NOW + timedelta(seconds=second)) for _ in range(50)]
        assert all(steady)

    assert at_once == [True] * 100 + [False]
    assert a_second_later == [True] * 50 + [False]


def test_a_rest_saves_up_no_more_than_a_hundred_and_a_clock_set_back_takes_none(db):
    key = ApiKeyFactory()
    assert take_request(key, now=NOW)

    later = [take_request(key, now=NOW + timedelta(days=1)) for _ in range(101)]
    earlier = take_request(key, now=NOW)

    assert later.count(True) == 100
    assert not earlier


def test_keys_do_not_share_an_allowance(db):
    busy, idle = ApiKeyFactory(), ApiKeyFactory()
    assert False in [take_request(busy, now=NOW) for _ in range(101)]

    assert take_request(idle, now=NOW)


def test_beyond_the_allowance_a_call_is_429_and_changes_nothing(api, settings):
    settings.API_REQUESTS_PER_SECOND = 1
    assert [api.get("/sign-up-fields").status_code for _ in range(2)] == [200, 200]

    response = api.put("/contents/film", {"name": "Film"})

    assert response.status_code == 429
    assert response["Retry-After"] == "1"
    assert error_of(response)["code"] == "too_many_requests"


# --- Our own mistakes ----------------------------------------------------------------------


def test_an_error_of_ours_is_500_in_the_one_shape(api, monkeypatch):
    api.client = Client(raise_request_exception=False)
    monkeypatch.setattr("analytics.api.put_content", lambda *_, **__: 1 / 0)

    response = api.put("/contents/film", {"name": "Film"})

    assert response.status_code == 500
    assert error_of(response)["code"] == "internal"


def test_a_database_that_fails_is_503_and_when_to_come_back(api, monkeypatch):
    def fail(*_, **__):
        raise OperationalError

    api.client = Client(raise_request_exception=False)
    monkeypatch.setattr("analytics.api.put_content", fail)

    response = api.put("/contents/film", {"name": "Film"})

    assert response.status_code == 503
    assert error_of(response)["code"] == "unavailable"
    assert int(response["Retry-After"]) > 0
