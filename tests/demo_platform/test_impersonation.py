"""From the back office to the demo platform and back: what is shown, what is forbidden."""

from datetime import timedelta

import pytest

from analytics.models import UserViewing, Viewing
from backoffice.audit.recording import SYSTEM
from tests.conftest import NOW
from tests.demo_platform.conftest import PASSWORD, text_of
from tests.demo_platform.test_visits import beat, begun
from users.impersonation import halt
from users.models import DeviceSession, Impersonation, User


@pytest.fixture
def look(visitor, ticket):
    """Arrive on the platform with a ticket."""

    def arrive(role="support", **data):
        return visitor.send("", {"ticket": ticket(role, **data)}, origin="null")

    return arrive


def test_a_ticket_opens_the_home_page_as_the_user(look, ada):
    page = look()

    assert page.redirect_chain[-1][1] == 303
    said = text_of(page)
    who = "support@example.com sees this platform as Ada Lovelace"
    assert f"{who} · read-only · 30 min left" in said
    assert "Welcome, Ada Lovelace" in said
    assert "Sign out" not in said


def test_a_ticket_works_once_and_says_so(visitor, ticket):
    entry = ticket()
    visitor.send("", {"ticket": entry})

    again = visitor.send("", {"ticket": entry})

    assert again.status_code == 410
    assert "This ticket does not work" in text_of(again)


def test_nothing_watched_is_counted_and_no_device_is_used(look, visitor, ada, film, clock):
    look()
    viewing = begun(visitor)
    clock.move_to(NOW + timedelta(minutes=10))

    assert beat(visitor, viewing, watched=600, position=600).json() == {"kept": True}

    for table in (Viewing, UserViewing, DeviceSession):
        assert not table.objects.exists(), table


def test_who_only_looks_changes_nothing(look, visitor, ada):
    look()
    assert "Looking only: nothing can be changed." in text_of(visitor.open("account/"))

    for page, data in (
        ("account/", {"first_name": "Eve"}),
        ("password/", {"password": "another long sentence"}),
    ):
        assert visitor.send(page, data).status_code == 403
    ada.refresh_from_db()
    assert ada.first_name == "Ada"
    assert User.objects.get().password_changed_at is None


def test_who_may_act_changes_the_name_and_never_the_password(look, visitor, ada):
    look("owner", mode="full")

    assert visitor.send("account/", {"first_name": "Augusta"}).status_code == 200
    assert visitor.send("password/", {"password": "another long sentence"}).status_code == 403

    ada.refresh_from_db()
    assert ada.first_name == "Augusta"
    assert ada.password_changed_at is None


def test_stopping_ends_it_in_the_register_too(look, visitor):
    look()

    page = visitor.send("stop/")

    assert "The impersonation is over" in text_of(page)
    assert Impersonation.objects.get().end_reason == "stopped"
    assert "Sign up" in text_of(visitor.open())


@pytest.mark.parametrize("how", ["out of time", "switched off"])
def test_it_ends_by_itself(look, visitor, clock, how):
    look()
    if how == "out of time":
        clock.move_to(NOW + timedelta(minutes=30))
    else:
        halt(actor=SYSTEM, now=NOW)

    assert "The impersonation is over" in text_of(visitor.open())
    assert "Sign up" in text_of(visitor.open())


def test_the_users_own_sign_in_here_stays_as_it_was(look, visitor, ada):
    visitor.sign_in(password=PASSWORD)
    look()
    visitor.send("stop/")

    assert "Welcome, Ada Lovelace" in text_of(visitor.open())
    assert "Sign out" in text_of(visitor.open())


def test_the_user_sees_who_looked(look, visitor, ada):
    look()
    visitor.send("stop/")
    visitor.sign_in()

    said = text_of(visitor.open("account/"))

    # Who has no name is named by the service: users read no address of staff.
    assert "Who looked at my account North read-only" in said
    assert "22 Nov 2026 13:00 – 22 Nov 2026 13:00" in said


def test_a_second_ticket_takes_the_place_of_the_first(look):
    look()
    look()

    ended = Impersonation.objects.order_by("created_at", "redeemed_at").values_list("end_reason")
    assert sorted(reason for (reason,) in ended) == ["", "stopped"]
