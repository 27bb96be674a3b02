"""What holds for every request of a staff member: session limits, language, second factor."""

from collections.abc import Callable
from typing import Any, TypeAlias

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation

from backoffice.staff.models import StaffMember
from backoffice.staff.proof import is_expired, stamp_use

Handler: TypeAlias = Callable[[HttpRequest], HttpResponse]

# What somebody without a second factor can reach while one is required of them.
_OPEN_WITHOUT_SECOND_FACTOR = frozenset(
    {"mfa_activate_totp", "account_logout", "set_language", "confirm"}
)


class SessionLimits:
    """Ends a session that was idle, or lasted, too long."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session:
            now = timezone.now()
            if is_expired(request.session, now):
                logout(request)
            else:
                stamp_use(request.session, now)
        return self.get_response(request)


class StaffLanguage:
    """Answers in the language that the member chose, on whatever machine they sit."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if isinstance(request.user, StaffMember) and request.user.language:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)


class SecondFactor:
    """Leads members without a second factor to setting one up, where one is required."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any
    ) -> HttpResponse | None:
        if not settings.REQUIRE_SECOND_FACTOR or not getattr(view, "login_required", True):
            return None
        match = request.resolver_match
        if match and match.view_name in _OPEN_WITHOUT_SECOND_FACTOR:
            return None
        if not request.user.is_authenticated or is_mfa_enabled(
            request.user, [Authenticator.Type.TOTP]
        ):
            return None
        return HttpResponseRedirect(reverse("mfa_activate_totp"))
