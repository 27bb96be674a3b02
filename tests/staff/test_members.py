"""Staff and roles: who may give and take what, and how an invited person comes in."""

import re
from datetime import timedelta

import pytest
import time_machine

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.jobs.mailing import MailRefused, link_shown, send_again
from backoffice.jobs.models import Mail
from backoffice.staff.models import StaffMember, StaffRole
from tests.conftest import NOW

pytestmark = pytest.mark.django_db

MEMBERS = "/settings/staff/"
SENTENCE = "a long and private sentence"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def come(client, staff_with):
    """Sign somebody in who has just proved who they are; return the client."""

    def come(role, project=None):
        client.force_login(staff_with(role, project))
        session = client.session
        for stamp in ("staff_proved_at", "staff_seen_at", "staff_signed_in_at"):
            session[stamp] = NOW.timestamp()
        session.save()
        return client

    return come


def invite(client, role="support", scope="project", email="new@example.com"):
    return client.post(MEMBERS, {"email": email, "role": role, "scope": scope})


def link_to(email="new@example.com"):
    mail = Mail.objects.filter(recipient=email).latest("pk")
    return link_shown(mail, with_secret=True).removeprefix("http://testserver")


def kinds():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def test_an_invited_person_chooses_a_password_and_signs_in(come, project, client):
    response = invite(come(Role.ADMIN, project), email=" New@Example.com ")

    assert response.status_code == 302
    new = StaffMember.objects.get(email="new@example.com")
    assert not new.has_usable_password()
    assert list(new.roles.values_list("role", "project")) == [("support", project.pk)]
    mail = Mail.objects.get()
    assert (mail.kind, mail.recipient, mail.target_user) == (
        "staff_invitation",
        "new@example.com",
        None,
    )
    assert kinds() == ["staff.member.created", "staff.role.granted", "staff.member.invited"]

    client.logout()
    page = client.get(link_to())
    assert "new@example.com" in page.content.decode()
    client.post(link_to(), {"name": "Nora", "password": SENTENCE, "again": SENTENCE})

    signed_in = client.post("/sign-in/", {"email": "new@example.com", "password": SENTENCE})
    assert signed_in.status_code == 302
    new.refresh_from_db()
    assert (new.name, new.check_password(SENTENCE)) == ("Nora", True)


def test_an_invitation_works_once_and_for_a_week(come, project, client, clock):
    invite(come(Role.ADMIN, project))
    client.logout()
    link = link_to()
    clock.shift(timedelta(days=7))
    assert client.get(link).status_code == 200

    clock.shift(timedelta(seconds=2))
    assert client.get(link).status_code == 410
    clock.shift(timedelta(days=-1))
    client.post(link, {"password": SENTENCE, "again": SENTENCE})

    again = {"password": "another long sentence", "again": "another long sentence"}
    assert client.get(link).status_code == 410
    assert client.post(link, again).status_code == 410
    assert StaffMember.objects.get(email="new@example.com").check_password(SENTENCE)


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [
        ("short", "short", "at least 12"),
        (SENTENCE, "another", "differ"),
        ("new@example.com", "new@example.com", "too similar"),
        ("", "", "required"),
    ],
)
def test_a_password_that_will_not_do_leaves_the_link(come, project, client, password, again, said):
    invite(come(Role.ADMIN, project))
    client.logout()

    response = client.post(link_to(), {"password": password, "again": again})

    assert response.status_code == 400
    assert said in response.content.decode()
    assert client.get(link_to()).status_code == 200


@pytest.mark.parametrize(
    "path", ["MQ/x/", "zz/x-y/", "%F0%9F%98%80/x/", "MTIzNDU2Nzg5MDEyMzQ1/x/"]
)
def test_a_made_up_link_opens_nothing(client, path):
    assert client.get(f"/invitation/{path}").status_code == 410


def test_a_dump_of_the_database_holds_no_invitation(come, project):
    invite(come(Role.ADMIN, project))

    token = link_to().rstrip("/").rpartition("/")[2]

    assert token not in str(list(Mail.objects.values()))
    assert token not in str(list(AuditEvent.objects.values()))


# What each role may give: on the project, and on all projects.
GIVEN = [
    (Role.OWNER, "project", set(Role)),
    (Role.ADMIN, "project", {Role.SUPPORT, Role.ANALYST, Role.READER}),
]


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize(("role", "scope", "allowed"), GIVEN)
def test_nobody_gives_a_role_at_or_above_their_own(
    come, project, role, scope, allowed, everywhere
):
    client = come(role, None if everywhere else project)
    given = {
        (one, where)
        for one in Role
        for where in ("project", "all")
        if invite(client, one, where, f"{one}.{where}@example.com").status_code == 302
    }

    scopes = ("project", "all") if everywhere else ("project",)
    assert given == {(one, where) for one in allowed for where in scopes}


def test_a_role_is_given_to_a_member_who_is_there_without_a_mail(come, project, staff_with):
    staff_with(Role.READER, project, email="rita@example.com")
    client = come(Role.ADMIN, project)

    first = invite(client, "analyst", email="Rita@example.com")
    again = invite(client, "analyst", email="rita@example.com")

    assert (first.status_code, again.status_code) == (302, 409)
    assert not Mail.objects.exists()
    assert StaffRole.objects.filter(staff_member__email="rita@example.com").count() == 2


def take(client, staff):
    return client.post(f"{MEMBERS}roles/{staff.roles.get().pk}/take/")


def test_a_role_is_taken_and_the_right_is_gone_at_once(come, project, staff_with, client):
    rita = staff_with(Role.READER, project, email="rita@example.com")

    response = take(come(Role.ADMIN, project), rita)

    assert response.status_code == 302
    assert not rita.roles.exists()
    assert kinds() == ["staff.role.removed"]
    client.force_login(rita)
    assert client.get("/users/").status_code == 403


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER])
def test_an_admin_takes_nothing_at_or_above_admin(come, project, staff_with, role):
    other = staff_with(role, project, email="other@example.com")

    assert take(come(Role.ADMIN, project), other).status_code == 403
    assert other.roles.exists()


def test_nobody_takes_their_own_role_so_an_owner_remains(come, project):
    client = come(Role.OWNER)
    own = StaffRole.objects.get()

    assert client.post(f"{MEMBERS}roles/{own.pk}/take/").status_code == 403
    assert StaffRole.objects.exists()


def test_a_role_on_all_projects_is_not_taken_from_one(come, project, staff_with):
    everywhere = staff_with(Role.READER, None, email="rita@example.com")

    assert take(come(Role.OWNER, project), everywhere).status_code == 403


def test_a_role_on_another_project_is_not_there(come, project, other_project, staff_with):
    foreign = staff_with(Role.READER, other_project, email="rita@example.com")

    assert take(come(Role.OWNER, project), foreign).status_code == 404
    assert foreign.roles.exists()


def test_the_page_shows_roles_here_and_everywhere_and_whose_can_be_taken(
    come, project, other_project, staff_with
):
    staff_with(Role.SUPPORT, None, email="sue@example.com")
    staff_with(Role.READER, project, email="rita@example.com")
    staff_with(Role.READER, other_project, email="far@example.com")

    page = come(Role.ADMIN, project).get(MEMBERS).content.decode()

    assert re.findall(r'data-member="(\S+)"', page) == [
        "admin@example.com",
        "rita@example.com",
        "sue@example.com",
    ]
    assert page.count("/take/") == 1


def test_a_change_asks_for_the_password_when_the_proof_is_old(come, project, clock):
    client = come(Role.ADMIN, project)
    clock.shift(16 * 60)

    assert client.get(MEMBERS).status_code == 200
    response = invite(client)

    assert b'name="confirm-password"' in response.content
    assert not StaffMember.objects.filter(email="new@example.com").exists()


def test_an_invitation_is_sent_again_with_a_new_link_until_it_is_accepted(
    come, project, client, staff_with
):
    invite(come(Role.ADMIN, project))
    mail = Mail.objects.get()
    boss = staff_with(Role.OWNER, email="boss@example.com")

    send_again(mail=mail, actor=boss, now=NOW)
    client.logout()
    client.post(link_to(), {"password": SENTENCE, "again": SENTENCE})

    with pytest.raises(MailRefused):
        send_again(mail=mail, actor=boss, now=NOW)
