"""A person's password: a link to choose one, or one that is set here and shown once."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.views.generic import View

from backoffice.core.passwords import HashingBusy, hash_password, new_password
from backoffice.core.permissions import Permission
from backoffice.jobs.models import Mail
from backoffice.staff.proof import is_proved
from users.actions import PasswordChanged, set_password
from users.forms import PasswordForm
from users.mailing import send_reset_link
from users.models import User
from users.views.profile import UserPage

LINK, SET = "link", "set"


class Password(UserPage, View):
    """Send a reset link, which is the default, or set a password and show it once."""

    permission_required = Permission.USERS_SEND_RESET
    http_method_names = ("get", "head", "post")

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # The question for the reader's own password would carry along what was typed here, in a
        # page of its own: it is asked before this page instead.
        if request.POST.get("password") and not is_proved(request.session, timezone.now()):
            return HttpResponseRedirect(request.get_full_path())
        return super().dispatch(request, *args, **kwargs)

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        mode = self.request.POST.get("mode") or LINK
        if mode == LINK:
            return self._send_link()
        if not self.may(Permission.USERS_SET_PASSWORD):
            self._refuse(Permission.USERS_SET_PASSWORD)
        if mode != SET:
            words = _("Choose whether to send a link or to set a password.")
            return self._page(self._form(), status=400, error=words)
        form = self._form(self.request.POST)
        return self._set(form) if form.is_valid() else self._page(form, status=400)

    def _needed_permissions(self, request: HttpRequest) -> set[Permission]:
        # Whoever may set one proves who they are before the page, not with a password typed.
        needed = super()._needed_permissions(request)
        if self.may(Permission.USERS_SET_PASSWORD):
            needed.add(Permission.USERS_SET_PASSWORD)
        return needed

    def _send_link(self) -> HttpResponse:
        mail = send_reset_link(user=self.user, actor=self.request.user, now=self.now)
        if mail.state == Mail.State.FAILED:
            messages.error(self.request, _(mail.failure))  # marked where written
        elif mail.state == Mail.State.KEPT:
            messages.warning(self.request, _("No mail server is set up: the mail stays here."))
        else:
            words = _("A link to choose a new password is on its way to %(email)s.")
            messages.success(self.request, words % {"email": self.user.email})
        return HttpResponseRedirect(self.profile_url)

    def _set(self, form: PasswordForm) -> HttpResponse:
        """Set the password typed, or a new one, and show it in this very answer alone."""
        seen = form.cleaned_data["version"]
        if seen and not constant_time_compare(seen, version_of(self.user)):
            return self._changed_meanwhile()
        password = form.cleaned_data["password"] or new_password()
        try:
            ended = set_password(
                user=self.user,
                password_hash=hash_password(password),
                actor=self.request.user,
                now=self.now,
                must_change=form.cleaned_data["must_change"],
                replacing=self.user.password if seen else None,
            )
        except ValidationError as error:
            form.add_error("password", error)
            return self._page(form, status=400)
        except HashingBusy:
            words = _("Too many passwords are being set at once: try again.")
            return self._page(form, status=503, error=words)
        except PasswordChanged:
            return self._changed_meanwhile()
        context = {
            "title": _("New password"),
            "name": self.name(),
            "password": password,
            "ended": ended,
            "must_change": form.cleaned_data["must_change"],
            "profile_url": self.profile_url,
        }
        return TemplateResponse(self.request, "users/password_set.html", context)

    def _changed_meanwhile(self) -> HttpResponse:
        """Refuse to set it again: a reload sends the same form, and must show nothing."""
        words = _(
            "The password was changed since this form was opened: nothing was changed now. "
            "A password that was set is not shown again; set a new one."
        )
        self.user.refresh_from_db(fields=["password"])
        return self._page(self._form(), status=409, error=words)

    def _form(self, data: Any = None) -> PasswordForm:
        return PasswordForm(data, initial={"version": version_of(self.user)})

    def _page(self, form: PasswordForm, *, status: int = 200, error: str = "") -> HttpResponse:
        context = {
            "error": error,
            "title": _("Change password"),
            "name": self.name(),
            "form": form,
            "may_set": self.may(Permission.USERS_SET_PASSWORD),
            "profile_url": self.profile_url,
            "form_url": self.address("users:password"),
        }
        return TemplateResponse(self.request, "users/password.html", context, status=status)


def version_of(user: User) -> str:
    """Return what changes with every password set, and tells nothing about it."""
    return salted_hmac("users.password.version", user.password).hexdigest()[:32]
