"""The columns of a file, declared once for CSV and sheet, and what an address says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from backoffice.core.exports import MadeFile, Making, write_csv
from backoffice.core.filters import ValuesFilter
from backoffice.core.sheets import Cell, sheet_cell, write_sheet

DELIMITERS: Final = {"comma": ",", "semicolon": ";"}
HEADINGS: Final = [("names", gettext_lazy("Names")), ("words", gettext_lazy("Words"))]


class FileParameters(django_filters.FilterSet):
    """How a file is written, as parameters beside a filter; they narrow nothing."""

    columns = ValuesFilter(method="keep_rows", check=str.isprintable)
    delimiter = django_filters.ChoiceFilter(
        method="keep_rows", choices=[(name, sign) for name, sign in DELIMITERS.items()]
    )
    headers = django_filters.ChoiceFilter(method="keep_rows", choices=HEADINGS)

    def keep_rows(self, rows: QuerySet[Any], _name: str, _value: object) -> QuerySet[Any]:
        return rows


@dataclass(frozen=True, slots=True)
class FileColumn:
    """One column: its name, its words, and the cell as an expression; text guarded."""

    name: str
    label: StrOrPromise
    expression: Combinable
    cell: Cell = Cell.TEXT
    """What it is in a sheet."""


def delimiter_of(values: Mapping[str, Any]) -> str:
    """Return the sign that the parameter `delimiter` names: a comma without it."""
    return DELIMITERS[values["delimiter"] or "comma"]


def names_chosen(values: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    """
    Return the columns that the parameter `columns` names, in its order; without it, all known.

    :param values: each one name, or several with commas between them.
    :raises ValidationError: if one is unknown or comes twice.
    """
    names = [name for value in values for name in value.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise ValidationError(
            _("Unknown column: %(names)s."), params={"names": ", ".join(unknown[:5])[:200]}
        )
    if len(set(names)) < len(names):
        raise ValidationError(_("A column can be chosen once only."))
    return names or known


def chosen(columns: Sequence[FileColumn], values: Mapping[str, Any]) -> list[FileColumn]:
    """
    Return the columns that cleaned `FileParameters` ask for.

    :raises ValidationError: see `names_chosen`.
    """
    by_name = {column.name: column for column in columns}
    return [by_name[name] for name in names_chosen(values["columns"], list(by_name))]


def write_columns(
    columns: Sequence[FileColumn],
    rows: "QuerySet[Any]",
    values: Mapping[str, Any],
    *,
    zone: ZoneInfo,
    is_sheet: bool = False,
    making: Making | None = None,
) -> MadeFile:
    """
    Return the file of the rows in their order; headings by name in CSV, in words in a sheet.

    :param values: cleaned `FileParameters`.
    :raises ValidationError: if a sheet is asked for with a delimiter.
    :raises SheetRefused: if it is more than a sheet can hold.
    :raises TooSlow: if it takes longer than it may.
    """
    in_words = values["headers"] == "words" or (is_sheet and not values["headers"])
    headings = [str(column.label) if in_words else column.name for column in columns]
    if not is_sheet:
        cells = rows.values_list(*(column.expression for column in columns))
        delimiter = delimiter_of(values)
        return write_csv(headings, cells, zone=zone, delimiter=delimiter, making=making)
    if values["delimiter"]:
        raise ValidationError(_("A sheet has no delimiter."))
    typed = rows.values_list(*(sheet_cell(column.expression, column.cell) for column in columns))
    kinds = [column.cell for column in columns]
    return write_sheet(headings, kinds, typed, zone=zone, making=making)
