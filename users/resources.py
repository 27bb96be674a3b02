"""
The columns of the user files, declared once for both directions.

The CSV columns are derived from it (users.exports); the import will clean with its widgets.
"""

from typing import Any

from django.db.models import Case, CharField, F, Value, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _
from import_export import fields, resources

from backoffice.core.exports import Guarded, IsoInstant
from backoffice.core.masking import MaskedEmail, MaskedName
from backoffice.core.sheets import Cell
from users.models import CustomField, User


class Column(fields.Field):
    """
    One column of a file: its name, its words, and what the database writes into its cells.

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
        super().__init__(column_name=name, **kwargs)
        self.label = label
        self.expression = expression
        self.masked = masked or expression
        self.cell = cell


def _instant(name: str, label: Any, path: str) -> Column:
    return Column(name, label, IsoInstant(F(path)), cell=Cell.INSTANT)


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

    id = Column("id", _("Unique identifier"), F("public_id"))
    first_name = Column(
        "first_name",
        _("First name"),
        Guarded(F("first_name")),
        masked=Guarded(MaskedName(F("first_name"))),
    )
    last_name = Column(
        "last_name",
        _("Last name"),
        Guarded(F("last_name")),
        masked=Guarded(MaskedName(F("last_name"))),
    )
    email = Column(
        "email", _("E-mail"), Guarded(F("email")), masked=Guarded(MaskedEmail(F("email")))
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = ("id", "first_name", "last_name", "email")


class BasicResource(_People):
    """The basic list: the table's columns, and what was entered at registration."""

    status = Column("status", _("Status"), STATUS_WORDS)
    registered_at = _instant("registered_at", _("Registration date"), "registered_at")
    modified_at = _instant("modified_at", _("Modification date"), "modified_at")
    language = Column("language", _("Language"), Guarded(F("language")))
    country = Column("country", _("Country"), Guarded(F("country")))
    platform = Column("platform", _("Platform"), Guarded(F("platform__slug")))

    class Meta(_People.Meta):
        # In the order of the file.
        fields = (
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
    return Column(field.key, field.label(language), expression, cell=cell)


def columns_of(resource: type[_People]) -> list[Column]:
    """Return the resource's columns in the order of the file."""
    return list(resource().get_export_fields())
