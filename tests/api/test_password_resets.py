"""Asking for a reset link and choosing a new password with it."""

import re
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher, check_password, make_password
from django.db import IntegrityError, connections, transaction
from django.test import Client
from django.utils import timezone

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.core.tokens import hash_of_token, new_token
from backoffice.jobs.models import Mail
from subscriptions.actions import change_user
from tests.api.conftest import NOW, Caller
from tests.api.test_doors import error_of
from tests.factories.projects import ApiKeyFactory, PlatformFactory
from tests.factories.users import UserFactory
from users.actions import (
    ResetGone,
    issue_password_reset,
    open_device_session,
    redeem_password_reset,
    request_password_reset,
)
from users.mailing import answer_reset_request
from users.models import DeviceSession, PasswordReset, ResetRequest, User

SENTENCE = "a long and private sentence"
OTHER = "another long sentence"


@pytest.fixture
def ada(web):
    return UserFactory(platform=web, email="ada@example.com", password=make_password(SENTENCE))


def ask(api, email="ada@example.com"):
    return api.post("/password-resets", {"email": email})


def redeem(api, token, password=OTHER, **headers):
    return api.post("/password-resets/redeem", {"token": token, "password": password}, **headers)


# --- Asking --------------------------------------------------------------------------------


def test_the_answer_is_the_same_whoever_has_the_email(api, web, ada):
    UserFactory(platform=web, deleted_at=NOW)
    answers = {
        (response.status_code, response.content)
        for response in [ask(api), ask(api, "nobody@example.com"), ask(api, ""), ask(api, "é@")]
    }

    assert answers == {(202, b"")}
    requests = ResetRequest.objects.order_by("pk").values_list("user", "platform", "requested_at")
    assert list(requests) == [(ada.pk, web.pk, NOW)] + [(None, web.pk, NOW)] * 3


def test_the_database_is_asked_the_same_whoever_has_the_email(api, ada, django_assert_num_queries):
    api.get("/sign-up-fields")
    # Key, allowance, attempts, two to count, user, request, its task; a savepoint around.
    for email in ["ada@example.com", "nobody@example.com"]:
        with django_assert_num_queries(10):
            ask(api, email)


def test_an_address_that_is_nobodys_is_not_kept(api):
    ask(api, "nobody@example.com")

    assert "nobody" not in str(ResetRequest.objects.values().get())


def test_three_an_hour_are_noted_and_the_answer_stays_the_same(api, ada, clock):
    assert [ask(api).status_code for _ in range(5)] == [202] * 5
    assert ResetRequest.objects.count() == 3
    ask(api, "grace@example.com")
    assert ResetRequest.objects.count() == 4

    clock.shift(timedelta(minutes=20))
    ask(api, " ADA@example.com")
    ask(api)

    assert ResetRequest.objects.count() == 5


def test_of_another_project_nobody_is_found(ada, other_api):
    assert ask(other_api).status_code == 202
    assert ResetRequest.objects.get().user is None


@pytest.mark.parametrize("body", [{}, {"email": None}, {"email": 5}, {"email": "x" * 321}])
def test_what_is_no_request_is_422(api, body):
    assert api.post("/password-resets", body).status_code == 422


# --- The mail ------------------------------------------------------------------------------


def test_the_mail_leads_to_the_platforms_page_with_the_token_in_the_fragment(
    run_jobs, settings, mailoutbox
):
    settings.MAIL_LEAVES = True
    web = PlatformFactory(password_reset_url="https://watch.example.com/new-password")
    ada = UserFactory(platform=web, email="Ada@example.com", language="fr")
    for email in ("ADA@example.com", "nobody@example.com"):
        request_password_reset(platform=web, email=email, now=timezone.now())

    run_jobs()

    (mail,) = mailoutbox
    assert mail.to == ["Ada@example.com"]
    assert mail.subject.startswith("Choisissez un nouveau mot de passe")
    token = re.search(r"https://watch\.example\.com/new-password#(\S{64})\n", mail.body)[1]
    reset = PasswordReset.objects.get()
    assert (reset.user, reset.token_hash) == (ada, hash_of_token(token))
    assert not ResetRequest.objects.exists()


def test_a_request_of_somebody_who_changed_the_password_meanwhile_sends_nothing(ada, web):
    request_password_reset(platform=web, email="ada@example.com", now=NOW)
    asked = ResetRequest.objects.get()
    change_user(user=ada, changes={}, password_hash="x", actor=SYSTEM, now=NOW)

    answer_reset_request(request_id=asked.pk, now=NOW)

    assert not Mail.objects.exists()
    assert not PasswordReset.objects.exists()


# --- Redeeming -----------------------------------------------------------------------------


def test_a_link_changes_the_password_once(api, web, ada):
    open_device_session(user=ada, platform=web, device_type="tv", device_name="", now=NOW)
    User.objects.update(must_change_password=True)
    token, second = (issue_password_reset(user=ada, now=NOW) for _ in range(2))
    ask(api)

    response = redeem(api, token)

    assert (response.status_code, response.content) == (204, b"")
    user = User.objects.get()
    assert check_password(OTHER, user.password)
    assert (user.password_changed_at, user.must_change_password) == (NOW, False)
    assert DeviceSession.objects.get().end_reason == "password"
    event = AuditEvent.objects.get()
    assert (event.kind, event.data) == (AuditEvent.Kind.USER_EDITED, {"fields": ["password"]})
    assert (event.actor_type, event.actor_id) == ("platform", web.pk)
    for spent in (token, second):
        refused = redeem(api, spent, "a third long sentence")
        assert refused.status_code == 410
        assert error_of(refused)["code"] == "gone"
    assert not PasswordReset.objects.exists()
    assert not ResetRequest.objects.exists()
    assert check_password(OTHER, User.objects.get().password)


def test_a_user_without_a_password_gets_one(api, web):
    grace = UserFactory(platform=web, email="grace@example.com", password="")

    assert redeem(api, issue_password_reset(user=grace, now=NOW)).status_code == 204
    signed_in = api.post("/device-sessions", {"email": "grace@example.com", "password": OTHER})
    assert signed_in.status_code == 201


def test_a_link_lives_an_hour(api, ada, clock):
    token = issue_password_reset(user=ada, now=NOW)

    clock.shift(timedelta(minutes=60, seconds=-1))
    assert redeem(api, token, "short").status_code == 422
    clock.shift(timedelta(seconds=1))
    assert redeem(api, token).status_code == 410
    issue_password_reset(user=ada, now=NOW + timedelta(hours=1))
    assert PasswordReset.objects.count() == 1


def test_a_weak_password_leaves_the_link_as_it_is(api, ada):
    token = issue_password_reset(user=ada, now=NOW)

    for weak in ["", "short", "password123", "1234567890", "x" * 257]:
        refused = redeem(api, token, weak)
        assert refused.status_code == 422
        assert "password" in error_of(refused)["fields"]
    assert redeem(api, token).status_code == 204


def test_only_a_hash_is_kept(ada):
    token = issue_password_reset(user=ada, now=NOW)

    assert token not in str(PasswordReset.objects.values().get())


def test_another_projects_and_made_up_tokens_are_gone_and_hash_nothing(
    api, other_api, ada, monkeypatch
):
    token = issue_password_reset(user=ada, now=NOW)
    with monkeypatch.context() as without_hashing:
        without_hashing.setattr(MD5PasswordHasher, "encode", None)
        assert redeem(other_api, token).status_code == 410
        for wrong in ["", "x", token[:-4], token + "AAAA", new_token(ada.public_id), "é" * 64]:
            assert redeem(api, wrong).status_code == 410

    assert redeem(api, token).status_code == 204


@pytest.mark.parametrize(
    "change", [{"email": "countess@example.com"}, {"password": "a third long sentence"}]
)
def test_a_new_address_or_password_kills_links(api, ada, change):
    token = issue_password_reset(user=ada, now=NOW)
    ask(api)

    assert api.patch(f"/users/{ada.public_id}", change).status_code == 200

    assert redeem(api, token).status_code == 410
    assert not ResetRequest.objects.exists()


def test_a_new_name_kills_none(api, ada):
    token = issue_password_reset(user=ada, now=NOW)

    change_user(user=ada, changes={"first_name": "Augusta"}, actor=SYSTEM, now=NOW)

    assert redeem(api, token).status_code == 204


def test_a_link_spent_while_its_password_was_hashed_changes_nothing(ada):
    issue_password_reset(user=ada, now=NOW)
    reset = PasswordReset.objects.get()
    PasswordReset.objects.all().delete()

    with pytest.raises(ResetGone):
        redeem_password_reset(reset=reset, password_hash="hash", actor=SYSTEM, now=NOW)
    assert check_password(SENTENCE, User.objects.get().password)


def test_a_repeat_with_the_same_key_is_given_the_first_answer(api, ada):
    token = issue_password_reset(user=ada, now=NOW)

    first = redeem(api, token, **{"Idempotency-Key": "one"})
    again = redeem(api, token, **{"Idempotency-Key": "one"})

    assert (first.status_code, first.content) == (again.status_code, again.content) == (204, b"")
    assert again["Idempotent-Replayed"] == "true"


def test_of_eight_redemptions_at_once_one_succeeds(transactional_db, web):
    ada = UserFactory(platform=web, email="ada@example.com")
    ApiKeyFactory(platform=web, raw="north-key")
    token = issue_password_reset(user=ada, now=timezone.now())
    ready = threading.Barrier(8)
    won = []

    def redeem_at_once(number):
        ready.wait()
        response = redeem(Caller(Client(), "north-key"), token, f"long sentence {number}")
        if response.status_code == 204:
            won.append(number)
        else:
            assert response.status_code == 410
        connections.close_all()

    threads = [threading.Thread(target=redeem_at_once, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (number,) = won
    assert check_password(f"long sentence {number}", User.objects.get().password)
    assert AuditEvent.objects.count() == 1


def test_the_database_keeps_hashes_alone(ada):
    issue_password_reset(user=ada, now=NOW)

    with pytest.raises(IntegrityError), transaction.atomic():
        PasswordReset.objects.update(token_hash="plain")
