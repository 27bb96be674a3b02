"""What happens around every request: its number, its log line, its headers, its session's end."""

import ipaddress
import logging
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from backoffice.core.logs import set_request_id
from backoffice.core.metrics import count_request

type_of_next = Callable[[HttpRequest], HttpResponse]

logger = logging.getLogger("backoffice.request")


class RequestLog:
    """
    Gives each request a number, and writes one line when it is answered.

    The line names the view, not the address: what people type into an address may be personal.
    """

    def __init__(self, get_response: type_of_next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        number = uuid.uuid4().hex
        set_request_id(number)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            seconds = time.perf_counter() - began
            response["X-Request-Id"] = number
            view = getattr(request.resolver_match, "view_name", None) or "unnamed"
            method = request.method or ""
            count_request(
                view=view, method=method, status=response.status_code, seconds=seconds
            )
            logger.info(
                "Request answered",
                extra={
                    "method": method,
                    "view": view,
                    "status": response.status_code,
                    "milliseconds": round(seconds * 1000, 1),
                    "staff_id": _staff_id(request),
                },
            )
            return response
        finally:
            set_request_id("")


def _staff_id(request: HttpRequest) -> int | None:
    """Return the id of who is signed in, if that is known without asking the database."""
    user = request.__dict__.get("_cached_user")
    return getattr(user, "pk", None)


class ClientAddress:
    """
    Puts the client's address into REMOTE_ADDR where proxies of the operator's stand in front.

    Each of them adds the address it was called from at the right end of X-Forwarded-For;
    whatever stands further left was written by the client and is not believed.
    """

    def __init__(self, get_response: type_of_next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        hops = settings.TRUSTED_PROXY_HOPS
        sent = request.headers.get("X-Forwarded-For", "").split(",")
        if hops and len(sent) >= hops:
            try:
                request.META["REMOTE_ADDR"] = str(ipaddress.ip_address(sent[-hops].strip()))
            except ValueError:
                logger.warning("X-Forwarded-For holds no address where the proxy should put it")
        return self.get_response(request)


class NeverCached:
    """Keeps every dynamic answer out of caches, shared ones and the browser's own."""

    def __init__(self, get_response: type_of_next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class ContentSecurityPolicyMiddleware:
    """
    Sends the policy of SECURE_CSP, as Django 6.0's middleware of this name does.

    A view that needs another one sets `_csp_config` on its response, as there.
    """

    def __init__(self, get_response: type_of_next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy: dict[str, list[str]] = getattr(response, "_csp_config", settings.SECURE_CSP)
        if policy and not response.has_header("Content-Security-Policy"):
            response["Content-Security-Policy"] = "; ".join(
                f"{directive} {' '.join(sources)}" for directive, sources in policy.items()
            )
        return response


class SessionLimits:
    """
    Ends a session twelve hours after its sign-in, or after half an hour without a request.

    Both instants are kept in the session itself, in whole seconds; the second is written at most
    once a minute, so that reading a page costs no write.
    """

    STARTED = "started_at"
    SEEN = "seen_at"
    WRITE_EVERY_SECONDS = 60

    def __init__(self, get_response: type_of_next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            self._check(request, int(timezone.now().timestamp()))
        return self.get_response(request)

    def _check(self, request: HttpRequest, now: int) -> None:
        session = request.session
        started = session.setdefault(self.STARTED, now)
        seen = session.get(self.SEEN, now)
        if (
            now - started >= settings.SESSION_HOURS * 3600
            or now - seen >= settings.SESSION_IDLE_MINUTES * 60
        ):
            session.flush()
            request.user = AnonymousUser()
        elif self.SEEN not in session or now - seen >= self.WRITE_EVERY_SECONDS:
            session[self.SEEN] = now
