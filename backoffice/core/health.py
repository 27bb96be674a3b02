"""Pages for machines and for bad moments: health checks, and the page when something failed."""

import sys
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import TemplateDoesNotExist, loader
from django.utils.decorators import method_decorator
from django.views import View

RETRY_SECONDS = 5

ResponseT = TypeVar("ResponseT", bound=HttpResponse)

# Both languages: which one the reader chose lies in the database.
PLAIN_503 = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>503</title></head>
<body><main>
<h1>The database does not answer</h1>
<p>It is being brought back. Try again in a moment.</p>
<p lang="fr">La base de données ne répond pas. Elle est en cours de rétablissement. Réessayez
dans un instant.</p>
</main></body>
</html>
"""
PLAIN_500 = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>500</title></head>
<body><main>
<h1>Something went wrong</h1>
<p>It was recorded. Try again; if it happens again, tell whoever runs this service.</p>
<p lang="fr">Une erreur est survenue. Elle a été enregistrée. Réessayez ; si elle se reproduit,
prévenez l&rsquo;exploitant du service.</p>
</main></body>
</html>
"""


@method_decorator(login_not_required, name="dispatch")
class Live(View):
    """Does the process answer? Asks nothing of the database."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse({"status": "ok"})


@method_decorator(login_not_required, name="dispatch")
class Ready(View):
    """Can pages be served? Asks the database once."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> JsonResponse:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except (OperationalError, InterfaceError):
            return _unavailable(JsonResponse({"status": "no database"}, status=503))
        return JsonResponse({"status": "ok"})


class ServerError(View):
    """
    Answers what no view answered: 503 where the database failed, else 500.

    This is the URL conf's `handler500`, not a middleware: Django turns an exception into an
    answer around each middleware, so that none sees what another one met.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_down = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
        status = 503 if is_down else 500
        if request.path.startswith("/api/"):
            response: HttpResponse = JsonResponse(_API_ERRORS[status], status=status)
        else:
            response = HttpResponse(_page(status), status=status)
        return _unavailable(response) if is_down else response


_API_ERRORS = {
    500: {"error": {"code": "internal", "message": "Something went wrong.", "fields": {}}},
    503: {
        "error": {
            "code": "unavailable",
            "message": "The database does not answer. Try again in a moment.",
            "fields": {},
        }
    },
}


def _unavailable(response: ResponseT) -> ResponseT:
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _page(status: int) -> str:
    """Return the page; it is rendered without the request, whose user lies in the database."""
    try:
        return loader.render_to_string(f"{status}.html")
    except (TemplateDoesNotExist, ValueError, OperationalError, InterfaceError):
        return {500: PLAIN_500, 503: PLAIN_503}[status]
