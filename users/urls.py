"""Addresses of the people of a project."""

from django.urls import path

from users.views.deletion import Deleted, DeleteUser, DeleteUsers
from users.views.device_sessions import EndSessions
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
from users.views.impersonation import Impersonate, ImpersonationRegister, SwitchImpersonation
from users.views.password import Password
from users.views.profile import Profile
from users.views.user_files import (
    BasicExport,
    BasicSheet,
    ChartExport,
    CompleteExport,
    CompleteSheet,
)
from users.views.user_import import (
    Confirm,
    ImportList,
    ImportState,
    MatchColumns,
    RefusedRows,
    Template,
    TemplateSheet,
    Undo,
    Upload,
)
from users.views.user_list import UserList
from users.views.user_new import NewUser
from users.views.viewing_files import ViewingExport, ViewingGraphExport, ViewingSheet

app_name = "users"

urlpatterns = [
    path("help/", Help.as_view(), name="help"),
    path("users/", UserList.as_view(), name="list"),
    path("users/new/", NewUser.as_view(), name="new"),
    path("users/chart.csv", ChartExport.as_view(), name="chart-file"),
    path("users/export/basic.csv", BasicExport.as_view(), name="basic-file"),
    path("users/export/basic.xlsx", BasicSheet.as_view(), name="basic-sheet"),
    path("users/export/complete.xlsx", CompleteSheet.as_view(), name="complete-sheet"),
    path("users/export/complete.csv", CompleteExport.as_view(), name="complete-file"),
    path("users/delete/", DeleteUsers.as_view(), name="delete-several"),
    path("users/deleted/<uuid:deletion>/", Deleted.as_view(), name="deleted"),
    path("users/import/", Upload.as_view(), name="import"),
    path("users/import/template.csv", Template.as_view(), name="import-template"),
    path("users/import/template.xlsx", TemplateSheet.as_view(), name="import-template-sheet"),
    path("users/import/<uuid:public_id>/", ImportState.as_view(), name="import-one"),
    path("users/import/<uuid:public_id>/columns/", MatchColumns.as_view(), name="import-columns"),
    path("users/import/<uuid:public_id>/confirm/", Confirm.as_view(), name="import-confirm"),
    path("users/import/<uuid:public_id>/undo/", Undo.as_view(), name="import-undo"),
    path(
        "users/import/<uuid:public_id>/refused.csv", RefusedRows.as_view(), name="import-refused"
    ),
    path("imports/", ImportList.as_view(), name="imports"),
    path("users/<uuid:public_id>/", Profile.as_view(), name="profile"),
    path("users/<uuid:public_id>/edit/", Edit.as_view(), name="edit"),
    path("users/<uuid:public_id>/delete/", DeleteUser.as_view(), name="delete"),
    path("users/<uuid:public_id>/free-copy/", GiveFreeCopy.as_view(), name="free-copy"),
    path("users/<uuid:public_id>/password/", Password.as_view(), name="password"),
    path(
        "users/<uuid:public_id>/sessions/end/",
        EndSessions.as_view(),
        name="end-sessions",
    ),
    path(
        "users/<uuid:public_id>/sessions/<uuid:session_id>/end/",
        EndSessions.as_view(),
        name="end-session",
    ),
    path(
        "users/<uuid:public_id>/viewing-graph.csv",
        ViewingGraphExport.as_view(),
        name="viewing-graph-file",
    ),
    path("users/<uuid:public_id>/viewing.csv", ViewingExport.as_view(), name="viewing-file"),
    path("users/<uuid:public_id>/viewing.xlsx", ViewingSheet.as_view(), name="viewing-sheet"),
    path("users/<uuid:public_id>/impersonate/", Impersonate.as_view(), name="impersonate"),
    path("impersonations/", ImpersonationRegister.as_view(), name="impersonations"),
    path("impersonations/switch/", SwitchImpersonation.as_view(), name="impersonation-switch"),
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
