"""create_project, create_platform, create_api_key: what they make, and how they refuse."""

import hashlib
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from backoffice.audit.models import AuditEvent
from backoffice.projects.models import ApiKey, Platform, Project
from backoffice.projects.selectors import authenticate_key
from tests.conftest import NOW

pytestmark = pytest.mark.django_db

PROJECT = {"name": "North", "time_zone": "Europe/Paris", "currency": "EUR"}
PLATFORM = {"name": "Web", "kind": "web", "home_url": "https://www.example.com/"}


def test_makes_a_project():
    call_command("create_project", "north", **PROJECT, trial=True, device_limit=5, minimum_view=0)

    north = Project.objects.get()
    assert (north.slug, north.name, north.time_zone, north.currency) == (
        "north",
        "North",
        "Europe/Paris",
        "EUR",
    )
    assert (north.device_limit, north.has_trials, north.minimum_view_seconds) == (5, True, 0)
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor_type, event.project_id) == (
        "projects.project.created",
        "system",
        north.pk,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time_zone": "Mars/Olympus"}, "Mars/Olympus is no time zone"),
        ({"time_zone": "localtime"}, "localtime is no time zone"),
        ({"time_zone": "posixrules"}, "posixrules is no time zone"),
        ({"time_zone": "Factory"}, "Factory is no time zone"),
        ({"currency": "eur"}, "eur is no currency: use three capital letters"),
        ({"currency": "XXQ"}, "XXQ is no currency"),
        ({"minimum_view": 61}, "less than or equal to 60"),
        ({"minimum_view": -1}, "greater than or equal to 0"),
        ({"name": ""}, "name: This field cannot be blank"),
    ],
)
def test_refuses_a_project_that_cannot_be(change, said):
    with pytest.raises(CommandError, match=said):
        call_command("create_project", "north", **PROJECT | change)

    assert not Project.objects.exists()
    assert not AuditEvent.objects.exists()


def test_refuses_a_slug_that_is_taken_or_none(project):
    with pytest.raises(CommandError, match="already exists"):
        call_command("create_project", "north", **PROJECT)
    with pytest.raises(CommandError, match="slug"):
        call_command("create_project", "no rth", **PROJECT)


def test_makes_a_platform(project):
    call_command("create_platform", "north", "web", **PLATFORM)

    web = Platform.objects.get()
    assert (web.project, web.slug, web.kind) == (project, "web", "web")
    assert web.home_url == "https://www.example.com/"
    assert AuditEvent.objects.get().kind == "projects.platform.created"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x",
        "http://127.0.0.1:8000/",
        "http://127.0.0.2/",
        "http://127.255.255.254:3000/",
        "http://localhost/",
        "http://LOCALHOST/",
        "http://[::1]/",
        "http://[0:0::1]:3000/",
    ],
)
def test_takes_https_and_loopback(project, url):
    call_command("create_platform", "north", "web", **PLATFORM | {"home_url": url})

    assert Platform.objects.get().home_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://www.example.com/",
        "http://127.0.0.1.example.com/",
        "http://126.255.255.255/",
        "http://128.0.0.1/",
        "http://0.0.0.0/",
        "http://[::2]/",
        "http://[::]/",
        "http://localhost.example.com/",
        "https://user:pass@example.com/",
        "http://127.0.0.1@example.com/",
        "javascript:alert(1)",
        "ftp://example.com/",
        "//example.com/",
        "https://",
        "https://exa mple.com/",
        "https://[::1/",
        "",
    ],
)
def test_refuses_other_addresses(project, url):
    with pytest.raises(CommandError):
        call_command("create_platform", "north", "web", **PLATFORM | {"home_url": url})

    assert not Platform.objects.exists()


def test_slugs_are_unique_within_a_project_only(project, other_project):
    call_command("create_platform", "north", "web", **PLATFORM)
    call_command("create_platform", "south", "web", **PLATFORM)

    with pytest.raises(CommandError, match="already exists"):
        call_command("create_platform", "north", "web", **PLATFORM)


def test_names_what_there_is(project):
    with pytest.raises(CommandError, match=r"no project 'nort': use one of: north\."):
        call_command("create_platform", "nort", "web", **PLATFORM)
    with pytest.raises(CommandError, match="make it first with create_platform"):
        call_command("create_api_key", "north", "web")


@pytest.fixture
def key(project, capsys):
    call_command("create_platform", "north", "web", **PLATFORM)
    call_command("create_api_key", "north", "web")
    return capsys.readouterr().out.splitlines()[-1]


def test_prints_the_key_alone_and_keeps_only_its_hash(key):
    row = ApiKey.objects.get()
    assert key.startswith("bk_")
    assert len(key) == 46
    assert row.key_hash == hashlib.sha256(key.encode()).hexdigest()
    assert key.startswith(row.hint)
    event = AuditEvent.objects.get(kind="projects.api_key.created")
    assert key not in str(event.data)


def test_a_key_opens_its_platform(key):
    found = authenticate_key(key, now=NOW)

    assert found.platform.slug == "web"
    assert found.platform.project.slug == "north"


@pytest.mark.parametrize("raw", ["", "bk_", "x" * 5000, "é", "\x00", "\ud800"])
def test_another_key_does_not(key, raw):
    assert authenticate_key(raw, now=NOW) is None


def test_a_revoked_key_does_not(key):
    ApiKey.objects.update(revoked_at=NOW)

    assert authenticate_key(key, now=NOW) is None


def test_its_use_is_noted_once_a_minute(key, django_assert_num_queries):
    with django_assert_num_queries(2):
        authenticate_key(key, now=NOW)
    with django_assert_num_queries(1):
        authenticate_key(key, now=NOW + timedelta(seconds=59))
    assert ApiKey.objects.get().last_used_at == NOW

    authenticate_key(key, now=NOW + timedelta(seconds=60))

    assert ApiKey.objects.get().last_used_at == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    "change",
    [
        {"device_limit": 4},
        {"minimum_view_seconds": 61},
        {"currency": "EURO"[:3].lower()},
        {"languages": []},
        {"impersonation_reason": "MAYBE"},
    ],
)
def test_the_database_keeps_the_projects_promises(project, change):
    with pytest.raises(IntegrityError), transaction.atomic():
        Project.objects.update(**change)


def test_nothing_is_left_when_the_trail_cannot_be_written(project, monkeypatch):
    monkeypatch.setattr("backoffice.projects.actions.record", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        call_command("create_project", "west", **PROJECT)
    with pytest.raises(ZeroDivisionError):
        call_command("create_platform", "north", "web", **PLATFORM)

    assert list(Project.objects.all()) == [project]
    assert not Platform.objects.exists()


def test_no_key_is_left_when_the_trail_cannot_be_written(project, monkeypatch):
    call_command("create_platform", "north", "web", **PLATFORM)
    monkeypatch.setattr("backoffice.projects.actions.record", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        call_command("create_api_key", "north", "web")

    assert not ApiKey.objects.exists()


def test_the_database_keeps_keys_hashed(project):
    call_command("create_platform", "north", "web", **PLATFORM)
    web = Platform.objects.get()

    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(platform=web, key_hash="bk_in_clear", hint="bk_", created_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Platform.objects.update(kind="radio")
