"""What the queue calls about users, and their jobs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _
from procrastinate.contrib.django import app

from analytics.anonymising import fold_viewings, viewings_of
from backoffice.audit.models import AuditEvent
from backoffice.core.formatting import number
from backoffice.core.permissions import Permission
from backoffice.jobs.making import build_export, page_of_file, rows_in_words
from backoffice.jobs.models import Job
from backoffice.jobs.running import JobFailed, Running, job
from users.actions import SEND_RESET_TASK
from users.deletion import FOLD_TASK, JOB, carry_out
from users.exports import EXPORT_JOB, plan_of_order
from users.imports.applying import apply
from users.imports.checking import check
from users.imports.expiry import expire_imports
from users.imports.report import VERDICTS
from users.imports.undoing import undo
from users.imports.words import why_file
from users.mailing import answer_reset_request
from users.models import Deletion, UserImport

UNKNOWN = gettext_noop("What was to be deleted is not known any more. Choose the users again.")


def _receipt(of: Job) -> str:
    """Return where the deletion of a job is seen, before and after its end."""
    deletion = Deletion.objects.filter(job=of).first()
    return reverse("users:deleted", args=[deletion.pk]) if deletion else ""


def _deleted_in_words(result: Mapping[str, Any]) -> str:
    users = result.get("users", 0)
    return ngettext("%(n)s user deleted.", "%(n)s users deleted.", users) % {"n": users}


@job(
    JOB,
    label=_("Delete users"),
    permission=Permission.USERS_DELETE,
    address=_receipt,
    outcome=_deleted_in_words,
)
def delete_users(running: Running) -> dict[str, Any]:
    """Delete the users of a confirmed preview; return the sums of its receipt."""
    deletion = Deletion.objects.filter(pk=running.arguments["deletion"]).first()
    if deletion is None:
        raise JobFailed(UNKNOWN)
    members = deletion.user_ids[deletion.position :]
    progress = Progress(running, total=len(members) + viewings_of(members))
    done = carry_out(
        deletion=deletion, actor=running.recorded_actor, now=running.now, on_progress=progress
    )
    return dict(done.sums)


@dataclass(slots=True)
class Progress:
    """Tells the job's row how far it is, about once a second."""

    running: Running
    total: int
    _told_at: float = field(default=0.0, init=False)

    def __call__(self, done: int) -> None:
        at = time.monotonic()
        if at - self._told_at >= 1:
            self._told_at = at
            self.running.progress(done=done, total=max(done, self.total))


@app.task(name=FOLD_TASK)
def fold(*, user_id: int, project_id: int) -> None:
    """Fold what is left of a deleted user's viewings."""
    while fold_viewings(user_id, project_id=project_id) is not None:
        pass


@app.task(name=SEND_RESET_TASK)
def send_reset(*, request_id: int) -> None:
    answer_reset_request(request_id=request_id, now=timezone.now())


def import_page(made: Job) -> str:
    """Return where the import of a job is seen; nothing, before there is anything to see."""
    found = UserImport.objects.filter(job=made).first()
    return reverse("users:import-one", args=[found.public_id]) if found else ""


def _rows_of_import(result: Mapping[str, Any]) -> str:
    if code := result.get("refusal"):
        return why_file({"code": code, "line": result["line"]})
    if "new" not in result:
        return ""
    said = gettext(
        "%(new)s new, %(changed)s changed, %(unchanged)s unchanged, %(refused)s refused"
    )
    return said % _numbers(result)


def _undone_in_words(result: Mapping[str, Any]) -> str:
    if "removed" not in result:
        return ""
    return gettext("%(removed)s removed, %(restored)s restored, %(kept)s not undone") % _numbers(
        result
    )


def _numbers(result: Mapping[str, Any]) -> dict[str, str]:
    language = get_language() or "en"
    return {name: number(count, language) for name, count in result.items()}


@job(
    "users.check_import",
    label=_("Check an import"),
    permission=Permission.USERS_IMPORT,
    address=import_page,
    outcome=_rows_of_import,
)
def check_import(running: Running) -> dict[str, Any]:
    return _counts(_step(check, running))


@job(
    "users.apply_import",
    label=_("Import users"),
    permission=Permission.USERS_IMPORT,
    address=import_page,
    outcome=_rows_of_import,
)
def apply_import(running: Running) -> dict[str, Any]:
    return _counts(_step(apply, running))


@job(
    "users.undo_import",
    label=_("Undo an import"),
    permission=Permission.USERS_IMPORT,
    address=import_page,
    outcome=_undone_in_words,
)
def undo_import(running: Running) -> dict[str, Any]:
    return dict(_step(undo, running).undone)


def _step(step: Any, running: Running) -> UserImport:
    """Take the step; return the import as it is after it."""
    user_import_id = running.arguments["import"]
    step(
        user_import_id=user_import_id,
        actor=running.recorded_actor,
        pulse=running,
        now=running.now(),
    )
    return UserImport.objects.get(pk=user_import_id)


def _counts(user_import: UserImport) -> dict[str, Any]:
    """Return how the rows divide, or why there is nothing to divide."""
    if user_import.refusal:
        return {"refusal": user_import.refusal["code"], "line": user_import.refusal.get("line")}
    return {name: getattr(user_import, name) for name in VERDICTS}


@app.periodic(cron="*/20 * * * *")
@app.task(name="users.expire_imports")
def expire(timestamp: int) -> None:  # noqa: ARG001  # the queue's own
    """Remove the files and rows of imports whose time is over."""
    expire_imports(now=timezone.now())


@job(
    EXPORT_JOB,
    label=_("Make a file"),
    permission=Permission.USERS_EXPORT,
    address=page_of_file,
    outcome=rows_in_words,
)
def export(running: Running) -> dict[str, Any]:
    return build_export(running, plan_of_order, audit_kind=AuditEvent.Kind.USERS_EXPORTED)
