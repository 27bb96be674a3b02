"""The home page, where tickets arrive; the way out of an impersonation; the language."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from backoffice.demo_platform import cookies
from backoffice.demo_platform.pages import LANGUAGES, DemoPage, Refused
from backoffice.demo_platform.selectors import history_of, paid_by, shelves


class Home(DemoPage):
    """What there is to watch, and for whom; a posted ticket opens it as its user."""

    takes_strangers_posts = True
    http_method_names = ["get", "head", "post"]

    def get(self, _request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        project, user = self.platform.project, self.visitor.user
        live, hosted = shelves(project)
        return self.page(
            "home",
            live=live,
            hosted=hosted,
            paid=paid_by(project, user, now=self.now) if user else None,
            history=history_of(project, user)[:4] if user else [],
        )

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        ticket = request.POST.get("ticket", "")[:200]
        answer = self.api.post("/impersonations/redeem", {"ticket": ticket})
        if not answer.is_good:
            raise Refused("ticket_refused", HTTPStatus.GONE)
        if self.visitor.look:
            # One after the other, never one within another.
            self.api.delete(f"/impersonations/{self.visitor.look.marker}")
        # The user's own sign-in here, if there is one, stays as it is.
        return self.go("home", demo_look={"impersonation": answer.body["impersonation"]})


class Stop(DemoPage):
    """Ends the impersonation at hand, which the cookie names; the request names none."""

    http_method_names = ["post"]

    def post(self, _request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if self.visitor.look:
            self.api.delete(f"/impersonations/{self.visitor.look.marker}")
        raise Refused("look_over", HTTPStatus.OK, cookies.LOOK)


class Language(DemoPage):
    """Keeps the language that the visitor chose."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        response = self.go("home")
        asked = request.POST.get("language", "")
        if asked in LANGUAGES:
            response.set_cookie(cookies.LANGUAGE, asked, path=self.root, samesite="Lax")
        return response
