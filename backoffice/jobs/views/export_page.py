"""One file: how far it is, what is in it, and the file itself for its owner."""

from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language

from backoffice.core.exports import repr_digest
from backoffice.core.permissions import Permission
from backoffice.core.sheets import content_type_of
from backoffice.jobs.exports import manifest_link, may_hold, note_fetched, opened
from backoffice.jobs.models import Export
from backoffice.jobs.selectors import waits_in_vain
from backoffice.jobs.views.shown_export import shown_export, state_of
from backoffice.staff.pages import StaffPage, StaffRequest

POLL_SECONDS = 2


class OneExport(StaffPage):
    """A page about one file: of its owner, or of whoever sees the project's settings."""

    permission_required = Permission.USERS_EXPORT
    proof_required = False
    http_method_names = ("get", "head")

    def project_of_object(self) -> int | None:
        return self._found.project_id if self._found else None

    @cached_property
    def _found(self) -> Export | None:
        rows = Export.objects.select_related("actor", "project", "job__actor")
        return rows.filter(pk=self.kwargs["export_id"]).first()

    @property
    def _row(self) -> Export:
        if self._found is None:
            raise Http404
        return self._found

    @property
    def is_own(self) -> bool:
        return self._row.actor_id == self.request.user.pk

    @property
    def export(self) -> Export:
        """The file; a 404 for those whom it does not concern."""
        if not self.is_own and not self.may(Permission.SETTINGS_VIEW):
            raise Http404
        return self._row

    def page(self, status: int = HTTPStatus.OK) -> HttpResponse:
        """Return what there is to say about the file."""
        export = shown_export(
            self.export, get_language() or "en", now=self.now, is_own=self.is_own
        )
        return TemplateResponse(
            self.request,
            "jobs/export.html",
            {
                "export": export,
                "zone": self.zone,
                "is_own": self.is_own,
                "waits_in_vain": export.is_making and waits_in_vain(self.project.pk, self.now),
            },
            status=status,
        )


class ExportPage(OneExport):
    """How far it is; once it is ready, the way to it. Machines are answered in JSON."""

    def get(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if request.accepts("text/html"):
            return self.page()
        export = self.export
        state = state_of(export, self.now)
        told = {"state": state.value, "rows": export.rows, "sha256": export.sha256}
        if state == Export.State.READY:
            told["file"] = reverse("jobs:export-file", args=[export.pk])
        if state != Export.State.MAKING:
            return JsonResponse(told)
        return JsonResponse(
            told, status=HTTPStatus.ACCEPTED, headers={"Retry-After": str(POLL_SECONDS)}
        )


class ExportDownload(OneExport):
    """The file, for its owner, as long as it is there and their role allows it."""

    proof_required = True

    def get(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        export = self._row
        if not self.is_own:
            raise Http404
        state = state_of(export, self.now)
        if state == Export.State.MAKING:
            return self.page(HTTPStatus.CONFLICT)
        file = opened(export) if state == Export.State.READY and may_hold(export) else None
        if file is None:
            return self.page(HTTPStatus.GONE)
        if request.method != "HEAD":
            note_fetched(export, actor=request.user, now=self.now)
        return FileResponse(
            file,
            as_attachment=True,
            filename=export.file_name,
            content_type=content_type_of(export.file_name),
            headers={
                "Content-Length": str(export.size),
                "X-Row-Count": str(export.rows),
                "Repr-Digest": repr_digest(bytes.fromhex(export.sha256)),
                "Link": manifest_link(export),
            },
        )


class ExportManifest(OneExport):
    """What stands beside a file, wherever it is passed on: its filter, zone, columns, digest."""

    def get(self, request: StaffRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        export = self.export
        if not export.manifest:
            raise Http404
        language = get_language() or "en"
        told = {
            "file": export.file_name,
            "project": export.project.slug,
            "made_by": str(export.actor),
            "made_at": export.made_at and export.made_at.astimezone(self.zone).isoformat(),
            "time_zone": self.zone.key,
            "rows": export.rows,
            "bytes": export.size,
            "sha256": export.sha256,
            "names_and_emails_masked": not export.with_identity,
            "filter": export.filter_words.get(language, []),
        }
        return JsonResponse(
            told | export.manifest,
            json_dumps_params={"indent": 2, "ensure_ascii": False},
            headers={
                "Content-Disposition": f'attachment; filename="{export.file_name}.manifest.json"'
            },
        )
