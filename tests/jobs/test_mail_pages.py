"""The register of mails: who sees what, what narrows it, and sending again."""

import re
from datetime import timedelta

import pytest

from backoffice.core.permissions import ROLE_PERMISSIONS, Permission, Role
from backoffice.jobs.mailing import post
from backoffice.jobs.models import Mail
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory
from users.mailing import invite, send_reset_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(slug="north", name="North")


@pytest.fixture
def ada(project):
    web = PlatformFactory(project=project, slug="web", password_reset_url="https://n.example/r")
    return UserFactory(platform=web, email="ada@example.com")


@pytest.fixture
def gift(project):
    return post(
        "gift",
        project=project,
        email="eve@example.com",
        language="en",
        values={"offer": "Cinema", "url": "https://n.example/"},
        now=NOW,
    )


def rows(response):
    return re.findall(r'data-kind="(\w+)" data-state="(\w+)"', response.content.decode())


def test_the_register_shows_who_what_and_state(signed_in, project, ada, gift, staff_with):
    client = signed_in(Role.ADMIN, project)
    send_reset_link(user=ada, actor=staff_with(), now=NOW + timedelta(minutes=1))

    response = client.get("/mail/")

    assert rows(response) == [("password_reset", "KEPT"), ("gift", "KEPT")]
    page = response.content.decode()
    assert "ada@example.com" in page
    assert "A gift for you: North" in page
    assert "stay here" in page


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("kind=gift", ["gift"]),
        ("kind=gift&kind=invitation", ["invitation", "gift"]),
        ("state=KEPT", ["invitation", "gift"]),
        ("state=FAILED", []),
        ("who=EVE@", ["gift"]),
        ("from=2026-11-23", ["invitation"]),
        ("to=2026-11-22", ["gift"]),
    ],
)
def test_it_is_narrowed_by_who_what_when_and_state(
    signed_in, project, ada, gift, staff_with, query, kinds
):
    client = signed_in(Role.ADMIN, project)
    # Half past midnight in Paris.
    invite(user=ada, actor=staff_with(), now=NOW + timedelta(hours=11, minutes=30))

    assert [kind for kind, _ in rows(client.get(f"/mail/?{query}"))] == kinds


@pytest.mark.parametrize("query", ["kind=letter", "colour=red", "from=yesterday", "after=x"])
def test_what_it_does_not_know_is_refused(signed_in, project, query):
    assert signed_in(Role.ADMIN, project).get(f"/mail/?{query}").status_code == 400


def test_who_may_not_see_identities_sees_a_mask_and_may_not_search(
    signed_in, project, gift, monkeypatch
):
    masked = ROLE_PERMISSIONS[Role.ADMIN] - {Permission.USERS_SEE_IDENTITY}
    monkeypatch.setitem(ROLE_PERMISSIONS, Role.ADMIN, masked)
    client = signed_in(Role.ADMIN, project)

    pages = [client.get(path).content.decode() for path in ("/mail/", f"/mail/{gift.pk}/")]

    for page in pages:
        assert "e***@e***.com" in page
        assert "eve@" not in page
    assert client.get("/mail/?who=eve").status_code == 400


@pytest.mark.parametrize("is_demo", [True, False])
def test_a_secret_link_is_shown_in_the_demo_alone(
    signed_in, project, ada, staff_with, settings, is_demo
):
    settings.MAIL_SHOWS_SECRETS = is_demo
    client = signed_in(Role.ADMIN, project)
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)

    page = client.get(f"/mail/{mail.pk}/").content.decode()

    assert ("https://n.example/r#" in page) is is_demo
    assert ("(a secret link, which is not shown)" in page) is not is_demo


def test_the_list_never_holds_a_secret(signed_in, project, ada, staff_with):
    client = signed_in(Role.ADMIN, project)
    send_reset_link(user=ada, actor=staff_with(), now=NOW)

    assert b"https://n.example/r" not in client.get("/mail/").content


def test_a_mail_is_sent_again_by_a_button(signed_in, project, gift, settings):
    settings.MAIL_LEAVES = True
    client = signed_in(Role.ADMIN, project)

    response = client.post(f"/mail/{gift.pk}/again/", {"next": "/mail/?kind=gift"})

    assert response.url == "/mail/?kind=gift"
    gift.refresh_from_db()
    assert gift.state == Mail.State.WAITING
    assert "on its way" in client.get("/mail/").content.decode()
    client.post(f"/mail/{gift.pk}/again/", {"next": "https://evil.example/"})
    assert "waits already" in client.get("/mail/").content.decode()


def test_support_sends_again_what_is_about_a_user(signed_in, project, ada, gift, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)
    client = signed_in(Role.SUPPORT, project)
    profile = f"/users/{ada.public_id}/"

    about_user = client.post(f"/mail/{mail.pk}/again/", {"next": profile})
    other = client.post(f"/mail/{gift.pk}/again/")

    assert (about_user.status_code, about_user.url) == (302, profile)
    assert other.status_code == 403


def test_mails_of_another_project_are_not_there(signed_in, project):
    foreign = ProjectFactory(slug="south")
    client = signed_in(Role.ADMIN, project)
    mail = post("gift", project=foreign, email="x@example.com", language="en", values={}, now=NOW)

    assert rows(client.get("/mail/")) == []
    assert client.get(f"/mail/{mail.pk}/").status_code == 404
    assert client.post(f"/mail/{mail.pk}/again/").status_code == 404


def test_the_register_costs_the_same_with_one_mail_and_with_fifty(
    signed_in, project, gift, django_assert_num_queries
):
    client = signed_in(Role.ADMIN, project)
    client.get("/mail/")
    for number in range(49):
        post(
            "gift",
            project=project,
            email=f"x{number}@example.com",
            language="en",
            values={},
            now=NOW,
        )

    with django_assert_num_queries(5):
        assert len(rows(client.get("/mail/"))) == 50
