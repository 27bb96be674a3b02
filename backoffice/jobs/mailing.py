"""
Mail: written in the transaction of the act that it tells of, sent by a worker afterwards.

A link that opens something is kept encrypted until the mail has left and nowhere afterwards: a
dump of the database opens nothing.
"""

import smtplib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop
from procrastinate.contrib.django import app

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.sealing import SealBroken, seal, unseal
from backoffice.jobs.letters import WITH_SECRET, language_for, letter_of, subject_of
from backoffice.jobs.models import Mail
from backoffice.projects.models import Project

SEND_TASK: Final = "mail.send"
PURPOSE: Final = "backoffice.jobs mail"
# The pauses after the first, second… failure; after the last one it stays until asked for.
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
# From this code on a mail server's refusal is final.
_PERMANENT: Final = 500


class MailRefused(Exception):
    """The mail is on its way already, or cannot be written again."""


class _CannotLeave(Exception):
    """Why a mail did not leave, as a message to translate; worth another try or not."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Secret:
    """A link that opens something, until it expires."""

    url: str
    expires_at: datetime


Renewer = Callable[[Mail, datetime], Secret | None]
# By kind: makes the secret link of a mail that is sent again. Filled by the apps that know how.
RENEWERS: Final[dict[str, Renewer]] = {}


def renews(*kinds: str) -> Callable[[Renewer], Renewer]:
    """Register the function that makes a new secret link for mails of these kinds."""

    def register(function: Renewer) -> Renewer:
        RENEWERS.update(dict.fromkeys(kinds, function))
        return function

    return register


@transaction.atomic
def post(
    kind: str,
    *,
    project: Project,
    email: str,
    language: str,
    values: Mapping[str, str],
    secret_url: str = "",
    secret_expires_at: datetime | None = None,
    target_user: UUID | None = None,
    refused: str = "",
    now: datetime,
) -> Mail:
    """
    Write a mail; it leaves once the caller's transaction is stored.

    :param language: the recipient's; the closest one that texts exist in is taken.
    :param values: what the text names; "url" is where the link of a mail without secret leads.
    :param refused: why it cannot leave (marked by `gettext_noop`): then it fails at once.
    """
    mail = Mail(
        project=project,
        kind=Mail.Kind(kind),
        recipient=email,
        language=language_for(language, project.languages),
        values=dict(values),
        sealed_secret=_seal(secret_url),
        secret_expires_at=secret_expires_at,
        target_user=target_user,
        created_at=now,
    )
    mail.subject = subject_of(mail)
    _queue(mail, refused=refused)
    return mail


@transaction.atomic
def send_again(*, mail: Mail, actor: Actor, now: datetime) -> Mail:
    """
    Send a mail that failed, was kept or has left once more, with a new link where it has one.

    One that has left stays in the register as it is, and another one is written.

    :raises MailRefused: if it waits to be sent, or no new link can be made for it.
    """
    mail = Mail.objects.select_for_update(of=("self",)).select_related("project").get(pk=mail.pk)
    if mail.is_waiting:
        raise MailRefused
    if mail.kind in WITH_SECRET:
        renew = RENEWERS.get(mail.kind)
        secret = renew(mail, now) if renew else None
        if secret is None:
            raise MailRefused
        mail.sealed_secret = _seal(secret.url)
        mail.secret_expires_at = secret.expires_at
    if mail.state == Mail.State.SENT:
        mail.pk = None
        mail.created_at = now
    mail.attempts, mail.sent_at = 0, None
    _queue(mail)
    record(
        AuditEvent.Kind.MAIL_SENT_AGAIN,
        actor=actor,
        now=now,
        project=mail.project,
        target=mail,
        data={"mail": mail.kind},
    )
    return mail


@transaction.atomic
def send(*, mail_id: int, now: datetime) -> None:
    """Let the mail leave, if it waits; what fails for now is tried again after a pause."""
    mail = (
        Mail.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("project")
        .filter(pk=mail_id, state=Mail.State.WAITING)
        .first()
    )
    if mail is None:
        return
    try:
        _leave(mail, now=now)
    except _CannotLeave as failure:
        mail.failure = failure.message
        mail.attempts += 1
        if failure.is_final or mail.attempts > len(PAUSES):
            mail.state = Mail.State.FAILED
        else:
            _defer(mail, PAUSES[mail.attempts - 1])
    else:
        mail.state, mail.sent_at = Mail.State.SENT, now
        mail.attempts += 1
        mail.failure, mail.sealed_secret = "", ""
    mail.save()


def link_shown(mail: Mail, *, with_secret: bool) -> str:
    """Return where the mail's link leads; a secret one only if asked for and still there."""
    if mail.kind not in WITH_SECRET:
        return str(mail.values.get("url", ""))
    return _unsealed(mail) if with_secret else ""


def failed_mails_of(user_public_id: UUID) -> list[Mail]:
    """Return the mails to the user that have not left, the latest first."""
    mails = Mail.objects.filter(target_user=user_public_id).not_left()
    return list(mails.select_related("project").order_by("-created_at", "-pk"))


def forget_users_in_mail(*, public_ids: Collection[UUID], emails: Collection[str]) -> int:
    """Remove all mails about these users or to these addresses; return how many."""
    removed, _by_model = Mail.objects.filter(
        Q(target_user__in=public_ids) | Q(recipient__in=emails)
    ).delete()
    return removed


def forget_old_mail(*, before: datetime) -> int:
    """Remove mails written before the instant; return how many."""
    removed, _by_model = Mail.objects.filter(created_at__lt=before).delete()
    return removed


def _queue(mail: Mail, *, refused: str = "") -> None:
    mail.failure = refused
    if refused:
        mail.state = Mail.State.FAILED
    else:
        mail.state = Mail.State.WAITING if settings.MAIL_LEAVES else Mail.State.KEPT
    mail.save()
    if mail.is_waiting:
        _defer(mail)


def _defer(mail: Mail, pause: timedelta = timedelta(0)) -> None:
    schedule = {"schedule_in": {"seconds": int(pause.total_seconds())}} if pause else {}
    app.configure_task(SEND_TASK, **schedule).defer(mail_id=mail.pk)  # type: ignore[arg-type]


def _leave(mail: Mail, *, now: datetime) -> None:
    if mail.secret_expires_at is not None and mail.secret_expires_at <= now:
        raise _CannotLeave(
            gettext_noop("Its link ran out before it could leave: send it again."), is_final=True
        )
    link = link_shown(mail, with_secret=True)
    if mail.kind in WITH_SECRET and not link:
        raise _CannotLeave(
            gettext_noop("Its link cannot be read any more: send it again."), is_final=True
        )
    letter = letter_of(mail, link=link)
    name, address = mail.project.name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=formataddr((" ".join(name.split()), address)),
        to=[mail.recipient],
        headers={
            "Auto-Submitted": "auto-generated",
            # The same for each try: a mail that left twice is one to the reader.
            "Message-ID": f"<mail.{mail.pk}.{mail.created_at.timestamp():.0f}@"
            f"{address.rpartition('@')[2]}>",
        },
    )
    message.attach_alternative(letter.html, "text/html")
    try:
        message.send()
    except (OSError, ValueError) as error:  # smtplib's own errors are OSErrors.
        raise _said(error) from error


def _said(error: Exception) -> _CannotLeave:
    """Return the failure in words; a mail server's own may hold the address."""
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refusals):
            codes = [code for code, _text in refusals.values()]
            return _CannotLeave(
                gettext_noop("The mail server refused the address."),
                is_final=all(code >= _PERMANENT for code in codes),
            )
        case smtplib.SMTPAuthenticationError():
            return _CannotLeave(gettext_noop("The mail server refused our sign-in."))
        case smtplib.SMTPResponseException(smtp_code=code):
            return _CannotLeave(
                gettext_noop("The mail server refused the mail."), is_final=code >= _PERMANENT
            )
        case OSError():
            return _CannotLeave(gettext_noop("The mail server cannot be reached."))
        case _:
            return _CannotLeave(gettext_noop("The mail cannot be written."), is_final=True)


def _seal(url: str) -> str:
    return seal(url, purpose=PURPOSE) if url else ""


def _unsealed(mail: Mail) -> str:
    """Return the secret link; empty if there is none, or the key is another one by now."""
    try:
        return unseal(mail.sealed_secret, purpose=PURPOSE)
    except SealBroken:
        return ""
