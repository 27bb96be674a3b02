"""The files of one user's viewing: which columns, and which rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, Count, F, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from analytics.filters import ViewingFileFilter
from backoffice.core.exports import CsvFile, Guarded, IsoInstant, write_csv
from users.exports import names_chosen
from users.filters import DELIMITERS


@dataclass(frozen=True, slots=True)
class ViewingColumn:
    """One column: its name, its words, and the cell as an expression; text guarded."""

    name: str
    label: StrOrPromise
    expression: Combinable


def viewing_columns(project_slug: str) -> list[ViewingColumn]:
    """Return the columns of the file of viewings, in their order."""
    return [
        ViewingColumn("project_id", _("Project"), Value(project_slug, output_field=CharField())),
        ViewingColumn(
            "content_id", _("Content, unique identifier"), Guarded(F("content__reference"))
        ),
        ViewingColumn("content_name", _("Name"), Guarded(F("title"))),
        ViewingColumn("viewing_seconds", _("Viewing time (seconds)"), F("watched_seconds")),
        ViewingColumn("content_seconds", _("Duration (seconds)"), F("content__duration_seconds")),
        ViewingColumn("percent_viewed", _("% viewed"), F("percent")),
        ViewingColumn("viewed_at", _("Viewing date"), IsoInstant(F("started_at"))),
        ViewingColumn("country", _("Country"), Guarded(F("country"))),
        ViewingColumn("hardware_type", _("Hardware type"), F("device__hardware_type")),
        ViewingColumn("hardware", _("Hardware"), Guarded(F("device__hardware"))),
        ViewingColumn("os", _("OS"), Guarded(F("device__os"))),
        ViewingColumn("browser", _("Browser"), Guarded(F("device__browser"))),
        ViewingColumn("platform", _("Platform"), Guarded(F("platform__slug"))),
    ]


def graph_columns() -> list[ViewingColumn]:
    """Return the columns of the graph's file, in their order, over the groups of `write_graph`."""
    return [
        ViewingColumn("date", _("Date"), F("day")),
        ViewingColumn(
            "content_id", _("Content, unique identifier"), Guarded(F("content__reference"))
        ),
        ViewingColumn("content_name", _("Name"), Guarded(F("title"))),
        ViewingColumn("content_type", _("Type"), F("content__type")),
        ViewingColumn("views", _("Number of views"), F("day_views")),
        ViewingColumn("viewing_seconds", _("Viewing time (seconds)"), F("day_seconds")),
    ]


def write_viewings(asked: ViewingFileFilter) -> CsvFile:
    """
    Return the file of the filter's viewings, the latest first, as the list shows them.

    :raises ValidationError: if it asks for columns that there are not.
    """
    columns = _chosen(viewing_columns(asked.viewpoint.project.slug), asked)
    rows = asked.rows.described().order_by("-started_at", "-id")
    return _written(columns, rows, asked)


def write_graph(asked: ViewingFileFilter) -> CsvFile:
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


def _written(columns: Sequence[ViewingColumn], rows: Any, asked: ViewingFileFilter) -> CsvFile:
    in_words = asked.values["headers"] == "words"
    return write_csv(
        [str(column.label) if in_words else column.name for column in columns],
        rows.values_list(*(column.expression for column in columns)),
        zone=asked.viewpoint.project.zone,
        delimiter=DELIMITERS[asked.values["delimiter"] or "comma"],
    )
