"""create_staff: a member with a role, or one more role for a member."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.staff.models import StaffMember, StaffRole
from tests.conftest import NOW, PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    monkeypatch.setenv("STAFF_PASSWORD", PASSWORD)


def test_makes_a_member_with_a_role_on_all_projects():
    call_command("create_staff", "Ann@Example.com", role="owner")

    ann = StaffMember.objects.get()
    assert ann.email == "ann@example.com"
    assert ann.check_password(PASSWORD)
    held = StaffRole.objects.get()
    assert (held.staff_member, held.role, held.project) == (ann, "owner", None)
    assert list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True)) == [
        "staff.member.created",
        "staff.role.granted",
    ]


def test_gives_a_known_member_one_more_role(project, capsys):
    call_command("create_staff", "ann@example.com", role="support")
    call_command("create_staff", "ann@example.com", role="analyst", project="north")

    assert StaffMember.objects.count() == 1
    assert set(StaffRole.objects.values_list("role", "project__slug")) == {
        ("support", None),
        ("analyst", "north"),
    }
    assert "password stays" in capsys.readouterr().out


def test_refuses_a_role_held_already():
    call_command("create_staff", "ann@example.com", role="owner")

    with pytest.raises(CommandError, match="owner on all projects already"):
        call_command("create_staff", "ann@example.com", role="owner")


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("ann", PASSWORD, "valid email"),
        ("", PASSWORD, "cannot be blank"),
        ("ann@example.com", "elevenchars", "at least 12"),
        ("ann@example.com", "123456789012", "entirely numeric"),
        ("ann.mcallister@example.com", "ann.mcallister", "too similar"),
    ],
)
def test_refuses_what_will_not_do(monkeypatch, email, password, said):
    monkeypatch.setenv("STAFF_PASSWORD", password)

    with pytest.raises(CommandError, match=said):
        call_command("create_staff", email, role="owner")

    assert not StaffMember.objects.exists()
    assert not AuditEvent.objects.exists()


def test_takes_a_long_passphrase_as_it_is(monkeypatch):
    phrase = "  a phrase of many words, " * 5
    monkeypatch.setenv("STAFF_PASSWORD", phrase)

    call_command("create_staff", "ann@example.com", role="owner")

    assert StaffMember.objects.get().check_password(phrase)


def test_without_a_password_it_says_what_to_set(monkeypatch):
    monkeypatch.delenv("STAFF_PASSWORD")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    with pytest.raises(CommandError, match="set STAFF_PASSWORD"):
        call_command("create_staff", "ann@example.com", role="owner")


def test_nobody_has_an_account_after_the_migrations():
    assert not StaffMember.objects.exists()


def test_the_database_keeps_one_address_one_person(staff_with):
    staff_with(email="ann@example.com")

    with pytest.raises(IntegrityError), transaction.atomic():
        StaffMember.objects.create(email="Ann@example.com", created_at=NOW)


def test_the_database_keeps_roles_known(staff_with):
    staff_with()

    with pytest.raises(IntegrityError), transaction.atomic():
        StaffRole.objects.update(role="king")


def test_the_database_keeps_a_role_held_once(staff_with):
    ann = staff_with(Role.OWNER)

    with pytest.raises(IntegrityError), transaction.atomic():
        StaffRole.objects.create(staff_member=ann, role=Role.OWNER, project=None)


@pytest.mark.parametrize("failing", ["STAFF_CREATED", "ROLE_GRANTED"])
def test_nothing_is_left_when_the_trail_cannot_be_written(monkeypatch, failing):
    def refuse(kind, **_):
        if kind == AuditEvent.Kind[failing]:
            raise ZeroDivisionError

    monkeypatch.setattr("backoffice.staff.actions.record", refuse)

    with pytest.raises(ZeroDivisionError):
        call_command("create_staff", "ann@example.com", role="owner")

    assert not StaffMember.objects.exists()
    assert not StaffRole.objects.exists()
