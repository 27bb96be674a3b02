"""The question for the password before a grave act."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import FormView

from backoffice.staff.forms import ConfirmForm
from backoffice.staff.proof import is_proved
from backoffice.staff.step_up import accept


class Confirm(FormView[ConfirmForm]):
    """Asks for the password, then leads back to where the person was going."""

    form_class = ConfirmForm
    template_name = "staff/confirm.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.now = timezone.now()
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_proved(request.session, self.now):
            return HttpResponseRedirect(self.get_success_url())
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request, "user": self.request.user}

    def form_valid(self, form: ConfirmForm) -> HttpResponse:
        accept(self.request, form, now=self.now)
        return super().form_valid(form)

    def get_success_url(self) -> str:
        """Return the address asked for, or the front page for one that is not ours."""
        address = self.request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            address, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return address if is_ours else "/"
