"""What staff send to prove who they are."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.staff.adapters import refuse
from backoffice.staff.models import StaffMember

# A code is good for its half minute and the two around it.
_CODE_LIFE_SECONDS = 90


class SignInForm(LoginForm):
    """E-mail and password; failures are throttled before anything is hashed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("E-mail")
        self.fields["login"].max_length = 254
        self.fields["login"].widget.attrs.update(autocomplete="username", autofocus=True)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
            field.widget.attrs["class"] = "form-control"
        self.fields["password"].help_text = ""

    def add_prefix(self, field_name: str) -> str:
        """Call the field on the page what it holds."""
        return "email" if field_name == "login" else super().add_prefix(field_name)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if self.user and not self.user.is_active:
            # The same words as for a wrong password: a stranger learns nothing.
            refuse(self.request, self.user)
            raise get_adapter().validation_error("email_password_mismatch")
        return cleaned


def describe_code(field: forms.Field) -> None:
    """Make a code's field look alike wherever it is asked for."""
    field.label = _("Code")
    field.widget = forms.TextInput(
        attrs={
            "class": "form-control",
            "autocomplete": "one-time-code",
            "autofocus": True,
            "maxlength": 20,
        }
    )


class CodeForm(AuthenticateForm):
    """The second factor: a code of the app, each good once, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        describe_code(self.fields["code"])

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            # A code with a blank in it is the same code.
            used = f"staff.code.{self.user.pk}.{''.join(filter(str.isalnum, code))}"
            if not cache.add(used, 1, timeout=_CODE_LIFE_SECONDS):
                raise get_mfa_adapter().validation_error("incorrect_code")
        return code


class SetUpForm(ActivateTOTPForm):
    """The first code of a new authenticator app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        describe_code(self.fields["code"])


class ConfirmForm(CodeForm):
    """The password again, and a code if the member has a second factor."""

    password = forms.CharField(
        label=_("Password"),
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(
            attrs={
                "class": "form-control",
                "autocomplete": "current-password",
                "autofocus": True,
            }
        ),
    )
    field_order = ("password", "code")

    def __init__(self, *args: Any, request: HttpRequest, user: StaffMember, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        self.request = request
        self.fields["code"].widget.attrs.pop("autofocus")
        if not is_mfa_enabled(user, [Authenticator.Type.TOTP]):
            del self.fields["code"]

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        adapter = get_adapter(self.request)
        found = adapter.authenticate(self.request, email=self.user.email, password=password)
        if found != self.user:
            raise adapter.validation_error("incorrect_password")
        return password

    def clean_code(self) -> str:
        # A code is spent by looking at it: not before the password is right.
        return super().clean_code() if "password" in self.cleaned_data else ""
