"""What staff send to prove who they are."""

from collections.abc import Sequence
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.core.permissions import Role
from backoffice.core.validation import clean_text
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


class InviteForm(forms.Form):
    """Whom to invite, and with which role."""

    email = forms.EmailField(label=_("E-mail"), max_length=254)
    role = forms.ChoiceField(label=_("Role"))
    scope = forms.ChoiceField(label=_("Where"))

    def __init__(
        self, *args: Any, here: Sequence[Role], everywhere: Sequence[Role], **kwargs: Any
    ) -> None:
        """
        :param here: the roles that may be given on the project, highest first.
        :param everywhere: those that may be given on all projects.
        """
        super().__init__(*args, **kwargs)
        self.allowed = {"project": set(here), "all": set(everywhere)}
        offered = [role for role in reversed(Role) if role in {*here, *everywhere}]
        self.fields["role"].choices = [(role.value, role.label) for role in offered]  # type: ignore[attr-defined]
        scopes = [("project", _("This project"))] if here else []
        scopes += [("all", _("All projects"))] if everywhere else []
        self.fields["scope"].choices = scopes  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        role, scope = cleaned.get("role"), cleaned.get("scope")
        if role and scope and Role(role) not in self.allowed[scope]:
            self.add_error("role", _("You may not give this role there."))
        return cleaned


class ChoosePasswordForm(forms.Form):
    """The first password of an invited member."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    password = forms.CharField(
        label=_("Password"),
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Twelve characters at least; a sentence is easy to remember."),
    )
    again = forms.CharField(
        label=_("The same password again"),
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, staff: StaffMember, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.staff = staff
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"

    def clean_name(self) -> str:
        return clean_text(self.cleaned_data["name"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password")
        if password and "again" in cleaned and cleaned["again"] != password:
            self.add_error("again", _("The two passwords differ."))
        if password:
            self.staff.name = cleaned.get("name", "")
            try:
                validate_password(password, self.staff)
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned
