"""The files of the Users page: the chart's, the basic and the complete list."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views import View

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.audit.selectors import acts_since
from backoffice.core.exports import MadeFile, csv_of
from backoffice.core.periods import midnight
from backoffice.core.permissions import Permission
from subscriptions.spans import refresh_statuses
from users.exports import (
    BASIC,
    COMPLETE,
    ListFile,
    columns_asked,
    file_name,
    filter_for_audit,
    names_chosen,
    write_list,
)
from users.filters import DELIMITERS, ChartFileFilter, ChartFilter
from users.views.activity_chart import activity_by_day, days_shown
from users.views.user_list import FilteredUsers, public_ids

FILES_TAKEN = (AuditEvent.Kind.USERS_EXPORTED, AuditEvent.Kind.CHART_EXPORTED)


class FilePage(FilteredUsers, View):
    """A file: refused in words, or whole, with a line in the audit trail."""

    http_method_names: Sequence[str] = ("get", "head")
    audit_kind: ClassVar[AuditEvent.Kind]

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        today = midnight(self.viewpoint.today, self.zone)
        taken = acts_since(today, FILES_TAKEN, actor=self.request.user, project=self.project)
        if taken >= settings.EXPORTS_A_DAY:
            return self.refuse(
                [_("You have taken %(n)s files today: the limit of a day.") % {"n": taken}],
                status=429,
            )
        try:
            return self.make()
        except ValidationError as error:
            return self.refuse(error.messages)

    def make(self) -> HttpResponseBase:
        """
        Return the file.

        :raises ValidationError: if the address asks for what there is not.
        """
        raise NotImplementedError

    def checked(self, asked: ChartFilter) -> None:
        """
        Refuse an invalid filter.

        :raises ValidationError: with every message of the form.
        """
        if not asked.form.is_valid():
            raise ValidationError(
                [message for messages in asked.form.errors.values() for message in messages]
            )

    def send(self, made: MadeFile, what: str, told: dict[str, Any]) -> HttpResponseBase:
        """Record the file and return it as a download; it is removed when sent."""
        facts = {"file": what, "rows": made.rows, "sha256": made.sha256}
        try:
            record(
                self.audit_kind,
                actor=self.request.user,
                now=self.now,
                project=self.project,
                data=told | facts,
            )
        except BaseException:
            made.file.close()
            raise
        return FileResponse(
            made.file,
            as_attachment=True,
            filename=file_name(what, self.project.slug, self.viewpoint.today),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Length": str(made.size),
                "X-Row-Count": str(made.rows),
                "Repr-Digest": made.repr_digest,
            },
        )

    def refuse(self, messages: Iterable[str], *, status: int = 400) -> HttpResponse:
        """Return the page that says why there is no file."""
        return TemplateResponse(
            self.request,
            "users/file_refused.html",
            {"title": _("No file was made"), "reasons": list(messages)},
            status=status,
        )


class ListExport(FilePage):
    """The users of the list, in its order."""

    permission_required = Permission.USERS_EXPORT
    http_method_names = ("get", "head", "post")
    audit_kind = AuditEvent.Kind.USERS_EXPORTED
    kind: ClassVar[ListFile]

    def make(self) -> HttpResponseBase:
        asked = self.filter_by(self.kind.filterset)
        self.checked(asked)
        columns = columns_asked(self.kind, asked, language=self.language)
        asked.chosen = self._chosen()
        refresh_statuses(project_id=self.project.pk, now=self.now)
        made = write_list(asked, columns)
        told: dict[str, Any] = {
            "filter": filter_for_audit(asked),
            "columns": [column.column_name for column in columns],
        }
        if asked.chosen is not None:
            told["chosen"] = len(asked.chosen)
        return self.send(made, f"users-{self.kind.name}", told)

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


class BasicExport(ListExport):
    """The table's columns, and what was entered at registration."""

    kind = BASIC


class CompleteExport(ListExport):
    """Who they are, and the sums of what they watched."""

    kind = COMPLETE


class ChartExport(FilePage):
    """The chart, a line for each day that has begun; its columns are those of `ActivityDay`."""

    permission_required = Permission.ANALYTICS_EXPORT
    audit_kind = AuditEvent.Kind.CHART_EXPORTED
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
            delimiter=DELIMITERS[asked.values["delimiter"] or "comma"],
        )
        return self.send(made, "users-chart", {"filter": filter_for_audit(asked)})

    def _words(self) -> dict[str, str]:
        words = (_("Date"), _("Registered"), _("Active, cumulative"), _("Active at day end"))
        return dict(zip(self.columns, words, strict=True))
