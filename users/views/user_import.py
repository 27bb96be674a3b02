"""The import of users: upload, match the columns, dry run, confirm, report, undo; the register."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _
from django.views.generic import View

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import record
from backoffice.core.csv_reading import Unreadable
from backoffice.core.exports import MadeFile, csv_of
from backoffice.core.formatting import number
from backoffice.core.pagination import Cursor, CursorRefused, Ordering, keyset_page
from backoffice.core.permissions import Permission
from backoffice.core.sheets import Cell, write_sheet
from backoffice.jobs.exports import file_name
from backoffice.jobs.selectors import waits_in_vain
from backoffice.jobs.views.shown import shown
from backoffice.projects.models import Platform
from backoffice.staff.pages import StaffPage, StaffRequest
from backoffice.staff.registers import Register
from users.filters import ImportFilter
from users.forms import ImportColumnsForm
from users.imports.columns import ColumnsRefused, ImportColumns
from users.imports.report import BY_LINE, VERDICTS, RowWords, rows_with, sample_of, write_refused
from users.imports.uploading import (
    NotThatFar,
    confirm,
    match_columns,
    may_be_undone,
    take_back,
    upload,
)
from users.imports.words import COLUMNS, why_file
from users.models import User, UserImport

State = UserImport.State
ROWS_A_PAGE = 50
MEGABYTE = 1024 * 1024
# As people know the encodings.
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 (BOM)",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
}
SEPARATORS = {
    ",": gettext_lazy("comma"),
    ";": gettext_lazy("semicolon"),
    "\t": gettext_lazy("tab"),
}
VERDICT_WORDS = {
    "new": pgettext_lazy("rows", "New"),
    "changed": gettext_lazy("Changed"),
    "unchanged": gettext_lazy("Unchanged"),
    "refused": pgettext_lazy("rows", "Refused"),
}


class ImportPage(StaffPage):
    """A page about importing users."""

    permission_required = Permission.USERS_IMPORT

    @property
    def language(self) -> str:
        return get_language() or "en"


class Upload(ImportPage):
    """Where an import begins: the template, what a file may hold, the file."""

    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page()

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        file = request.FILES.get("file")
        if file is None:
            return self._page(_("Choose a file first."))
        if (file.size or 0) > settings.IMPORT_MAX_BYTES:
            facts = {"code": "too-large", "megabytes": settings.IMPORT_MAX_BYTES // MEGABYTE}
            return self._page(why_file(facts))
        try:
            made = upload(
                file=file,
                name=file.name or "",
                project=self.project,
                actor=request.user,
                now=self.now,
            )
        except Unreadable as refused:
            facts = {"code": refused.code, "line": refused.line} | self._limits()
            return self._page(why_file(facts))
        return HttpResponseRedirect(reverse("users:import-one", args=[made.public_id]))

    def _limits(self) -> dict[str, Any]:
        return {
            "megabytes": settings.IMPORT_MAX_BYTES // MEGABYTE,
            "rows": number(settings.IMPORT_MAX_ROWS, self.language),
            "columns": settings.IMPORT_MAX_COLUMNS,
        }

    def _page(self, problem: str = "") -> HttpResponse:
        columns = ImportColumns(self.project, self.now)
        context = {
            "title": _("Import users"),
            "problem": problem,
            "limits": self._limits(),
            "columns": [(name, words) for name, words in column_words(columns, self.language)],
            "undo_hours": settings.IMPORT_HOURS,
        }
        return TemplateResponse(
            self.request, "users/import_upload.html", context, status=400 if problem else 200
        )


class Template(ImportPage, View):
    """A CSV file with the headings of an import, in their order, and nothing else."""

    http_method_names = ("get", "head")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        columns = ImportColumns(self.project, self.now)
        made = self.make([name for name in columns.by_name if name != "id"])
        return FileResponse(
            made.file,
            as_attachment=True,
            filename=f"{self.project.slug}-import.{made.extension}",
            content_type=made.content_type,
            headers=made.headers,
        )

    def make(self, headings: Sequence[str]) -> MadeFile:
        return csv_of(headings, [])


class TemplateSheet(Template):
    """The same as a spreadsheet."""

    def make(self, headings: Sequence[str]) -> MadeFile:
        nobody = User.objects.none().values_list()
        return write_sheet(headings, [Cell.TEXT] * len(headings), nobody, zone=self.zone)


class OneImport(ImportPage):
    """One import, which the address names, in its own project."""

    def project_of_object(self) -> int | None:
        return self._row.project_id

    @cached_property
    def _row(self) -> UserImport:
        found = UserImport.objects.filter(public_id=self.kwargs["public_id"])
        row = found.select_related("project", "platform", "actor", "job").first()
        if row is None:
            raise Http404
        return row

    @property
    def has_file(self) -> bool:
        """Whether the file is still there; it goes with time, and with a user who is in it."""
        return self._row.parts.exists()

    def here(self) -> HttpResponse:
        """Return the way to the import's page."""
        return HttpResponseRedirect(reverse("users:import-one", args=[self._row.public_id]))

    def not_that_far(self) -> HttpResponse:
        messages.warning(self.request, _("The import has moved on meanwhile: this is its state."))
        return self.here()


class ImportState(OneImport):
    """The import as far as it is: columns to match, dry run, progress, report."""

    http_method_names = ("get", "head")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        user_import = self._row
        if user_import.state == State.UPLOADED and user_import.forgotten_at is None:
            return columns_page(self, self._form())
        if user_import.state in UserImport.AT_WORK:
            return self._progress()
        return self._report()

    def _form(self) -> ImportColumnsForm:
        return columns_form(self._row, self)

    def _progress(self) -> HttpResponse:
        job = self._row.job
        context = {
            "title": _("Import users"),
            "row": self._row,
            "job": shown(job, self.language) if job else None,
            "is_stopped": job is not None and job.is_finished,
            "waits_in_vain": job is not None
            and not job.is_finished
            and waits_in_vain(self.project.pk, self.now),
        }
        return TemplateResponse(self.request, "users/import_progress.html", context)

    def _report(self) -> HttpResponse:
        context, status = self._rows()
        context |= {
            "title": _("Import users"),
            "row": self._row,
            "facts": facts_of(self._row, self.language),
            "refusal": why_file(self._row.refusal) if self._row.refusal else "",
            "has_file": self.has_file,
            "may_undo": may_be_undone(self._row, self.now),
            "zone": self.zone,
        }
        return TemplateResponse(self.request, "users/import_report.html", context, status=status)

    def _rows(self) -> tuple[dict[str, Any], int]:
        """Return the rows of the verdict asked for, and the answer's status."""
        row = self._row
        counts = {name: getattr(row, name) for name in VERDICTS}
        has_rows = row.forgotten_at is None and any(counts.values())
        asked = self.request.GET.get("verdict", "")
        order = ("refused", "changed", "new", "unchanged")
        chosen = asked or next((name for name in order if counts[name]), "new")
        tabs = [
            {
                "name": name,
                "label": VERDICT_WORDS[name],
                "count": number(counts[name], self.language),
                "is_current": name == chosen,
            }
            for name in VERDICTS
        ]
        context: dict[str, Any] = {"tabs": tabs, "counts": counts, "has_rows": has_rows}
        if not has_rows:
            return context, 200
        of = f"rows of import {row.pk}"
        try:
            cursors = [
                Cursor.decode(text, BY_LINE, of=of)
                if (text := self.request.GET.get(name))
                else None
                for name in ("after", "before")
            ]
            verdict = VERDICTS[chosen]
        except (CursorRefused, KeyError):
            context["problem"] = _("There are no such rows: choose one of these.")
            return context, 400
        page = keyset_page(
            rows_with(row, verdict),
            BY_LINE,
            of=of,
            per_page=ROWS_A_PAGE,
            at=self.now,
            after=cursors[0],
            before=None if cursors[0] else cursors[1],
        )
        words = RowWords(row, self.language)
        context |= {"page": page, "lines": [words.shown(one) for one in page.rows]}
        return context, 200


class MatchColumns(OneImport):
    """Say what each column is, and begin the dry run; again, if it turned out wrong."""

    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if not self._can_be_matched():
            return self.here()
        return columns_page(self, columns_form(self._row, self))

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if not self._can_be_matched():
            return self.not_that_far()
        form = columns_form(self._row, self, data=request.POST)
        if not form.is_valid():
            return columns_page(self, form, status=400)
        try:
            match_columns(
                user_import=self._row,
                columns=form.columns,
                mode=form.cleaned_data["mode"],
                platform=form.cleaned_data["platform"] or self._row.platform,
                sends_invitations=form.cleaned_data["invite"],
                actor=request.user,
                now=self.now,
            )
        except ColumnsRefused as refused:
            for place, code in refused.problems:
                heading = self._row.headings[place - 1] if place else ""
                name = f"map-{place}" if place else None
                form.add_error(name, str(COLUMNS[code]) % {"heading": heading[:60]})
            return columns_page(self, form, status=400)
        except NotThatFar:
            return self.not_that_far()
        return self.here()

    def _can_be_matched(self) -> bool:
        return self._row.state in UserImport.WAITING_FOR_SOMEBODY and self.has_file


class Confirm(OneImport):
    """Apply what the dry run showed."""

    http_method_names = ("post",)

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        try:
            confirm(user_import=self._row, actor=request.user, now=self.now)
        except NotThatFar:
            return self.not_that_far()
        return self.here()


class Undo(OneImport):
    """Take back what the import did, where nobody touched it since."""

    http_method_names = ("post",)

    def post(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        try:
            take_back(user_import=self._row, actor=request.user, now=self.now)
        except NotThatFar:
            return self.not_that_far()
        return self.here()


class RefusedRows(OneImport):
    """The refused rows as a file that can be mended and imported."""

    http_method_names = ("get", "head")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if not self._row.refused or not self.has_file:
            raise Http404
        made = write_refused(self._row)
        record(
            AuditEvent.Kind.IMPORT_REFUSED_ROWS_TAKEN,
            actor=self.request.user,
            now=self.now,
            project=self.project,
            target=self._row,
            data={"rows": made.rows, "sha256": made.sha256},
        )
        return FileResponse(
            made.file,
            as_attachment=True,
            filename=file_name(
                "refused", self.project.slug, self.now.astimezone(self.zone).date()
            ),
            content_type="text/csv; charset=utf-8",
            headers=made.headers,
        )


class ImportList(Register):
    """Every import of the project: who, what, when, in which state."""

    permission_required = Permission.USERS_IMPORT
    filterset_class = ImportFilter
    ordering: ClassVar[Ordering] = Ordering("-created", ("created_at", "pk"), is_descending=True)
    template_name = "users/import_list.html"

    def get_queryset(self) -> QuerySet[UserImport]:
        return UserImport.objects.filter(project=self.project).select_related("actor")

    def lines(self, rows: Sequence[UserImport]) -> list[dict[str, Any]]:
        language = get_language() or "en"
        return [{"row": row, "facts": facts_of(row, language)} for row in rows]


# --- Shared by these pages -----------------------------------------------------------------


def column_words(columns: ImportColumns, language: str) -> list[tuple[str, str]]:
    """Return the columns of an import by name, each with its words."""
    custom = columns.custom_by_name
    return [
        (name, custom[name].label(language) if name in custom else str(column.label))
        for name, column in columns.by_name.items()
    ]


def columns_form(user_import: UserImport, page: ImportPage, data: Any = None) -> ImportColumnsForm:
    columns = ImportColumns(page.project, page.now)
    guessed = {f"map-{place}": name for place, name in enumerate(user_import.columns, start=1)}
    return ImportColumnsForm(
        data,
        headings=user_import.headings,
        columns=[
            (name, f"{words} ({name})" if words != name else name)
            for name, words in column_words(columns, page.language)
        ],
        platforms=Platform.objects.filter(project=page.project).order_by("pk"),
        initial=guessed
        | {
            "mode": user_import.mode,
            "platform": user_import.platform.slug if user_import.platform else None,
            "invite": user_import.sends_invitations,
        },
    )


def columns_page(page: OneImport, form: ImportColumnsForm, *, status: int = 200) -> HttpResponse:
    """Return the page on which columns are matched."""
    user_import = page._row  # noqa: SLF001  # a page of this module
    undeclared = [
        heading
        for heading, name in zip(user_import.headings, user_import.columns, strict=True)
        if not name
    ]
    rows = [
        {"number": number_, "field": form[f"map-{number_}"], "heading": heading, "cells": cells}
        for number_, (heading, cells) in enumerate(
            zip(user_import.headings, sample_of(user_import), strict=True), start=1
        )
    ]
    context = {
        "title": _("Match the columns"),
        "row": user_import,
        "facts": facts_of(user_import, page.language),
        "form": form,
        "options": [form["mode"], form["platform"], form["invite"]],
        "rows": rows,
        "undeclared": undeclared,
    }
    return TemplateResponse(page.request, "users/import_columns.html", context, status=status)


def facts_of(user_import: UserImport, language: str) -> dict[str, Any]:
    """Return what is said about a file everywhere: its name, its form, its rows."""
    encoding = ENCODINGS.get(user_import.encoding, "XLSX")
    separator = SEPARATORS.get(user_import.separator)
    return {
        "name": user_import.file_name or _("removed"),
        "form": f"{encoding}, {separator}" if separator else encoding,
        "rows": number(user_import.rows, language),
        "new": number(user_import.new, language),
        "changed": number(user_import.changed, language),
        "unchanged": number(user_import.unchanged, language),
        "refused": number(user_import.refused, language),
        "refused_late": number(user_import.refused_late, language),
        "undone": {name: number(n, language) for name, n in user_import.undone.items()},
    }
