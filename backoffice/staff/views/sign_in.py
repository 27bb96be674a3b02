"""Sign-in with password and second factor, and sign-out."""

from http import HTTPStatus
from typing import Any

from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.staff.adapters import refuse
from backoffice.staff.forms import CodeForm, SignInForm


def is_throttled(form: Form) -> bool:
    """Tell whether the form was refused for too many failures before it."""
    return any(
        error.code == "too_many_login_attempts"
        for errors in form.errors.as_data().values()
        for error in errors
    )


class SignIn(LoginView):
    """E-mail and password; the second factor, if there is one, comes next."""

    form_class = SignInForm
    template_name = "account/login.html"

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if is_throttled(form):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return response


class SignInCode(AuthenticateView):
    """The code of the second factor, between the password and the first page."""

    form_class = CodeForm
    template_name = "mfa/authenticate.html"

    def form_invalid(self, form: CodeForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if is_throttled(form):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        else:
            refuse(self.request, form.user)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # allauth takes a form without the field for one of a security key, which is not offered.
        if "code" not in request.POST:
            return HttpResponseRedirect(reverse("mfa_authenticate"))
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response


@method_decorator(login_not_required, name="dispatch")
class SignOut(View):
    """Ends the session; a link or an image cannot."""

    http_method_names = ["post"]

    @transaction.atomic
    def post(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            record(AuditEvent.Kind.SIGNED_OUT, actor=request.user, now=timezone.now())
        logout(request)
        return HttpResponseRedirect(reverse("account_login"))
