"""The demo platform as its visitors meet it: signing up, in and out, watching, the account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from analytics.models import Viewing
from backoffice.core.permissions import Role
from backoffice.demo_platform.client import key_of
from backoffice.projects.models import ApiKey
from tests.conftest import NOW
from tests.demo_platform.conftest import HOME, PASSWORD, Browser, text_of
from tests.factories.projects import PlatformFactory
from tests.factories.users import CustomFieldFactory
from users.actions import issue_password_reset
from users.models import DeviceSession, User


def test_the_home_page_shows_what_there_is_to_watch(visitor, film):
    page = visitor.open()

    assert page.status_code == 200
    assert "North: films, series, live" in text_of(page)
    assert "The Night Train" in text_of(page)


@pytest.mark.parametrize("path", ["/demo-platform/north/tv/", "/demo-platform/east/web/"])
def test_what_does_not_exist_is_not_found(client, visitor, path):
    assert client.get(path).status_code == 404


def test_signing_up_asks_the_projects_fields_and_signs_in(visitor, project):
    CustomFieldFactory(project=project, key="city", labels={"en": "City"}, is_required=True)
    CustomFieldFactory(project=project, key="size", labels={"en": "Household"}, type="number")
    CustomFieldFactory(project=project, key="news", labels={"en": "News"}, type="boolean")
    CustomFieldFactory(project=project, key="born", labels={"en": "Born"}, type="date")
    CustomFieldFactory(project=project, key="fax", labels={"en": "Fax"}, archived_at=NOW)
    form = text_of(visitor.open("sign-up/"))
    assert "City" in form
    assert "Fax" not in form
    written = {
        "email": "grace@example.com",
        "first_name": "Grace",
        "password": PASSWORD,
        "custom.size": "3",
        "custom.news": "on",
        "custom.born": "1906-12-09",
    }

    refused = visitor.send("sign-up/", written)
    assert refused.status_code == 400
    assert not User.objects.exists()
    page = visitor.send("sign-up/", written | {"custom.city": "Arlington"})

    assert "Welcome, Grace" in text_of(page)
    user = User.objects.get()
    assert user.custom == {"city": "Arlington", "size": 3, "news": True, "born": "1906-12-09"}
    assert user.platform.slug == "web"
    assert DeviceSession.objects.get().user == user


def test_what_the_api_refuses_stands_beside_its_field(visitor, ada):
    written = {"email": "ada@example.com", "password": PASSWORD}

    taken = visitor.send("sign-up/", written)
    common = visitor.send("sign-up/", written | {"email": "b@example.com", "password": "1234567"})

    assert "The project has a user with this e-mail." in text_of(taken)
    assert "too short" in text_of(common)


def test_signing_in_and_out(visitor, ada):
    refused = visitor.sign_in(password="not this one")
    assert refused.status_code == 400
    assert "do not belong together" in text_of(refused)

    assert "Welcome, Ada Lovelace" in text_of(visitor.sign_in())
    assert DeviceSession.objects.get().ended_at is None

    assert "Sign in" in text_of(visitor.send("sign-out/"))
    assert DeviceSession.objects.get().end_reason == "signed-out"


def test_a_fourth_device_signs_the_first_one_out(web, ada, clock):
    browsers = [Browser(Client()) for _ in range(4)]
    for number, one in enumerate(browsers):
        clock.move_to(NOW + timedelta(seconds=number))
        one.sign_in()

    assert "You were signed out" in text_of(browsers[0].open())
    assert "North: films, series, live" in text_of(browsers[0].open())
    assert "Welcome, Ada" in text_of(browsers[1].open())


def test_a_password_set_by_staff_is_changed_first(visitor, ada):
    User.objects.update(must_change_password=True)

    assert "Choose a new password" in text_of(visitor.sign_in())
    page = visitor.send("password/", {"password": "another long sentence"})

    assert "Welcome, Ada" in text_of(page)
    assert "Welcome, Ada" in text_of(visitor.sign_in(password="another long sentence"))


def test_a_forgotten_password_says_the_same_whoever_asks(visitor, ada):
    said = {
        text_of(visitor.send("forgotten/", {"email": email}))
        for email in ("ada@example.com", "nobody@example.com")
    }

    assert len(said) == 1
    assert "If somebody has this address" in said.pop()


def test_the_page_of_a_reset_link_sets_the_password_once(visitor, ada):
    token = issue_password_reset(user=ada, now=NOW)
    written = {"token": token, "password": "another long sentence"}

    short = visitor.send("reset/", {"token": token, "password": "short"})
    done = visitor.send("reset/", written)
    again = visitor.send("reset/", written)

    assert "too short" in text_of(short)
    assert "The password was changed" in text_of(done)
    assert "does not work any more" in text_of(again)
    assert "Welcome, Ada" in text_of(visitor.sign_in(password="another long sentence"))


def test_only_signed_in_users_watch(visitor, ada, film):
    assert "Password forgotten?" in text_of(visitor.open("watch/night-train/"))

    visitor.sign_in()

    assert "The Night Train" in text_of(visitor.open("watch/night-train/"))
    assert visitor.open("watch/nothing/").status_code == 404


def begun(visitor):
    headers = {"Accept": "application/json"}
    return visitor.send("start/", {"content": "night-train"}, headers=headers).json()["viewing"]


def beat(visitor, viewing, **said):
    return visitor.send("beat/", {"viewing": viewing, **said}, content_type="application/json")


def test_the_player_reports_as_players_do(visitor, ada, film, clock):
    visitor.sign_in()
    viewing = begun(visitor)
    clock.move_to(NOW + timedelta(minutes=10))

    for watched, position in ((30, 30), (600, 1200), (30, 30)):
        assert beat(visitor, viewing, watched=watched, position=position).json() == {"kept": True}

    row = Viewing.objects.get()
    assert (row.user_id, row.watched_seconds, row.position_seconds) == (ada.pk, 600, 1200)
    assert row.started_at == NOW
    assert "The Night Train" in text_of(visitor.open("account/"))
    assert "0:10:00" in text_of(visitor.open("account/"))


def test_without_scripts_two_buttons_do(visitor, ada, film, clock):
    visitor.sign_in()
    started = visitor.send("start/", {"content": "night-train"})
    viewing = started.context["viewing"]
    assert "It plays." in text_of(started)
    clock.move_to(NOW + timedelta(seconds=90))

    visitor.send("beat/", {"viewing": viewing})

    row = Viewing.objects.get()
    assert (row.watched_seconds, row.has_ended) == (90, True)


@pytest.mark.parametrize("body", ["[]", "{", '{"viewing": 7}', '{"viewing": "x:y:z"}', "null"])
def test_a_beat_that_is_none_is_refused(visitor, ada, body):
    visitor.sign_in()

    response = visitor.client.post(f"{HOME}beat/", body, content_type="application/json")

    assert response.status_code == 400


def test_the_name_can_be_changed_in_the_account(visitor, ada):
    visitor.sign_in()

    page = visitor.send("account/", {"first_name": "Augusta", "last_name": "Byron"})

    assert "Augusta Byron" in page.content.decode() or 'value="Augusta"' in page.content.decode()
    ada.refresh_from_db()
    assert (ada.first_name, ada.last_name) == ("Augusta", "Byron")


def test_forms_of_other_sites_are_refused(visitor, ada):
    visitor.sign_in()

    for origin in ("https://evil.example", "null"):
        response = visitor.send("account/", {"first_name": "Eve"}, origin=origin)
        assert response.status_code == 403
    ada.refresh_from_db()
    assert ada.first_name == "Ada"


def test_it_speaks_the_users_language_unless_another_is_chosen(visitor, ada):
    User.objects.update(language="fr-CA")

    page = visitor.sign_in()
    assert 'lang="fr"' in page.content.decode()
    assert "Bienvenue" in text_of(page)

    assert "Welcome" in text_of(visitor.send("language/", {"language": "en"}))


def test_it_neither_reads_nor_writes_the_back_offices_session(visitor, signed_in, clock):
    client = signed_in(Role.OWNER)
    before = dict(client.session)
    clock.move_to(NOW + timedelta(minutes=20))

    page = visitor.open()

    assert "owner@example.com" not in page.content.decode()
    assert settings.SESSION_COOKIE_NAME not in page.cookies
    assert settings.CSRF_COOKIE_NAME not in page.cookies
    assert dict(client.session) == before


def test_cookies_hold_for_one_platform_and_cannot_be_made_up(visitor, ada):
    visitor.sign_in()
    cookie = visitor.client.cookies["demo_user"]

    assert cookie["path"] == HOME
    assert cookie["httponly"]
    visitor.client.cookies["demo_user"] = f"{cookie.value[:-2]}xx"
    assert "Sign up" in text_of(visitor.open())


def test_its_key_is_made_once_and_can_be_revoked(visitor, ada):
    visitor.open()
    visitor.sign_in()
    assert ApiKey.objects.count() == 1

    ApiKey.objects.update(revoked_at=NOW)

    page = visitor.sign_in()
    assert page.status_code == 503
    assert "the key of this platform was revoked" in text_of(page)


def test_sign_up_fields_of_each_type_may_stay_empty(visitor, project):
    CustomFieldFactory(project=project, key="genre", type="choice", choices=["drama", "comedy"])
    for kind in ("number", "date", "text"):
        CustomFieldFactory(project=project, key=kind, type=kind)
    written = {"email": "grace@example.com", "password": PASSWORD, "custom.genre": "comedy"}

    assert visitor.send("sign-up/", written | {"custom.genre": "noir"}).status_code == 400
    visitor.send("sign-up/", written)

    assert User.objects.get().custom == {"genre": "comedy"}


@pytest.mark.parametrize(
    ("where", "data", "said"),
    [
        ("account/", {"first_name": "A\x01da"}, "control characters"),
        ("password/", {"password": "short"}, "too short"),
        ("start/", {"content": "nothing"}, ""),
    ],
)
def test_what_cannot_be_changes_nothing(visitor, ada, where, data, said):
    visitor.sign_in()

    response = visitor.send(where, data)

    assert response.status_code == (404 if where == "start/" else 400)
    assert said in response.content.decode()
    ada.refresh_from_db()
    assert (ada.first_name, ada.password_changed_at) == ("Ada", None)


def test_a_viewing_is_reported_by_its_own_viewer_alone(visitor, ada, film):
    visitor.sign_in()
    viewing = begun(visitor)
    visitor.send("sign-out/")
    visitor.send("sign-up/", {"email": "grace@example.com", "password": PASSWORD})

    assert beat(visitor, viewing, watched=10).status_code == 403
    assert not Viewing.objects.exists()


def test_what_was_begun_is_offered_again_with_its_progress(visitor, ada, film, clock):
    visitor.sign_in()
    viewing = begun(visitor)
    clock.move_to(NOW + timedelta(hours=1))
    beat(visitor, viewing, watched=2700, position=2700)

    page = visitor.open()

    assert "Continue watching" in text_of(page)
    assert '<progress max="100" value="50"' in page.content.decode()


def test_without_an_impersonation_there_is_nothing_to_stop(visitor):
    assert "The impersonation is over" in text_of(visitor.send("stop/"))
    assert "films, series, live" in text_of(visitor.send("language/", {"language": "xx"}))


@pytest.mark.django_db(transaction=True)
def test_of_many_first_visits_at_once_one_makes_the_key(django_db_setup):
    platform = PlatformFactory()
    ready = threading.Barrier(4)

    def visit(_number):
        ready.wait(timeout=30)
        try:
            return key_of(platform, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        keys = set(threads.map(visit, range(4)))

    assert len(keys) == 1
    assert ApiKey.objects.get().platform == platform
