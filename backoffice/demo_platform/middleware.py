"""Keeps the demo platform apart from the back office that serves it."""

from collections.abc import Callable
from typing import Final, TypeAlias

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from backoffice.demo_platform.cookies import LANGUAGE, PREFIX

Handler: TypeAlias = Callable[[HttpRequest], HttpResponse]

ROOT: Final = "/demo-platform/"


class OwnCookies:
    """
    Hides from the demo platform every cookie that is not its own: it shares a host with the back
    office here, as no real platform would, and must not know who is signed in there.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(ROOT):
            own = {k: v for k, v in request.COOKIES.items() if k.startswith(PREFIX)}
            if LANGUAGE in own:
                # Django's own choice of the language goes by this name.
                own[settings.LANGUAGE_COOKIE_NAME] = own[LANGUAGE]
            request.COOKIES = own
        return self.get_response(request)
