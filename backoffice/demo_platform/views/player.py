"""The player: a clock that runs as a film would, and reports as a player does."""

import json
import math
import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from backoffice.core.addresses import with_parameters
from backoffice.core.wire import instant_text
from backoffice.demo_platform.pages import DemoPage
from backoffice.demo_platform.selectors import content_of

LONGEST_AGENT = 4000
# A live event has no end of its own.
LONGEST_RUN = 24 * 3600


class Watch(DemoPage):
    """One content and its player; without scripts, a button to start and one to stop."""

    needs_user = True
    http_method_names = ["get", "head"]

    def get(
        self, request: HttpRequest, *_args: Any, reference: str, **_kwargs: Any
    ) -> HttpResponse:
        content = content_of(self.platform.project, reference)
        if content is None:
            raise Http404
        return self.page("watch", content=content, viewing=request.GET.get("viewing", ""))


class Start(DemoPage):
    """Begins a viewing: its id and its start, sealed, so that the browser invents neither."""

    needs_user = True
    http_method_names = ["post"]

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        reference = request.POST.get("content", "")
        if content_of(self.platform.project, reference) is None:
            raise Http404
        viewing = signing.dumps(
            {
                "id": str(uuid.uuid4()),
                "user": self.visitor.user,
                "content": reference,
                "started_at": instant_text(self.now),
            },
            salt=self.salt(),
        )
        if request.headers.get("Accept", "").startswith("application/json"):
            return JsonResponse({"viewing": viewing})
        address = with_parameters(self.at("watch", reference), [("viewing", viewing)])
        return HttpResponseRedirect(address)

    def salt(self) -> str:
        return f"demo platform {self.platform.pk} viewing"


class Beat(Start):
    """
    Reports how far a viewing has come. A script says so in seconds; without one, the time between
    the two buttons counts.
    """

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        is_script = request.content_type == "application/json"
        try:
            said = json.loads(request.body) if is_script else request.POST.dict()
            viewing = signing.loads(str(said["viewing"]), salt=self.salt())
            passed = (self.now - datetime.fromisoformat(viewing["started_at"])).total_seconds()
            watched = int(said.get("watched", math.ceil(passed)))
            position = int(said.get("position", watched))
        except (ValueError, TypeError, KeyError, AttributeError, signing.BadSignature):
            return JsonResponse({}, status=HTTPStatus.BAD_REQUEST)
        if viewing["user"] != self.visitor.user:
            return JsonResponse({}, status=HTTPStatus.FORBIDDEN)
        answer = self.api.post(
            "/viewings",
            {
                "viewings": [
                    {
                        **viewing,
                        "watched_seconds": min(max(watched, 0), LONGEST_RUN),
                        "position_seconds": min(max(position, 0), LONGEST_RUN),
                        "country": self.visitor.profile["country"],
                        "user_agent": request.headers.get("User-Agent", "")[:LONGEST_AGENT],
                        "ended": bool(said.get("ended", not is_script)),
                        "impersonation": self.visitor.look.marker if self.visitor.look else "",
                    }
                ]
            },
        )
        is_kept = answer.is_good and not answer.body["rejected"]
        if is_script:
            status = HTTPStatus.OK if is_kept else HTTPStatus.UNPROCESSABLE_ENTITY
            return JsonResponse({"kept": is_kept}, status=status)
        return self.go("account")
