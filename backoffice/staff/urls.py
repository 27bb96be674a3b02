"""Addresses of sign-in, of one's own account and of the audit trail."""

from django.urls import include, path
from django.views.generic import RedirectView

from backoffice.staff.views.audit_trail import AuditTrail
from backoffice.staff.views.confirm import Confirm
from backoffice.staff.views.language import SetLanguage
from backoffice.staff.views.members import Invitation, Members, TakeRole
from backoffice.staff.views.second_factor import (
    NewRecoveryCodes,
    RecoveryCodes,
    SecondFactorPage,
    SetUpSecondFactor,
)
from backoffice.staff.views.sign_in import SignIn, SignInCode, SignOut

members = [
    path("", Members.as_view(), name="list"),
    path("roles/<int:role_id>/take/", TakeRole.as_view(), name="take-role"),
]

# django-allauth asks for its own names, without a namespace.
urlpatterns = [
    path("", RedirectView.as_view(url="/users/", query_string=True), name="home"),
    path("sign-in/", SignIn.as_view(), name="account_login"),
    path("sign-in/code/", SignInCode.as_view(), name="mfa_authenticate"),
    path("sign-out/", SignOut.as_view(), name="account_logout"),
    path("audit/", AuditTrail.as_view(), name="audit"),
    path("confirm/", Confirm.as_view(), name="confirm"),
    path("settings/staff/", include((members, "staff"))),
    path("invitation/<str:number>/<str:token>/", Invitation.as_view(), name="invitation"),
    path("language/", SetLanguage.as_view(), name="set_language"),
    path("account/second-factor/", SecondFactorPage.as_view(), name="mfa_index"),
    path("account/second-factor/new/", SetUpSecondFactor.as_view(), name="mfa_activate_totp"),
    path("account/recovery-codes/", RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path(
        "account/recovery-codes/new/",
        NewRecoveryCodes.as_view(),
        name="mfa_generate_recovery_codes",
    ),
]
