"""What staff may set about a project and its platforms."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.core.money import currencies
from backoffice.core.validation import clean_language, clean_text
from backoffice.projects.actions import ProjectRefused, check_home_url
from backoffice.projects.models import Platform, Project, time_zones

LONGEST_GRACE_DAYS = 60
LONGEST_VIEW_SECONDS = 60
MOST_LANGUAGES = 20


class AddressField(forms.CharField):
    """A web address: https, or http on this machine."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=500, widget=forms.URLInput, **kwargs)

    def clean(self, value: Any) -> str:
        address: str = super().clean(value)
        if address:
            try:
                check_home_url(address)
            except ProjectRefused as refusal:
                raise ValidationError(str(refusal)) from refusal
        return address


class PlatformForm(forms.Form):
    """A platform. Its slug is asked for once: addresses, filters and files name it."""

    slug = forms.SlugField(
        label=_("Short name"),
        max_length=50,
        help_text=_("Small letters, digits and -; stays as it is. Files and filters name it."),
    )
    name = forms.CharField(label=_("Name"), max_length=100)
    kind = forms.ChoiceField(label=_("Kind"), choices=Platform.Kind.choices)
    home_url = AddressField(label=_("Home page"))
    password_reset_url = AddressField(
        label=_("Page for new passwords"),
        help_text=_("Reset links and invitations lead there, with the token after a “#”."),
        required=False,
    )
    impersonation_url = AddressField(
        label=_("Address for impersonation"),
        help_text=_("Where a ticket is posted; the home page if there is none."),
        required=False,
    )

    def __init__(self, *args: Any, platform: Platform | None = None, **kwargs: Any) -> None:
        if platform is not None:
            names = ("name", "kind", "home_url", "password_reset_url", "impersonation_url")
            kwargs["initial"] = {name: getattr(platform, name) for name in names}
        super().__init__(*args, **kwargs)
        if platform is not None:
            del self.fields["slug"]

    def clean_name(self) -> str:
        return clean_text(self.cleaned_data["name"])

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        return slug.lower()

    def clean_password_reset_url(self) -> str:
        address: str = self.cleaned_data["password_reset_url"]
        if "#" in address:
            raise ValidationError(
                _("This address may have no “#”: the token of the link stands there.")
            )
        return address


class ProjectForm(forms.Form):
    """The settings of a project, by the names of its columns."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Mails are sent under it.")
    )
    languages = forms.CharField(
        label=_("Languages"),
        max_length=200,
        help_text=_("Codes with a comma between; the first is the usual one: fr, en."),
    )
    currency = forms.CharField(label=_("Currency"), max_length=3, help_text=_("Like EUR."))
    device_limit = forms.TypedChoiceField(
        label=_("Devices at once"),
        coerce=int,
        choices=[(3, "3"), (5, "5")],
        help_text=_("Beyond it the oldest sign-in ends. Holds from the next sign-in on."),
    )
    has_trials = forms.BooleanField(
        label=_("Trial periods"),
        help_text=_("Shows the card of users in trial."),
        required=False,
    )
    impersonation_reason = forms.ChoiceField(
        label=_("Reason for impersonating"), choices=Project.ReasonRule.choices
    )
    time_zone = forms.ChoiceField(label=_("Time zone"))
    minimum_view_seconds = forms.IntegerField(
        label=_("Shortest view, in seconds"),
        min_value=0,
        max_value=LONGEST_VIEW_SECONDS,
        help_text=_("What is played for less is kept, and counts nowhere."),
    )
    grace_days = forms.IntegerField(
        label=_("Days of grace"),
        min_value=0,
        max_value=LONGEST_GRACE_DAYS,
        help_text=_("How long a late payer keeps access where no provider tries again."),
    )
    free_copies_need_activation = forms.BooleanField(
        label=_("Free copies start when they are activated"),
        help_text=_("Otherwise when they are given, to somebody who has an account."),
        required=False,
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        own = [name for name in self.base_fields if name != "languages"]
        kwargs["initial"] = {name: getattr(project, name) for name in own}
        kwargs["initial"]["languages"] = ", ".join(project.languages)
        super().__init__(*args, **kwargs)
        zones = sorted(time_zones() | {project.time_zone})
        self.fields["time_zone"].choices = [(name, name) for name in zones]  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        return clean_text(self.cleaned_data["name"])

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).upper()
        if code not in currencies():
            raise ValidationError(_("Write the currency as its code of three letters, like EUR."))
        return code

    def clean_languages(self) -> list[str]:
        codes = [code for code in self.cleaned_data["languages"].replace(",", " ").split() if code]
        languages = list(dict.fromkeys(clean_language(code) for code in codes))
        if not 0 < len(languages) <= MOST_LANGUAGES:
            raise ValidationError(_("Name one language at least, and twenty at most."))
        return languages
