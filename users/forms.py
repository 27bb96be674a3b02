"""What staff may write about a person."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from backoffice.core import validation
from backoffice.core.passwords import LONGEST as LONGEST_PASSWORD
from backoffice.core.text import fold
from backoffice.projects.models import Platform, Project
from subscriptions.forms import days_field, offer_field
from subscriptions.models import Offer
from users.custom_fields import choices_held
from users.deletion import ASK_NUMBER_ABOVE, Preview
from users.models import CustomField, Deletion, Impersonation, User, UserImport
from users.resources import CompleteResource, ImportResource, columns_of

LONGEST_NAME = 150
# What whoever helps users may mend; the rest is for those who may edit accounts.
NAME_AND_LANGUAGE = ("first_name", "last_name", "language")
# What the editor saw of each field comes back with it: `initial-<field>`.
SEEN = "initial-"


class NumberField(forms.FloatField):
    """A number, whole if it can be: 25 is stored as 25, not as 25.0."""

    def clean(self, value: Any) -> int | float | None:
        number: float | None = super().clean(value)
        return int(number) if number is not None and number.is_integer() else number


class UserForm(forms.Form):
    """
    The profile of one user: the fixed fields by their column's name, sign-up fields by their key.

    `version` is the profile's as the editor saw it, so that a newer change is not overwritten.
    Beside each field stands, hidden, what it held then: it tells what the editor changed.
    """

    first_name = forms.CharField(label=_("First name"), max_length=LONGEST_NAME, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=LONGEST_NAME, required=False)
    email = forms.CharField(label=_("E-mail"), max_length=validation.LONGEST_EMAIL)
    language = forms.CharField(label=_("Language"), max_length=10, required=False)
    country = forms.CharField(label=_("Country"), max_length=2, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    def __init__(
        self,
        *args: Any,
        fields: Sequence[CustomField],
        language: str,
        edited: User | None = None,
        only: Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """
        :param edited: whose profile it is; none for a new user.
        :param only: the fields that may be changed, if not all.
        """
        if edited is not None:
            kwargs["initial"] = values_of(edited)
        super().__init__(*args, **kwargs)
        self.present = dict(edited.custom) if edited else {}
        self.custom_fields = [field for field in fields if field.archived_at is None]
        for field in self.custom_fields:
            self.fields[field.key] = _form_field(field, language, self.present.get(field.key))
        if only is not None:
            self.fields = {n: f for n, f in self.fields.items() if n in {*only, "version"}}
            self.custom_fields = [field for field in self.custom_fields if field.key in only]
        if edited is not None:
            for name, form_field in self.fields.items():
                form_field.show_hidden_initial = name != "version"

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
        if "version" in self.errors:
            # Nobody sees a hidden field's error.
            self.add_error(None, _("Open the form again: it does not say what it changes."))
        for field in self.custom_fields:
            value = cleaned.get(field.key)
            # What stands there stays, also where the field has become stricter since.
            if value not in {None, ""} and value != self.present.get(field.key):
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
        return {name: self.cleaned_data[name] for name in names if name in self.fields} | {
            "custom": kept | {k: v for k, v in given.items() if v not in {None, ""}}
        }

    def untouched(self) -> set[str]:
        """Return the fields that the editor left as they were seen; none is known without that."""
        given = self.data
        return {
            name
            for name in self.fields
            if SEEN + name in given and given.get(SEEN + name) == given.get(name, "")
        }


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


class PasswordForm(forms.Form):
    """A password for somebody else: typed, or left empty for one that is made here."""

    password = forms.CharField(
        label=_("New password"),
        help_text=_("Leave it empty, and one that is easy to read out is made."),
        required=False,
        strip=False,
        max_length=LONGEST_PASSWORD,
        # Never sent back, not even with a refusal.
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    must_change = forms.BooleanField(
        label=_("To be changed at the next sign-in"), required=False, initial=True
    )
    # Of the password that is to be replaced.
    version = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)


class NewUserForm(UserForm):
    """
    A new user, on a platform, with a free copy if `free_copy_days` are given.

    Field names are those of an import: `platform`, `offer`, `free_copy_days`.
    """

    version = None  # type: ignore[assignment]  # Nobody has changed the user before.
    platform = forms.ChoiceField(label=_("Platform"))

    def __init__(
        self,
        *args: Any,
        platforms: Sequence[Platform],
        offers: Sequence[Offer] | None,
        **kwargs: Any,
    ) -> None:
        """
        :param offers: the project's; None if the editor may give no access.
        """
        super().__init__(*args, **kwargs)
        self.platforms = {platform.slug: platform for platform in platforms}
        self.offers = {offer.reference: offer for offer in offers or ()}
        self.fields["platform"].choices = [(one.slug, one.name) for one in platforms]  # type: ignore[attr-defined]
        if offers is not None:
            self.fields["offer"] = offer_field(offers, empty=_("No free copy"))
            self.fields["free_copy_days"] = days_field(required=False)
        self.fields["invite"] = forms.BooleanField(
            label=_("Send an invitation by mail"),
            help_text=_("In the user's language, with a link to choose a password."),
            required=False,
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        offer, days = cleaned.get("offer"), cleaned.get("free_copy_days")
        if offer and not days and "free_copy_days" not in self.errors:
            self.add_error("free_copy_days", _("Say for how many days."))
        if days and self.offers and not offer and "offer" not in self.errors:
            self.add_error("offer", _("Choose the offer that is given."))
        return cleaned

    def user(self, project: Project, *, registered_at: datetime) -> User:
        """Return the new user, unsaved."""
        user = User(
            project=project,
            platform=self.platforms[self.cleaned_data["platform"]],
            registered_at=registered_at,
        )
        for name, value in self.changes_for(user).items():
            setattr(user, name, value)
        return user

    @property
    def offer(self) -> Offer | None:
        """The offer that is given, if one was chosen."""
        return self.offers.get(self.cleaned_data.get("offer", ""))


class FreeCopyForm(forms.Form):
    """What is given to a user, and for how long."""

    days = days_field(initial=30)
    mail = forms.BooleanField(label=_("Tell the user by mail"), required=False, initial=True)

    def __init__(self, *args: Any, offers: Sequence[Offer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offers = {offer.reference: offer for offer in offers}
        self.fields["offer"] = offer_field(offers, empty=None)
        self.order_fields(["offer", "days", "mail"])

    @property
    def offer(self) -> Offer | None:
        """The offer that is given; none if the project sells nothing."""
        return self.offers.get(self.cleaned_data["offer"])


class ImportColumnsForm(forms.Form):
    """
    What the columns of an uploaded file are: `map-1`, `map-2`, … in their order, and how to go on.

    :param headings: of the file's columns.
    :param columns: pairs of name and words of the columns there are.
    :param platforms: those on which new users can be created.
    """

    mode = forms.ChoiceField(
        label=_("Who has an account already"),
        choices=UserImport.Mode.choices,
        initial=UserImport.Mode.UPDATE,
        required=False,
        widget=forms.RadioSelect,
    )
    platform = forms.ModelChoiceField(
        label=_("Platform of new users whose row names none"),
        queryset=Platform.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label=None,
    )
    invite = forms.BooleanField(
        label=_("Send an invitation by mail to every new user"), required=False
    )

    def __init__(
        self,
        *args: Any,
        headings: Sequence[str],
        columns: Sequence[tuple[str, str]],
        platforms: QuerySet[Platform],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("— Choose —")), *columns, ("ignore", _("Ignore this column"))]
        platform = cast("forms.ModelChoiceField[Platform]", self.fields["platform"])
        platform.queryset = platforms
        self.map_names = [f"map-{number}" for number in range(1, len(headings) + 1)]
        for name, heading in zip(self.map_names, headings, strict=True):
            self.fields[name] = forms.ChoiceField(label=heading, choices=choices, required=False)

    def clean_mode(self) -> str:
        return self.cleaned_data["mode"] or UserImport.Mode.UPDATE

    @property
    def columns(self) -> list[str]:
        """What was chosen for each column, in their order."""
        return [self.cleaned_data[name] for name in self.map_names]


def _unless_empty(clean: Callable[[str], str], value: str) -> str:
    return clean(value) if value else ""


def _shown(value: Any) -> Any:
    """Return a truth value as the choice of its field names it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _form_field(field: CustomField, language: str, present: Any) -> forms.Field:
    """Return the form's field; `present` is what the user has there, which stays a choice."""
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
            kept = [present] if present and present not in field.choices else []
            options = [("", "—"), *((choice, choice) for choice in [*field.choices, *kept])]
            return forms.ChoiceField(label=label, choices=options, required=False)
        case CustomField.Type.DATE:
            widget = forms.TextInput(attrs={"type": "date"})
            return forms.CharField(label=label, required=False, widget=widget, max_length=10)
        case CustomField.Type.NUMBER:
            return NumberField(label=label, required=False)
        case _:
            return forms.CharField(
                label=label, required=False, max_length=validation.LONGEST_CUSTOM_TEXT
            )


# --- Sign-up fields ------------------------------------------------------------------------

# Columns of the files of one user and of imports, and the fields of other forms: a sign-up field
# of that name would be taken for them. Those of the two lists are read from their declarations.
OTHER_NAMES = frozenset(
    """
    project_id content_id content_name content_type content_seconds percent_viewed viewed_at
    hardware_type hardware os browser views date
    password is_staff custom ignore refused_line refused_reason
    active_cumulative active_end_of_day registered
    version reason mode ticket file project days invite mail reset next new csrfmiddlewaretoken
    """.split()  # noqa: SIM905  # A list of words reads best as words.
)
MOST_CHOICES = 100
LONGEST_CHOICE = 100
LONGEST_LABEL = 100


class CustomFieldForm(forms.Form):
    """
    One sign-up field: `key`, `type`, `label_<language>` for each language of the project.

    Whether users have values of it, so that key and type must stay, is asked by `edit_field`:
    that may mean reading all of them.
    """

    key = forms.RegexField(
        regex=r"\A[a-z][a-z0-9_]*\Z",
        max_length=40,
        label=_("Key"),
        help_text=_(
            "What files, imports and platforms call it: small letters, digits and _, "
            "like favourite_genre."
        ),
        error_messages={"invalid": _("Use small letters, digits and _, a letter first.")},
    )
    type = forms.ChoiceField(label=_("Type"), choices=CustomField.Type.choices)
    choices = forms.CharField(
        label=_("Choices"),
        help_text=_("One a line; for the type Choice only."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=MOST_CHOICES * (LONGEST_CHOICE + 2),
    )
    is_required = forms.BooleanField(
        label=_("Required"),
        help_text=_("Nobody signs up without it. Staff may leave it empty."),
        required=False,
    )

    def __init__(
        self,
        *args: Any,
        field: CustomField | None,
        others: Sequence[CustomField],
        languages: Sequence[str],
        **kwargs: Any,
    ) -> None:
        """
        :param field: the one that is changed, none for a new one.
        :param others: the project's other fields, archived ones included.
        """
        self.field = field
        self.others = others
        self.languages = languages
        kwargs["initial"] = self._initial()
        super().__init__(*args, **kwargs)
        names = dict(settings.LANGUAGES)
        for number, language in enumerate(languages):
            self.fields[f"label_{language}"] = forms.CharField(
                label=_("Label (%(language)s)") % {"language": names.get(language, language)},
                max_length=LONGEST_LABEL,
                required=number == 0,
            )
        self.order_fields(["key", *(f"label_{language}" for language in languages)])
        if field is not None:
            fixed = _("Stays as it is once a user has filled it in.")
            self.fields["key"].help_text = self.fields["type"].help_text = fixed

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if self.field is not None and key == self.field.key:
            return key
        if key in {other.key for other in self.others}:
            raise ValidationError(_("Another field of this project has this key."))
        labels = (str(label) for other in self.others for label in other.labels.values())
        if _as_name(key) in map(_as_name, labels):
            raise ValidationError(_("Another field of this project has this label."))
        if key.strip("_") in _names_of_columns():
            raise ValidationError(
                _("This is the name of a column of files or imports: choose another one.")
            )
        return key

    def clean_choices(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["choices"].splitlines()]
        choices = [validation.clean_text(line) for line in lines if line]
        if len(choices) > MOST_CHOICES or any(len(one) > LONGEST_CHOICE for one in choices):
            raise ValidationError(
                _("Up to %(n)s choices of up to %(length)s characters."),
                params={"n": MOST_CHOICES, "length": LONGEST_CHOICE},
            )
        if len({fold(choice) for choice in choices}) < len(choices):
            raise ValidationError(_("Two choices read alike."))
        return choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        is_choice = cleaned.get("type") == CustomField.Type.CHOICE
        if "choices" in cleaned and bool(cleaned["choices"]) != is_choice:
            words = _("Name the choices.") if is_choice else _("Only the type Choice has choices.")
            self.add_error("choices", words)
        elif self.field is not None and "choices" in cleaned:
            self._check_no_held_choice_goes(self.field, cleaned["choices"])
        for language in self.languages:
            self._check_label(language, cleaned)
        return cleaned

    def values(self) -> dict[str, Any]:
        """Return the field as it is to be stored; labels of other languages stay."""
        kept = self.field.labels if self.field else {}
        given = {one: self.cleaned_data[f"label_{one}"] for one in self.languages}
        labels = {one: text for one, text in (kept | given).items() if text}
        names = ("key", "type", "choices", "is_required")
        return {name: self.cleaned_data[name] for name in names} | {"labels": labels}

    def _initial(self) -> dict[str, Any]:
        if self.field is None:
            return {}
        return {
            "key": self.field.key,
            "type": self.field.type,
            "choices": "\n".join(self.field.choices),
            "is_required": self.field.is_required,
        } | {f"label_{language}": text for language, text in self.field.labels.items()}

    def _check_no_held_choice_goes(self, field: CustomField, choices: Sequence[str]) -> None:
        gone = [choice for choice in field.choices if choice not in choices]
        if held := choices_held(field, gone):
            self.add_error(
                "choices",
                _("Users have chosen %(choices)s: it has to stay.")
                % {"choices": ", ".join(f"“{choice}”" for choice in held)},
            )

    def _check_label(self, language: str, cleaned: dict[str, Any]) -> None:
        name = f"label_{language}"
        stands = self.field.labels.get(language) if self.field else None
        if not cleaned.get(name) or cleaned[name] == stands:
            return
        try:
            cleaned[name] = validation.clean_text(cleaned[name])
        except ValidationError as error:
            self.add_error(name, error)
            return
        words = _as_name(cleaned[name])
        if words in _names_of_columns():
            self.add_error(name, _("A column of the files has this heading: choose another one."))
        elif words in {_as_name(str(label)) for f in self.others for label in f.labels.values()}:
            self.add_error(name, _("Another field of this project has this label."))
        elif words in {_as_name(other.key) for other in self.others}:
            self.add_error(name, _("Another field of this project has this key."))


def _names_of_columns() -> frozenset[str]:
    """Return what files and imports call their columns, headings in both languages included."""
    columns = [*ImportResource.fields.values(), *columns_of(CompleteResource)]
    names = OTHER_NAMES | {column.column_name for column in columns}
    names |= {_as_name(heading) for column in columns for heading in column.also}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            names |= {_as_name(str(column.label)) for column in columns}
    return names


def _as_name(words: str) -> str:
    """Return the words as a key would write them: "Prénom" gives "prenom"."""
    return "_".join("".join(c if c.isalnum() else " " for c in fold(words)).split())


# --- Deletion ------------------------------------------------------------------------------


class DeletionForm(forms.Form):
    """
    The last question before users are deleted.

    `version` stands for what was shown: only that is deleted.
    """

    mode = forms.ChoiceField(
        label=_("Subscriptions with Stripe"),
        choices=Deletion.Mode,
        initial=Deletion.Mode.CANCEL,
        widget=forms.RadioSelect,
        required=False,
    )
    number = forms.CharField(
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, shown: Preview, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.users = shown.users
        if not shown.at_stripe:
            del self.fields["mode"]
        if shown.users <= ASK_NUMBER_ABOVE:
            del self.fields["number"]
        else:
            words = _("Type %(n)s, the number of users to delete")
            self.fields["number"].label = words % {"n": shown.users}

    @property
    def chosen_mode(self) -> str:
        """What is to become of what Stripe charges; of a valid form."""
        return str(self.cleaned_data.get("mode") or Deletion.Mode.CANCEL)

    def clean_number(self) -> str:
        text: str = self.cleaned_data["number"]
        # Thousands may be set apart as the page sets them.
        digits = "".join(character for character in text if character not in ",.'’ \u00a0\u202f")
        if digits != str(self.users):
            raise ValidationError(_("This is not the number of users to delete."))
        return text


# --- Impersonation -------------------------------------------------------------------------


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
