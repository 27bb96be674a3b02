"""The table of contents: each app's addresses, by name."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from backoffice.core.health import Live, Ready, ServerError

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", Live.as_view(), name="health-live"),
    path("health/ready", Ready.as_view(), name="health-ready"),
    path("", include("backoffice.staff.urls")),
    path("", include("backoffice.projects.urls")),
    path("", include("users.urls")),
    path("", include("subscriptions.urls")),
    path("", include("backoffice.jobs.urls")),
    path("api/v1/", include(("backoffice.api", "api"))),
]

if not settings.PRODUCTION:
    urlpatterns.append(path("", include("backoffice.demo_platform.urls")))

handler500 = ServerError.as_view()
