"""What staff may write about a person."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.core import validation
from backoffice.projects.models import Project
from users.models import CustomField, Impersonation, User

LONGEST_NAME = 150


class UserForm(forms.Form):
    """
    The profile of one user: the fixed fields by their column's name, sign-up fields by their key.

    `version` is the profile's as the editor saw it, so that a newer change is not overwritten.
    """

    first_name = forms.CharField(label=_("First name"), max_length=LONGEST_NAME, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=LONGEST_NAME, required=False)
    email = forms.CharField(label=_("E-mail"), max_length=validation.LONGEST_EMAIL)
    language = forms.CharField(label=_("Language"), max_length=10, required=False)
    country = forms.CharField(label=_("Country"), max_length=2, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    def __init__(
        self, *args: Any, fields: Sequence[CustomField], language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.custom_fields = [field for field in fields if field.archived_at is None]
        for field in self.custom_fields:
            self.fields[field.key] = _form_field(field, language)

    def clean_email(self) -> str:
        return validation.clean_email(self.cleaned_data["email"])

    def clean_first_name(self) -> str:
        return validation.clean_text(self.cleaned_data["first_name"])

    def clean_last_name(self) -> str:
        return validation.clean_text(self.cleaned_data["last_name"])

    def clean_language(self) -> str:
        return _unless_empty(validation.clean_language, self.cleaned_data["language"])

    def clean_country(self) -> str:
        return _unless_empty(validation.clean_country, self.cleaned_data["country"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for field in self.custom_fields:
            value = cleaned.get(field.key)
            if value not in {None, ""}:
                try:
                    cleaned[field.key] = validation.clean_custom_value(
                        field.type, field.choices, value
                    )
                except ValidationError as error:
                    self.add_error(field.key, error)
        return cleaned

    def changes_for(self, user: User) -> dict[str, Any]:
        """Return the new profile by field; values of archived sign-up fields stay."""
        keys = {field.key for field in self.custom_fields}
        kept = {key: value for key, value in user.custom.items() if key not in keys}
        given = {key: self.cleaned_data[key] for key in keys}
        names = ("first_name", "last_name", "email", "language", "country")
        return {name: self.cleaned_data[name] for name in names} | {
            "custom": kept | {k: v for k, v in given.items() if v not in {None, ""}}
        }

    @staticmethod
    def values_of(user: User) -> dict[str, Any]:
        """Return what the form shows of a user at first."""
        return {
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": user.email,
            "language": user.language,
            "country": user.country,
            "version": user.version,
        } | {key: _shown(value) for key, value in user.custom.items()}


def _unless_empty(clean: Callable[[str], str], value: str) -> str:
    return clean(value) if value else ""


def _shown(value: Any) -> Any:
    """Return a truth value as the choice of its field names it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _form_field(field: CustomField, language: str) -> forms.Field:
    label = field.label(language)
    match field.type:
        case CustomField.Type.BOOLEAN:
            choices = [("", "—"), ("true", _("Yes")), ("false", _("No"))]
            return forms.TypedChoiceField(
                label=label,
                choices=choices,
                required=False,
                coerce=lambda word: word == "true",
                empty_value=None,
            )
        case CustomField.Type.CHOICE:
            options = [("", "—"), *((choice, choice) for choice in field.choices)]
            return forms.ChoiceField(label=label, choices=options, required=False)
        case CustomField.Type.DATE:
            widget = forms.TextInput(attrs={"type": "date"})
            return forms.CharField(label=label, required=False, widget=widget, max_length=10)
        case CustomField.Type.NUMBER:
            return forms.FloatField(label=label, required=False)
        case _:
            return forms.CharField(
                label=label, required=False, max_length=validation.LONGEST_CUSTOM_TEXT
            )


class ImpersonationForm(forms.Form):
    """Why somebody takes on a user's identity, and how far; only what there is to choose."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        required=False,
        help_text=_("A ticket number or a few words. It is kept until the user is deleted."),
    )
    mode = forms.ChoiceField(
        label=_("What can be done there"),
        choices=[
            (Impersonation.Mode.READ_ONLY, _("Look only")),
            (Impersonation.Mode.FULL, _("Act as the user")),
        ],
        widget=forms.RadioSelect,
        required=False,
    )

    def __init__(self, *args: Any, rule: str, may_act: bool, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"mode": Impersonation.Mode.READ_ONLY})
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs["class"] = "form-control"
        self.fields["reason"].required = rule == Project.ReasonRule.REQUIRED
        if rule == Project.ReasonRule.OFF:
            del self.fields["reason"]
        # What is sent all the same is judged by the permission, not by the form.
        self.may_act = may_act

    def clean_reason(self) -> str:
        return validation.clean_text(self.cleaned_data["reason"])

    def fields_shown(self) -> list[forms.BoundField]:
        """Return what the page asks: no mode where there is no choice, unless a wrong one came."""
        return [field for field in self if field.name != "mode" or self.may_act or field.errors]

    @property
    def mode_chosen(self) -> Impersonation.Mode:
        """Return the mode; looking only, where nothing was chosen."""
        return Impersonation.Mode(self.cleaned_data["mode"] or Impersonation.Mode.READ_ONLY)
