"""The demo platform's own sessions: signed cookies below its own path, one for each purpose."""

from typing import Any, Final

from django.core import signing
from django.http import HttpRequest, HttpResponse

from backoffice.projects.models import Platform

PREFIX: Final = "demo_"
# A device session of a user: its id, its token.
USER: Final = "demo_user"
# An impersonation, apart from the user's own sign-in: its marker, who looks, until when.
LOOK: Final = "demo_look"
LANGUAGE: Final = "demo_language"


def read(request: HttpRequest, name: str, platform: Platform) -> dict[str, Any]:
    """Return what the cookie holds; nothing if there is none, or not one of this platform's."""
    try:
        value = signing.loads(request.COOKIES.get(name, ""), salt=_salt(name, platform))
    except signing.BadSignature:
        return {}
    return value if isinstance(value, dict) else {}


def write(
    response: HttpResponse, name: str, platform: Platform, value: dict[str, Any], *, path: str
) -> None:
    """Keep the value in the browser until it is closed, for this platform's pages alone."""
    response.set_cookie(
        name,
        signing.dumps(value, salt=_salt(name, platform)),
        path=path,
        httponly=True,
        samesite="Lax",
    )


def forget(response: HttpResponse, name: str, *, path: str) -> None:
    response.delete_cookie(name, path=path, samesite="Lax")


def _salt(name: str, platform: Platform) -> str:
    return f"demo platform {platform.pk} {name}"
