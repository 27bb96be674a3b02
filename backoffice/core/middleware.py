"""What happens around every request: its number, its log line, its headers."""

import logging
import time
import uuid
from collections.abc import Callable
from typing import TypeAlias

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

from backoffice.core.logs import set_request_id
from backoffice.core.metrics import count_request

Handler: TypeAlias = Callable[[HttpRequest], HttpResponse]

logger = logging.getLogger("backoffice.request")


class RequestLog:
    """
    Gives each request a number, and writes one line when it is answered.

    The line names the view, not the address: what people type into an address may be personal.
    """

    def __init__(self, get_response: Handler) -> None:
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
            count_request(view=view, method=method, status=response.status_code, seconds=seconds)
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


class NeverCached:
    """Keeps every dynamic answer out of caches, shared ones and the browser's own."""

    def __init__(self, get_response: Handler) -> None:
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

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy: dict[str, list[str]] = getattr(response, "_csp_config", settings.SECURE_CSP)
        if policy and not response.has_header("Content-Security-Policy"):
            response["Content-Security-Policy"] = "; ".join(
                f"{directive} {' '.join(sources)}" for directive, sources in policy.items()
            )
        return response
