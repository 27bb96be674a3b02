"""What every file of a list shares: the daily limit, words for refusals, a line in the trail."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views import View
from django_filters import FilterSet

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.audit.selectors import acts_since
from backoffice.core.exports import CsvFile, MadeFile, TooSlow, at_once
from backoffice.core.periods import midnight
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile, check_fits
from backoffice.jobs.exports import (
    FILES_TAKEN,
    Order,
    file_name,
    making_since,
    manifest_link,
    note_sent,
    order_file,
)
from backoffice.jobs.making import FilePlan
from backoffice.staff.pages import StaffPage

# Rows written in a second at best: a list that is too long even so is not tried within the
# request; for others the clock decides.
ROWS_A_SECOND = {CsvFile.extension: 300_000, SheetFile.extension: 80_000}
POLL_SECONDS = 2


class FilePage(StaffPage, View):
    """A file: refused in words, or whole, with a line in the audit trail."""

    http_method_names: Sequence[str] = ("get", "head")
    audit_kind: ClassVar[AuditEvent.Kind]
    what: ClassVar[str]
    """Which file it is, as its name and the trail say it."""
    kind_of_file: ClassVar[type[MadeFile]] = CsvFile
    list_name: ClassVar[str]
    """The address of the list that the file is of."""

    @property
    def language(self) -> str:
        return get_language() or "en"

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        today = midnight(self.today, self.zone)
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
        name = file_name(self.what, self.project.slug, self.today, self.kind_of_file.extension)
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

    def checked(self, asked: FilterSet) -> None:
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
            file_name=file_name(what, self.project.slug, self.today, self.kind_of_file.extension),
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
        target: Model | None = None,
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
                    with_identity=self.may(Permission.USERS_SEE_IDENTITY),
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
            headers=made.headers | ({"Link": manifest_link(noted)} if manifest else {}),
        )

    def refuse(self, messages: Iterable[str], *, status: int = 400) -> HttpResponse:
        """Return the page that says why there is no file."""
        return TemplateResponse(
            self.request,
            "jobs/file_refused.html",
            {
                "title": _("No file was made"),
                "reasons": list(messages),
                "list_url": reverse(self.list_name),
            },
            status=status,
        )


class ListFilePage(FilePage):
    """A file of a list: sent at once, or made in the background where that takes too long."""

    job: ClassVar[str]
    """The kind of job that makes it there."""

    def plan(self) -> FilePlan:
        """
        Return what the address asks for.

        :raises ValidationError: if there is no such file.
        """
        raise NotImplementedError

    @property
    def can_wait(self) -> bool:
        """Whether the address says all that a job has to know."""
        return True

    @property
    def is_sheet(self) -> bool:
        return self.kind_of_file is SheetFile

    def make(self) -> HttpResponseBase:
        plan = self.plan()
        if self.is_sheet:
            check_fits(plan.total)
        seconds = plan.total / ROWS_A_SECOND[self.kind_of_file.extension]
        if self.can_wait and seconds >= settings.EXPORT_SECONDS_AT_ONCE:
            return self.later(plan)
        try:
            made = plan.write(at_once())
        except TooSlow:
            if not self.can_wait:
                raise
            return self.later(plan)
        return self.send(
            made, self.what, dict(plan.told), words=plan.words, manifest=plan.manifest
        )

    def later(self, plan: FilePlan) -> HttpResponse:
        """Have the file made in the background, and lead to where it will be."""
        export = order_file(
            self.job,
            self.order(self.what, plan.words),
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
