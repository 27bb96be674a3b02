"""The table of contents: each app's addresses, by name."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("backoffice.staff.urls")),
    path("audit/", include("backoffice.audit.urls")),
    path("api/v1/", include(("backoffice.api", "api"))),
]
