"""Addresses of a project's settings."""

from django.urls import path

from backoffice.projects.views.platforms import (
    EditPlatform,
    NewKey,
    NewPlatform,
    PlatformList,
    RevokeKey,
)
from backoffice.projects.views.settings import ProjectSettings

app_name = "projects"

urlpatterns = [
    path("settings/project/", ProjectSettings.as_view(), name="settings"),
    path("settings/platforms/", PlatformList.as_view(), name="platforms"),
    path("settings/platforms/new/", NewPlatform.as_view(), name="platform-new"),
    path("settings/platforms/<slug:slug>/", EditPlatform.as_view(), name="platform"),
    path("settings/platforms/<slug:slug>/keys/", NewKey.as_view(), name="key-new"),
    path("settings/keys/<int:key_id>/revoke/", RevokeKey.as_view(), name="key-revoke"),
]
