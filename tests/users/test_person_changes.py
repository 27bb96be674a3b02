"""What staff change on one person's page: personal information, password, device sessions."""

import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.hashers import check_password

from backoffice.audit.models import AuditEvent
from backoffice.core.passwords import HashingBusy
from backoffice.core.permissions import Role
from backoffice.jobs.models import Mail
from tests.conftest import NOW
from tests.factories.users import CustomFieldFactory, DeviceSessionFactory, PasswordResetFactory
from tests.users.reading import page_of, words
from users.models import CustomField, DeviceSession, PasswordReset, User

DAY = timedelta(days=1)
LONG_AGO = datetime(2024, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def ada(person, project, web):
    web.password_reset_url = "https://watch.example.com/reset/"
    web.save()
    CustomFieldFactory(project=project, key="size", type=CustomField.Type.NUMBER)
    CustomFieldFactory(
        project=project, key="team", type=CustomField.Type.CHOICE, choices=["Reds", "Blues"]
    )
    CustomFieldFactory(project=project, key="old", archived_at=NOW)
    return person(
        "Lovelace",
        LONG_AGO,
        first_name="Ada",
        email="ada@example.com",
        password="before",
        custom={"size": 38, "team": "Greens", "old": "kept"},
    )


@pytest.fixture
def at(look, ada):
    """Ask for one of Ada's addresses, or send a form there; return the response."""

    def at(path="", data=None, role=Role.ADMIN, query=""):
        path = f"/users/{ada.public_id}/{path}"
        if data is None:
            return look(query, path=path, role=role)
        return look(query, path=path, role=role, method="post", data=data)

    return at


def defaults_of(html):
    """Return what the form in <main> would send, untouched, by name."""
    main = re.search(r"<main.*?</main>", html, re.DOTALL).group()
    form = re.search(r'<form method="post".*?</form>', main, re.DOTALL).group()
    sent = {}
    for tag in re.findall(r"<input[^>]+>", form):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if attributes.get("type") == "checkbox" and " checked" not in tag:
            continue
        usual = "on" if attributes.get("type") == "checkbox" else ""
        sent[attributes["name"]] = attributes.get("value", usual)
    for select in re.findall(r"<select.*?</select>", form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', select)
        sent[re.search(r'name="([^"]+)"', select).group(1)] = chosen.group(1) if chosen else ""
    return sent


# --- personal information ---------------------------------------------------------


def test_support_mends_a_name_and_a_language_and_takes_no_account_over(at, ada):
    defaults = defaults_of(page_of(at("edit/", role=Role.SUPPORT)))
    shown = {name for name in defaults if not name.startswith("initial-")}
    assert shown == {"csrfmiddlewaretoken", "first_name", "last_name", "language", "version"}

    sent = defaults | {"first_name": "Augusta", "email": "me@example.org", "size": "44"}
    assert at("edit/", sent, role=Role.SUPPORT).status_code == 302

    ada.refresh_from_db()
    assert (ada.first_name, ada.email) == ("Augusta", "ada@example.com")
    assert ada.custom == {"size": 38, "team": "Greens", "old": "kept"}


def test_the_form_stands_on_the_profile_itself(at):
    html = page_of(at("edit/"))

    assert "User dashboard" in html
    assert defaults_of(html)["email"] == "ada@example.com"


def test_saving_what_stands_there_changes_nothing(at, ada):
    response = at("edit/", defaults_of(page_of(at("edit/"))))

    assert response.status_code == 302
    stored = User.objects.get(pk=ada.pk)
    assert (stored.custom, stored.version, stored.modified_at) == (ada.custom, 1, ada.modified_at)
    assert not AuditEvent.objects.filter(kind="users.user.edited").exists()


def test_a_change_moves_the_modification_date_and_is_recorded_without_values(at, ada):
    form = defaults_of(page_of(at("edit/"))) | {"last_name": "King", "size": "39.5"}

    at("edit/", form)

    stored = User.objects.get(pk=ada.pk)
    assert (stored.last_name, stored.modified_at) == ("King", NOW)
    assert stored.custom == {"size": 39.5, "team": "Greens", "old": "kept"}
    event = AuditEvent.objects.get(kind="users.user.edited")
    assert event.data == {"fields": ["last_name", "custom"]}
    assert "King" not in str(event.__dict__)


@pytest.mark.parametrize("act", ["password/", "sessions/end/"])
def test_what_is_no_profile_field_leaves_the_modification_date(at, ada, act):
    DeviceSessionFactory(user=ada)

    at(act, {"mode": "set", "password": "long enough one"})

    assert User.objects.get(pk=ada.pk).modified_at == ada.modified_at


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"email": "nowhere"}, "Enter a valid email address"),
        ({"country": "XX"}, "code of two letters"),
        ({"size": "many"}, "Enter a number"),
        ({"team": "Yellows"}, "not one of the available choices"),
        ({"version": "x"}, "Open the form again"),
    ],
)
def test_a_bad_value_is_refused_beside_its_field_and_nothing_is_lost(at, ada, change, said):
    form = defaults_of(page_of(at("edit/"))) | {"first_name": "Augusta"} | change

    html = page_of(at("edit/", form), status=400)

    assert said in words(html)
    assert 'value="Augusta"' in html
    assert User.objects.get(pk=ada.pk).first_name == "Ada"


def test_fields_that_nobody_declared_change_nothing(at, ada):
    form = defaults_of(page_of(at("edit/")))

    at("edit/", form | {"registered_at": "2030-01-01", "is_staff": "1", "password": "x"})

    stored = User.objects.get(pk=ada.pk)
    assert (stored.registered_at, stored.password) == (LONG_AGO, "before")


def test_the_second_of_two_editors_sees_both_versions_and_undoes_nothing_unseen(at, ada):
    first, second = (defaults_of(page_of(at("edit/"))) for _ in range(2))
    at("edit/", first | {"last_name": "King", "size": "40"})

    html = page_of(at("edit/", second | {"last_name": "Byron", "first_name": "Augusta"}), 409)

    table = words(re.search(r"personal__conflict.*?</table>", html, re.DOTALL).group())
    assert "First name Ada Augusta" in table
    assert "Last name King Byron" in table
    assert "Size 40 not touched" in table
    again = defaults_of(html)
    assert (again["last_name"], again["first_name"], again["size"]) == ("Byron", "Augusta", "40")
    assert at("edit/", again).status_code == 302
    stored = User.objects.get(pk=ada.pk)
    assert (stored.first_name, stored.last_name, stored.custom["size"]) == ("Augusta", "Byron", 40)


def test_without_what_was_seen_every_field_counts_as_typed(at, ada):
    at("edit/", defaults_of(page_of(at("edit/"))) | {"last_name": "King"})

    sent = {"first_name": "Ada", "last_name": "Byron", "email": ada.email, "version": "1"}
    html = page_of(at("edit/", sent), status=409)

    assert "Last name King Byron" in words(html)


# --- a reset link -----------------------------------------------------------------


def test_sending_a_link_is_the_default_and_needs_nothing_more(at, ada):
    form = defaults_of(page_of(at("password/", role=Role.SUPPORT)))

    response = at("password/", form, role=Role.SUPPORT)

    assert response.status_code == 302
    assert response.url == f"/users/{ada.public_id}/"
    mail = Mail.objects.get()
    assert (mail.kind, mail.recipient) == ("password_reset", "ada@example.com")
    assert PasswordReset.objects.filter(user=ada).exists()
    assert User.objects.get(pk=ada.pk).password == "before"
    assert AuditEvent.objects.filter(kind="users.reset_link.sent").count() == 1


def test_a_mail_that_cannot_leave_is_said_on_the_profile(at, web):
    web.password_reset_url = ""
    web.save()

    at("password/", {})

    assert "No platform has a page for new passwords" in words(page_of(at()))
    assert re.search(r'formaction="/mail/\d+/again/"', page_of(at()))


# --- a password -------------------------------------------------------------------


def shown(html):
    return re.search(r"data-password>([^<]*)<", html).group(1)


def test_a_password_made_here_is_shown_once_and_works(at, ada):
    DeviceSessionFactory(user=ada)
    PasswordResetFactory(user=ada)
    form = defaults_of(page_of(at("password/")))

    response = at("password/", form | {"mode": "set"})

    password = shown(page_of(response))
    assert re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", password)
    assert "no-store" in response["Cache-Control"]
    assert "1 session was ended." in words(page_of(response))
    stored = User.objects.get(pk=ada.pk)
    assert check_password(password, stored.password)
    assert (stored.must_change_password, stored.password_changed_at) == (True, NOW)
    session = DeviceSession.objects.get()
    assert (session.ended_at, session.end_reason) == (NOW, "password")
    assert not PasswordReset.objects.exists()


def test_a_password_is_nowhere_but_in_its_one_answer(at, ada, caplog):
    caplog.set_level(logging.DEBUG)
    form = defaults_of(page_of(at("password/"))) | {"mode": "set", "password": "open sesame 42"}

    assert shown(page_of(at("password/", form))) == "open sesame 42"

    # A reload sends the form again: nothing is set, nothing shown.
    again = at("password/", form)
    assert "nothing was changed now" in words(page_of(again, status=409))
    for response in (again, at(), at("password/"), at("edit/")):
        assert b"open sesame" not in response.content
    assert "open sesame" not in caplog.text
    assert "open sesame" not in str(list(AuditEvent.objects.values()))
    assert not Mail.objects.exists()


def test_a_typed_password_that_will_not_do_is_refused_and_not_sent_back(at, ada):
    html = page_of(at("password/", {"mode": "set", "password": "hunter2"}), status=400)

    assert "at least 8 characters" in words(html)
    assert "hunter2" not in html
    assert User.objects.get(pk=ada.pk).password == "before"


def test_it_need_not_be_changed_where_the_box_is_unticked(at, ada):
    form = defaults_of(page_of(at("password/")))
    assert form.pop("must_change") == "on"

    at("password/", form | {"mode": "set"})

    assert User.objects.get(pk=ada.pk).must_change_password is False


def test_of_two_who_set_a_password_the_second_is_told(at, ada):
    first, second = (defaults_of(page_of(at("password/"))) for _ in range(2))
    at("password/", first | {"mode": "set"})
    kept = User.objects.get(pk=ada.pk).password

    assert at("password/", second | {"mode": "set"}).status_code == 409

    assert User.objects.get(pk=ada.pk).password == kept


def test_support_may_send_a_link_and_set_nothing(at, ada):
    html = page_of(at("password/", role=Role.SUPPORT))

    assert "Set and show once" not in html
    assert at("password/", {"mode": "set"}, role=Role.SUPPORT).status_code == 403
    assert User.objects.get(pk=ada.pk).password == "before"


def test_an_unknown_way_is_refused(at):
    assert at("password/", {"mode": "guess"}).status_code == 400


def test_many_passwords_at_once_are_refused_with_a_word(at, ada, monkeypatch):
    def busy(password):
        raise HashingBusy

    monkeypatch.setattr("users.views.password.hash_password", busy)

    html = page_of(at("password/", {"mode": "set"}), status=503)

    assert "Too many passwords" in words(html)


def test_the_readers_own_password_is_asked_before_and_carries_none_along(at, ada, clock):
    page_of(at("password/"))
    clock.shift(timedelta(minutes=16))

    sent = at("password/", {"mode": "set", "password": "open sesame 42"})
    asked = at("password/")

    assert (sent.status_code, sent.url) == (302, f"/users/{ada.public_id}/password/")
    assert asked.status_code == 302
    assert asked.url.startswith("/confirm/?next=")
    assert User.objects.get(pk=ada.pk).password == "before"


# --- device sessions -----------------------------------------------------------------


def test_one_session_is_ended_and_the_others_stay(at, ada):
    one, other = (DeviceSessionFactory(user=ada) for _ in range(2))

    response = at(f"sessions/{one.id}/end/", {})

    assert response.url == f"/users/{ada.public_id}/#sessions"
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.ended_at, one.end_reason, other.ended_at) == (NOW, "staff", None)
    event = AuditEvent.objects.get(kind="users.device_session.ended")
    assert (event.target_id, event.data) == (str(ada.public_id), {"sessions": 1})


def test_all_are_ended_and_what_had_ended_stays_as_it_was(at, ada):
    before = DeviceSessionFactory(user=ada, ended_at=NOW - DAY, end_reason="limit")
    DeviceSessionFactory.create_batch(3, user=ada)

    at("sessions/end/", {})

    assert DeviceSession.objects.filter(end_reason="staff").count() == 3
    before.refresh_from_db()
    assert before.end_reason == "limit"
    at("sessions/end/", {})
    assert AuditEvent.objects.filter(kind="users.device_session.ended").count() == 1


def test_nobody_elses_session_is_ended_here(at, person):
    session = DeviceSessionFactory(user=person("Hopper"))

    at(f"sessions/{session.id}/end/", {})

    session.refresh_from_db()
    assert session.ended_at is None


@pytest.mark.parametrize("role", [Role.ANALYST, Role.READER])
def test_who_only_looks_ends_nothing(at, ada, role):
    DeviceSessionFactory(user=ada)

    assert at("sessions/end/", {}, role=role).status_code == 403
    assert "/sessions/" not in page_of(at(role=role))
    assert DeviceSession.objects.filter(ended_at=None).count() == 1


def test_nothing_changes_when_it_cannot_be_recorded(at, ada, monkeypatch, client):
    DeviceSessionFactory(user=ada)
    monkeypatch.setattr("users.actions.record", lambda *_, **__: 1 / 0)
    client.raise_request_exception = False

    assert at("sessions/end/", {}).status_code == 500
    assert at("password/", {"mode": "set"}).status_code == 500

    assert DeviceSession.objects.filter(ended_at=None).count() == 1
    assert User.objects.get(pk=ada.pk).password == "before"
