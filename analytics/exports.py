"""The files of one user's viewing: which columns, and which rows."""

from django.db.models import CharField, Count, F, Sum, Value
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy

from analytics.filters import ViewingFileFilter
from backoffice.core.columns import FileColumn, chosen, write_columns
from backoffice.core.exports import Guarded, IsoInstant, MadeFile
from backoffice.core.sheets import Cell


def viewing_columns(project_slug: str) -> list[FileColumn]:
    """Return the columns of the file of viewings, in their order."""
    return [
        FileColumn(
            "project_id", gettext_lazy("Project"), Value(project_slug, output_field=CharField())
        ),
        FileColumn(
            "content_id",
            gettext_lazy("Content, unique identifier"),
            Guarded(F("content__reference")),
        ),
        FileColumn("content_name", gettext_lazy("Name"), Guarded(F("title"))),
        FileColumn(
            "viewing_seconds",
            gettext_lazy("Viewing time (seconds)"),
            F("watched_seconds"),
            Cell.NUMBER,
        ),
        FileColumn(
            "content_seconds",
            gettext_lazy("Duration (seconds)"),
            F("content__duration_seconds"),
            Cell.NUMBER,
        ),
        FileColumn("percent_viewed", gettext_lazy("% viewed"), F("percent"), Cell.NUMBER),
        FileColumn(
            "viewed_at", gettext_lazy("Viewing date"), IsoInstant(F("started_at")), Cell.INSTANT
        ),
        FileColumn("country", gettext_lazy("Country"), Guarded(F("country"))),
        FileColumn("hardware_type", gettext_lazy("Hardware type"), F("device__hardware_type")),
        FileColumn("hardware", gettext_lazy("Hardware"), Guarded(F("device__hardware"))),
        FileColumn("os", gettext_lazy("OS"), Guarded(F("device__os"))),
        FileColumn("browser", gettext_lazy("Browser"), Guarded(F("device__browser"))),
        FileColumn("platform", gettext_lazy("Platform"), Guarded(F("platform__slug"))),
    ]


def graph_columns() -> list[FileColumn]:
    """Return the columns of the graph's file, in their order, over the groups of `write_graph`."""
    return [
        FileColumn("date", gettext_lazy("Date"), F("day")),
        FileColumn(
            "content_id",
            gettext_lazy("Content, unique identifier"),
            Guarded(F("content__reference")),
        ),
        FileColumn("content_name", gettext_lazy("Name"), Guarded(F("title"))),
        FileColumn("content_type", gettext_lazy("Type"), F("content__type")),
        FileColumn("views", gettext_lazy("Number of views"), F("day_views"), Cell.NUMBER),
        FileColumn(
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
    project = asked.viewpoint.project
    rows = asked.rows.described().order_by("-started_at", "-id")
    columns = chosen(viewing_columns(project.slug), asked.values)
    return write_columns(columns, rows, asked.values, zone=project.zone, is_sheet=is_sheet)


def write_graph(asked: ViewingFileFilter) -> MadeFile:
    """
    Return the file of the graph: a line for each local day and content with a viewing.

    :raises ValidationError: if it asks for columns that there are not.
    """
    zone = asked.viewpoint.project.zone
    groups = (
        asked.rows.described()
        .annotate(day=TruncDate("started_at", tzinfo=zone))
        .values("day", "content", "content__reference", "title", "content__type")
        .annotate(day_views=Count("*"), day_seconds=Sum("watched_seconds"))
        .order_by("day", "title", "content__reference")
    )
    return write_columns(chosen(graph_columns(), asked.values), groups, asked.values, zone=zone)
