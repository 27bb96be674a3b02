"""Impersonation as a platform sees it: redeemed once, checked, ended, told to the user."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client

from analytics.models import UserViewing, Viewing, ViewingDay
from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM
from backoffice.staff.models import StaffRole
from tests.api.conftest import NOW, Caller
from tests.api.test_doors import error_of
from tests.factories.projects import ApiKeyFactory, PlatformFactory
from tests.factories.users import ImpersonationFactory, UserFactory
from users.impersonation import halt
from users.models import DeviceSession, Impersonation

Kind = AuditEvent.Kind


@pytest.fixture
def waiting(ada):
    """A ticket, "enter", handed out a moment ago."""
    return ImpersonationFactory(user=ada, ticket="enter", created_at=NOW)


@pytest.fixture
def redeemed(api, waiting):
    return api.post("/impersonations/redeem", {"ticket": "enter"}).json()


def refused(response):
    assert response.status_code == 410
    return error_of(response)["code"] == "gone"


def test_a_ticket_says_whom_to_show_to_whom_how_and_until_when(api, ada, waiting):
    response = api.post("/impersonations/redeem", {"ticket": "enter"})

    assert response.status_code == 200
    assert response.json() == {
        "user": str(ada.public_id),
        "actor": "Olive Hart",
        "mode": "read-only",
        "expires_at": "2026-03-20T12:30:00Z",
        "impersonation": str(waiting.pk),
    }
    event = AuditEvent.objects.get()
    assert (event.kind, event.target_id) == (Kind.IMPERSONATION_BEGUN, str(ada.public_id))


def test_once(api, redeemed):
    assert refused(api.post("/impersonations/redeem", {"ticket": "enter"}))

    event = AuditEvent.objects.get(kind=Kind.IMPERSONATION_REFUSED)
    assert (event.outcome, event.actor_type) == ("REFUSED", "platform")


def test_a_repeat_of_the_very_call_is_given_its_answer_again(api, waiting):
    send = {"path": "/impersonations/redeem", "body": {"ticket": "enter"}}
    first = api.post(**send, **{"Idempotency-Key": "1"})

    again = api.post(**send, **{"Idempotency-Key": "1"})

    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert refused(api.post(**send, **{"Idempotency-Key": "2"}))


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 410), (3600, 410)])
def test_within_a_minute(api, waiting, clock, seconds, status):
    clock.move_to(NOW + timedelta(seconds=seconds))

    assert api.post("/impersonations/redeem", {"ticket": "enter"}).status_code == status


@pytest.mark.parametrize("ticket", ["", "unknown", "Enter", "x" * 200, "é"])
def test_an_unknown_ticket_is_gone_as_well(api, waiting, ticket):
    assert refused(api.post("/impersonations/redeem", {"ticket": ticket}))


@pytest.mark.parametrize("body", [{}, {"ticket": None}, {"ticket": 7}, {"ticket": "x" * 201}])
def test_what_is_no_ticket_is_invalid(api, body):
    assert api.post("/impersonations/redeem", body).status_code == 422


def test_another_platform_of_the_project_is_refused_and_spoils_nothing(api, service, waiting):
    ApiKeyFactory(platform=PlatformFactory(project=service), raw="tv-key")

    assert refused(
        Caller(api.client, "tv-key").post("/impersonations/redeem", {"ticket": "enter"})
    )
    assert api.post("/impersonations/redeem", {"ticket": "enter"}).status_code == 200


def test_another_project_is_refused(api, other_api, waiting):
    assert refused(other_api.post("/impersonations/redeem", {"ticket": "enter"}))


def delete_the_user(row):
    row.user.email = row.user.email_key = row.user.first_name = row.user.last_name = ""
    row.user.sort_name, row.user.deleted_at = "", NOW
    row.user.save()


def disable_the_member(row):
    row.staff.is_active = False
    row.staff.save()


MEANWHILE = {
    "the user is deleted": delete_the_user,
    "the member has left": disable_the_member,
    "the role is gone": lambda _row: StaffRole.objects.all().delete(),
    "only looking is allowed": lambda _row: Impersonation.objects.update(mode="full"),
    "all is switched off": lambda _row: halt(actor=SYSTEM, now=NOW),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_what_happens_meanwhile_counts_for_the_ticket(api, waiting, what):
    MEANWHILE[what](waiting)

    assert refused(api.post("/impersonations/redeem", {"ticket": "enter"}))


@pytest.mark.parametrize("what", MEANWHILE)
def test_and_for_what_goes_on(api, waiting, redeemed, what):
    check = {"impersonation": redeemed["impersonation"]}
    assert api.post("/impersonations/check", check).json() == redeemed

    MEANWHILE[what](waiting)

    assert refused(api.post("/impersonations/check", check))


def test_it_lasts_thirty_minutes(api, redeemed, clock):
    check = {"impersonation": redeemed["impersonation"]}
    clock.move_to(NOW + timedelta(minutes=29, seconds=59))
    assert api.post("/impersonations/check", check).status_code == 200

    clock.move_to(NOW + timedelta(minutes=30))

    assert refused(api.post("/impersonations/check", check))


def test_only_its_platform_checks_and_ends_it(api, other_api, redeemed):
    marker = redeemed["impersonation"]

    assert refused(other_api.post("/impersonations/check", {"impersonation": marker}))
    assert other_api.send("DELETE", f"/impersonations/{marker}").status_code == 404
    assert api.post("/impersonations/check", {"impersonation": marker}).status_code == 200


def test_it_is_ended_once_and_said_twice(api, redeemed, clock):
    path = f"/impersonations/{redeemed['impersonation']}"
    clock.move_to(NOW + timedelta(minutes=7))

    assert api.send("DELETE", path).status_code == 204
    clock.move_to(NOW + timedelta(minutes=8))
    assert api.send("DELETE", path).status_code == 204

    row = Impersonation.objects.get()
    assert (row.ended_at, row.end_reason) == (NOW + timedelta(minutes=7), "stopped")
    assert AuditEvent.objects.filter(kind=Kind.IMPERSONATION_ENDED).count() == 1
    assert refused(api.post("/impersonations/check", {"impersonation": str(row.pk)}))


@pytest.mark.parametrize("marker", ["", "x", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "\ud800"])
def test_a_marker_that_is_none(api, marker):
    status = api.post("/impersonations/check", {"impersonation": marker}).status_code
    assert status == (400 if marker == "\ud800" else 410)
    assert api.send("DELETE", "/impersonations/x").status_code == 404
    assert api.send("DELETE", f"/impersonations/{uuid.uuid4()}").status_code == 404


def test_the_user_can_be_told_who_looked(api, ada, redeemed, clock):
    ImpersonationFactory(user=ada, created_at=NOW)  # Handed out, never redeemed.
    path = f"/users/{ada.public_id}/impersonations"
    look = {
        "actor": "Olive Hart",
        "mode": "read-only",
        "began_at": "2026-03-20T12:00:00Z",
        "ended_at": None,
    }
    assert api.get(path).json() == {"impersonations": [look]}

    clock.move_to(NOW + timedelta(hours=1))

    assert api.get(path).json() == {
        "impersonations": [look | {"ended_at": "2026-03-20T12:30:00Z"}]
    }
    assert api.get(f"/users/{uuid.uuid4()}/impersonations").status_code == 404


def test_the_user_is_told_no_address_of_staff(api, ada, redeemed):
    row = Impersonation.objects.get()
    row.staff.name = ""
    row.staff.save()

    told = api.get(f"/users/{ada.public_id}/impersonations").json()["impersonations"]

    assert told[0]["actor"] == row.project.name


def test_what_is_watched_meanwhile_changes_no_figure_and_uses_no_device(api, ada, redeemed):
    seen = {
        "id": str(uuid.uuid4()),
        "user": str(ada.public_id),
        "content": "film",
        "started_at": "2026-03-20T11:00:00Z",
        "watched_seconds": 1800,
        "impersonation": redeemed["impersonation"],
    }

    answer = api.post("/viewings", {"viewings": [seen]}).json()

    assert answer == {"accepted": 1, "rejected": []}
    for table in (Viewing, UserViewing, ViewingDay, DeviceSession):
        assert not table.objects.exists(), table


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_exactly_one_wins(django_db_setup):
    ada = UserFactory(email="ada@example.com")
    ApiKeyFactory(platform=ada.platform, raw="north-key")
    ready = threading.Barrier(20)

    def redeem(_number):
        ready.wait(timeout=30)
        try:
            return Caller(Client(), "north-key").post(
                "/impersonations/redeem", {"ticket": "enter"}
            )
        finally:
            connection.close()

    with time_machine.travel(NOW, tick=False):
        ImpersonationFactory(user=ada, ticket="enter", created_at=NOW)
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(redeem, range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 19
    (won,) = (json.loads(answer.content) for answer in answers if answer.status_code == 200)
    assert won["user"] == str(ada.public_id)
    kinds = AuditEvent.objects.filter(kind__startswith="users.impersonation")
    assert sorted(kinds.values_list("kind", flat=True)) == (
        [Kind.IMPERSONATION_BEGUN] + [Kind.IMPERSONATION_REFUSED] * 19
    )
