"""The API for platforms: assembles the apps' routers, gives errors one shape, documents itself."""

import functools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
    UnreadablePostError,
)
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView, View
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi import get_schema
from ninja.parser import Parser
from pydantic.json_schema import models_json_schema

from analytics.api import BODIES as VIEWING_BODIES
from analytics.api import router as contents
from backoffice.core.bodies import read_to_the_end
from backoffice.core.wire import ApiError, invalid
from backoffice.projects.api import PlatformKey, too_large
from subscriptions.api import router as money
from users.api import router as users
from users.api.device_sessions import router as device_sessions
from users.api.impersonations import router as impersonations
from users.api.password_resets import router as password_resets

ROOT = "/api/v1/"


# --- Bodies --------------------------------------------------------------------------------


class StrictParser(Parser):
    """JSON as RFC 8259 has it: no NaN, no infinity, no name twice, no half characters."""

    def parse_body(self, request: HttpRequest) -> Any:
        try:
            text = request.body.decode("utf-8-sig")
            value = json.loads(
                text,
                parse_constant=_refuse_constant,
                parse_float=_finite,
                object_pairs_hook=_without_repeats,
            )
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "malformed", f"The body is no JSON: {_reason(error)}.") from error
        if "\\u" in text:
            _refuse_unspeakable(value)
        return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _refuse_unspeakable(value: Any) -> None:
    """
    Refuse NUL and lone surrogates, which JSON can write and no database can keep.

    :raises ApiError: if there is one, in a name or a value, at any depth.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in one):
            raise ApiError(400, "malformed", "The body holds NUL or half a character.")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} in line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if "digits" in str(error):
        return "a number has too many digits"
    return str(error)


# --- Errors --------------------------------------------------------------------------------


def answer(error: ApiError) -> JsonResponse:
    """Return the error in the one shape."""
    return JsonResponse(error.body, status=error.status, headers=error.headers)


def _on_api_error(_request: HttpRequest, error: ApiError) -> HttpResponse:
    return answer(error)


def _on_http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja wraps whatever the parser raises.
    cause = error.__cause__
    refused = ApiError(error.status_code, "refused", error.message)
    return answer(cause if isinstance(cause, ApiError) else refused)


def _on_no_key(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return answer(
        ApiError(
            401,
            "unauthorized",
            "Send a live key of a platform: Authorization: Bearer <key>.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    )


def _on_invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, str] = {}
    for one in error.errors:
        # The first two name the body; the rest is the way to the field.
        way = [str(part) for part in one["loc"][2:]]
        if not way and one["type"] == "missing":
            return answer(ApiError(400, "malformed", "The body is missing."))
        fields.setdefault(".".join(way) or "body", _said_of(one))
    return answer(invalid(fields))


def _said_of(error: dict[str, Any]) -> str:
    """Return what is wrong with a field; pydantic counts a text's "items" and its "values"."""
    if error["type"] == "extra_forbidden":
        return "There is no such field."
    if error["type"] in {"too_long", "string_too_long"}:
        return f"Write {error['ctx']['max_length']} characters at most."
    if error["type"] in {"too_short", "string_too_short"}:
        return "Write one character at least."
    return str(error["msg"])


def _on_too_large(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return answer(too_large())


def _on_cut_short(_request: HttpRequest, _error: UnreadablePostError) -> HttpResponse:
    return answer(ApiError(400, "malformed", "The body broke off."))


# --- Assembly ------------------------------------------------------------------------------

api = NinjaAPI(
    title="API for platforms",
    version="1",
    urls_namespace="api",
    auth=PlatformKey(),
    parser=StrictParser(),
    # Both are pages of their own, below.
    openapi_url=None,
    docs_url=None,
)
api.add_router("", users)
api.add_router("", device_sessions)
api.add_router("", password_resets)
api.add_router("", impersonations)
api.add_router("", contents)
api.add_router("", money)
# What is not expected goes on to the addresses' handler500, which answers in the same shape.
# Ninja's type says that a handler may be given a class; it is always given an error.
HANDLERS: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
    ApiError: _on_api_error,
    HttpError: _on_http_error,
    AuthenticationError: _on_no_key,
    ValidationError: _on_invalid,
    RequestDataTooBig: _on_too_large,
    UnreadablePostError: _on_cut_short,
}
for kind, handler in HANDLERS.items():
    api.add_exception_handler(kind, handler)


# --- Description ---------------------------------------------------------------------------

# What any call may answer besides, where it applies.
REFUSALS = {
    "400": "Malformed: no JSON, or a body that broke off",
    "401": "No key, or one that does not open the door",
    "404": "Not this project's, or not there",
    "409": "In conflict with what is there",
    "413": "Larger than 4 MB",
    "422": "Readable, but not valid: `fields` says what is wrong where",
    "429": "More requests than one key may send: `Retry-After` says when to go on",
    "500": "An error of ours: nothing was changed",
    "503": "The database does not answer: `Retry-After` says when to try again",
}
WITHOUT_BODY = {"400", "409", "413", "422"}
WITH_RETRY_AFTER = {"429", "503"}
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Makes a repeat safe for 24 hours: the first answer is given again.",
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "fields": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        }
    },
}


@cache
def schema() -> dict[str, Any]:
    """Return the OpenAPI description, with the refusals that all calls share."""
    described: dict[str, Any] = json.loads(json.dumps(get_schema(api, path_prefix=ROOT)))
    described["components"]["schemas"] |= _schemas_of_bodies() | {"Error": ERROR}
    for call in described["paths"].values():
        for method, operation in call.items():
            _describe_refusals(operation, has_body="requestBody" in operation)
            if method == "post":
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    return described


def _schemas_of_bodies() -> dict[str, Any]:
    """Return the schemas of the bodies that are read without ninja, which cannot know them."""
    _, all_of_them = models_json_schema(
        [(body, "validation") for body in VIEWING_BODIES],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = all_of_them["$defs"]
    return schemas


def _describe_refusals(operation: dict[str, Any], *, has_body: bool) -> None:
    reference = {"$ref": "#/components/schemas/Error"}
    for status, meaning in REFUSALS.items():
        if has_body or status not in WITHOUT_BODY:
            # A call may say more of a refusal than all calls share.
            refusal = operation["responses"].setdefault(
                status,
                {"description": meaning, "content": {"application/json": {"schema": reference}}},
            )
            if status in WITH_RETRY_AFTER:
                refusal["headers"] = RETRY_AFTER


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the page for people shows it."""

    method: str
    path: str
    summary: str
    description: str
    fields: list[tuple[str, str, bool]]
    """Name, type in words, whether it is required."""
    example: str
    answers: list[tuple[str, str]]


def calls(described: dict[str, Any]) -> list[Call]:
    """Return the described calls in their order."""
    bodies = described["components"]["schemas"]
    return [
        _call(method.upper(), path, operation, bodies)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]


def _call(method: str, path: str, operation: dict[str, Any], bodies: dict[str, Any]) -> Call:
    body: dict[str, Any] = {}
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        body = bodies[reference.rpartition("/")[2]]
    required = set(body.get("required", ()))
    return Call(
        method=method,
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        fields=[
            (name, _in_words(about), name in required)
            for name, about in body.get("properties", {}).items()
        ],
        example="\n".join(
            json.dumps(example, indent=2, ensure_ascii=False)
            for example in body.get("examples", ())
        ),
        answers=[
            (status, response["description"])
            for status, response in sorted(operation["responses"].items())
        ],
    )


def _in_words(about: dict[str, Any]) -> str:
    """Return what a field holds: "string (date-time)", "subscription, pack"."""
    if "anyOf" in about:
        kinds = [kind for kind in about["anyOf"] if kind.get("type") != "null"]
        return ", ".join(_in_words(kind) for kind in kinds)
    if "enum" in about:
        return ", ".join(about["enum"])
    words = str(about.get("type", ""))
    if "format" in about:
        return f"{words} ({about['format']})"
    if "maxLength" in about:
        return f"{words} (≤ {about['maxLength']})"
    return words


class OpenApi(View):
    """The description of the API for machines."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(schema())


class ApiDocs(TemplateView):
    """The description of the API for people, made from the one for machines."""

    http_method_names = ["get", "head"]
    template_name = "api/docs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"calls": calls(schema())}


class NoSuchCall(View):
    """What is asked for below the API's address and is not there."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return answer(ApiError(404, "not_found", "There is no such address."))


# --- Addresses -----------------------------------------------------------------------------


def without_session(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Open the view to everybody: a key lets machines in, no session. One shape for 405, too."""

    @functools.wraps(view)
    def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if isinstance(response, HttpResponseNotAllowed):
            allowed = {"Allow": response["Allow"]}
            message = f"Use {response['Allow']}."
            return answer(ApiError(405, "method_not_allowed", message, headers=allowed))
        return response

    return csrf_exempt(login_not_required(read_to_the_end(opened)))


def _addresses() -> list[URLPattern]:
    patterns: list[URLPattern] = [
        path("openapi.json", OpenApi.as_view(), name="openapi"),
        path("docs", ApiDocs.as_view(), name="docs"),
        # Ninja's root is no call.
        *(p for p in api.urls[0] if isinstance(p, URLPattern) and p.name != "api-root"),
        path("", NoSuchCall.as_view(), name="nothing"),
        path("<rest:address>", NoSuchCall.as_view(), name="no-such-call"),
    ]
    for pattern in patterns:
        pattern.callback = without_session(pattern.callback)
    return patterns


urlpatterns = _addresses()
