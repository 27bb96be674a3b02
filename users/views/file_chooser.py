"""The files over the list: links to the usual ones, and a form that chooses columns and form."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from backoffice.core.addresses import pairs_of, with_parameters
from backoffice.core.formatting import number
from backoffice.core.sheets import MOST_ROWS
from users.exports import ALL, BASIC, COMPLETE, ListFile
from users.filters import UserListFilter
from users.resources import columns_of, custom_column

# What says where one is in the list, not which rows.
NOT_OF_FILES = {"after", "before", "per_page", "grain"}


@dataclass(frozen=True, slots=True)
class ChosenFile:
    """One list in the form: its columns to tick, and where each form of it is."""

    name: str
    label: StrOrPromise
    csv_url: str
    sheet_url: str
    """Empty if a sheet cannot hold so many rows."""
    hidden: list[tuple[str, str]]
    columns: list[tuple[str, str]]
    """Each column's name, and its words."""


def file_links(asked: UserListFilter) -> list[dict[str, str]]:
    """Return the usual files of the filter's rows: every column, commas."""
    kept = pairs_of(asked.data, without=NOT_OF_FILES)
    return [
        {"label": label, "url": with_parameters(reverse(name), kept)}
        for label, name in (
            (_("Basic list (CSV)"), "users:basic-file"),
            (_("Complete list (CSV)"), "users:complete-file"),
        )
    ]


def file_chooser(asked: UserListFilter, total: int, language: str) -> dict[str, Any]:
    """Return what the form shows: both lists, and what a sheet cannot hold."""
    fits = total <= MOST_ROWS
    return {
        "files": [
            _chosen(BASIC, _("Basic list"), asked, language, fits=fits),
            _chosen(COMPLETE, _("Complete list"), asked, language, fits=fits),
        ],
        "too_many": ""
        if fits
        else _("A spreadsheet holds %(n)s rows at most: take CSV.")
        % {"n": number(MOST_ROWS, language)},
    }


def _chosen(
    kind: ListFile, label: str, asked: UserListFilter, language: str, *, fits: bool
) -> ChosenFile:
    hidden = pairs_of(asked.data, without=NOT_OF_FILES)
    live = [field for field in asked.custom_fields if field.archived_at is None]
    if kind is COMPLETE and live:
        # They become columns that can be chosen; those not ticked stay out.
        hidden.append(("custom", ALL))
    columns = columns_of(kind.resource) + [custom_column(field, language) for field in live]
    return ChosenFile(
        name=kind.name,
        label=label,
        csv_url=reverse(f"users:{kind.name}-file"),
        sheet_url=reverse(f"users:{kind.name}-sheet") if fits else "",
        hidden=hidden,
        columns=[(column.column_name, str(column.label)) for column in columns],
    )
