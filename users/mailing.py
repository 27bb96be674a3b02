"""Mails to users that let them choose a password, and their secret links."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.jobs.mailing import Secret, post, renews
from backoffice.jobs.models import Mail
from backoffice.projects.models import Platform
from users.actions import issue_password_reset
from users.models import ResetRequest, User


@transaction.atomic
def send_reset_link(*, user: User, actor: Actor, now: datetime) -> Mail:
    """Send the user a reset link, because a staff member asked for it."""
    mail = _mail_reset(user, user.platform, now=now)
    record(AuditEvent.Kind.RESET_SENT, actor=actor, now=now, project=user.project, target=user)
    return mail


@transaction.atomic
def invite(*, user: User, actor: Actor, now: datetime) -> Mail:
    """Tell the user of the account, with a link to choose a password."""
    secret = _secret(Mail.Kind.INVITATION, user, user.platform, now=now)
    mail = post(
        Mail.Kind.INVITATION,
        project=user.project,
        email=user.email,
        language=user.language,
        values={"days": str(settings.INVITATION_DAYS), "home": user.platform.home_url},
        secret_url=secret.url if secret else "",
        secret_expires_at=secret.expires_at if secret else None,
        target_user=user.public_id,
        refused="" if secret else NO_PAGE,
        now=now,
    )
    record(AuditEvent.Kind.USER_INVITED, actor=actor, now=now, project=user.project, target=user)
    return mail


@transaction.atomic
def answer_reset_request(*, request_id: int, now: datetime) -> None:
    """Send the mail that was asked for, if anybody has the address, and forget the request."""
    asked = (
        ResetRequest.objects.select_related("user__project", "user__platform", "platform")
        .filter(pk=request_id)
        .first()
    )
    if asked is None:
        return
    user = asked.user
    if user is not None:
        # Before the request: whoever changes an address or a password locks in this order.
        User.objects.select_for_update().get(pk=user.pk)
    removed, _by_model = ResetRequest.objects.filter(pk=request_id).delete()
    if removed and user is not None and user.deleted_at is None:
        _mail_reset(user, asked.platform, now=now)


NO_PAGE = gettext_noop(
    "No platform has a page for new passwords: enter its address in the settings, then send it "
    "again."
)


def _mail_reset(user: User, platform: Platform, *, now: datetime) -> Mail:
    secret = _secret(Mail.Kind.PASSWORD_RESET, user, platform, now=now)
    return post(
        Mail.Kind.PASSWORD_RESET,
        project=user.project,
        email=user.email,
        language=user.language,
        values={"minutes": str(settings.RESET_LINK_MINUTES)},
        secret_url=secret.url if secret else "",
        secret_expires_at=secret.expires_at if secret else None,
        target_user=user.public_id,
        refused="" if secret else NO_PAGE,
        now=now,
    )


@renews(Mail.Kind.PASSWORD_RESET, Mail.Kind.INVITATION)
def _renew(mail: Mail, now: datetime) -> Secret | None:
    """Return a new link for the mail's user; none if the address or the user is another by now."""
    if mail.target_user is None:
        return None
    users = User.objects.present().select_related("project", "platform")
    user = users.filter(public_id=mail.target_user, email=mail.recipient).first()
    return _secret(Mail.Kind(mail.kind), user, user.platform, now=now) if user else None


def _secret(kind: Mail.Kind, user: User, platform: Platform, *, now: datetime) -> Secret | None:
    """Return a link to choose a password with; none if no platform has a page for it."""
    page = _page_of(platform)
    if not page:
        return None
    lasts = (
        timedelta(days=settings.INVITATION_DAYS)
        if kind == Mail.Kind.INVITATION
        else timedelta(minutes=settings.RESET_LINK_MINUTES)
    )
    expires_at = now + lasts
    token = issue_password_reset(user=user, now=now, expires_at=expires_at)
    # The fragment stays in the browser: no server's log has the token.
    return Secret(url=f"{page}#{token}", expires_at=expires_at)


def _page_of(platform: Platform) -> str:
    """Return the address of the platform's page for new passwords, else of another one's."""
    if platform.password_reset_url:
        return platform.password_reset_url
    others = Platform.objects.filter(project_id=platform.project_id).exclude(password_reset_url="")
    return others.order_by("pk").values_list("password_reset_url", flat=True).first() or ""
