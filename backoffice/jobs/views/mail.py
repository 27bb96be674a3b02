"""The register of mails, one mail, and its way out once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from backoffice.core.masking import mask_email
from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.jobs.filters import MailFilter
from backoffice.jobs.letters import WITH_SECRET, letter_of
from backoffice.jobs.mailing import MailRefused, link_shown, send_again
from backoffice.jobs.models import Mail
from backoffice.staff.pages import StaffPage
from backoffice.staff.registers import Register


@dataclass(frozen=True, slots=True)
class Line:
    """One mail as the register shows it."""

    mail: Mail
    recipient: str


class MailPage(StaffPage):
    """A page about the project's mails."""

    http_method_names: tuple[str, ...] = ("get", "head")
    permission_required = Permission.SETTINGS_VIEW

    def shown_recipient(self, mail: Mail) -> str:
        sees_identity = self.may(Permission.USERS_SEE_IDENTITY)
        return mail.recipient if sees_identity else mask_email(mail.recipient)


class MailRegister(MailPage, Register):
    """To whom something was written, what, when, and whether it has left."""

    filterset_class = MailFilter
    ordering = Ordering("-created", ("created_at", "pk"), is_descending=True)
    template_name = "jobs/mail_register.html"

    def get_queryset(self) -> QuerySet[Mail]:
        return Mail.objects.filter(project=self.project)

    def lines(self, rows: Sequence[Mail]) -> list[Line]:
        return [Line(mail, self.shown_recipient(mail)) for mail in rows]

    def get_context_data(self) -> dict[str, Any]:
        return {"leaves": settings.MAIL_LEAVES}


class OneMail(MailPage):
    """One mail as it leaves or has left, without its secret."""

    @cached_property
    def mail(self) -> Mail:
        """The mail that the address names."""
        if self.found is None:
            raise Http404
        return self.found

    @cached_property
    def found(self) -> Mail | None:
        return Mail.objects.select_related("project").filter(pk=self.kwargs["mail_id"]).first()

    def project_of_object(self) -> int | None:
        # One that does not exist is missed after the permission, like one of the project's.
        return self.found.project_id if self.found else None

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        mail = self.mail
        link = link_shown(mail, with_secret=settings.MAIL_SHOWS_SECRETS)
        hidden = mail.kind in WITH_SECRET and not link
        letter = letter_of(mail, link=_("(a secret link, which is not shown)") if hidden else link)
        context = {
            "title": mail.subject,
            "mail": mail,
            "recipient": self.shown_recipient(mail),
            "text": letter.text,
            "link": link,
            "zone": self.zone,
        }
        return TemplateResponse(request, "jobs/mail.html", context)


class SendAgain(OneMail):
    """Send the mail once more: those to users by who may send reset links, others by admins."""

    permission_required = Permission.USERS_SEND_RESET
    http_method_names = ("post",)

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        if self.mail.target_user is None and not self.may(Permission.SETTINGS_EDIT):
            raise PermissionDenied(_("Your role on this project does not allow this."))
        try:
            sent = send_again(mail=self.mail, actor=self.request.user, now=self.now)
        except MailRefused:
            messages.error(request, _("This mail waits already, or nobody can receive it now."))
            return self._back()
        if sent.is_waiting:
            messages.success(request, _("The mail is on its way."))
        else:
            messages.warning(request, _("No mail server is set up: the mail stays here."))
        return self._back()

    def _back(self) -> HttpResponse:
        """Lead back to where the button was, or to the register."""
        address = self.request.POST.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            address, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        register = f"{reverse('jobs:mail')}?project={self.project.slug}"
        return HttpResponseRedirect(address if is_ours else register)
