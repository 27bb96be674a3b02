"""POST of viewings: to the letter of the contract, one bad item at a time."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.models import Content, UserViewing, Viewing
from tests.api.conftest import NOW
from tests.api.test_bad_input import FUZZED, VALUES
from tests.api.test_doors import error_of
from tests.factories.projects import PlatformFactory
from tests.factories.users import UserFactory

ID = "5f0c9c1e-6a53-4b8e-9d0e-3f1c2b7a9e10"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def item(ada):
    """A right item: an hour on a film, two hours ago."""
    return {
        "id": ID,
        "user": str(ada.public_id),
        "content": "film",
        "started_at": "2026-03-20T11:00:00+01:00",
        "watched_seconds": 3600,
        "position_seconds": 3700,
        "country": "FR",
        "user_agent": FIREFOX,
        "ended": True,
    }


def rejected(response):
    """Return the answer's refusals as (index, code, first word of the message)."""
    assert response.status_code == 200, response.content
    return [
        (one["index"], one["code"], one["message"].partition(":")[0])
        for one in response.json()["rejected"]
    ]


def test_keeps_a_viewing_and_counts_it(api, web, ada, item):
    response = api.post("/viewings", {"viewings": [item]})

    assert response.status_code == 200
    assert response.json() == {"accepted": 1, "rejected": []}
    viewing = Viewing.objects.get()
    assert (viewing.user_id, viewing.platform_id, str(viewing.id)) == (ada.pk, web.pk, ID)
    assert viewing.started_at.isoformat() == "2026-03-20T10:00:00+00:00"
    assert (viewing.watched_seconds, viewing.position_seconds) == (3600, 3700)
    assert (viewing.has_ended, viewing.country) == (True, "FR")
    assert UserViewing.objects.get().viewing_seconds == 3600


def test_the_least_that_an_item_says(api, item):
    least = {k: item[k] for k in ("id", "user", "content", "started_at", "watched_seconds")}

    assert api.post("/viewings", {"viewings": [least]}).json()["accepted"] == 1

    viewing = Viewing.objects.get()
    assert (viewing.position_seconds, viewing.has_ended, viewing.country) == (0, False, "")


def test_null_is_absent(api, item):
    empty = item | dict.fromkeys(
        ["position_seconds", "country", "user_agent", "ended", "impersonation"]
    )

    assert api.post("/viewings", {"viewings": [empty]}).json()["accepted"] == 1


def test_an_unknown_content_is_named_when_it_arrives(api, item):
    api.post("/viewings", {"viewings": [item]})
    (content,) = Content.objects.all()

    response = api.put("/contents/film", {"name": "The Night Train"})

    assert (content.name, content.described_at) == ("", None)
    assert response.status_code == 201
    assert Viewing.objects.get().content_id == Content.objects.get(name="The Night Train").pk


def test_repeats_are_accepted_and_change_nothing(api, item):
    response = api.post("/viewings", {"viewings": [item, item]})
    api.post("/viewings", {"viewings": [item]})

    assert response.json()["accepted"] == 2
    assert UserViewing.objects.get().viewing_seconds == 3600


def test_one_who_was_deleted_is_accepted_and_not_stored(api, web, item):
    gone = UserFactory(platform=web, deleted_at=NOW)

    response = api.post("/viewings", {"viewings": [{**item, "user": str(gone.public_id)}]})

    assert response.json() == {"accepted": 1, "rejected": []}
    assert not Viewing.objects.exists()
    assert not Content.objects.exists()


def test_staff_who_watch_as_a_user_are_accepted_and_not_stored(api, item):
    response = api.post("/viewings", {"viewings": [{**item, "impersonation": "marker"}]})

    assert response.json() == {"accepted": 1, "rejected": []}
    assert not Viewing.objects.exists()
    assert not UserViewing.objects.exists()


def test_strangers_are_refused_and_the_others_kept(api, item):
    nobody = {**item, "user": str(uuid.uuid4())}
    elsewhere = {**item, "user": str(UserFactory(platform=PlatformFactory()).public_id)}

    response = api.post("/viewings", {"viewings": [nobody, item, elsewhere]})

    assert rejected(response) == [(0, "unknown_user", "user"), (2, "unknown_user", "user")]
    assert response.json()["accepted"] == 1
    assert response.json()["rejected"][0]["id"] == ID
    assert Viewing.objects.count() == 1


BAD = [
    ("id", "film"),
    ("id", ID[:-1]),
    ("id", 7),
    ("id", None),
    ("user", "ada"),
    ("user", None),
    ("content", ""),
    ("content", "x" * 65),
    ("content", "a\0b"),
    ("content", "\ud800"),
    ("content", 7),
    ("started_at", "1999-12-31T23:59:59Z"),
    ("started_at", "2026-03-20T12:05:01Z"),
    ("started_at", "2026-03-20T12:00:00"),
    ("started_at", "2026-02-30T12:00:00Z"),
    ("started_at", 1_774_000_000),
    ("watched_seconds", -1),
    ("watched_seconds", 1.0),
    ("watched_seconds", "60"),
    ("watched_seconds", True),
    ("watched_seconds", float("nan")),
    ("watched_seconds", float("inf")),
    ("watched_seconds", 2**31),
    ("watched_seconds", 10**4000),
    ("watched_seconds", None),
    ("position_seconds", -1),
    ("position_seconds", False),
    ("country", "France"),
    ("country", "ZZ"),
    ("country", 0),
    ("user_agent", "a\0b"),
    ("user_agent", ["Firefox"]),
    ("ended", 1),
    ("ended", "true"),
    ("impersonation", False),
    ("seconds", 60),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_bad_item_is_refused_by_its_place_and_the_rest_kept(api, item, field, value):
    bad = {**item, "id": str(uuid.UUID(int=7)), field: value}

    response = api.post("/viewings", {"viewings": [item, bad]})

    assert rejected(response) == [(1, "invalid", field)]
    assert response.json()["accepted"] == 1
    assert Viewing.objects.count() == 1


def test_what_only_text_can_say_is_told_of_its_item_too(api, item):
    right = json.dumps(item)
    huge = right.replace("3600", "1e400")
    digits = right.replace("3600", "9" * 5000)
    twice = right.replace('"country"', '"content": "x", "country"')
    body = f'{{"viewings": [{huge}, {right}, {digits}, {twice}, 7, null, []]}}'

    response = api.post("/viewings", body)

    assert [one["index"] for one in response.json()["rejected"]] == [0, 2, 3, 4, 5, 6]
    assert response.json()["accepted"] == 1


def test_five_minutes_ahead_is_near_enough(api, item):
    ahead = {**item, "started_at": "2026-03-20T12:05:00Z", "watched_seconds": 50}

    assert api.post("/viewings", {"viewings": [ahead]}).json()["accepted"] == 1
    assert Viewing.objects.get().watched_seconds == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        (b"\xff", 400),
        ('{"viewings": [' + "[" * 100_000, 400),
        ('{"viewings": [1], "viewings": [2]}', 400),
        ("{}", 422),
        ('{"viewings": []}', 422),
        ('{"viewings": null}', 422),
        ('{"viewings": {"0": 1}}', 422),
        ('{"viewings": [1], "other": 1}', 422),
        ('{"viewings": [1], "\\ud800": 1}', 422),
        ('{"viewings": [' + "1," * 1000 + "1]}", 422),
        (" " * (4 * 1024 * 1024 + 1), 413),
    ],
)
def test_a_body_that_is_no_such_list_is_refused(api, body, status):
    response = api.post("/viewings", body)

    assert response.status_code == status
    error_of(response)


def test_a_thousand_bad_items_are_answered_one_by_one(api):
    response = api.post("/viewings", {"viewings": [{}] * 1000})

    assert [one["index"] for one in response.json()["rejected"]] == list(range(1000))


def test_needs_a_key(api, item):
    api.key = "no-key"

    assert api.post("/viewings", {"viewings": [item]}).status_code == 401


def test_an_idempotency_key_gives_the_first_answer_again(api, item):
    first, again = (
        api.post("/viewings", {"viewings": [item, {}]}, **{"Idempotency-Key": "one"})
        for _ in range(2)
    )

    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"


@pytest.fixture
def generous(settings):
    """Hypothesis sends more than one key may."""
    settings.API_REQUESTS_PER_SECOND = 1_000_000


FIELDS = [
    *("id", "user", "content", "started_at", "watched_seconds", "position_seconds", "country"),
    *("user_agent", "ended", "impersonation", "unknown"),
]


@pytest.mark.usefixtures("generous")
@FUZZED
@given(spoilt=st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=4))
def test_no_item_makes_an_error_of_ours(api, item, spoilt):
    items = [item | one for one in spoilt]

    response = api.post("/viewings", {"viewings": items})

    assert response.status_code == 200, response.content
    assert response.json()["accepted"] + len(response.json()["rejected"]) == len(items)


@pytest.mark.usefixtures("generous")
@FUZZED
@given(body=VALUES)
def test_no_body_makes_an_error_of_ours(api, body):
    assert api.post("/viewings", body if body is not None else "null").status_code in {400, 422}
    assert api.post("/viewings", {"viewings": body}).status_code in {200, 422}
