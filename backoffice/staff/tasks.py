"""The mail that invites a staff member."""

from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from backoffice.core.permissions import Role
from backoffice.jobs.mailing import Secret, post, renews
from backoffice.jobs.models import Mail
from backoffice.projects.models import Project
from backoffice.staff.actions import invitation_of
from backoffice.staff.models import StaffMember


def mail_invitation(
    *,
    member: StaffMember,
    role: Role,
    project: Project,
    language: str,
    site: str,
    now: datetime,
) -> Mail:
    """
    Write to an invited member how to choose a first password.

    :param site: the address of the back office, without a path.
    """
    secret = _secret(member, site, now)
    return post(
        Mail.Kind.STAFF_INVITATION,
        project=project,
        email=member.email,
        language=language,
        values={"role": role.value, "days": str(settings.INVITATION_DAYS), "site": site},
        secret_url=secret.url,
        secret_expires_at=secret.expires_at,
        now=now,
    )


@renews(Mail.Kind.STAFF_INVITATION)
def _renew(mail: Mail, now: datetime) -> Secret | None:
    """Return a new link; none for who has a password by now, or no role any more."""
    members = StaffMember.objects.filter(email=mail.recipient, is_active=True)
    member = members.filter(roles__isnull=False).distinct().first()
    if member is None or member.has_usable_password():
        return None
    return _secret(member, str(mail.values["site"]), now)


def _secret(member: StaffMember, site: str, now: datetime) -> Secret:
    return Secret(
        url=site + reverse("invitation", args=invitation_of(member)),
        expires_at=now + timedelta(days=settings.INVITATION_DAYS),
    )
