"""The help: for everybody, about the project at hand, in both languages."""

import re

import pytest

from backoffice.core.permissions import Role
from tests.conftest import NOW
from tests.factories.projects import ProjectFactory
from tests.factories.users import CustomFieldFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(slug="north", minimum_view_seconds=12, grace_days=9)


def test_it_is_about_the_project_at_hand(signed_in, project):
    CustomFieldFactory(project=project, key="club", labels={"en": "Club", "fr": "Cercle"})
    CustomFieldFactory(project=project, key="old", archived_at=NOW)

    page = signed_in(Role.READER, project).get("/help/").content.decode()

    assert "of 12 seconds or more" in page
    assert "9 days where none does" in page
    assert "Europe/Paris" in page
    assert "<code>club</code>" in page
    assert "<code>old</code>" not in page
    for name in ("registered_at", "media_viewed", "last_media_viewed_at"):
        assert f"<code>{name}</code>" in page


def test_its_contents_lead_to_its_sections_in_both_languages(client, signed_in, project):
    signed_in(Role.ANALYST, project)
    titles = {}
    for language in ("en", "fr"):
        client.cookies["language"] = language
        page = client.get("/help/").content.decode()
        linked = re.findall(r'href="#(\w+)">', page)
        assert {"definitions", "statuses", "files", "import", "fields"} <= set(linked)
        assert all(f'<h2 id="{name}">' in page for name in linked if name != "main")
        assert "Incarner" in page
        assert "Impersonate" in page
        titles[language] = re.findall(r'<h2 id="[a-z]+">(.*?)</h2>', page)

    assert titles["fr"][:3] == ["Définitions", "Statuts", "Fichiers"]


def test_every_page_leads_to_it(signed_in, project):
    page = signed_in(Role.READER, project).get("/users/").content.decode()

    assert '<a href="/help/">Help</a>' in page


def test_who_has_no_role_is_not_led_where_nothing_opens(signed_in, project, client):
    client = signed_in(Role.READER, project)
    client.get("/help/")
    from backoffice.staff.models import StaffRole

    StaffRole.objects.all().delete()

    assert b'href="/help/"' not in client.get("/account/second-factor/").content
