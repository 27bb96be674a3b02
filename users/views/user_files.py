"""The files of the Users page: the chart's, the basic and the complete list."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.audit.selectors import acts_since
from backoffice.core.exports import CsvFile, MadeFile, TooSlow, csv_of
from backoffice.core.periods import midnight
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile, check_fits
from backoffice.jobs.exports import Order, making_since, manifest_link, note_sent, order_file
from subscriptions.spans import refresh_statuses
from users.exports import (
    EXPORT_JOB,
    LIST_FILES,
    columns_asked,
    file_name,
    filter_for_audit,
    filter_in_words,
    manifest_of,
    names_chosen,
    write_list,
)
from users.filters import DELIMITERS, BasicFileFilter, ChartFileFilter, PeriodFilter
from users.models import User
from users.resources import Column
from users.views.activity_chart import activity_by_day, days_shown
from users.views.user_list import FilteredUsers, public_ids

FILES_TAKEN = (
    AuditEvent.Kind.USERS_EXPORTED,
    AuditEvent.Kind.CHART_EXPORTED,
    AuditEvent.Kind.VIEWING_EXPORTED,
)
# Rows written in a second at best: a list that is too long even so is not tried within the
# request; for others the clock decides.
ROWS_A_SECOND = {CsvFile.extension: 300_000, SheetFile.extension: 80_000}
POLL_SECONDS = 2


class FilePage(FilteredUsers, View):
    """A file: refused in words, or whole, with a line in the audit trail."""

    http_method_names: Sequence[str] = ("get", "head")
    audit_kind: ClassVar[AuditEvent.Kind]
    what: ClassVar[str]
    """Which file it is, as its name and the trail say it."""
    kind_of_file: ClassVar[type[MadeFile]] = CsvFile

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        today = midnight(self.viewpoint.today, self.zone)
        taken = acts_since(today, FILES_TAKEN, actor=self.request.user, project=self.project)
        taken += making_since(today, actor=self.request.user, project=self.project)
        if taken >= settings.EXPORTS_A_DAY:
            return self.refuse(
                [_("You have taken %(n)s files today: the limit of a day.") % {"n": taken}],
                status=429,
            )
        try:
            return self.make()
        except ValidationError as error:
            return self.refuse(error.messages)
        except TooSlow:
            return self.refuse([_("It took too long: narrow the list.")], status=503)

    def head(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        """Return what is known of the file without making it: its length is not."""
        try:
            self.check()
        except ValidationError as error:
            return self.refuse(error.messages)
        name = file_name(
            self.what, self.project.slug, self.viewpoint.today, self.kind_of_file.extension
        )
        return StreamingHttpResponse(
            (),
            content_type=self.kind_of_file.content_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def check(self) -> None:
        """
        Look at what the address asks for, without making anything.

        :raises ValidationError: if there is no such file.
        """

    def make(self) -> HttpResponseBase:
        """
        Return the file.

        :raises ValidationError: if the address asks for what there is not.
        """
        raise NotImplementedError

    def checked(self, asked: PeriodFilter) -> None:
        """
        Refuse an invalid filter.

        :raises ValidationError: with every message of the form.
        """
        if not asked.form.is_valid():
            raise ValidationError(
                [message for messages in asked.form.errors.values() for message in messages]
            )

    def order(self, what: str, words: Mapping[str, list[str]]) -> Order:
        """Return what is asked for, as the register of files keeps it."""
        return Order(
            what=what,
            file_name=file_name(
                what, self.project.slug, self.viewpoint.today, self.kind_of_file.extension
            ),
            query=self.request.GET.urlencode(),
            language=self.language,
            filter_words=words,
        )

    def send(
        self,
        made: MadeFile,
        what: str,
        told: dict[str, Any],
        *,
        target: User | None = None,
        words: Mapping[str, list[str]] | None = None,
        manifest: Mapping[str, Any] | None = None,
    ) -> HttpResponseBase:
        """
        Record the file and return it as a download; it is removed when sent.

        :param target: whom the file is about, if it is one user.
        :param words: by language, what its rows were narrowed to.
        """
        facts = {"file": what, "rows": made.rows, "sha256": made.sha256}
        order = self.order(what, words or {})
        try:
            with transaction.atomic():
                record(
                    self.audit_kind,
                    actor=self.request.user,
                    now=self.now,
                    project=self.project,
                    target=target,
                    data=told | facts,
                )
                noted = note_sent(
                    order,
                    made,
                    manifest=manifest or {},
                    project=self.project,
                    actor=self.request.user,
                    with_identity=self.viewpoint.sees_identity,
                    now=self.now,
                )
        except BaseException:
            made.file.close()
            raise
        return FileResponse(
            made.file,
            as_attachment=True,
            filename=order.file_name,
            content_type=made.content_type,
            headers={
                "Content-Length": str(made.size),
                "X-Row-Count": str(made.rows),
                "Repr-Digest": made.repr_digest,
                **({"Link": manifest_link(noted)} if manifest else {}),
            },
        )

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


class ChartExport(FilePage):
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
            delimiter=DELIMITERS[asked.values["delimiter"] or "comma"],
        )
        told = {"filter": filter_for_audit(asked)}
        return self.send(made, self.what, told, words=filter_in_words(asked))

    def _words(self) -> dict[str, str]:
        words = (_("Date"), _("Registered"), _("Active, cumulative"), _("Active at day end"))
        return dict(zip(self.columns, words, strict=True))
