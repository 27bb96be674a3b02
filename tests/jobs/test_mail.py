"""Mail: written with the act, sent by a worker, tried again, its secrets never in the clear."""

import re
import smtplib
import socketserver
import threading
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from django.core import mail as django_mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import IntegrityError, connection, transaction

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Role
from backoffice.env import env_email
from backoffice.jobs.letters import WORDS, language_for
from backoffice.jobs.mailing import (
    PAUSES,
    MailRefused,
    failed_mails_of,
    forget_old_mail,
    forget_users_in_mail,
    link_shown,
    post,
    send,
    send_again,
)
from backoffice.jobs.models import Mail
from tests.conftest import NOW
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.users import UserFactory
from users.mailing import invite, send_reset_link

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"#([A-Za-z0-9_-]{64})")


@pytest.fixture
def project():
    return ProjectFactory(slug="north", name="Norðr", languages=["en", "fr"])


@pytest.fixture
def ada(project):
    web = PlatformFactory(
        project=project, slug="web", password_reset_url="https://north.example.com/reset"
    )
    return UserFactory(platform=web, email="ada@example.com", language="fr-CH")


@pytest.fixture
def leaving(settings):
    """Let mail leave, into Django's outbox."""
    settings.MAIL_LEAVES = True
    settings.DEFAULT_FROM_EMAIL = "Back office <noreply@mail.example>"


@pytest.fixture
def refusing(monkeypatch):
    """Have the mail server refuse in one way after the other, then accept."""

    def refuse(*errors):
        waiting = list(errors)
        accept = EmailBackend.send_messages

        def send_messages(self, messages):
            if waiting:
                raise waiting.pop(0)
            return accept(self, messages)

        monkeypatch.setattr(EmailBackend, "send_messages", send_messages)

    return refuse


def post_gift(project, **changed):
    values = {"offer": "Cinema", "url": "https://north.example.com/"}
    given = {"email": "eve@example.com", "language": "en", "values": values, "now": NOW}
    return post("gift", project=project, **(given | changed))


def due():
    """Return what is deferred: each mail's id, and whether it is to wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args->>'mail_id', scheduled_at IS NOT NULL FROM procrastinate_jobs"
            " WHERE task_name = 'mail.send' ORDER BY id"
        )
        return [(int(mail_id), waits) for mail_id, waits in cursor]


def all_text_of(table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t::text FROM {table} AS t")
        return "\n".join(row for (row,) in cursor)


def test_a_reset_link_reaches_its_user_in_their_language(leaving, ada, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(Role.SUPPORT), now=NOW)
    assert due() == [(mail.pk, False)]

    send(mail_id=mail.pk, now=NOW)

    (left,) = django_mail.outbox
    assert left.to == ["ada@example.com"]
    assert left.subject == "Choisissez un nouveau mot de passe pour Norðr"
    assert left.message()["From"] == "=?utf-8?b?Tm9yw7By?= <noreply@mail.example>"
    assert left.message()["Auto-Submitted"] == "auto-generated"
    token = TOKEN.search(left.body)[1]
    assert f"https://north.example.com/reset#{token}\n" in left.body
    (html,) = left.alternatives
    assert f'href="https://north.example.com/reset#{token}"' in html.content
    assert '<html lang="fr">' in html.content
    assert "Bonjour," in left.body
    mail.refresh_from_db()
    assert (mail.state, mail.sent_at, mail.attempts, mail.failure) == ("SENT", NOW, 1, "")


def test_no_secret_is_in_the_database_before_or_after(leaving, ada, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(Role.SUPPORT), now=NOW)
    link = link_shown(mail, with_secret=True)
    token = TOKEN.search(link)[1]
    waiting = all_text_of("jobs_mail") + all_text_of("procrastinate_jobs")
    assert mail.sealed_secret
    assert token not in waiting
    assert token not in all_text_of("audit_auditevent")

    send(mail_id=mail.pk, now=NOW)

    mail.refresh_from_db()
    assert mail.sealed_secret == ""
    assert link_shown(mail, with_secret=True) == ""


def test_a_mail_leaves_once(leaving, project):
    mail = post_gift(project)

    send(mail_id=mail.pk, now=NOW)
    send(mail_id=mail.pk, now=NOW)

    assert len(django_mail.outbox) == 1


def post_in_vain(project):
    with transaction.atomic():
        post_gift(project)
        raise ZeroDivisionError


def test_an_act_that_fails_writes_no_mail(leaving, project):
    with pytest.raises(ZeroDivisionError):
        post_in_vain(project)

    assert not Mail.objects.exists()
    assert due() == []


def test_without_a_server_a_mail_stays(project):
    mail = post_gift(project)

    assert mail.state == Mail.State.KEPT
    assert due() == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(), "The mail server cannot be reached."),
        (smtplib.SMTPServerDisconnected("ada@example.com"), "cannot be reached"),
        (smtplib.SMTPAuthenticationError(535, b"no"), "refused our sign-in"),
        (smtplib.SMTPDataError(451, b"greylisted"), "refused the mail"),
        (smtplib.SMTPRecipientsRefused({"x": (450, b"later")}), "refused the address"),
    ],
)
def test_what_fails_for_now_is_tried_again(leaving, refusing, project, error, said):
    refusing(error)
    mail = post_gift(project)

    send(mail_id=mail.pk, now=NOW)

    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("WAITING", 1)
    assert said in mail.failure_said
    assert due() == [(mail.pk, False), (mail.pk, True)]
    send(mail_id=mail.pk, now=NOW + PAUSES[0])
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.failure) == ("SENT", 2, "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (smtplib.SMTPRecipientsRefused({"x": (550, b"unknown")}), "refused the address"),
        (smtplib.SMTPDataError(554, b"spam"), "refused the mail"),
        (UnicodeError(), "cannot be written"),
    ],
)
def test_what_is_refused_for_good_is_not_tried_again(leaving, refusing, project, error, said):
    refusing(error)
    mail = post_gift(project)

    send(mail_id=mail.pk, now=NOW)

    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("FAILED", 1)
    assert said in mail.failure_said
    assert len(due()) == 1


def test_after_six_tries_it_waits_for_somebody(leaving, refusing, project, staff_with):
    refusing(*[TimeoutError()] * 6)
    mail = post_gift(project)
    for _ in range(6):
        send(mail_id=mail.pk, now=NOW)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("FAILED", 6)

    again = send_again(mail=mail, actor=staff_with(), now=NOW)
    send(mail_id=again.pk, now=NOW)

    assert again.pk == mail.pk
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("SENT", 1)
    assert AuditEvent.objects.get().kind == "jobs.mail.sent_again"


def test_a_link_that_ran_out_is_not_sent_and_is_made_anew(leaving, ada, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)
    late = NOW + timedelta(hours=1)
    send(mail_id=mail.pk, now=late)
    mail.refresh_from_db()
    assert (mail.state, mail.failure_said) == (
        "FAILED",
        "Its link ran out before it could leave: send it again.",
    )

    send_again(mail=mail, actor=staff_with(Role.ADMIN), now=late)
    send(mail_id=mail.pk, now=late)

    assert len(TOKEN.findall(django_mail.outbox[0].body)) == 1
    mail.refresh_from_db()
    assert mail.secret_expires_at == late + timedelta(hours=1)


def test_sent_again_after_it_left_it_is_another_mail(leaving, ada, staff_with):
    mail = invite(user=ada, actor=staff_with(), now=NOW)
    send(mail_id=mail.pk, now=NOW)

    again = send_again(mail=mail, actor=staff_with(Role.ADMIN), now=NOW)
    send(mail_id=again.pk, now=NOW)

    first, second = (TOKEN.search(left.body)[1] for left in django_mail.outbox)
    assert first != second
    assert list(Mail.objects.values_list("state", flat=True)) == ["SENT", "SENT"]


def test_a_new_link_goes_to_nobody_whose_address_is_another_by_now(ada, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)
    ada.email = "countess@example.com"
    ada.save()

    with pytest.raises(MailRefused):
        send_again(mail=mail, actor=staff_with(Role.ADMIN), now=NOW)


def test_what_waits_is_not_asked_for_twice(leaving, project, staff_with):
    mail = post_gift(project)

    with pytest.raises(MailRefused):
        send_again(mail=mail, actor=staff_with(), now=NOW)


def test_without_a_page_for_passwords_it_is_said_on_the_profile(leaving, ada, staff_with):
    ada.platform.password_reset_url = ""
    ada.platform.save()

    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)

    assert mail.state == Mail.State.FAILED
    assert failed_mails_of(ada.public_id) == [mail]
    assert "No platform has a page" in mail.failure_said
    assert due() == []


def test_once_there_is_a_page_it_is_sent_again_with_a_link(leaving, ada, staff_with):
    ada.platform.password_reset_url = ""
    ada.platform.save()
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)
    ada.platform.password_reset_url = "https://north.example.com/later"
    ada.platform.save()

    send_again(mail=mail, actor=staff_with(Role.ADMIN), now=NOW)
    send(mail_id=mail.pk, now=NOW)

    assert "https://north.example.com/later#" in django_mail.outbox[0].body
    assert failed_mails_of(ada.public_id) == []


def test_a_link_sealed_with_a_key_that_is_gone_is_made_anew(leaving, ada, settings, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)
    settings.SECRET_KEY = "another key, after the first was lost or leaked, of fifty characters"

    send(mail_id=mail.pk, now=NOW)
    mail.refresh_from_db()
    assert (mail.state, mail.failure_said) == (
        "FAILED",
        "Its link cannot be read any more: send it again.",
    )
    send_again(mail=mail, actor=staff_with(Role.ADMIN), now=NOW)
    send(mail_id=mail.pk, now=NOW)

    assert len(django_mail.outbox) == 1


def test_a_key_that_was_replaced_still_opens_what_waits(leaving, ada, settings, staff_with):
    mail = send_reset_link(user=ada, actor=staff_with(), now=NOW)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, by which everything is sealed from now on, of fifty"

    send(mail_id=mail.pk, now=NOW)

    assert len(django_mail.outbox) == 1


def test_another_platforms_page_serves_too(ada, staff_with):
    tv = PlatformFactory(project=ada.project, slug="tv")
    grace = UserFactory(platform=tv)

    mail = send_reset_link(user=grace, actor=staff_with(), now=NOW)

    link = link_shown(mail, with_secret=True)
    assert link.startswith("https://north.example.com/reset#")


def test_mails_of_deleted_users_and_old_ones_are_forgotten(project, ada, staff_with):
    send_reset_link(user=ada, actor=staff_with(), now=NOW)
    post_gift(project, email="ada@example.com")
    kept = post_gift(project)
    post_gift(project, now=NOW - timedelta(days=91))

    assert forget_users_in_mail(public_ids=[ada.public_id], emails=["ada@example.com"]) == 2
    assert forget_old_mail(before=NOW - timedelta(days=90)) == 1
    assert list(Mail.objects.all()) == [kept]


def test_the_database_keeps_no_secret_of_a_mail_that_left(project):
    mail = post_gift(project)

    with pytest.raises(IntegrityError, match="mail_sent_keeps_no_secret"):
        Mail.objects.filter(pk=mail.pk).update(state="SENT", sent_at=NOW, sealed_secret="x")


@pytest.mark.parametrize(
    ("wanted", "of_project", "taken"),
    [
        ("fr", ["en"], "fr"),
        ("fr-CH", ["en"], "fr"),
        ("FR_ca", ["en"], "fr"),
        ("de", ["fr", "en"], "fr"),
        ("", ["pt-BR"], "en"),
    ],
)
def test_the_language_that_comes_closest_is_taken(wanted, of_project, taken):
    assert language_for(wanted, of_project) == taken


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("kind", Mail.Kind)
def test_each_kind_says_all_it_has_to_say(leaving, project, kind, language):
    values = {
        "offer": "Cinema",
        "days": "30",
        "minutes": "60",
        "home": "https://north.example.com/",
        "role": "analyst",
        "url": "https://north.example.com/",
    }
    mail = post_gift(project, values=values)
    mail.kind, mail.language = kind, language
    mail.sealed_secret = post(
        "password_reset",
        project=project,
        email="x@example.com",
        language="en",
        values={},
        secret_url="https://north.example.com/?a=1&b=2#t",
        now=NOW,
    ).sealed_secret
    mail.save()

    send(mail_id=mail.pk, now=NOW)

    (left,) = django_mail.outbox
    assert kind in WORDS
    for text in (left.body, left.alternatives[0].content):
        assert "?" not in text.replace("/?a=1", "").replace("?</p>", "")
        assert "None" not in text
        assert "%" not in text
        assert "https://north.example.com/" in text


def test_the_projects_name_makes_no_second_header(leaving, project):
    project.name = "North\r\nBcc: eve@example.com"
    project.save()
    mail = post_gift(project)

    send(mail_id=mail.pk, now=NOW)

    mail.refresh_from_db()
    assert mail.state == "SENT"
    assert django_mail.outbox[0].message().keys().count("Bcc") == 0


# --- A server of its own -------------------------------------------------------------------


class _Received(socketserver.StreamRequestHandler):
    """A mail server that takes whatever comes."""

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.taken.append(b"".join(lines))
            if word == b"QUIT":
                return
            self.say("250 fine")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


def test_a_worker_sends_it_to_the_server_of_email_url(
    run_jobs, settings, monkeypatch, project, ada, staff_with
):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Received) as server:
        server.taken = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{server.server_address[1]}?tls=0")
        for name, value in env_email("EMAIL_URL").items():
            setattr(settings, name, value)
        settings.MAIL_LEAVES = True
        # The worker reads the real clock; the link lasts from there.
        from django.utils import timezone

        mail = send_reset_link(user=ada, actor=staff_with(Role.SUPPORT), now=timezone.now())

        run_jobs()
        server.shutdown()

    (raw,) = server.taken
    read = message_from_bytes(raw, policy=policy.default)
    assert read["To"] == "ada@example.com"
    text = read.get_body(("plain",)).get_content()
    assert TOKEN.search(text)
    mail.refresh_from_db()
    assert (mail.state, mail.sealed_secret) == ("SENT", "")
