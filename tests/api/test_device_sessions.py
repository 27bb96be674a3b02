"""Signing in, checking and signing out on devices; the limit, the throttles, what is kept."""

import json
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher, make_password
from django.db import IntegrityError, connections, transaction
from django.test import Client

from backoffice.audit.recording import SYSTEM
from backoffice.core.tokens import hash_of_token, new_token, owner_of_token
from backoffice.projects.models import StoredAnswer
from tests.api.conftest import NOW, Caller
from tests.api.test_doors import error_of
from tests.factories.projects import ApiKeyFactory, PlatformFactory
from tests.factories.users import UserFactory
from users.actions import PasswordChanged, open_device_session, set_password
from users.models import AttemptAllowance, DeviceSession, User

SENTENCE = "a long and private sentence"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"


@pytest.fixture
def ada(web):
    return UserFactory(platform=web, email="ada@example.com", password=make_password(SENTENCE))


def sign_in(api, email="ada@example.com", password=SENTENCE, headers=None, **more):
    body = {"email": email, "password": password, **more}
    return api.post("/device-sessions", body, **(headers or {}))


def is_live(api, token):
    return api.post("/device-sessions/check", {"token": token}).status_code == 200


# --- Sign-in, check, sign-out --------------------------------------------------------------


def test_the_right_pair_opens_a_session(api, web, ada):
    response = sign_in(api, user_agent=IPHONE, device_name=" Ada's telephone ")

    session = DeviceSession.objects.get()
    assert response.status_code == 201
    answer = response.json()
    token = answer.pop("token")
    assert answer == {
        "id": str(session.id),
        "user": str(ada.public_id),
        "must_change_password": False,
    }
    assert (session.user, session.platform, session.project) == (ada, web, web.project)
    assert (session.device_type, session.device_name) == ("phone", "Ada's telephone")
    assert (session.created_at, session.last_seen_at, session.ended_at) == (NOW, NOW, None)
    assert session.token_hash == hash_of_token(token)
    assert token not in str(DeviceSession.objects.values().get())


@pytest.mark.parametrize("email", [" ADA@Example.com ", "Ada@example.com"])
def test_an_email_is_compared_as_everywhere(api, ada, email):
    assert sign_in(api, email).status_code == 201


def test_each_token_is_another_and_names_its_user(api, ada):
    tokens = {sign_in(api).json()["token"] for _ in range(3)}

    assert len(tokens) == 3
    assert {owner_of_token(token) for token in tokens} == {ada.public_id}
    assert {len(token) for token in tokens} == {64}


def test_who_must_choose_a_new_password_is_told_so(api, ada):
    User.objects.update(must_change_password=True)

    assert sign_in(api).json()["must_change_password"] is True


def test_a_check_names_session_and_user_until_it_ends(api, ada):
    signed_in = sign_in(api).json()
    token = {"token": signed_in["token"]}

    response = api.post("/device-sessions/check", token)
    assert response.status_code == 200
    assert response.json() == {"id": signed_in["id"], "user": str(ada.public_id)}

    ended = api.send("DELETE", f"/device-sessions/{signed_in['id']}")
    assert (ended.status_code, ended.content) == (204, b"")
    refused = api.post("/device-sessions/check", token)
    assert refused.status_code == 401
    assert error_of(refused)["code"] == "signed_out"
    session = DeviceSession.objects.get()
    assert (session.ended_at, session.end_reason) == (NOW, "signed-out")


def test_another_platform_of_the_project_checks_and_ends_it_too(api, ada, service):
    ApiKeyFactory(platform=PlatformFactory(project=service), raw="app-key")
    app = Caller(api.client, "app-key")
    signed_in = sign_in(api).json()

    assert is_live(app, signed_in["token"])
    assert app.send("DELETE", f"/device-sessions/{signed_in['id']}").status_code == 204
    assert not is_live(api, signed_in["token"])


def test_another_project_knows_neither_user_nor_session(api, other_api, ada):
    signed_in = sign_in(api).json()

    assert sign_in(other_api).status_code == 401
    assert not is_live(other_api, signed_in["token"])
    refused = other_api.send("DELETE", f"/device-sessions/{signed_in['id']}")
    assert refused.status_code == 404
    assert is_live(api, signed_in["token"])


@pytest.mark.parametrize("name", ["0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55", "1", "x", "²"])
def test_a_session_nobody_has_is_404(api, ada, name):
    response = api.send("DELETE", f"/device-sessions/{name}")

    assert response.status_code == 404
    assert error_of(response)["code"] == "not_found"


def test_ending_twice_keeps_the_first_end(api, ada, clock):
    name = sign_in(api).json()["id"]
    api.send("DELETE", f"/device-sessions/{name}")
    clock.shift(timedelta(minutes=1))

    assert api.send("DELETE", f"/device-sessions/{name}").status_code == 204
    assert DeviceSession.objects.get().ended_at == NOW


def test_tokens_that_cannot_be_are_no_error_of_ours(api, ada):
    token = sign_in(api).json()["token"]
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")

    for wrong in ["", "x", token[:-4], token + "AAAA", altered, "é" * 64, "=" * 64]:
        assert not is_live(api, wrong)
    assert not is_live(api, new_token(ada.public_id))
    assert api.post("/device-sessions/check", {"token": "x" * 201}).status_code == 422
    assert is_live(api, token)


def test_last_seen_is_written_every_five_minutes(api, ada, clock):
    token = sign_in(api).json()["token"]

    clock.shift(timedelta(minutes=4, seconds=59))
    is_live(api, token)
    assert DeviceSession.objects.get().last_seen_at == NOW
    clock.shift(timedelta(seconds=1))
    is_live(api, token)
    assert DeviceSession.objects.get().last_seen_at == NOW + timedelta(minutes=5)


def test_a_check_is_one_query_beside_those_of_the_key(api, ada, django_assert_num_queries):
    token = sign_in(api).json()["token"]

    # The key, its allowance, the session.
    with django_assert_num_queries(3):
        is_live(api, token)


# --- The limit -----------------------------------------------------------------------------


def test_beyond_the_limit_the_oldest_ends(api, ada, clock):
    tokens = []
    for _ in range(4):
        tokens.append(sign_in(api).json()["token"])
        clock.shift(timedelta(seconds=1))

    assert [is_live(api, token) for token in tokens] == [False, True, True, True]
    ended = DeviceSession.objects.exclude(ended_at=None).get()
    assert (ended.end_reason, ended.ended_at) == ("limit", NOW + timedelta(seconds=3))


def test_an_ended_session_takes_no_place(api, ada, clock):
    tokens = []
    for number in range(4):
        answer = sign_in(api).json()
        tokens.append(answer["token"])
        if number == 2:
            api.send("DELETE", f"/device-sessions/{answer['id']}")
        clock.shift(timedelta(seconds=1))

    assert [is_live(api, token) for token in tokens] == [True, True, False, True]


def test_a_lower_limit_ends_as_many_as_it_takes(api, ada, service, clock):
    service.device_limit = 5
    service.save()
    for _ in range(5):
        sign_in(api)
        clock.shift(timedelta(seconds=1))
    assert DeviceSession.objects.filter(ended_at=None).count() == 5

    service.device_limit = 3
    service.save()
    sign_in(api)

    live = DeviceSession.objects.filter(ended_at=None).order_by("created_at")
    assert [s.created_at - NOW for s in live] == [timedelta(seconds=n) for n in (3, 4, 5)]


def test_ten_sign_ins_at_once_leave_as_many_as_allowed(transactional_db, web):
    UserFactory(platform=web, email="ada@example.com", password=make_password(SENTENCE))
    ApiKeyFactory(platform=web, raw="north-key")
    ready = threading.Barrier(10)
    answers = []

    def sign_in_at_once():
        api = Caller(Client(), "north-key")
        ready.wait()
        answers.append(sign_in(api))
        connections.close_all()

    threads = [threading.Thread(target=sign_in_at_once) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * 10
    api = Caller(Client(), "north-key")
    assert sum(is_live(api, answer.json()["token"]) for answer in answers) == 3
    assert DeviceSession.objects.filter(end_reason="limit").count() == 7


# --- Wrong pairs ---------------------------------------------------------------------------


@pytest.fixture
def hashes(monkeypatch):
    """Each password that is hashed; stretched ones are not told from others here."""
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher,
        "encode",
        lambda self, password, salt: hashed.append(password) or encode(self, password, salt),
    )
    return hashed


def test_the_same_answer_and_work_whatever_is_wrong(api, web, ada, hashes):
    UserFactory(platform=web, email="imported@example.com", password="")
    UserFactory(platform=web, email="locked@example.com", password=make_password(None))
    UserFactory(platform=web, deleted_at=NOW)
    hashes.clear()
    seen = set()

    for email in ["ada@example.com", "imported@example.com", "locked@example.com"]:
        response = sign_in(api, email, "wrong sentence")
        seen.add((response.status_code, response.content, len(hashes)))
        hashes.clear()
    for email in ["nobody@example.com", "", "no address"]:
        response = sign_in(api, email, "wrong sentence")
        seen.add((response.status_code, response.content, len(hashes)))
        hashes.clear()

    ((status, content, count),) = seen
    assert (status, count) == (401, 1)
    assert json.loads(content)["error"]["code"] == "wrong_pair"
    assert not DeviceSession.objects.exists()


def test_a_wrong_pair_asks_the_database_the_same(api, ada, django_assert_num_queries):
    api.get("/sign-up-fields")
    # Key, allowance, attempts, user, and two statements for each of the two counts.
    for email in ["ada@example.com", "nobody@example.com"]:
        with django_assert_num_queries(8):
            sign_in(api, email, "wrong sentence")


def test_an_empty_password_opens_nothing(api, web):
    UserFactory(platform=web, email="imported@example.com", password="")

    assert sign_in(api, "imported@example.com", "").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.com"},
        {"password": SENTENCE},
        {"email": "ada@example.com", "password": None},
        {"email": "ada@example.com", "password": 5},
        {"email": "ada@example.com", "password": SENTENCE, "device_name": "x" * 101},
        {"email": "ada@example.com", "password": SENTENCE, "user": "ada"},
        {"email": "x" * 321, "password": SENTENCE},
    ],
)
def test_what_is_no_sign_in_is_422_and_counts_as_none(api, ada, body):
    assert api.post("/device-sessions", body).status_code == 422
    assert not AttemptAllowance.objects.exists()


# --- Throttles -----------------------------------------------------------------------------


def test_after_five_failures_nothing_more_is_hashed(api, ada, hashes):
    hashes.clear()
    statuses = [sign_in(api, password="wrong sentence").status_code for _ in range(7)]

    assert statuses == [401] * 5 + [429] * 2
    assert len(hashes) == 5
    refused = sign_in(api)
    assert refused.status_code == 429
    assert error_of(refused)["code"] == "too_many_requests"
    assert refused["Retry-After"] == "60"


def test_an_unknown_email_is_throttled_in_the_same_way(api, ada):
    statuses = [sign_in(api, "nobody@example.com").status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]
    assert sign_in(api).status_code == 201


def test_a_good_account_is_open_again_after_the_time_named(api, ada, clock):
    for _ in range(5):
        sign_in(api, password="wrong sentence")
    for _ in range(100):
        clock.shift(timedelta(milliseconds=590))
        # Attempts in vain do not push the end away.
        assert sign_in(api).status_code == 429
    clock.shift(timedelta(seconds=1))

    assert sign_in(api).status_code == 201


def test_successes_are_not_counted(api, ada, settings):
    settings.SIGN_IN_FAILURES_PER_EMAIL = settings.SIGN_IN_FAILURES_PER_ADDRESS = 1

    assert [sign_in(api).status_code for _ in range(5)] == [201] * 5


def test_one_address_may_fail_so_often_over_all_emails(api, ada, settings):
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 3

    statuses = [sign_in(api, f"{n}@example.com").status_code for n in range(4)]

    assert statuses == [401] * 3 + [429]
    assert sign_in(api).status_code == 429
    api.client = Client(REMOTE_ADDR="192.0.2.7")
    assert sign_in(api).status_code == 201


def test_a_forged_header_makes_no_other_address(api, ada, settings):
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 3

    statuses = [
        sign_in(api, f"{n}@example.com", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
        for n in range(4)
    ]

    assert statuses == [401] * 3 + [429]


def test_an_idempotency_key_does_not_undo_the_count(api, ada):
    statuses = [
        sign_in(api, password="wrong sentence", headers={"Idempotency-Key": f"{n}"}).status_code
        for n in range(6)
    ]

    assert statuses == [401] * 5 + [429]


def test_no_address_can_be_read_from_the_counts_and_they_are_forgotten(api, ada, clock):
    sign_in(api, password="wrong sentence")
    kept = str(list(AttemptAllowance.objects.values()))
    assert AttemptAllowance.objects.count() == 2
    assert "ada@" not in kept
    assert "127.0.0.1" not in kept

    clock.shift(timedelta(days=1, seconds=1))
    sign_in(api, "nobody@example.com")

    assert {row.counted_at for row in AttemptAllowance.objects.all()} == {
        NOW + timedelta(days=1, seconds=1)
    }


def test_guesses_at_once_get_little_further(transactional_db, web, hashes):
    UserFactory(platform=web, email="ada@example.com", password=make_password(SENTENCE))
    ApiKeyFactory(platform=web, raw="north-key")
    hashes.clear()
    ready = threading.Barrier(16)
    statuses = []

    def guess():
        api = Caller(Client(), "north-key")
        ready.wait()
        statuses.append(sign_in(api, password="wrong sentence").status_code)
        connections.close_all()

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Whoever holds the second slot does not see the failure in the first.
    assert statuses.count(401) in {5, 6}
    assert len(hashes) == statuses.count(401)
    assert statuses.count(401) + statuses.count(429) == 16


def test_when_all_slots_are_taken_it_is_said_so(api, ada, monkeypatch):
    from backoffice.core import passwords

    monkeypatch.setattr(passwords, "LONGEST_WAIT_SECONDS", 0.01)
    with passwords.hashing_slot(), passwords.hashing_slot():
        refused = sign_in(api)
        new = api.post("/users", {"email": "grace@example.com", "password": SENTENCE})

    assert (refused.status_code, refused["Retry-After"]) == (429, "1")
    assert (new.status_code, new["Retry-After"]) == (429, "1")
    assert sign_in(api).status_code == 201


# --- Passwords, repeats, what the database refuses -----------------------------------------


def test_a_new_password_ends_all_sessions_of_its_user_alone(api, web, ada):
    UserFactory(platform=web, email="grace@example.com", password=make_password(SENTENCE))
    of_ada, of_grace = sign_in(api), sign_in(api, "grace@example.com")

    changed = api.patch(f"/users/{ada.public_id}", {"password": "another long sentence"})

    assert changed.status_code == 200
    assert not is_live(api, of_ada.json()["token"])
    assert is_live(api, of_grace.json()["token"])
    assert DeviceSession.objects.get(user=ada).end_reason == "password"
    assert sign_in(api).status_code == 401
    assert sign_in(api, password="another long sentence").status_code == 201


def test_a_changed_name_ends_nothing(api, ada):
    token = sign_in(api).json()["token"]

    api.patch(f"/users/{ada.public_id}", {"first_name": "Augusta"})

    assert is_live(api, token)


def test_a_password_proved_before_it_was_changed_opens_nothing(db, web, ada):
    set_password(
        user=ada, password_hash=make_password("another long sentence"), actor=SYSTEM, now=NOW
    )

    with pytest.raises(PasswordChanged):
        open_device_session(user=ada, platform=web, device_type="tv", device_name="", now=NOW)
    assert not DeviceSession.objects.exists()


def test_a_deleted_user_is_signed_out(api, ada):
    token = sign_in(api).json()["token"]

    User.objects.filter(pk=ada.pk).update(
        deleted_at=NOW, email="", email_key="", first_name="", last_name="", sort_name="",
        password="", custom={},
    )  # fmt: skip

    assert not is_live(api, token)
    assert sign_in(api).status_code == 401


def test_a_repeat_is_given_the_same_token_and_keeps_it_sealed(api, ada):
    headers = {"Idempotency-Key": "one"}
    first = sign_in(api, headers=headers)

    again = sign_in(api, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert DeviceSession.objects.count() == 1
    kept = StoredAnswer.objects.get()
    assert kept.target_id == ada.public_id
    assert first.json()["token"] not in kept.body
    assert str(ada.public_id) not in kept.body


def test_a_repeat_with_a_wrong_password_is_given_nothing(api, ada):
    headers = {"Idempotency-Key": "one"}
    sign_in(api, headers=headers)

    assert sign_in(api, password="wrong sentence", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (IPHONE, "phone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140", "computer"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0)", "tv"),
        ("Mozilla/5.0 (PlayStation; PlayStation 5/9.00)", "console"),
        ("Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X)", "tablet"),
        ("", "other"),
        ("\x7f unheard of", "other"),
    ],
)
def test_the_kind_of_device_is_kept_and_no_string(api, ada, agent, kind):
    sign_in(api, user_agent=agent)

    assert DeviceSession.objects.get().device_type == kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_hash": "x" * 64},
        {"ended_at": NOW},
        {"end_reason": "limit"},
        {"ended_at": NOW, "end_reason": "because"},
    ],
)
def test_the_database_refuses_what_cannot_be(api, ada, wrong):
    sign_in(api)

    with pytest.raises(IntegrityError), transaction.atomic():
        DeviceSession.objects.update(**wrong)
