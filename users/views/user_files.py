"""The files of the Users page: the chart's, the basic and the complete list."""

from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.audit.models import AuditEvent
from backoffice.core.columns import delimiter_of, names_chosen
from backoffice.core.exports import CsvFile, TooSlow, csv_of
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile, check_fits
from backoffice.jobs.exports import Order, order_file
from backoffice.jobs.views.files import FilePage
from subscriptions.spans import refresh_statuses
from users.exports import (
    EXPORT_JOB,
    LIST_FILES,
    columns_asked,
    filter_for_audit,
    filter_in_words,
    manifest_of,
    write_list,
)
from users.filters import BasicFileFilter, ChartFileFilter
from users.resources import Column
from users.views.activity_chart import activity_by_day, days_shown
from users.views.user_list import FilteredUsers, public_ids

# Rows written in a second at best: a list that is too long even so is not tried within the
# request; for others the clock decides.
ROWS_A_SECOND = {CsvFile.extension: 300_000, SheetFile.extension: 80_000}
POLL_SECONDS = 2


class UserFilePage(FilteredUsers, FilePage):
    """A file of the Users page."""

    list_name = "users:list"


class ListExport(UserFilePage):
    """The users of the list, in its order."""

    permission_required = Permission.USERS_EXPORT
    http_method_names = ("get", "head", "post")
    audit_kind = AuditEvent.Kind.USERS_EXPORTED

    @property
    def is_sheet(self) -> bool:
        return self.kind_of_file is SheetFile

    def check(self) -> None:
        self._asked()

    def _asked(self) -> tuple[BasicFileFilter, list[Column]]:
        kind = LIST_FILES[self.what]
        asked = self.filter_by(kind.filterset)
        self.checked(asked)
        if self.is_sheet and asked.values["delimiter"]:
            raise ValidationError(_("A sheet has no delimiter."))
        return asked, columns_asked(kind, asked, language=self.language)

    def make(self) -> HttpResponseBase:
        asked, columns = self._asked()
        asked.chosen = self._chosen()
        refresh_statuses(project_id=self.project.pk, now=self.now)
        total = asked.totals().total
        if self.is_sheet:
            check_fits(total)
        words = filter_in_words(asked)
        seconds = total / ROWS_A_SECOND[self.kind_of_file.extension]
        if seconds >= settings.EXPORT_SECONDS_AT_ONCE and asked.chosen is None:
            return self.later(self.order(self.what, words))
        try:
            made = write_list(asked, columns, is_sheet=self.is_sheet)
        except TooSlow as error:
            if asked.chosen is not None:
                # A job knows the filter, not who was ticked.
                raise ValidationError(_("This takes too long: choose fewer users.")) from error
            return self.later(self.order(self.what, words))
        told: dict[str, Any] = {
            "filter": filter_for_audit(asked),
            "columns": [column.column_name for column in columns],
        }
        if asked.chosen is not None:
            told["chosen"] = len(asked.chosen)
        manifest = manifest_of(asked, columns, is_sheet=self.is_sheet)
        return self.send(made, self.what, told, words=words, manifest=manifest)

    def post(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the file of the users that were ticked, within the filter."""
        return self.get(*args, **kwargs)

    def _chosen(self) -> set[UUID] | None:
        """
        Return the ids of the users that were ticked; None where the filter alone decides.

        :raises ValidationError: if nobody was, or an id is none.
        """
        if self.request.method != "POST":
            return None
        try:
            chosen = public_ids(self.request.POST.getlist("user"))
        except ValueError as error:
            raise ValidationError(_("This is no user of the project.")) from error
        if not chosen:
            raise ValidationError(_("Nobody is chosen: tick users in the list first."))
        return chosen

    def later(self, order: Order) -> HttpResponse:
        """Have the file made in the background, and lead to where it will be."""
        export = order_file(
            EXPORT_JOB,
            order,
            project=self.project,
            actor=self.request.user,
            origin=self.request.build_absolute_uri("/").rstrip("/"),
            now=self.now,
        )
        address = reverse("jobs:export", args=[export.pk])
        if self.request.accepts("text/html"):
            return HttpResponse(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
        return JsonResponse(
            {"state": export.state, "url": address},
            status=HTTPStatus.ACCEPTED,
            headers={"Location": address, "Retry-After": str(POLL_SECONDS)},
        )


class BasicExport(ListExport):
    """The table's columns, and what was entered at registration."""

    what = "users-basic"


class BasicSheet(BasicExport):
    """The same as a spreadsheet."""

    kind_of_file = SheetFile


class CompleteExport(ListExport):
    """Who they are, and the sums of what they watched."""

    what = "users-complete"


class CompleteSheet(CompleteExport):
    """The same as a spreadsheet."""

    kind_of_file = SheetFile


class ChartExport(UserFilePage):
    """The chart, a line for each day that has begun; its columns are those of `ActivityDay`."""

    permission_required = Permission.ANALYTICS_EXPORT
    audit_kind = AuditEvent.Kind.CHART_EXPORTED
    what = "users-chart"
    columns: ClassVar[tuple[str, ...]] = (
        "date",
        "registered",
        "active_cumulative",
        "active_end_of_day",
    )

    def make(self) -> HttpResponseBase:
        asked = self.filter_by(ChartFileFilter)
        self.checked(asked)
        columns = names_chosen(asked.values["columns"], self.columns)
        headings = self._words() if asked.values["headers"] == "words" else {}
        days = days_shown(asked.scope, asked.date_range, self.viewpoint.today)
        made = csv_of(
            [headings.get(name, name) for name in columns],
            (
                [getattr(day, name) for name in columns]
                for day in activity_by_day(asked.scope, days, self.now)
            ),
            delimiter=delimiter_of(asked.values),
        )
        told = {"filter": filter_for_audit(asked)}
        return self.send(made, self.what, told, words=filter_in_words(asked))

    def _words(self) -> dict[str, str]:
        words = (_("Date"), _("Registered"), _("Active, cumulative"), _("Active at day end"))
        return dict(zip(self.columns, words, strict=True))
