"""The register of impersonations, its filter, and the switch for all of them."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory
from tests.factories.users import ImpersonationFactory, SupporterFactory
from users.impersonation import is_on
from users.models import Impersonation, ImpersonationState

MINUTE = timedelta(minutes=1)


@pytest.fixture
def rows(person):
    """One in each state, the newest first, of Olive and of Samir."""
    olive, samir = SupporterFactory(), SupporterFactory(name="Samir", email="samir@staff.example")
    user = person("Lovelace")
    late = {"user": user, "created_at": NOW - 40 * MINUTE}
    return {
        "waiting": ImpersonationFactory(user=user, staff=olive, created_at=NOW),
        "running": ImpersonationFactory(
            user=user,
            staff=samir,
            mode="full",
            reason="Ticket 4711",
            created_at=NOW - 10 * MINUTE,
            redeemed_at=NOW - 10 * MINUTE,
            expires_at=NOW + 20 * MINUTE,
        ),
        "stopped": ImpersonationFactory(
            user=user,
            staff=olive,
            created_at=NOW - 20 * MINUTE,
            redeemed_at=NOW - 20 * MINUTE,
            expires_at=NOW + 10 * MINUTE,
            ended_at=NOW - 15 * MINUTE,
            end_reason="stopped",
        ),
        "over": ImpersonationFactory(
            staff=olive, redeemed_at=NOW - 40 * MINUTE, expires_at=NOW - 10 * MINUTE, **late
        ),
        "unused": ImpersonationFactory(user=user, staff=olive, created_at=NOW - timedelta(days=2)),
    }


def shown(response, rows):
    """Return the names of the rows in the page's order."""
    names = {str(row.pk): name for name, row in rows.items()}
    return [
        names[pk] for pk in re.findall(r'data-impersonation="([^"]+)"', response.content.decode())
    ]


def test_shows_who_was_shown_as_whom_newest_first(look, rows):
    page = look(path="/impersonations/")

    assert shown(page, rows) == ["waiting", "running", "stopped", "over", "unused"]
    text = page.content.decode()
    assert "Samir" in text
    assert "Ticket 4711" in text
    assert "Ada Lovelace" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=waiting", ["waiting"]),
        ("state=running", ["running"]),
        ("state=ended", ["stopped", "over"]),
        ("state=unused", ["unused"]),
        ("state=unused&state=running", ["running", "unused"]),
        ("mode=full", ["running"]),
        ("who=sami", ["running"]),
        ("to=2026-11-21", ["unused"]),
        ("from=2026-11-22&who=olive", ["waiting", "stopped", "over"]),
    ],
)
def test_is_narrowed(look, rows, query, found):
    assert shown(look(query, path="/impersonations/"), rows) == found


@pytest.mark.parametrize("query", ["state=asleep", "mode=half", "what=x", "from=yesterday"])
def test_what_it_does_not_know_is_refused(look, query):
    assert look(query, path="/impersonations/").status_code == 400


def test_a_row_says_the_state_that_the_filter_finds(rows):
    for row in rows.values():
        found = [s for s in ImpersonationState if _has(s, row)]
        assert found == [row.state(NOW)]


def _has(state, row):
    return Impersonation.objects.in_state(state, NOW).filter(pk=row.pk).exists()


def test_support_sees_their_own(look, rows, staff_with, project):
    own = ImpersonationFactory(
        user=rows["over"].user, staff=staff_with(Role.SUPPORT), created_at=NOW
    )

    page = look(path="/impersonations/", role=Role.SUPPORT)

    assert shown(page, rows | {"own": own}) == ["own"]


def test_another_projects_are_not_shown(look, rows, other_project):
    ImpersonationFactory(user__platform=PlatformFactory(project=other_project), created_at=NOW)

    assert len(shown(look(path="/impersonations/"), rows)) == 5


def test_an_empty_register_says_how_it_fills(look):
    assert "They begin on the menu of a user" in look(path="/impersonations/").content.decode()


def test_who_holds_all_projects_switches_it_off_and_on(signed_in, rows):
    client = signed_in(Role.ADMIN)

    off = client.post("/impersonations/switch/", {"state": "off", "project": "north"}, follow=True)

    assert not is_on()
    assert "2 were ended" in off.content.decode()
    assert "switched off in all projects" in off.content.decode()
    assert AuditEvent.objects.get(kind="users.impersonation.halted").data == {"ended": 2}
    client.post("/impersonations/switch/", {"state": "on"})
    assert is_on()
    rows["running"].refresh_from_db()
    assert rows["running"].end_reason == "switched-off"


def test_who_holds_one_project_does_not(look):
    page = look(path="/impersonations/switch/", method="post", follow=True)

    assert "role covers all projects" in page.content.decode()
    assert "Switch off" not in look(path="/impersonations/").content.decode()
    assert is_on()


def test_the_command_does_the_same(db):
    said = StringIO()
    for act in ("status", "off", "on"):
        call_command("impersonation", act, stdout=said)

    assert said.getvalue() == (
        "Impersonation is on.\nEnded: 0.\nImpersonation is off.\nImpersonation is on.\n"
    )
