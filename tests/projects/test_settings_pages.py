"""The settings of a project, its platforms and their keys, on the pages for them."""

import re

import pytest
import time_machine

from analytics.models import ViewingDay
from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.jobs.models import Job
from backoffice.projects.models import ApiKey, Platform, Project
from backoffice.projects.selectors import authenticate_key
from tests.conftest import NOW
from tests.factories.projects import ApiKeyFactory, PlatformFactory, ProjectFactory

pytestmark = pytest.mark.django_db

SETTINGS = "/settings/project/"
PLATFORMS = "/settings/platforms/"
PLATFORM = {"slug": "web", "name": "Web", "kind": "web", "home_url": "https://n.example/"}


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def project():
    return ProjectFactory(slug="north", name="North", languages=["en", "fr"])


@pytest.fixture
def admin(project, signed_in):
    client = signed_in(Role.ADMIN, project)
    session = client.session
    for stamp in ("staff_proved_at", "staff_seen_at", "staff_signed_in_at"):
        session[stamp] = NOW.timestamp()
    session.save()
    return client


def as_shown(client, path=SETTINGS):
    """Return the fields of the form in <main> as a browser would send them unchanged."""
    page = client.get(path)
    return {
        name: value
        for name, value in page.context["form"].initial.items()
        if value is not False and value is not None
    }


def kinds():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


# --- Project -------------------------------------------------------------------------------


def test_sent_back_as_shown_nothing_changes(admin, project):
    response = admin.post(SETTINGS, as_shown(admin))

    assert response.status_code == 302
    again = Project.objects.get()
    assert again.__dict__ | {"_state": None} == project.__dict__ | {"_state": None}
    assert kinds() == []


def test_only_zones_that_all_machines_agree_on_are_offered(admin):
    offered = {name for name, _ in admin.get(SETTINGS).context["form"]["time_zone"].field.choices}

    assert {"UTC", "Europe/Paris", "Asia/Tokyo"} <= offered
    assert not offered & {"Factory", "localtime", "posixrules"}


def test_settings_are_changed_with_a_line_in_the_trail(admin):
    changed = {
        "name": "Nørth",
        "languages": "fr, pt_br,fr",
        "currency": "chf",
        "device_limit": "5",
        "impersonation_reason": "OFF",
    }

    admin.post(SETTINGS, as_shown(admin) | changed)

    project = Project.objects.get()
    assert (project.name, project.languages, project.currency, project.device_limit) == (
        "Nørth",
        ["fr", "pt-BR"],
        "CHF",
        5,
    )
    assert project.impersonation_reason == "OFF"
    assert AuditEvent.objects.get().data == {
        "fields": ["name", "languages", "currency", "device_limit", "impersonation_reason"]
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "a\x07b"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "localtime"},
        {"currency": "EURO"},
        {"currency": "XYZ"},
        {"languages": "klingon"},
        {"languages": ","},
        {"device_limit": "4"},
        {"minimum_view_seconds": "61"},
        {"minimum_view_seconds": "-1"},
        {"grace_days": "61"},
        {"impersonation_reason": "MAYBE"},
    ],
)
def test_what_cannot_be_is_refused(admin, project, changed):
    response = admin.post(SETTINGS, as_shown(admin) | changed)

    assert response.status_code == 400
    assert Project.objects.get().__dict__ | {"_state": None} == project.__dict__ | {"_state": None}


def test_a_small_project_changes_its_rules_at_once(admin):
    assert "takes a few seconds" in admin.get(SETTINGS).content.decode()

    response = admin.post(SETTINGS, as_shown(admin) | {"minimum_view_seconds": "30"})

    assert response.url == f"{SETTINGS}?project=north"
    assert Project.objects.get().minimum_view_seconds == 30
    assert not Job.objects.exists()


def test_a_large_one_in_a_job_and_one_after_the_other(admin, project):
    platform = PlatformFactory(project=project)
    ViewingDay.objects.create(project=project, platform=platform, day=NOW.date(), views=300_001)
    assert "job of some minutes" in admin.get(SETTINGS).content.decode()

    form = as_shown(admin)
    response = admin.post(SETTINGS, form | {"name": "South", "minimum_view_seconds": "30"})
    refused = admin.post(SETTINGS, form | {"grace_days": "9"})

    job = Job.objects.get()
    assert response.url == f"/jobs/{job.pk}/"
    assert (job.kind, job.arguments) == ("analytics.change_rules", {"minimum_view_seconds": 30})
    # The name at once, the rule with its figures.
    again = Project.objects.get()
    assert (again.name, again.minimum_view_seconds) == ("South", 5)
    assert refused.status_code == 409
    assert f'href="/jobs/{job.pk}/"' in admin.get(SETTINGS).content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_job_applies_the_rules(run_jobs, admin, project):
    platform = PlatformFactory(project=project)
    ViewingDay.objects.create(project=project, platform=platform, day=NOW.date(), views=300_001)
    admin.post(SETTINGS, as_shown(admin) | {"minimum_view_seconds": "30"})

    run_jobs()

    job = Job.objects.get()
    assert (job.state, job.result) == ("DONE", {"changed": ["minimum_view_seconds"]})
    assert Project.objects.get().minimum_view_seconds == 30
    # No viewing stands behind that number: it is gone.
    assert not ViewingDay.objects.exists()


# --- Platforms -----------------------------------------------------------------------------


def test_a_platform_is_made_and_changed(admin, project):
    made = admin.post(f"{PLATFORMS}new/", PLATFORM)
    changed = PLATFORM | {
        "slug": "other",
        "name": "The web",
        "password_reset_url": "https://n.example/new-password",
        "impersonation_url": "http://127.0.0.1:8000/in/",
    }
    admin.post(f"{PLATFORMS}web/", changed)

    assert made.status_code == 302
    platform = Platform.objects.get()
    assert (platform.project, platform.slug, platform.name) == (project, "web", "The web")
    assert platform.password_reset_url == "https://n.example/new-password"
    assert platform.impersonation_address == "http://127.0.0.1:8000/in/"
    assert kinds() == ["projects.platform.created", "projects.platform.edited"]


@pytest.mark.parametrize(
    "changed",
    [
        {"home_url": "http://n.example/"},
        {"home_url": "javascript:alert(1)"},
        {"password_reset_url": "http://n.example/"},
        {"password_reset_url": "https://n.example/#/new"},
        {"impersonation_url": "https://me:secret@n.example/"},
        {"slug": "with space"},
        {"slug": "tv"},
        {"slug": "new"},
        {"slug": "NEW"},
        {"kind": "radio"},
        {"name": ""},
    ],
)
def test_a_platform_that_cannot_be_is_refused(admin, project, changed):
    PlatformFactory(project=project, slug="tv")

    response = admin.post(f"{PLATFORMS}new/", PLATFORM | changed)

    assert response.status_code == 400
    assert Platform.objects.count() == 1


def test_a_key_is_shown_once_and_opens_its_platform(admin, project):
    platform = PlatformFactory(project=project, slug="web")

    page = admin.post(f"{PLATFORMS}web/keys/").content.decode()

    key = re.search(r"data-secret>(bk_\S+)<", page)[1]
    assert authenticate_key(key, now=NOW).platform == platform
    assert key not in admin.get(PLATFORMS).content.decode()
    assert key[:10] in admin.get(PLATFORMS).content.decode()
    assert kinds() == ["projects.api_key.created"]


def test_a_revoked_key_opens_nothing(admin, project):
    key = ApiKeyFactory(platform__project=project, raw="secret")

    admin.post(f"/settings/keys/{key.pk}/revoke/")
    admin.post(f"/settings/keys/{key.pk}/revoke/")

    assert authenticate_key("secret", now=NOW) is None
    assert ApiKey.objects.get().revoked_at == NOW
    assert kinds() == ["projects.api_key.revoked"]
    assert "Revoked" in admin.get(PLATFORMS).content.decode()


@pytest.mark.parametrize("path", ["web/keys/", "web/"])
def test_platforms_of_another_project_are_not_there(admin, path):
    PlatformFactory(slug="web")

    assert admin.post(f"{PLATFORMS}{path}").status_code == 404


def test_a_key_of_another_project_is_not_there(admin):
    key = ApiKeyFactory()

    assert admin.post(f"/settings/keys/{key.pk}/revoke/").status_code == 404
    assert ApiKey.objects.get().revoked_at is None


def test_keys_ask_for_the_password_when_the_proof_is_old(admin, project, clock):
    PlatformFactory(project=project, slug="web")
    clock.shift(16 * 60)

    response = admin.post(f"{PLATFORMS}web/keys/")

    assert b'name="confirm-password"' in response.content
    assert not ApiKey.objects.exists()
