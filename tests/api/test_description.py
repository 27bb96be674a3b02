"""The description of the API: for machines, for people, with examples that work."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client

from backoffice.api import schema
from tests.api.conftest import NOW
from tests.factories.subscriptions import OfferFactory
from tests.factories.users import (
    DeviceSessionFactory,
    ImpersonationFactory,
    PasswordResetFactory,
    UserFactory,
)
from users.schemas import MARKER, SAMPLE, TICKET

CALLS = {
    ("post", "/api/v1/users"),
    ("get", "/api/v1/users/{user_id}"),
    ("patch", "/api/v1/users/{user_id}"),
    ("delete", "/api/v1/users/{user_id}"),
    ("get", "/api/v1/sign-up-fields"),
    ("post", "/api/v1/device-sessions"),
    ("post", "/api/v1/device-sessions/check"),
    ("delete", "/api/v1/device-sessions/{session_id}"),
    ("post", "/api/v1/password-resets"),
    ("post", "/api/v1/password-resets/redeem"),
    ("post", "/api/v1/impersonations/redeem"),
    ("post", "/api/v1/impersonations/check"),
    ("delete", "/api/v1/impersonations/{impersonation}"),
    ("get", "/api/v1/users/{user_id}/impersonations"),
    ("put", "/api/v1/contents/{content_id}"),
    ("put", "/api/v1/offers/{offer_id}"),
    ("put", "/api/v1/subscriptions/{provider}/{reference}"),
    ("put", "/api/v1/purchases/{provider}/{reference}"),
    ("put", "/api/v1/free-copies/{reference}"),
    ("post", "/api/v1/viewings"),
}


def described():
    return {
        (method, path): operation
        for path, operations in schema()["paths"].items()
        for method, operation in operations.items()
    }


def body_of(operation):
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return schema()["components"]["schemas"][reference.rpartition("/")[2]]


WITH_BODY = [(m, p) for (m, p), operation in described().items() if "requestBody" in operation]


def test_describes_each_call_without_a_key(db):
    response = Client().get("/api/v1/openapi.json")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    document = response.json()
    assert document["openapi"].startswith("3.")
    assert document == schema()
    assert set(described()) == CALLS


def test_each_call_names_its_refusals_and_needs_a_key():
    for (method, _path), operation in described().items():
        refused = {"401", "404", "429", "500", "503"}
        if method not in {"get", "delete"}:
            refused |= {"400", "409", "413", "422"}
        assert refused <= set(operation["responses"])
        assert operation["security"] == [{"PlatformKey": []}]
        assert operation["summary"]


def test_what_may_be_tried_again_says_when():
    for operation in described().values():
        for status in ("429", "503"):
            assert "Retry-After" in operation["responses"][status]["headers"]


def test_a_deletion_that_stripe_holds_up_is_described():
    answer = described()["delete", "/api/v1/users/{user_id}"]["responses"]["503"]

    assert "not_cancelled" in answer["description"]
    assert answer["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Error"
    }


def test_a_post_names_the_idempotency_key():
    (parameter,) = described()["post", "/api/v1/users"]["parameters"]

    assert (parameter["in"], parameter["name"]) == ("header", "Idempotency-Key")


def test_a_reset_link_that_is_spent_is_described():
    redeem = described()["post", "/api/v1/password-resets/redeem"]

    assert set(redeem["responses"]) >= {"204", "410"}
    assert "content" in redeem["responses"]["410"]


def test_lengths_and_choices_are_described():
    offer = body_of(described()["put", "/api/v1/offers/{offer_id}"])

    assert offer["properties"]["kind"]["enum"] == ["subscription", "pack"]
    assert offer["properties"]["name"]["maxLength"] == 200
    assert set(offer["required"]) == {"name", "kind"}
    assert offer["additionalProperties"] is False


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_each_example_works_as_it_stands(api, service, web, method, path):
    user = UserFactory(
        platform=web,
        email="known@example.com",
        public_id="0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55",
        password=make_password("a long and private sentence"),
    )
    DeviceSessionFactory(user=user, platform=web, token=SAMPLE)
    PasswordResetFactory(user=user, token=SAMPLE)
    ImpersonationFactory(user=user, ticket=TICKET, created_at=NOW)
    ImpersonationFactory(
        user=user, id=MARKER, redeemed_at=NOW, expires_at=NOW + timedelta(minutes=30)
    )
    OfferFactory(project=service, reference="monthly")
    OfferFactory(project=service, reference="film-night", kind="pack")
    examples = body_of(described()[method, path])["examples"]
    address = path.removeprefix("/api/v1").format(
        user_id=user.public_id, content_id="c", offer_id="o", provider="okast", reference="1"
    )

    for example in examples:
        response = api.send(method.upper(), address, example)
        assert response.status_code in {200, 201, 202, 204}, response.content
    assert examples


def test_the_page_for_people_shows_each_call_without_key_or_inline_code(db):
    response = Client().get("/api/v1/docs")

    page = response.content.decode()
    assert response.status_code == 200
    for method, path in CALLS:
        assert f"{method.upper()} {path}" in page
    assert "<script" not in page
    assert "<style" not in page
    assert "style=" not in page
    assert "https://unpkg" not in page
    assert json.dumps("2026-03-10T12:00:00Z").replace('"', "&quot;") in page
