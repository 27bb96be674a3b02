"""A member's own second factor: setting it up, its recovery codes."""

from typing import Any, cast

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views import View
from django.views.generic import TemplateView

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.staff.forms import SetUpForm
from backoffice.staff.models import StaffMember
from backoffice.staff.proof import is_proved
from backoffice.staff.step_up import ask_or_accept


def has_second_factor(request: HttpRequest) -> bool:
    return bool(is_mfa_enabled(request.user, [Authenticator.Type.TOTP]))


def member_of(request: HttpRequest) -> StaffMember:
    """Return who is signed in; no page here opens to anybody else."""
    return cast("StaffMember", request.user)


class ProvedPage(View):
    """A page about one's own account; it asks for the password when the proof is old."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.now = timezone.now()
        if not is_proved(request.session, self.now):
            question = ask_or_accept(request, now=self.now)
            if question is not None:
                return question
        return super().dispatch(request, *args, **kwargs)


class SecondFactorPage(TemplateView):
    """What protects the account now, and what can be done about it."""

    template_name = "mfa/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "has_second_factor": has_second_factor(self.request)
        }


class SetUpSecondFactor(ProvedPage, ActivateTOTPView):
    """Shows a secret for the authenticator app and takes the first code it makes."""

    form_class = SetUpForm
    template_name = "mfa/totp/activate_form.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if has_second_factor(request):
            return HttpResponseRedirect(reverse("mfa_index"))
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        # Inside a page an image needs no XML heading; it is made of numbers alone.
        drawing = context["totp_svg"].partition("?>")[2] or context["totp_svg"]
        return context | {"drawing": mark_safe(drawing)}  # noqa: S308

    @transaction.atomic
    def form_valid(self, form: SetUpForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        record(AuditEvent.Kind.SECOND_FACTOR_ADDED, actor=member_of(self.request), now=self.now)
        return response


class RecoveryCodes(ProvedPage, ViewRecoveryCodesView):
    """The recovery codes, in clear the first time only."""

    template_name = "mfa/recovery_codes/index.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not has_second_factor(request):
            return HttpResponseRedirect(reverse("mfa_index"))
        return super().dispatch(request, *args, **kwargs)


class NewRecoveryCodes(ProvedPage, GenerateRecoveryCodesView):
    """Makes new recovery codes; the old ones stop working."""

    template_name = "mfa/recovery_codes/generate.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not has_second_factor(request):
            return HttpResponseRedirect(reverse("mfa_index"))
        return super().dispatch(request, *args, **kwargs)

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        record(AuditEvent.Kind.RECOVERY_CODES_MADE, actor=member_of(self.request), now=self.now)
        return response
