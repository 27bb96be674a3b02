"""What a user agent string says about its device, and the rows that keep it."""

from collections import Counter
from pathlib import Path

import pytest
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import strategies as st

from analytics import devices
from analytics.demo.agents import AGENTS
from analytics.devices import DeviceFacts, agent_hash, describe, device_ids, known_devices
from analytics.known import KnownIds
from analytics.models import Device

CHECK_SET = Path(__file__).parent / "data" / "user_agents.tsv"
# The goals of the product; the check set is smaller than what they are meant for.
GOALS = {"phone": 0.96, "tv": 0.95, "console": 0.90, "computer": 0.90, "tablet": 0.88}
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)
WEBOS = (
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/87.0.4280.88 Safari/537.36 WebAppManager"
)


def labelled():
    lines = CHECK_SET.read_text().splitlines()
    return [tuple(line.split("\t")) for line in lines]


@pytest.fixture(autouse=True)
def _nothing_known():
    known_devices.forget()
    yield
    known_devices.forget()


def test_every_kind_of_the_check_set_meets_its_goal():
    asked = Counter(kind for kind, _ in labelled())
    right = Counter(kind for kind, text in labelled() if describe(text).hardware_type == kind)

    assert {
        kind: right[kind] / asked[kind] >= goal for kind, goal in GOALS.items()
    } == dict.fromkeys(GOALS, True)
    assert right["bot"] == asked["bot"]
    assert right["other"] == asked["other"]


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.text[:60])
def test_the_demo_says_the_same_of_its_agents(agent):
    assert describe(agent.text).hardware_type == agent.hardware_type


def test_all_four_facts():
    assert describe(IPHONE) == DeviceFacts("phone", "Apple", "iOS", "Mobile Safari")
    assert describe(WEBOS) == DeviceFacts("tv", "LG", "webOS", "Chrome")


def test_an_empty_string_is_other():
    assert describe("") == DeviceFacts("other", "Other", "Other", "Other")


def test_what_follows_the_first_thousand_characters_is_not_read():
    assert describe("x" * 1_000 + IPHONE).hardware_type == "other"


@given(st.text(max_size=1_500))
@example("\x00")
@example("\ud800 (Linux; Android 9; \udfff\x00 Build/1)")
@example("Android 9; " * 1_000)
@example("(" * 10_000)
def test_any_text_has_an_answer_that_columns_take(text):
    facts = describe(text)

    assert facts.hardware_type in Device.HardwareType.values
    for said in (facts.hardware, facts.os, facts.browser):
        assert len(said) <= 100
        assert said.isprintable()


def test_hash_is_the_first_half_of_sha_256():
    # printf '' | sha256sum | cut -c1-32
    assert agent_hash("") == "e3b0c44298fc1c149afbf4c8996fb924"


@pytest.mark.django_db
def test_each_distinct_string_gets_one_row():
    ids = device_ids([IPHONE, WEBOS, IPHONE])

    stored = Device.objects.in_bulk(ids.values())
    assert set(ids) == {IPHONE, WEBOS}
    assert stored[ids[IPHONE]].hardware_type == "phone"
    assert stored[ids[WEBOS]].hardware_type == "tv"
    assert stored[ids[WEBOS]].agent_hash == agent_hash(WEBOS)


@pytest.mark.django_db
def test_no_strings_ask_nothing():
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert device_ids([]) == {}

    assert len(queries) == 0


@pytest.mark.django_db
def test_a_string_that_no_column_could_hold_gets_a_row():
    ids = device_ids(["\x00\ud800" * 5_000, ""])

    assert Device.objects.filter(pk__in=ids.values(), hardware_type="other").count() == 2


@pytest.mark.django_db
def test_a_row_that_exists_is_found_and_left_alone():
    known = Device.objects.create(agent_hash=agent_hash(IPHONE), hardware_type="tablet")

    assert device_ids([IPHONE]) == {IPHONE: known.pk}
    assert Device.objects.get().hardware_type == "tablet"


@pytest.mark.django_db(transaction=True)
def test_a_committed_row_is_remembered():
    first = device_ids([IPHONE])

    with CaptureQueriesContext(connection) as queries:
        again = device_ids([IPHONE])

    assert again == first
    assert len(queries) == 0


@pytest.mark.django_db(transaction=True)
def test_a_row_that_was_rolled_back_is_not_remembered():
    with transaction.atomic():
        lost = device_ids([IPHONE])
        transaction.set_rollback(True)

    kept = device_ids([IPHONE])

    assert kept != lost
    assert Device.objects.get().pk == kept[IPHONE]


@pytest.mark.django_db
def test_a_row_that_another_transaction_makes_meanwhile_is_taken(monkeypatch):
    rival = Device(agent_hash=agent_hash(IPHONE), hardware_type="other")
    look_up = devices.stored_ids
    looks = []

    def look_up_before_the_rival(hashes):
        found = look_up(hashes)
        if not looks:
            rival.save()
        looks.append(found)
        return found

    monkeypatch.setattr(devices, "stored_ids", look_up_before_the_rival)

    assert device_ids([IPHONE]) == {IPHONE: rival.pk}
    assert len(looks) == 2


@pytest.mark.django_db
def test_a_flush_makes_the_process_forget():
    known_devices.add({"a": 1})

    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")

    assert known_devices.among(["a"]) == {"a": None}


def test_the_oldest_are_forgotten_first():
    known = KnownIds[str](most=2)

    known.add({"a": 1, "b": 2, "c": 3})

    assert known.among(["a", "b", "c"]) == {"a": None, "b": 2, "c": 3}


@pytest.mark.django_db(transaction=True)
def test_a_string_too_long_to_keep_is_looked_up_each_time():
    ids = device_ids(["x" * 1_001])

    assert known_devices.among(ids) == {"x" * 1_001: None}
