"""The files of the Users page: the chart's, the basic and the complete list."""

from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from backoffice.audit.models import AuditEvent
from backoffice.core.columns import delimiter_of, names_chosen
from backoffice.core.exports import TooSlow, csv_of
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile
from backoffice.jobs.making import FilePlan
from backoffice.jobs.views.files import FilePage, ListFilePage
from users.exports import (
    EXPORT_JOB,
    LIST_FILES,
    ListFile,
    columns_asked,
    filter_for_audit,
    filter_in_words,
    list_plan,
)
from users.filters import BasicFileFilter, ChartFileFilter
from users.views.activity_chart import activity_by_day, days_shown
from users.views.user_list import FilteredUsers, public_ids


class UserFilePage(FilteredUsers, FilePage):
    """A file of the Users page."""

    list_name = "users:list"


class ListExport(UserFilePage, ListFilePage):
    """The users of the list, in its order."""

    permission_required = Permission.USERS_EXPORT
    http_method_names = ("get", "head", "post")
    audit_kind = AuditEvent.Kind.USERS_EXPORTED
    job = EXPORT_JOB

    @property
    def kind(self) -> ListFile:
        return LIST_FILES[self.what]

    @property
    def can_wait(self) -> bool:
        # A job knows the filter, not who was ticked.
        return self.request.method != "POST"

    def check(self) -> None:
        columns_asked(self.kind, self._asked(), language=self.language)

    def _asked(self) -> BasicFileFilter:
        asked = self.filter_by(self.kind.filterset)
        self.checked(asked)
        if self.is_sheet and asked.values["delimiter"]:
            raise ValidationError(_("A sheet has no delimiter."))
        return asked

    def plan(self) -> FilePlan:
        asked = self._asked()
        asked.chosen = self._chosen()
        return list_plan(self.kind, asked, language=self.language, is_sheet=self.is_sheet)

    def post(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the file of the users that were ticked, within the filter."""
        return self.get(*args, **kwargs)

    def make(self) -> HttpResponseBase:
        try:
            return super().make()
        except TooSlow as error:
            raise ValidationError(_("This takes too long: choose fewer users.")) from error

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
