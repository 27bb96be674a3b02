"""The files of the Users page: which columns, which rows, and the line each leaves behind."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.core.columns import FileColumn, delimiter_of, names_chosen, write_columns
from backoffice.core.exports import MadeFile, Making
from backoffice.core.formatting import date_range_text
from backoffice.jobs.exports import query_of
from backoffice.jobs.making import (
    FITS_NO_MORE,
    GIVEN,
    FilePlan,
    manifest_of,
    sees_identity,
    values_in_words,
)
from backoffice.jobs.models import Export
from backoffice.jobs.running import JobFailed
from subscriptions.spans import refresh_statuses
from users.filters import (
    BasicFileFilter,
    ChartFilter,
    CompleteFileFilter,
    Viewpoint,
)
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
LIST_FILES = {f"users-{kind.name}": kind for kind in (BASIC, COMPLETE)}

EXPORT_JOB = "users.export"

# What the words of a filter leave out: it is told otherwise, or narrows nothing.
SAID_ELSEWHERE = {
    "period",
    "from",
    "to",
    "project",
    "sort",
    "columns",
    "delimiter",
    "headers",
    "custom",
}
# What a column means, where its words do not say it.
MEANINGS = {
    "status": gettext_lazy(
        "Active: has access as of the instant of the file; cancelled: once had; registered: never."
    ),
    "registered_at": gettext_lazy("When the account was created."),
    "modified_at": gettext_lazy("When a detail of the account was last changed."),
    "platform": gettext_lazy("The platform on which the account was created."),
    "first_media_viewed_at": gettext_lazy("When the first view of all began."),
    "last_media_viewed_at": gettext_lazy("When the last view of all began."),
    "viewing_seconds": gettext_lazy("Time played in all views, pauses left out."),
    "media_viewed": gettext_lazy("Distinct contents with a view."),
}


def columns_asked(kind: ListFile, asked: BasicFileFilter, *, language: str) -> list[Column]:
    """
    Return the columns that a valid filter asks for, in the order of the file.

    :raises ValidationError: if it asks for a column that the file does not have, or twice.
    """
    columns = columns_of(kind.resource)
    columns += [custom_column(field, language) for field in _custom_fields(kind, asked)]
    by_name = {column.column_name: column for column in columns}
    return [by_name[name] for name in names_chosen(asked.values["columns"], list(by_name))]


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
    written = [
        FileColumn(
            column.column_name,
            column.label,
            column.expression if sees_identity else column.masked,
            column.cell,
        )
        for column in columns
    ]
    rows = asked.rows.order_by(*asked.ordering.order_by())
    zone = asked.viewpoint.project.zone
    return write_columns(written, rows, asked.values, zone=zone, is_sheet=is_sheet, making=making)


def filter_for_audit(asked: Any) -> dict[str, Any]:
    """Return the parameters of a filter, with what may be personal only as given."""
    told = {}
    for name, values in asked.data.lists():
        is_personal = name == "q" or name.startswith("custom.")
        told[name] = GIVEN if is_personal else values
    return told


def filter_in_words(asked: ChartFilter) -> dict[str, list[str]]:
    """Return by language what a valid filter narrows to, without what may be personal."""
    words = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            labels = {
                "counted": _("Figure"),
                "month": _("Month"),
                "elapsed": _("Up to the same time"),
            }
            told = filter_for_audit(asked)
            values = values_in_words(asked.form, told, without=SAID_ELSEWHERE, labels=labels)
            words[language] = [_dates_in_words(asked, language), *values]
    return words


def _dates_in_words(asked: ChartFilter, language: str) -> str:
    days = asked.date_range
    if days is None:
        return _("All dates")
    last = max(days.first, min(days.last, asked.viewpoint.today))
    return _("Registered: %(days)s") % {"days": date_range_text(days.first, last, language)}


def list_plan(
    kind: ListFile, asked: BasicFileFilter, *, language: str, is_sheet: bool
) -> FilePlan:
    """
    Return the file that a valid filter asks for; its rows' statuses are brought up to date.

    :raises ValidationError: if it asks for a column that the file does not have.
    """
    viewpoint = asked.viewpoint
    columns = columns_asked(kind, asked, language=language)
    refresh_statuses(project_id=viewpoint.project.pk, now=viewpoint.now)
    chosen = {} if asked.chosen is None else {"chosen": len(asked.chosen)}
    return FilePlan(
        total=asked.totals().total,
        write=lambda making: write_list(asked, columns, is_sheet=is_sheet, making=making),
        words=filter_in_words(asked),
        told={
            "filter": filter_for_audit(asked),
            "columns": [column.column_name for column in columns],
        }
        | chosen,
        manifest=manifest_of(
            [(column.column_name, column.label) for column in columns],
            MEANINGS,
            project=viewpoint.project,
            now=viewpoint.now,
            delimiter=None if is_sheet else delimiter_of(asked.values),
        ),
    )


def plan_of_order(export: Export, now: datetime) -> FilePlan:
    """
    Return the file that was ordered, as of now, in the active language.

    :raises JobFailed: if its filter fits no more.
    """
    kind = LIST_FILES[export.what]
    viewpoint = Viewpoint(export.project, now, sees_identity=sees_identity(export))
    asked = kind.filterset(QueryDict(query_of(export)), viewpoint=viewpoint)
    if not asked.form.is_valid():
        raise JobFailed(FITS_NO_MORE)
    language = translation.get_language() or "en"
    return list_plan(kind, asked, language=language, is_sheet=export.is_sheet)
