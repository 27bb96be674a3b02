"""The files of the Users page: which columns, which rows, and the line each leaves behind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from backoffice.core.exports import MadeFile, Making, write_csv
from backoffice.core.sheets import sheet_cell, write_sheet
from users.filters import DELIMITERS, BasicFileFilter, CompleteFileFilter
from users.models import CustomField
from users.resources import BasicResource, Column, CompleteResource, columns_of, custom_column

ALL = "all"


@dataclass(frozen=True, slots=True)
class ListFile:
    """One kind of file over the list: its name, its filter and its fixed columns."""

    name: str
    filterset: type[BasicFileFilter]
    resource: type[BasicResource] | type[CompleteResource]


BASIC = ListFile("basic", BasicFileFilter, BasicResource)
COMPLETE = ListFile("complete", CompleteFileFilter, CompleteResource)


def columns_asked(kind: ListFile, asked: BasicFileFilter, *, language: str) -> list[Column]:
    """
    Return the columns that a valid filter asks for, in the order of the file.

    :raises ValidationError: if it asks for a column that the file does not have, or twice.
    """
    columns = columns_of(kind.resource)
    columns += [custom_column(field, language) for field in _custom_fields(kind, asked)]
    by_name = {column.column_name: column for column in columns}
    return [by_name[name] for name in names_chosen(asked.values["columns"], list(by_name))]


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


def _custom_fields(kind: ListFile, asked: BasicFileFilter) -> Iterable[CustomField]:
    live = [field for field in asked.custom_fields if field.archived_at is None]
    if kind is BASIC:
        return live
    keys = asked.values["custom"]
    if ALL in keys:
        return live
    by_key = {field.key: field for field in asked.custom_fields}
    if unknown := [key for key in keys if key not in by_key]:
        raise ValidationError(
            _("Unknown sign-up field: %(names)s."), params={"names": ", ".join(unknown[:5])[:200]}
        )
    return [by_key[key] for key in dict.fromkeys(keys)]


def write_list(
    asked: BasicFileFilter,
    columns: list[Column],
    *,
    is_sheet: bool = False,
    making: Making | None = None,
) -> MadeFile:
    """
    Return the file of the filter's rows, in the list's order.

    :raises SheetRefused: if it is more than a sheet can hold.
    :raises TooSlow: if it takes longer than it may.
    """
    sees_identity = asked.viewpoint.sees_identity
    in_words = asked.values["headers"] == "words" or (is_sheet and not asked.values["headers"])
    headings = [str(column.label) if in_words else column.column_name for column in columns]
    cells = [column.expression if sees_identity else column.masked for column in columns]
    zone = asked.viewpoint.project.zone
    rows = asked.rows.order_by(*asked.ordering.order_by())
    if not is_sheet:
        delimiter = DELIMITERS[asked.values["delimiter"] or "comma"]
        return write_csv(
            headings, rows.values_list(*cells), zone=zone, delimiter=delimiter, making=making
        )
    kinds = [column.cell for column in columns]
    typed = [sheet_cell(cell, kind) for cell, kind in zip(cells, kinds, strict=True)]
    return write_sheet(headings, kinds, rows.values_list(*typed), zone=zone, making=making)


def filter_for_audit(asked: Any) -> dict[str, Any]:
    """Return the parameters of a filter, with what may be personal only as given."""
    told = {}
    for name, values in asked.data.lists():
        is_personal = name == "q" or name.startswith("custom.")
        told[name] = "given" if is_personal else values
    return told


def file_name(what: str, project_slug: str, today: date) -> str:
    return f"{project_slug}-{what}-{today:%Y-%m-%d}.csv"
