"""The files of one user's viewing: which columns, and which rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CharField, Count, F, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncDate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from analytics.filters import ViewingFileFilter
from backoffice.core.exports import Guarded, IsoInstant, MadeFile, write_csv
from backoffice.core.sheets import Cell, sheet_cell, write_sheet
from users.exports import names_chosen
from users.filters import DELIMITERS


@dataclass(frozen=True, slots=True)
class ViewingColumn:
    """One column: its name, its words, and the cell as an expression; text guarded."""

    name: str
    label: StrOrPromise
    expression: Combinable
    cell: Cell = Cell.TEXT
    """What it is in a sheet."""


def viewing_columns(project_slug: str) -> list[ViewingColumn]:
    """Return the columns of the file of viewings, in their order."""
    return [
        ViewingColumn(
            "project_id", gettext_lazy("Project"), Value(project_slug, output_field=CharField())
        ),
        ViewingColumn(
            "content_id",
            gettext_lazy("Content, unique identifier"),
            Guarded(F("content__reference")),
        ),
        ViewingColumn("content_name", gettext_lazy("Name"), Guarded(F("title"))),
        ViewingColumn(
            "viewing_seconds",
            gettext_lazy("Viewing time (seconds)"),
            F("watched_seconds"),
            Cell.NUMBER,
        ),
        ViewingColumn(
            "content_seconds",
            gettext_lazy("Duration (seconds)"),
            F("content__duration_seconds"),
            Cell.NUMBER,
        ),
        ViewingColumn("percent_viewed", gettext_lazy("% viewed"), F("percent"), Cell.NUMBER),
        ViewingColumn(
            "viewed_at", gettext_lazy("Viewing date"), IsoInstant(F("started_at")), Cell.INSTANT
        ),
        ViewingColumn("country", gettext_lazy("Country"), Guarded(F("country"))),
        ViewingColumn("hardware_type", gettext_lazy("Hardware type"), F("device__hardware_type")),
        ViewingColumn("hardware", gettext_lazy("Hardware"), Guarded(F("device__hardware"))),
        ViewingColumn("os", gettext_lazy("OS"), Guarded(F("device__os"))),
        ViewingColumn("browser", gettext_lazy("Browser"), Guarded(F("device__browser"))),
        ViewingColumn("platform", gettext_lazy("Platform"), Guarded(F("platform__slug"))),
    ]


def graph_columns() -> list[ViewingColumn]:
    """Return the columns of the graph's file, in their order, over the groups of `write_graph`."""
    return [
        ViewingColumn("date", gettext_lazy("Date"), F("day")),
        ViewingColumn(
            "content_id",
            gettext_lazy("Content, unique identifier"),
            Guarded(F("content__reference")),
        ),
        ViewingColumn("content_name", gettext_lazy("Name"), Guarded(F("title"))),
        ViewingColumn("content_type", gettext_lazy("Type"), F("content__type")),
        ViewingColumn("views", gettext_lazy("Number of views"), F("day_views"), Cell.NUMBER),
        ViewingColumn(
            "viewing_seconds",
            gettext_lazy("Viewing time (seconds)"),
            F("day_seconds"),
            Cell.NUMBER,
        ),
    ]


def write_viewings(asked: ViewingFileFilter, *, is_sheet: bool = False) -> MadeFile:
    """
    Return the file of the filter's viewings, the latest first, as the list shows them.

    :raises ValidationError: if it asks for columns that there are not, or for more than fits.
    :raises TooSlow: if it takes longer than it may.
    """
    columns = _chosen(viewing_columns(asked.viewpoint.project.slug), asked)
    rows = asked.rows.described().order_by("-started_at", "-id")
    if not is_sheet:
        return _written(columns, rows, asked)
    if asked.values["delimiter"]:
        raise ValidationError(_("A sheet has no delimiter."))
    kinds = [column.cell for column in columns]
    return write_sheet(
        _headings(columns, in_words=asked.values["headers"] != "names"),
        kinds,
        rows.values_list(*(sheet_cell(column.expression, column.cell) for column in columns)),
        zone=asked.viewpoint.project.zone,
    )


def write_graph(asked: ViewingFileFilter) -> MadeFile:
    """
    Return the file of the graph: a line for each local day and content with a viewing.

    :raises ValidationError: if it asks for columns that there are not.
    """
    columns = _chosen(graph_columns(), asked)
    groups = (
        asked.rows.described()
        .annotate(day=TruncDate("started_at", tzinfo=asked.viewpoint.project.zone))
        .values("day", "content", "content__reference", "title", "content__type")
        .annotate(day_views=Count("*"), day_seconds=Sum("watched_seconds"))
        .order_by("day", "title", "content__reference")
    )
    return _written(columns, groups, asked)


def _chosen(columns: Sequence[ViewingColumn], asked: ViewingFileFilter) -> list[ViewingColumn]:
    by_name = {column.name: column for column in columns}
    return [by_name[name] for name in names_chosen(asked.values["columns"], list(by_name))]


def _written(columns: Sequence[ViewingColumn], rows: Any, asked: ViewingFileFilter) -> MadeFile:
    return write_csv(
        _headings(columns, in_words=asked.values["headers"] == "words"),
        rows.values_list(*(column.expression for column in columns)),
        zone=asked.viewpoint.project.zone,
        delimiter=DELIMITERS[asked.values["delimiter"] or "comma"],
    )


def _headings(columns: Sequence[ViewingColumn], *, in_words: bool) -> list[str]:
    return [str(column.label) if in_words else column.name for column in columns]
