"""Ids and references in addresses: what a body may hold, an address may hold as well."""

from urllib.parse import quote

import pytest

from analytics.models import Content
from tests.api.conftest import NOW
from tests.api.test_doors import error_of
from tests.factories.subscriptions import OfferFactory

FILM = {"name": "The Night Train"}


@pytest.fixture
def bodies(service, ada):
    """What is put where an address begins so."""
    OfferFactory(project=service, reference="monthly")
    user, instant = str(ada.public_id), NOW.isoformat()
    return {
        "/contents/": FILM,
        "/offers/": {"name": "Monthly", "kind": "subscription"},
        "/subscriptions/google/": {"user": user, "status": "active", "started_at": instant},
        "/purchases/okast/": {
            "user": user,
            "type": "pack",
            "status": "active",
            "purchased_at": instant,
        },
        "/free-copies/": {"user": user, "offer": "monthly", "sent_at": instant, "days": 3},
    }


BEGINNINGS = [
    ("/contents/", "id", 64),
    ("/offers/", "id", 64),
    ("/subscriptions/google/", "reference", 255),
    ("/purchases/okast/", "reference", 255),
    ("/free-copies/", "reference", 64),
]
SLASHED = ["a/b", "/a", "a/", "a//b", "/", "a/../b", "..", ".", "docs", "okast/1?x#y"]


@pytest.mark.parametrize("reference", SLASHED)
@pytest.mark.parametrize(("beginning", "name", "_longest"), BEGINNINGS)
def test_slashes_and_dots_are_part_of_a_reference(
    api, bodies, beginning, name, _longest, reference
):
    address = beginning + quote(reference, safe="")

    answers = [api.put(address, bodies[beginning]) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()[name] == reference


@pytest.mark.parametrize(("beginning", "_name", "longest"), BEGINNINGS)
def test_a_reference_is_no_longer_than_its_column_and_of_one_line(
    api, bodies, beginning, _name, longest
):
    def put(reference):
        return api.put(beginning + quote(reference, safe=""), bodies[beginning])

    longest_of_all = "a/" * (longest // 2) + "b" * (longest % 2)

    assert put(longest_of_all).status_code == 201
    for refused in (longest_of_all + "c", "a\nb", "a/b\n", "\n", " ", " a/b", "a/b ", "a\0b"):
        assert put(refused).status_code == 422
    assert error_of(api.put(beginning, bodies[beginning]))["code"] == "not_found"


def test_a_content_with_a_slash_that_was_viewed_is_the_one_described(api, ada):
    viewing = {
        "id": "5f0c9c1e-6a53-4b8e-9d0e-3f1c2b7a9e10",
        "user": str(ada.public_id),
        "content": "a/b",
        "started_at": "2026-03-20T10:00:00Z",
        "watched_seconds": 60,
    }
    assert api.post("/viewings", {"viewings": [viewing]}).json()["accepted"] == 1

    assert api.put("/contents/a%2Fb", FILM).status_code == 201

    content = Content.objects.get()
    assert (content.reference, content.name) == ("a/b", "The Night Train")


def test_an_unknown_address_of_several_lines_is_404_in_the_one_shape(api):
    assert error_of(api.get("/nothing%0Ahere"))["code"] == "not_found"


def test_the_page_of_such_an_offer_leads_to_exactly_its_people(api, ada, service, signed_in):
    offer = OfferFactory(project=service, reference="a/b")
    body = {"user": str(ada.public_id), "offer": "a/b", "status": "active"}
    api.put("/subscriptions/okast/1%2F2", body | {"started_at": NOW.isoformat()})
    staff = signed_in()

    page = staff.get(f"/offers/{offer.pk}/")

    assert page.context["holders"] == 1
    people = staff.get(page.context["holders_url"])
    assert people.status_code == 200
    assert ada.email in people.content.decode()
    assert "1/2" in staff.get("/subscriptions/?project=north").content.decode()
