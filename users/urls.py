"""Addresses of the people of a project."""

from django.urls import path

from users.views.edit import Edit
from users.views.fields import (
    ArchiveField,
    EditField,
    FieldList,
    MoveField,
    NewField,
    RestoreField,
)
from users.views.free_copy import GiveFreeCopy
from users.views.help import Help
from users.views.impersonation import Impersonate
from users.views.profile import Profile
from users.views.to_come import Delete
from users.views.user_files import BasicExport, ChartExport, CompleteExport
from users.views.user_list import UserList
from users.views.user_new import NewUser

app_name = "users"

urlpatterns = [
    path("help/", Help.as_view(), name="help"),
    path("users/", UserList.as_view(), name="list"),
    path("users/new/", NewUser.as_view(), name="new"),
    path("users/chart.csv", ChartExport.as_view(), name="chart-file"),
    path("users/export/basic.csv", BasicExport.as_view(), name="basic-file"),
    path("users/export/complete.csv", CompleteExport.as_view(), name="complete-file"),
    path("users/<uuid:public_id>/", Profile.as_view(), name="profile"),
    path("users/<uuid:public_id>/edit/", Edit.as_view(), name="edit"),
    path("users/<uuid:public_id>/free-copy/", GiveFreeCopy.as_view(), name="free-copy"),
    path("users/<uuid:public_id>/delete/", Delete.as_view(), name="delete"),
    path("users/<uuid:public_id>/impersonate/", Impersonate.as_view(), name="impersonate"),
    path("settings/sign-up-fields/", FieldList.as_view(), name="fields"),
    path("settings/sign-up-fields/new/", NewField.as_view(), name="field-new"),
    path("settings/sign-up-fields/<slug:key>/", EditField.as_view(), name="field"),
    path("settings/sign-up-fields/<slug:key>/move/", MoveField.as_view(), name="field-move"),
    path(
        "settings/sign-up-fields/<slug:key>/archive/",
        ArchiveField.as_view(),
        name="field-archive",
    ),
    path(
        "settings/sign-up-fields/<slug:key>/restore/",
        RestoreField.as_view(),
        name="field-restore",
    ),
]
