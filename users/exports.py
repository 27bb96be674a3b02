"""The files of the Users page: which columns, which rows, and the line each leaves behind."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from backoffice.audit.models import AuditEvent
from backoffice.core.columns import FileColumn, delimiter_of, names_chosen, write_columns
from backoffice.core.exports import MadeFile, Making, TooSlow
from backoffice.core.formatting import date_range_text
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile
from backoffice.jobs.exports import Outdated, begin, keep, new_file, query_of
from backoffice.jobs.models import Export
from backoffice.jobs.running import JobFailed, Running
from backoffice.staff.access import access_of
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
TOO_SLOW = gettext_noop("It took longer than a file may. Narrow the list, or raise the limit.")
FITS_NO_MORE = gettext_noop("The filter fits no more: ask for the file anew.")

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
        told[name] = "given" if is_personal else values
    return told


def filter_in_words(asked: ChartFilter) -> dict[str, list[str]]:
    """Return by language what a valid filter narrows to, without what may be personal."""
    words = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            words[language] = [_dates_in_words(asked, language), *_values_in_words(asked)]
    return words


def _dates_in_words(asked: ChartFilter, language: str) -> str:
    days = asked.date_range
    if days is None:
        return _("All dates")
    last = max(days.first, min(days.last, asked.viewpoint.today))
    return _("Registered: %(days)s") % {"days": date_range_text(days.first, last, language)}


def _values_in_words(asked: ChartFilter) -> Iterable[str]:
    labels = {"counted": _("Figure"), "month": _("Month"), "elapsed": _("Up to the same time")}
    for name, told in filter_for_audit(asked).items():
        if name in SAID_ELSEWHERE or not any(told):
            continue
        field = asked.form.fields[name]
        choices = dict(getattr(field, "choices", ()))
        said = (
            [str(choices.get(value, value)) for value in told] if told != "given" else [_("given")]
        )
        yield f"{field.label or labels.get(name, name)}: {', '.join(said)}"


def manifest_of(
    asked: BasicFileFilter, columns: Sequence[Column], *, is_sheet: bool
) -> dict[str, Any]:
    """Return what a reader of the file has to know: each column, and as of when."""
    project, now = asked.viewpoint.project, asked.viewpoint.now
    return {
        "as_of": now.astimezone(project.zone).isoformat(timespec="seconds"),
        "delimiter": None if is_sheet else delimiter_of(asked.values),
        "columns": [
            {"name": column.column_name, "words": str(column.label)}
            | ({"means": str(MEANINGS[name])} if (name := column.column_name) in MEANINGS else {})
            for column in columns
        ],
    }


# --- In the background -----------------------------------------------------------------------


def build_export(running: Running) -> dict[str, Any]:
    """
    Make the file of an order, and keep it for its owner.

    :raises JobFailed: if it cannot be made; no file is left.
    """
    rows = Export.objects.select_related("project", "actor")
    export = rows.get(pk=running.arguments["export"])
    if export.state == Export.State.READY:
        # The run before was cut off after the last thing that it had to do.
        return {"export": export.pk, "rows": export.rows}
    with translation.override(running.arguments["language"]):
        while True:
            try:
                return {"export": export.pk, "rows": _build(export, running)}
            except Outdated:
                # A user was deleted meanwhile: what was read is thrown away and read anew.
                continue
            except TooSlow as error:
                raise JobFailed(TOO_SLOW) from error
            except ValidationError as error:
                raise JobFailed(" ".join(error.messages).replace("%", "%%")) from error


def _build(export: Export, running: Running) -> int:
    kind = LIST_FILES[export.what]
    is_sheet = export.file_name.endswith(f".{SheetFile.extension}")
    begun, now = begin(export), running.now()
    viewpoint = Viewpoint(
        export.project,
        now,
        sees_identity=Permission.USERS_SEE_IDENTITY
        in access_of(export.actor).permissions_on(export.project),
    )
    asked = kind.filterset(QueryDict(query_of(export)), viewpoint=viewpoint)
    if not asked.form.is_valid():
        raise JobFailed(FITS_NO_MORE)
    columns = columns_asked(kind, asked, language=running.arguments["language"])
    refresh_statuses(project_id=export.project.pk, now=now)
    progress = _Progress(running, asked.totals().total)
    with new_file(export.file_name.rpartition(".")[2]) as (path, file):
        making = Making(
            into=lambda: file, limit_ms=settings.EXPORT_TIMEOUT_MS, on_rows=progress.tell
        )
        made = write_list(asked, columns, is_sheet=is_sheet, making=making)
        keep(
            export,
            path,
            made,
            running=running,
            begun=begun,
            manifest=manifest_of(asked, columns, is_sheet=is_sheet),
            audit={
                "file": export.what,
                "filter": filter_for_audit(asked),
                "columns": [column.column_name for column in columns],
            },
            audit_kind=AuditEvent.Kind.USERS_EXPORTED,
            with_identity=viewpoint.sees_identity,
        )
    return made.rows


class _Progress:
    """Tells how many rows are written, about once a second."""

    def __init__(self, running: Running, total: int) -> None:
        self.running, self.total = running, total
        self.told_at = 0.0
        self.tell(0)

    def tell(self, rows: int) -> None:
        now = time.monotonic()
        if now - self.told_at >= 1:
            self.told_at = now
            self.running.progress(done=rows, total=max(rows, self.total))
