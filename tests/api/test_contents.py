"""PUT of contents."""

import threading

import pytest
from django.db import connections
from django.test import Client

from analytics.models import Content
from tests.api.conftest import NOW, Caller
from tests.api.test_doors import error_of
from tests.factories.analytics import ContentFactory
from tests.factories.projects import ApiKeyFactory

FILM = {
    "name": "The Night Train",
    "type": "hosted",
    "duration_seconds": 5400,
    "status": "available",
    "url": "https://watch.example.com/night-train",
    "image_url": "https://watch.example.com/night-train.jpg",
}


def test_keeps_and_answers_the_whole_content(api, service):
    response = api.put("/contents/film:1", FILM)

    assert response.status_code == 201
    assert response.json() == {"id": "film:1", **FILM}
    content = Content.objects.get()
    assert (content.project, content.reference, content.described_at) == (service, "film:1", NOW)
    assert api.put("/contents/film:1", FILM).status_code == 200


def test_an_absent_field_is_empty_in_the_next_put(api):
    api.put("/contents/film", FILM)

    response = api.put("/contents/film", {"name": "Live now", "type": "live", "url": ""})

    assert response.json() == {
        "id": "film",
        "name": "Live now",
        "type": "live",
        "duration_seconds": None,
        "status": "unavailable",
        "url": "",
        "image_url": "",
    }


def test_a_content_seen_before_it_was_described_is_new(api, service):
    seen = ContentFactory(project=service, reference="film", name="", described_at=None)

    assert api.put("/contents/film", FILM).status_code == 201

    assert Content.objects.get().pk == seen.pk


def test_of_six_first_descriptions_at_once_one_is_new(transactional_db, web):
    ApiKeyFactory(platform=web, raw="north-key")
    ContentFactory(project=web.project, reference="viewed", name="", described_at=None)

    for name in ["viewed", *map(str, range(5))]:
        assert described_at_once(f"/contents/{name}", times=6) == [200] * 5 + [201]
    assert Content.objects.exclude(described_at=None).count() == 6


def described_at_once(path, *, times):
    """Return the statuses of as many first descriptions, in order of size."""
    ready = threading.Barrier(times)
    statuses = []

    def describe():
        caller = Caller(Client(), "north-key")
        ready.wait()
        statuses.append(caller.put(path, FILM).status_code)
        connections.close_all()

    threads = [threading.Thread(target=describe) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_no_duration_at_all_is_an_unknown_one(api):
    response = api.put("/contents/film", {**FILM, "duration_seconds": 0})

    assert response.json()["duration_seconds"] is None


def test_projects_do_not_share_contents(api, other_api):
    assert api.put("/contents/film", FILM).status_code == 201
    assert other_api.put("/contents/film", FILM).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", "x" * 301),
        ("type", "film"),
        ("status", "gone"),
        ("duration_seconds", -1),
        ("duration_seconds", 1.5),
        ("duration_seconds", "90"),
        ("duration_seconds", 2**31),
        ("url", "javascript:alert(1)"),
        ("url", "ftp://example.com/film"),
        ("url", "//example.com/film"),
        ("image_url", "data:text/html,x"),
        ("image_url", "https://example.com/" + "x" * 1000),
        ("id", "other"),
    ],
)
def test_a_bad_field_is_422_and_named(api, field, value):
    response = api.put("/contents/film", {**FILM, field: value})

    assert response.status_code == 422
    assert list(error_of(response)["fields"]) == [field]
    assert not Content.objects.exists()


def test_an_id_has_64_characters_at_most(api):
    assert api.put(f"/contents/{'é' * 64}", FILM).status_code == 201
    assert api.put(f"/contents/{'é' * 65}", FILM).status_code == 422


def test_describing_costs_seven_queries(api, django_assert_num_queries):
    api.put("/contents/one", FILM)

    with django_assert_num_queries(7):
        api.put("/contents/two", FILM)
