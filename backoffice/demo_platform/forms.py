"""What visitors of the demo platform write. The sign-up form is made from the API's answer."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

FieldDescription = dict[str, Any]
"""One sign-up field as `GET /sign-up-fields` describes it."""


class PlainForm(forms.Form):
    """A form whose fields look alike."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            dress(field)


def dress(field: forms.Field) -> None:
    """Give the field the look of all others; a box needs none."""
    if not isinstance(field, forms.BooleanField):
        is_choice = isinstance(field, forms.ChoiceField)
        field.widget.attrs["class"] = "form-select" if is_choice else "form-control"


class SignInForm(PlainForm):
    """E-mail and password of a user."""

    email = forms.CharField(
        label=_("E-mail"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ForgottenForm(PlainForm):
    """Who forgot the password."""

    email = forms.CharField(
        label=_("E-mail"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )


class NewPasswordForm(PlainForm):
    """A new password."""

    password = forms.CharField(
        label=_("New password"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ResetForm(NewPasswordForm):
    """The same, and the token of the link; without scripts it is pasted."""

    token = forms.CharField(
        label=_("Code from the link"),
        max_length=200,
        help_text=_("All that stands behind the # in the address of the link."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-from-fragment": True}),
    )
    field_order = ("token", "password")


class NameForm(PlainForm):
    """What users may change of themselves here."""

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)


class SignUpForm(PlainForm):
    """A new account, with the fields that the project asks for."""

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    email = forms.CharField(
        label=_("E-mail"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(
        self, *args: Any, asked: Sequence[FieldDescription], language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.asked = asked
        for description in asked:
            field = _field(description, language)
            dress(field)
            self.fields[f"custom.{description['key']}"] = field

    def body(self, *, language: str) -> dict[str, Any]:
        """Return the body of `POST /users`."""
        given = {
            one["key"]: _json_value(self.cleaned_data[f"custom.{one['key']}"], one["type"])
            for one in self.asked
        }
        return {
            **{name: self.cleaned_data[name] for name in SignUpForm.base_fields},
            "language": language,
            "custom": {key: value for key, value in given.items() if value is not None},
        }


def add_refusals(form: forms.Form, error: dict[str, Any]) -> None:
    """Put what the API refused beside the fields that it names."""
    fields: dict[str, str] = error.get("fields", {})
    for name, message in fields.items():
        form.add_error(name if name in form.fields else None, message)
    if not fields:
        form.add_error(None, error.get("message", ""))


def _field(description: FieldDescription, language: str) -> forms.Field:
    labels = description["labels"]
    label = labels.get(language) or labels.get("en") or description["key"]
    usual: dict[str, Any] = {"label": label, "required": description["required"]}
    kind = description["type"]
    if kind == "number":
        return forms.DecimalField(**usual)
    if kind == "date":
        return forms.DateField(
            **usual, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        )
    if kind == "boolean":
        return forms.BooleanField(label=label, required=False)
    if kind == "choice":
        choices = [("", "–"), *((choice, choice) for choice in description["choices"])]
        return forms.ChoiceField(**usual, choices=choices)
    return forms.CharField(**usual, max_length=1000)


def _json_value(value: Any, kind: str) -> Any:
    """Return the value as JSON says it; None for no answer."""
    if value in {None, ""}:
        return None
    if kind == "number":
        return int(value) if value == value.to_integral_value() else float(value)
    if kind == "date":
        return value.isoformat()
    return value
