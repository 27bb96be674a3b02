"""Signing up, in and out; forgotten passwords; my account."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _

from backoffice.demo_platform import cookies
from backoffice.demo_platform.forms import (
    ForgottenForm,
    NameForm,
    NewPasswordForm,
    ResetForm,
    SignInForm,
    SignUpForm,
    add_refusals,
)
from backoffice.demo_platform.pages import DemoPage
from backoffice.demo_platform.selectors import history_of, paid_by

LONGEST_AGENT = 4000


class FormPage(DemoPage):
    """One form: shown, refused in words, or acted upon."""

    http_method_names = ["get", "head", "post"]
    template: str

    def get(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self.page(self.template, form=self.form())

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self.form(request.POST)
        done = self.act(form) if form.is_valid() else None
        return done or self.page(self.template, form=form, status=HTTPStatus.BAD_REQUEST)

    def form(self, data: Any = None) -> forms.Form:
        """Return the form, bound if there is data."""
        raise NotImplementedError

    def act(self, form: Any) -> HttpResponse | None:
        """Do what the valid form asks; None if it was refused, with words in the form."""
        raise NotImplementedError

    def sign_in(self, form: forms.Form, *, email: str, password: str) -> HttpResponse | None:
        """Open a device session; None, with words in the form, if that is refused."""
        answer = self.api.post(
            "/device-sessions",
            {
                "email": email,
                "password": password,
                "user_agent": self.request.headers.get("User-Agent", "")[:LONGEST_AGENT],
                "device_name": _("Browser"),
            },
        )
        if answer.is_good:
            page = "password" if answer.body["must_change_password"] else "home"
            return self.go(page, demo_user={"token": answer.body["token"]})
        words = {
            HTTPStatus.UNAUTHORIZED: _("E-mail and password do not belong together."),
            HTTPStatus.TOO_MANY_REQUESTS: _("That failed too often. Try again in some minutes."),
        }
        form.add_error(None, words.get(HTTPStatus(answer.status), answer.error.get("message", "")))
        return None


class SignIn(FormPage):
    """Signing in, within the limit of devices: beyond it, the oldest one is signed out."""

    template = "sign_in"

    def form(self, data: Any = None) -> SignInForm:
        return SignInForm(data)

    def act(self, form: SignInForm) -> HttpResponse | None:
        return self.sign_in(form, **form.cleaned_data)


class SignUp(FormPage):
    """A new account, with the project's sign-up fields."""

    template = "sign_up"

    def form(self, data: Any = None) -> SignUpForm:
        asked = self.api.get("/sign-up-fields").body["fields"]
        return SignUpForm(data, asked=asked, language=translation.get_language() or "en")

    def act(self, form: SignUpForm) -> HttpResponse | None:
        body = form.body(language=translation.get_language() or "en")
        answer = self.api.post("/users", body)
        if not answer.is_good:
            add_refusals(form, answer.error)
            return None
        return self.sign_in(form, email=body["email"], password=body["password"])


class SignOut(DemoPage):
    """Ends the device session."""

    http_method_names = ["post"]

    def post(self, _request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if self.visitor.session:
            self.api.delete(f"/device-sessions/{self.visitor.session}")
        response = self.go("home")
        cookies.forget(response, cookies.USER, path=self.root)
        return response


class Forgotten(FormPage):
    """Asks for a reset link; says the same whether anybody has the address or not."""

    template = "forgotten"

    def form(self, data: Any = None) -> ForgottenForm:
        return ForgottenForm(data)

    def act(self, form: ForgottenForm) -> HttpResponse | None:
        answer = self.api.post("/password-resets", {"email": form.cleaned_data["email"]})
        if not answer.is_good:
            add_refusals(form, answer.error)
            return None
        return self.page("forgotten", form=None)


class Reset(FormPage):
    """A new password, by the link of a mail: its token stands in the fragment of the address."""

    template = "reset"

    def form(self, data: Any = None) -> ResetForm:
        return ResetForm(data)

    def act(self, form: ResetForm) -> HttpResponse | None:
        answer = self.api.post("/password-resets/redeem", form.cleaned_data)
        if answer.is_good:
            return self.page("reset", form=None)
        if answer.status == HTTPStatus.GONE:
            form.add_error(None, _("This link does not work any more: ask for a new one."))
        else:
            add_refusals(form, answer.error)
        return None


class Password(FormPage):
    """A new password of somebody signed in, as one whom staff gave a password must choose."""

    template = "password"
    needs_user = True

    def form(self, data: Any = None) -> NewPasswordForm:
        return NewPasswordForm(data)

    def act(self, form: NewPasswordForm) -> HttpResponse | None:
        if self.visitor.look:
            # Not even those who may act: it would lock the user out.
            return self.page("read_only", status=HTTPStatus.FORBIDDEN)
        password = form.cleaned_data["password"]
        answer = self.api.patch(f"/users/{self.visitor.user}", {"password": password})
        if not answer.is_good:
            add_refusals(form, answer.error)
            return None
        # All device sessions have ended, this one too.
        return self.sign_in(form, email=self.visitor.profile["email"], password=password)


class Account(FormPage):
    """What the user pays and watched, who looked at the account, and the name to be changed."""

    template = "account"
    needs_user = True
    needs_right_to_act = True

    def form(self, data: Any = None) -> NameForm:
        profile = self.visitor.profile
        return NameForm(data, initial={n: profile[n] for n in ("first_name", "last_name")})

    def act(self, form: NameForm) -> HttpResponse | None:
        answer = self.api.patch(f"/users/{self.visitor.user}", form.cleaned_data)
        if not answer.is_good:
            add_refusals(form, answer.error)
            return None
        return self.go("account")

    def page(self, name: str, *, status: int = HTTPStatus.OK, **context: Any) -> HttpResponse:
        if name != self.template:
            return super().page(name, status=status, **context)
        project, user = self.platform.project, self.visitor.user
        looks = self.api.get(f"/users/{user}/impersonations").body["impersonations"]
        return super().page(
            name,
            status=status,
            zone=project.zone,
            paid=paid_by(project, user, now=self.now),
            history=history_of(project, user),
            looks=[
                look
                | {
                    "began_at": datetime.fromisoformat(look["began_at"]),
                    "ended_at": look["ended_at"] and datetime.fromisoformat(look["ended_at"]),
                }
                for look in looks
            ],
            **context,
        )
