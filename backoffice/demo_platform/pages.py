"""The ground under every page of the demo platform: which platform, and who visits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from backoffice.demo_platform import cookies
from backoffice.demo_platform.client import Api, ApiFailed
from backoffice.projects.models import Platform

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LANGUAGES = frozenset({"en", "fr"})


@dataclass(frozen=True, slots=True)
class Look:
    """A staff member who looks as a user, as the back office says now."""

    marker: str
    actor: str
    is_full: bool
    expires_at: datetime

    def minutes_left(self, now: datetime) -> int:
        """Return the minutes that have begun and are not over."""
        return max(1, -int((now - self.expires_at).total_seconds() // 60))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom the pages are shown to: nobody, a user, or staff who look as one."""

    profile: Mapping[str, Any]
    """The user as the API describes them; empty for nobody."""
    look: Look | None = None
    session: str = ""
    """The id of the device session, if the user signed in here."""

    @property
    def user(self) -> str:
        return str(self.profile.get("id", ""))

    @property
    def name(self) -> str:
        name = f"{self.profile.get('first_name', '')} {self.profile.get('last_name', '')}"
        return name.strip() or str(self.profile.get("email", ""))

    @property
    def may_act(self) -> bool:
        """Tell whether anything may be changed: by the user, or by staff who may act."""
        return bool(self.profile) and (self.look is None or self.look.is_full)


NOBODY = Visitor({})


class Refused(Exception):
    """The page cannot be shown; what is shown in its place stands in `template`."""

    def __init__(self, template: str, status: int, forgets: str = "") -> None:
        super().__init__(template)
        self.template = template
        self.status = status
        self.forgets = forgets
        """The cookie that is of no use any more."""


@method_decorator(login_not_required, name="dispatch")
# The back office's token is a cookie of its own; the origin is looked at in its place.
@method_decorator(csrf_exempt, name="dispatch")
class DemoPage(View):
    """A page of one platform, in its visitor's language."""

    takes_strangers_posts: ClassVar[bool] = False
    """Whether another site's form may be posted here: a ticket, nothing else."""
    needs_user: ClassVar[bool] = False
    needs_right_to_act: ClassVar[bool] = False

    platform: Platform
    now: datetime
    api: Api
    visitor: Visitor = NOBODY

    def dispatch(
        self, request: HttpRequest, *args: Any, project: str, platform: str, **kwargs: Any
    ) -> HttpResponseBase:
        self.now = timezone.now()
        found = Platform.objects.select_related("project")
        known = found.filter(project__slug=project, slug=platform).first()
        if known is None:
            raise Http404
        self.platform = known
        self.root = reverse("demo-platform:home", args=[project, platform])
        try:
            self._refuse_strangers(request)
            self.api = Api(known, host=request.get_host(), now=self.now)
            self.visitor = self._find_visitor(request)
            return self._answer(request, *args, **kwargs)
        except Refused as refused:
            response = self.page(refused.template, status=refused.status)
            if refused.forgets:
                cookies.forget(response, refused.forgets, path=self.root)
            return response
        except ApiFailed:
            return self.page("away", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def page(self, name: str, *, status: int = HTTPStatus.OK, **context: Any) -> HttpResponse:
        """Return a page of the platform; rendered here, while its language holds."""
        return TemplateResponse(
            self.request,
            f"demo_platform/{name}.html",
            {
                "platform": self.platform,
                "service": self.platform.project,
                "visitor": self.visitor,
                "root": self.root,
                "minutes": self.visitor.look.minutes_left(self.now) if self.visitor.look else 0,
                "language": translation.get_language(),
                **context,
            },
            status=status,
        ).render()

    def go(self, page: str, **cookies_to_write: dict[str, Any]) -> HttpResponse:
        """Lead to a page of the platform (303), with cookies by their names."""
        response = HttpResponseRedirect(self.at(page))
        response.status_code = HTTPStatus.SEE_OTHER
        for name, value in cookies_to_write.items():
            cookies.write(response, name, self.platform, value, path=self.root)
        return response

    def at(self, page: str, *args: str) -> str:
        """Return the address of a page of the platform."""
        names = (self.platform.project.slug, self.platform.slug)
        return reverse(f"demo-platform:{page}", args=[*names, *args])

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wanted = str(self.visitor.profile.get("language", ""))[:2]
        chosen = cookies.LANGUAGE in request.COOKIES or wanted not in LANGUAGES
        with translation.override(translation.get_language() if chosen else wanted):
            if self.needs_user and not self.visitor.user:
                return self.go("sign-in")
            acts = self.needs_right_to_act and request.method not in SAFE_METHODS
            if acts and not self.visitor.may_act:
                raise Refused("read_only", HTTPStatus.FORBIDDEN)
            return super().dispatch(request, *args, **kwargs)

    def _refuse_strangers(self, request: HttpRequest) -> None:
        """Refuse a form of another site; browsers name the origin of each."""
        origin = request.headers.get("Origin")
        if self.takes_strangers_posts or request.method in SAFE_METHODS or origin is None:
            return
        if urlsplit(origin).netloc != request.get_host():
            raise Refused("foreign", HTTPStatus.FORBIDDEN)

    def _find_visitor(self, request: HttpRequest) -> Visitor:
        look = cookies.read(request, cookies.LOOK, self.platform)
        if look:
            return self._looking(str(look["impersonation"]))
        session = cookies.read(request, cookies.USER, self.platform)
        return self._signed_in(str(session["token"])) if session else NOBODY

    def _looking(self, marker: str) -> Visitor:
        answer = self.api.post("/impersonations/check", {"impersonation": marker})
        profile = self.api.get(f"/users/{answer.body['user']}") if answer.is_good else answer
        if not profile.is_good:
            raise Refused("look_over", HTTPStatus.OK, cookies.LOOK)
        look = Look(
            marker=marker,
            actor=answer.body["actor"],
            is_full=answer.body["mode"] == "full",
            expires_at=datetime.fromisoformat(answer.body["expires_at"]),
        )
        return Visitor(profile.body, look=look)

    def _signed_in(self, token: str) -> Visitor:
        answer = self.api.post("/device-sessions/check", {"token": token})
        profile = self.api.get(f"/users/{answer.body['user']}") if answer.is_good else answer
        if not profile.is_good:
            raise Refused("signed_out", HTTPStatus.OK, cookies.USER)
        return Visitor(profile.body, session=answer.body["id"])
