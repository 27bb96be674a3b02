"""Taking on a user's identity: the question, and the page that hands over to the platform."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.generic import View

from backoffice.core.formatting import instant_text
from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage, StaffRequest
from backoffice.staff.registers import Register
from users.filters import ImpersonationFilter
from users.forms import ImpersonationForm
from users.impersonation import (
    HandOver,
    LimitReached,
    SwitchedOff,
    UserGone,
    halt,
    hand_over,
    impersonations_of,
    is_on,
    left_today,
    resume,
)
from users.models import Impersonation, ImpersonationQuerySet
from users.views.profile import UserPage

# The latest of those who looked, on the page of one user.
LOOKS_SHOWN = 20


class Impersonate(UserPage, View):
    """Asks for reason and mode where there is a choice; hands over on POST."""

    permission_required = Permission.USERS_IMPERSONATE
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self._form(self.request.POST)
        if not form.is_valid():
            return self._page(form, status=HTTPStatus.BAD_REQUEST)
        mode = form.mode_chosen
        if mode == Impersonation.Mode.FULL and not form.may_act:
            self._refuse(Permission.USERS_IMPERSONATE_FULL)
        try:
            handed_over = hand_over(
                user=self.user,
                staff=self.request.user,
                mode=mode,
                reason=form.cleaned_data.get("reason", ""),
                now=self.now,
            )
        except UserGone as error:
            raise Http404 from error
        except SwitchedOff:
            return self._page(form, status=HTTPStatus.CONFLICT)
        except LimitReached:
            return self._page(form, status=HTTPStatus.TOO_MANY_REQUESTS)
        return self._hand_over(handed_over)

    def _form(self, data: Any = None) -> ImpersonationForm:
        return ImpersonationForm(
            data,
            rule=self.project.impersonation_reason,
            may_act=self.may(Permission.USERS_IMPERSONATE_FULL),
        )

    def _page(self, form: ImpersonationForm, *, status: int = HTTPStatus.OK) -> HttpResponse:
        context = {
            "form": form,
            "is_on": is_on(),
            "left": left_today(staff=self.request.user, project=self.project, now=self.now),
            "most": settings.IMPERSONATIONS_A_DAY,
            "name": self.user.shown_name(sees_identity=self.may(Permission.USERS_SEE_IDENTITY)),
            "platform": self.user.platform,
            "address": origin_of(self.user.platform.impersonation_address),
            "minutes": settings.IMPERSONATION_MINUTES,
            "looks": [self._look(row) for row in impersonations_of(self.user)[:LOOKS_SHOWN]],
            "zone_name": self.zone.key,
            "profile_url": self.profile_url,
            "form_url": self.address("users:impersonate"),
        }
        return TemplateResponse(self.request, "users/impersonate.html", context, status=status)

    def _look(self, row: Impersonation) -> dict[str, str]:
        return {
            "who": str(row.staff),
            "began": self._instant(row.redeemed_at),
            "ended": self._instant(row.ended_by(self.now)),
            "mode": str(Impersonation.Mode(row.mode).label),
            "reason": row.reason,
        }

    def _instant(self, instant: datetime | None) -> str:
        return instant_text(instant, self.zone, get_language() or "en") if instant else ""

    def _hand_over(self, handed_over: HandOver) -> HttpResponse:
        address = handed_over.row.platform.impersonation_address
        response = TemplateResponse(
            self.request,
            "users/hand_over.html",
            {
                "address": address,
                "ticket": handed_over.ticket,
                "platform": handed_over.row.platform,
                "seconds": settings.IMPERSONATION_TICKET_SECONDS,
            },
        )
        # The ticket may be posted there alone, and nobody is told from where.
        policy = settings.SECURE_CSP | {"form-action": [origin_of(address)]}
        response._csp_config = policy  # type: ignore[attr-defined]  # noqa: SLF001 (Django 6.0's)
        response["Referrer-Policy"] = "no-referrer"
        return response


class ImpersonationRegister(Register):
    """Who was handed over as whom, when, how and why; the switch for all of it."""

    permission_required = Permission.AUDIT_VIEW_OWN
    filterset_class = ImpersonationFilter
    ordering = Ordering("-handed-over", ("created_at", "pk"), is_descending=True)
    template_name = "users/impersonations.html"

    def get_queryset(self) -> ImpersonationQuerySet:
        rows = Impersonation.objects.select_related("user", "platform", "staff")
        rows = rows.filter(project=self.project)
        return rows if self.may(Permission.AUDIT_VIEW) else rows.filter(staff=self.request.user)

    def lines(self, rows: Sequence[Impersonation]) -> list[dict[str, Any]]:
        language = get_language() or "en"
        sees_identity = self.may(Permission.USERS_SEE_IDENTITY)
        return [
            {
                "id": str(row.pk),
                "when": row.created_at,
                "who": str(row.staff),
                "user": row.user.shown_name(sees_identity=sees_identity),
                "url": reverse("users:profile", args=[row.user.public_id]),
                "platform": row.platform.name,
                "mode": str(Impersonation.Mode(row.mode).label),
                "reason": row.reason,
                "state": row.state(self.now),
                "state_words": str(row.state(self.now).label),
                "ended": instant_text(ended_at, self.zone, language)
                if (ended_at := row.ended_by(self.now))
                else "",
            }
            for row in rows
        ]

    def get_context_data(self) -> dict[str, Any]:
        return {
            "sees_all": self.may(Permission.AUDIT_VIEW),
            "is_on": is_on(),
            "is_forbidden": not settings.IMPERSONATION,
            "may_switch": may_switch(self.request),
        }


class SwitchImpersonation(StaffPage):
    """Switches impersonation off in all projects at once, or on again."""

    permission_required = Permission.SETTINGS_EDIT
    http_method_names = ("post",)

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if not may_switch(request):
            words = _("Only those whose role covers all projects can switch this.")
            messages.error(request, words)
        elif request.POST.get("state") == "on":
            resume(actor=request.user, now=self.now)
            messages.success(request, _("Impersonation was switched on."))
        else:
            ended = halt(actor=request.user, now=self.now)
            words = ngettext(
                "Impersonation was switched off; %(n)s was ended.",
                "Impersonation was switched off; %(n)s were ended.",
                ended,
            )
            messages.success(request, words % {"n": ended})
        return HttpResponseRedirect(reverse("users:impersonations"))


def may_switch(request: StaffRequest) -> bool:
    """Tell whether the reader's rights cover all projects, as the switch does."""
    return Permission.SETTINGS_EDIT in request.access.everywhere


def origin_of(address: str) -> str:
    """Return scheme and host of the address, as a content policy names them."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
