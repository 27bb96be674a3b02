"""The demo platform's way to the back office: the API for platforms, with a key of its own."""

import contextvars
import functools
import io
import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from backoffice.audit.recording import SYSTEM
from backoffice.projects.actions import KEY_PREFIX, create_api_key
from backoffice.projects.models import ApiKey, Platform
from backoffice.projects.selectors import hash_of_key

ROOT = "/api/v1"


class ApiFailed(Exception):
    """The back office did not answer as it should; nothing is known to have happened."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered."""

    status: int
    body: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def error(self) -> dict[str, Any]:
        """Return code, message and fields of a refusal."""
        error: dict[str, Any] = self.body.get("error", {})
        return error


class Api:
    """
    Calls the API as one platform.

    Method, address, headers and JSON go through all that an HTTP call goes through, middleware
    and authentication included, but through no socket: a page of the demo never waits for a
    second thread of the server that it holds the first of (docs/adr).
    """

    def __init__(self, platform: Platform, *, host: str, now: datetime) -> None:
        self.key = key_of(platform, now=now)
        self.host = host

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        return self.send("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Answer:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """
        Send one call.

        :raises ApiFailed: if the back office failed, or refuses the key.
        """
        content = b"" if body is None else json.dumps(body).encode()
        request = WSGIRequest(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": f"{ROOT}{path}",
                "SCRIPT_NAME": "",
                "QUERY_STRING": "",
                "SERVER_NAME": "localhost",
                "SERVER_PORT": "80",
                "SERVER_PROTOCOL": "HTTP/1.1",
                # The platform's server, not its visitor, is who calls.
                "REMOTE_ADDR": "127.0.0.1",
                "HTTP_HOST": self.host,
                "HTTP_AUTHORIZATION": f"Bearer {self.key}",
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(content)),
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(content),
            }
        )
        # Language and number of the request within stay within.
        response = contextvars.copy_context().run(_handler().get_response, request)
        answer = _answer(response)
        is_key_refused = answer.error.get("code") == "unauthorized"
        if is_key_refused or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ApiFailed
        return answer


def key_of(platform: Platform, *, now: datetime) -> str:
    """
    Return the demo's key of the platform, which is registered when it is first needed.

    It is made from SECRET_KEY, so that no file and no row has to keep it.
    """
    secret = salted_hmac("backoffice.demo_platform", str(platform.pk), algorithm="sha256")
    key = KEY_PREFIX + secret.hexdigest()
    if not ApiKey.objects.filter(key_hash=hash_of_key(key)).exists():
        try:
            with transaction.atomic():
                create_api_key(platform=platform, actor=SYSTEM, now=now, key=key)
        except IntegrityError:
            pass  # Another request was first.
    return key


@functools.cache
def _handler() -> BaseHandler:
    handler = BaseHandler()
    handler.load_middleware()
    return handler


def _answer(response: HttpResponseBase) -> Answer:
    """Return the answer; all of the API's are whole and JSON, or empty."""
    content = response.content if isinstance(response, HttpResponse) else b""
    return Answer(response.status_code, json.loads(content) if content else {})
