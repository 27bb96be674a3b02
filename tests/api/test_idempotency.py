"""POST with an Idempotency-Key: the four rules, for 24 hours."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.test import Client

from backoffice.projects.models import StoredAnswer
from tests.api.conftest import NOW, Caller
from tests.api.test_doors import error_of
from tests.factories.projects import ApiKeyFactory, PlatformFactory
from tests.factories.users import UserFactory
from users.models import User

ADA = {"email": "ada@example.com", "password": "a long and private sentence"}


def keyed(api, body, key="one"):
    return api.post("/users", body, **{"Idempotency-Key": key})


def test_a_repeat_is_given_the_first_answer(api):
    first = keyed(api, ADA)
    User.objects.update(first_name="Changed")

    again = keyed(api, ADA)

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert User.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(api):
    keyed(api, ADA)

    response = keyed(api, {"email": "grace@example.com"})

    assert response.status_code == 422
    assert error_of(response)["code"] == "idempotency_key_reused"
    assert User.objects.count() == 1


def test_a_conflict_is_kept_and_a_refused_body_is_not(api, web):
    UserFactory(platform=web, email="ada@example.com")

    assert keyed(api, ADA).status_code == 409
    User.objects.all().delete()
    assert keyed(api, ADA).status_code == 409

    assert keyed(api, {"email": "x"}, key="two").status_code == 422
    assert keyed(api, {**ADA, "password": "short"}, key="two").status_code == 422
    assert keyed(api, ADA, key="two").status_code == 201


def test_an_error_of_ours_is_kept_too_and_has_changed_nothing(api, monkeypatch):
    api.client = Client(raise_request_exception=False)
    with monkeypatch.context() as broken:
        broken.setattr("users.api.UserAnswer", lambda **_: 1 / 0)
        first = keyed(api, ADA)
    assert first.status_code == 500
    assert not User.objects.exists()

    again = keyed(api, ADA)

    assert again.status_code == 500
    assert again.json() == first.json()
    assert keyed(api, ADA, key="two").status_code == 201


def test_a_failure_of_the_database_is_not_kept(api, monkeypatch):
    def fail(**_):
        raise OperationalError

    api.client = Client(raise_request_exception=False)
    with monkeypatch.context() as broken:
        broken.setattr("users.api.register_user", fail)
        assert keyed(api, ADA).status_code == 503

    assert keyed(api, ADA).status_code == 201


def test_a_key_lives_a_day_and_old_answers_are_forgotten(api, clock):
    keyed(api, ADA)
    keyed(api, {"email": "grace@example.com"}, key="two")

    clock.shift(timedelta(hours=24, seconds=-1))
    assert keyed(api, ADA).status_code == 201
    clock.shift(timedelta(seconds=1))
    assert keyed(api, ADA).status_code == 409

    assert StoredAnswer.objects.get().created_at == NOW + timedelta(hours=24)


def test_platforms_do_not_share_keys(api, service):
    ApiKeyFactory(platform=PlatformFactory(project=service), raw="app-key")
    app = Caller(api.client, "app-key")

    assert keyed(api, ADA).status_code == 201
    assert keyed(app, {"email": "grace@example.com"}).status_code == 201


@pytest.mark.parametrize(("key", "status"), [("k" * 255, 201), ("k" * 256, 400), ("", 400)])
def test_a_key_has_1_to_255_characters(api, key, status):
    assert keyed(api, ADA, key=key).status_code == status


def test_no_password_can_be_guessed_from_what_is_kept(api):
    keyed(api, ADA)

    kept = StoredAnswer.objects.get()

    assert "sentence" not in str(kept.body)
    assert kept.target_id == User.objects.get().public_id


def test_a_twin_that_is_still_running_is_told(transactional_db, web):
    ApiKeyFactory(platform=web, raw="north-key")
    ready = threading.Barrier(4)
    statuses = []

    def sign_up():
        ready.wait()
        response = keyed(Caller(Client(), "north-key"), ADA)
        statuses.append(response.status_code)
        connections.close_all()

    threads = [threading.Thread(target=sign_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Whoever came while the first ran was sent away; whoever came later was given its answer.
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert User.objects.count() == 1
