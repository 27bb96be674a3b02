"""What staff may send about payments."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.core.text import email_key
from backoffice.projects.models import Project
from users.models import User

SECRET = forms.PasswordInput(attrs={"class": "form-control", "autocomplete": "off"})


class StripeForm(forms.Form):
    """The secrets of an account with Stripe; never shown again."""

    secret_key = forms.CharField(
        label=_("Secret key"),
        max_length=255,
        widget=SECRET,
        help_text=_("From the developers' pages of Stripe; it begins with sk_ or rk_."),
    )
    webhook_secrets = forms.CharField(
        label=_("Webhook secrets"),
        max_length=800,
        widget=SECRET,
        help_text=_("The endpoint's secret. While it rotates: the old one, a comma, the new one."),
    )

    def clean_webhook_secrets(self) -> list[str]:
        return [one.strip() for one in self.cleaned_data["webhook_secrets"].split(",")]


class AssignForm(forms.Form):
    """Which user a customer of a provider is."""

    user = forms.CharField(
        label=_("User"),
        max_length=320,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
        help_text=_("The user's e-mail or unique identifier."),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_user(self) -> User:
        text = self.cleaned_data["user"].strip()
        present = User.objects.of(self.project).present()
        try:
            found = present.filter(public_id=UUID(text)).first()
        except ValueError:
            found = present.filter(email_key=email_key(text)).first()
        if found is None:
            raise ValidationError(_("This project has no such user."))
        return found
