"""
The columns of the user files, declared once for both directions.

The CSV columns are derived from it (users.exports); the import cleans with its widgets, each of
which takes one cell that is not empty and returns what is stored, or raises ValidationError.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Case, CharField, F, Value, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from import_export import fields, resources, widgets

from backoffice.core.exports import Guarded, IsoInstant
from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT, to_second
from backoffice.core.masking import MaskedEmail, MaskedName
from backoffice.core.sheets import Cell
from backoffice.core.validation import (
    clean_country,
    clean_custom_value,
    clean_email,
    clean_language,
    clean_text,
)
from backoffice.projects.models import Project
from users.models import CustomField, User

LONGEST_NAME: Final = 150
MOST_FREE_COPY_DAYS: Final = 3650


# --- What a cell may hold ------------------------------------------------------------------


class NameWidget(widgets.Widget):
    """A first or a last name."""

    def clean(self, value: str, row: object = None, **kwargs: Any) -> str:
        text = clean_text(value)
        if len(text) > LONGEST_NAME:
            raise ValidationError(say("The text is too long."))
        return text


class EmailWidget(widgets.Widget):
    """An address."""

    def clean(self, value: str, row: object = None, **kwargs: Any) -> str:
        return clean_email(value)


class LanguageWidget(widgets.Widget):
    """A language by its code."""

    def clean(self, value: str, row: object = None, **kwargs: Any) -> str:
        return clean_language(value)


class CountryWidget(widgets.Widget):
    """A country by its code."""

    def clean(self, value: str, row: object = None, **kwargs: Any) -> str:
        return clean_country(value)


class IdWidget(widgets.Widget):
    """The public id of a user."""

    _form = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.ASCII)

    def clean(self, value: str, row: object = None, **kwargs: Any) -> UUID:
        text = value.strip().lower()
        if not self._form.fullmatch(text):
            raise ValidationError(say("This is no identifier of a user."))
        return UUID(text)


class InstantWidget(widgets.Widget):
    """An instant that has passed: with its offset, or a local date or time of the project."""

    _form = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
        r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
        r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?",
        re.ASCII,
    )

    project: Project
    now: datetime

    def clean(self, value: str, row: object = None, **kwargs: Any) -> datetime:
        text = value.strip()
        if not self._form.fullmatch(text):
            raise ValidationError(
                say("Write a date or an instant like 2026-11-03T20:15:00+01:00.")
            )
        try:
            instant = datetime.fromisoformat(text.upper())
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=self.project.zone)
            instant = to_second(instant.astimezone(UTC))
        except (ValueError, OverflowError) as error:
            raise ValidationError(say("There is no such instant.")) from error
        if instant > self.now:
            raise ValidationError(say("This lies in the future."))
        if not FIRST_INSTANT <= instant < LAST_INSTANT:
            raise ValidationError(say("The instant must lie between 1990 and 2199."))
        return instant


class ChoiceOfProject(widgets.Widget):
    """Something that the project has, by its name in files; cleans to its key."""

    keys: Mapping[str, int]

    def __init__(self, unknown: Any) -> None:
        super().__init__()
        self.unknown = unknown

    def clean(self, value: str, row: object = None, **kwargs: Any) -> int:
        key = self.keys.get(value.strip())
        if key is None:
            raise ValidationError(str(self.unknown))
        return key


class DaysWidget(widgets.Widget):
    """A number of days, from one to ten years."""

    def clean(self, value: str, row: object = None, **kwargs: Any) -> int:
        text = value.strip()
        if not re.fullmatch(r"0*[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_FREE_COPY_DAYS:
            raise ValidationError(say("Write a number of days from 1 to 3650."))
        return int(text)


class CustomWidget(widgets.Widget):
    """The value of a sign-up field; numbers and truth values in the ways of spreadsheets too."""

    _truths: Final = {
        word: is_true
        for is_true, words in (
            (True, ("true", "yes", "1", "vrai", "oui")),
            (False, ("false", "no", "0", "faux", "non")),
        )
        for word in words
    }
    # With a decimal comma, but not where the comma may part thousands.
    _number = re.compile(r"[+-]?[0-9]{1,16}(?:[.,][0-9]{1,15})?(?:[Ee][+-]?[0-9]{1,2})?", re.ASCII)
    _thousands = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", re.ASCII)
    # Programs write a day into a sheet as its first instant.
    _midnight = re.compile(r"[ T]00:00(?::00(?:\.0+)?)?$", re.ASCII)

    def __init__(self, field: CustomField) -> None:
        super().__init__()
        self.field = field

    def clean(self, value: str, row: object = None, **kwargs: Any) -> Any:
        given: Any = value
        if self.field.type == CustomField.Type.BOOLEAN:
            given = self._truths.get(value.strip().casefold(), value)
        elif self.field.type == CustomField.Type.NUMBER:
            given = self._typed_number(value.strip())
        elif self.field.type == CustomField.Type.DATE:
            given = self._midnight.sub("", value.strip())
        return clean_custom_value(self.field.type, self.field.choices, given)

    def _typed_number(self, text: str) -> int | float | str:
        if not self._number.fullmatch(text) or self._thousands.fullmatch(text):
            return text
        number = float(text.replace(",", "."))
        return int(text) if text.lstrip("+-").isdigit() else number


# --- Columns -------------------------------------------------------------------------------


class Heading(fields.Field):
    """
    One column of a file: its name and its words.

    :param also: other headings that the import takes for it.
    """

    def __init__(
        self, name: str, label: Any, *, also: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(column_name=name, **kwargs)
        self.label = label
        self.also = also


class Column(Heading):
    """
    A column that is written, too: what the database puts into its cells.

    :param expression: the cell as an expression over `User`; text guarded.
    :param masked: the same for readers who may not see identities, where it differs.
    :param cell: what the cells are in a sheet.
    """

    def __init__(
        self,
        name: str,
        label: Any,
        expression: Combinable,
        *,
        masked: Combinable | None = None,
        cell: Cell = Cell.TEXT,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, label, **kwargs)
        self.expression = expression
        self.masked = masked or expression
        self.cell = cell


def _instant(name: str, label: Any, path: str, **kwargs: Any) -> Column:
    return Column(name, label, IsoInstant(F(path)), cell=Cell.INSTANT, **kwargs)


def _media_name(which: str) -> Combinable:
    """Return the content's name; one that was never described shows its id."""
    name = NullIf(F(f"viewing__{which}_content__name"), Value(""))
    return Guarded(Coalesce(name, F(f"viewing__{which}_content__reference")))


STATUS_WORDS = Case(
    When(status=User.Status.ACTIVE, then=Value("active")),
    When(status=User.Status.REGISTERED, then=Value("registered")),
    default=Value("cancelled"),
    output_field=CharField(),
)


class _People(resources.ModelResource):
    """What both files begin with."""

    id = Column("id", _("Unique identifier"), F("public_id"), widget=IdWidget())
    first_name = Column(
        "first_name",
        _("First name"),
        Guarded(F("first_name")),
        masked=Guarded(MaskedName(F("first_name"))),
        widget=NameWidget(),
    )
    last_name = Column(
        "last_name",
        _("Last name"),
        Guarded(F("last_name")),
        masked=Guarded(MaskedName(F("last_name"))),
        widget=NameWidget(),
    )
    email = Column(
        "email",
        _("E-mail"),
        Guarded(F("email")),
        masked=Guarded(MaskedEmail(F("email"))),
        widget=EmailWidget(),
        also=("mail", "email address", "e-mail address", "courriel", "adresse e-mail"),
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "first_name", "last_name", "email")


class BasicResource(_People):
    """The basic list: the table's columns, and what was entered at registration."""

    status = Column("status", _("Status"), STATUS_WORDS)
    registered_at = _instant(
        "registered_at", _("Registration date"), "registered_at", widget=InstantWidget()
    )
    modified_at = _instant("modified_at", _("Modification date"), "modified_at")
    language = Column("language", _("Language"), Guarded(F("language")), widget=LanguageWidget())
    country = Column("country", _("Country"), Guarded(F("country")), widget=CountryWidget())
    platform = Column(
        "platform",
        _("Platform"),
        Guarded(F("platform__slug")),
        widget=ChoiceOfProject(_("This project has no such platform.")),
    )

    class Meta(_People.Meta):
        # In the order of the file.
        fields: tuple[str, ...] = (
            "id",
            "status",
            "first_name",
            "last_name",
            "email",
            "registered_at",
            "modified_at",
            "language",
            "country",
            "platform",
        )


class ImportResource(BasicResource):
    """What an import takes: a basic list as it comes, and free copies to give."""

    offer = Heading(
        "offer", _("Offer"), widget=ChoiceOfProject(_("This project has no such offer."))
    )
    free_copy_days = Heading("free_copy_days", _("Days of the free copy"), widget=DaysWidget())

    # Read for the people who see them; what they say follows from other things.
    ignored: Final = ("status", "modified_at")

    class Meta(BasicResource.Meta):
        fields = (*BasicResource.Meta.fields, "offer", "free_copy_days")

    def __init__(
        self,
        *,
        project: Project,
        now: datetime,
        platforms: Mapping[str, int],
        offers: Mapping[str, int],
    ) -> None:
        # Copies the columns: what is set on their widgets is this import's alone.
        super().__init__()
        self.fields["registered_at"].widget.project = project
        self.fields["registered_at"].widget.now = now
        self.fields["platform"].widget.keys = platforms
        self.fields["offer"].widget.keys = offers


class CompleteResource(_People):
    """The complete list: who they are, and the sums of what they watched."""

    first_media_name = Column("first_media_name", _("First media viewed"), _media_name("first"))
    first_media_viewed_at = _instant(
        "first_media_viewed_at", _("First media viewed on"), "viewing__first_viewed_at"
    )
    first_media_id = Column(
        "first_media_id",
        _("First media viewed, unique identifier"),
        Guarded(F("viewing__first_content__reference")),
    )
    last_media_name = Column("last_media_name", _("Last media viewed"), _media_name("last"))
    last_media_viewed_at = _instant(
        "last_media_viewed_at", _("Last media viewed on"), "viewing__last_viewed_at"
    )
    last_media_id = Column(
        "last_media_id",
        _("Last media viewed, unique identifier"),
        Guarded(F("viewing__last_content__reference")),
    )
    viewing_seconds = Column(
        "viewing_seconds",
        _("Total viewing time (seconds)"),
        Coalesce(F("viewing__viewing_seconds"), 0),
        cell=Cell.NUMBER,
    )
    media_viewed = Column(
        "media_viewed",
        _("Number of media viewed"),
        Coalesce(F("viewing__media_viewed"), 0),
        cell=Cell.NUMBER,
    )

    class Meta(_People.Meta):
        # In the order of the file.
        fields = (
            "id",
            "first_name",
            "last_name",
            "email",
            "first_media_name",
            "first_media_viewed_at",
            "first_media_id",
            "last_media_name",
            "last_media_viewed_at",
            "last_media_id",
            "viewing_seconds",
            "media_viewed",
        )


CELLS = {
    CustomField.Type.NUMBER: Cell.NUMBER,
    CustomField.Type.DATE: Cell.DATE,
    CustomField.Type.BOOLEAN: Cell.BOOLEAN,
}


def custom_column(field: CustomField, language: str) -> Column:
    """Return the column of a sign-up field: headed by its key, or its label in words."""
    text = KeyTextTransform(field.key, F("custom"))
    cell = CELLS.get(CustomField.Type(field.type), Cell.TEXT)
    expression = Guarded(text) if cell is Cell.TEXT else text
    return Column(
        field.key, field.label(language), expression, cell=cell, widget=CustomWidget(field)
    )


def columns_of(resource: type[_People]) -> list[Column]:
    """Return the resource's columns in the order of the file."""
    return list(resource().get_export_fields())
