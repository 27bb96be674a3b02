"""
What a file of a list is before it is made, and how the background makes it.

The page that is asked for the file and the job that makes it later read the same plan.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext
from django_stubs_ext import StrOrPromise

from backoffice.audit.models import AuditEvent
from backoffice.core.exports import MadeFile, Making, TooSlow
from backoffice.core.permissions import Permission
from backoffice.jobs.exports import Outdated, begin, keep, new_file
from backoffice.jobs.models import Export, Job
from backoffice.jobs.running import JobFailed, Running
from backoffice.projects.models import Project
from backoffice.staff.access import access_of

GIVEN: Final = "given"
TOO_SLOW = gettext_noop("It took longer than a file may. Narrow the list, or raise the limit.")
FITS_NO_MORE = gettext_noop("The filter fits no more: ask for the file anew.")


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A file as somebody asks for it: which rows, in which columns."""

    total: int
    """Its rows, counted beforehand."""
    write: Callable[[Making], MadeFile]
    """Makes it; raises TooSlow if it takes longer than it may."""
    words: Mapping[str, list[str]]
    """By language: what its rows are narrowed to, without what may be personal."""
    told: Mapping[str, Any]
    """What the trail keeps of the question: filter and columns."""
    manifest: Mapping[str, Any]


def manifest_of(
    columns: Iterable[tuple[str, StrOrPromise]],
    meanings: Mapping[str, StrOrPromise],
    *,
    project: Project,
    now: datetime,
    delimiter: str | None,
) -> dict[str, Any]:
    """
    Return what a reader of the file has to know: each column, and as of when.

    :param columns: the name and the words of each.
    :param meanings: by name, what a column means where its words do not say it.
    :param delimiter: none in a sheet.
    """
    return {
        "as_of": now.astimezone(project.zone).isoformat(timespec="seconds"),
        "delimiter": delimiter,
        "columns": [
            {"name": name, "words": str(words)}
            | ({"means": str(meanings[name])} if name in meanings else {})
            for name, words in columns
        ],
    }


def values_in_words(
    form: BaseForm,
    told: Mapping[str, Any],
    *,
    without: set[str],
    labels: Mapping[str, str] | None = None,
) -> Iterable[str]:
    """
    Say what a valid filter narrows to, a line for each parameter.

    :param told: the parameters as the trail keeps them: values, or `GIVEN`.
    :param without: parameters that narrow nothing, or are told otherwise.
    :param labels: of fields that have none.
    """
    for name, values in told.items():
        if name in without or not any(values):
            continue
        field = form.fields[name]
        choices = dict(getattr(field, "choices", ()))
        said = (
            [_("given")]
            if values == GIVEN
            else [str(choices.get(value, value)) for value in values]
        )
        label = field.label or (labels or {}).get(name, name)
        yield _("%(what)s: %(values)s") % {"what": label, "values": ", ".join(said)}


def sees_identity(export: Export) -> bool:
    """Return whether the owner of the file may see names and e-mails in clear."""
    held = access_of(export.actor).permissions_on(export.project)
    return Permission.USERS_SEE_IDENTITY in held


# --- In the background -----------------------------------------------------------------------


def build_export(
    running: Running,
    plan_of: Callable[[Export, datetime], FilePlan],
    *,
    audit_kind: AuditEvent.Kind,
) -> dict[str, Any]:
    """
    Make the file of an order, and keep it for its owner.

    :param plan_of: reads the order as of an instant; raises JobFailed if it fits no more.
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
                made = _build(export, running, plan_of, audit_kind)
            except Outdated:
                # A user was deleted meanwhile: what was read is thrown away and read anew.
                continue
            except TooSlow as error:
                raise JobFailed(TOO_SLOW) from error
            except ValidationError as error:
                raise JobFailed(" ".join(error.messages).replace("%", "%%")) from error
            return {"export": export.pk, "rows": made}


def _build(
    export: Export,
    running: Running,
    plan_of: Callable[[Export, datetime], FilePlan],
    audit_kind: AuditEvent.Kind,
) -> int:
    begun = begin(export)
    plan = plan_of(export, running.now())
    progress = _Progress(running, plan.total)
    with new_file(export.file_name.rpartition(".")[2]) as (path, file):
        made = plan.write(
            Making(into=lambda: file, limit_ms=settings.EXPORT_TIMEOUT_MS, on_rows=progress.tell)
        )
        keep(
            export,
            path,
            made,
            running=running,
            begun=begun,
            manifest=plan.manifest,
            audit={"file": export.what} | dict(plan.told),
            audit_kind=audit_kind,
            with_identity=sees_identity(export),
        )
    return made.rows


def page_of_file(of: Job) -> str:
    """Return where the file of a job is seen."""
    # The arguments are dropped when it is done, the result is there from then on.
    return reverse("jobs:export", args=[(of.result or of.arguments)["export"]])


def rows_in_words(result: Mapping[str, Any]) -> str:
    """Say how many rows a file has."""
    rows = result["rows"]
    return ngettext("%(n)s row.", "%(n)s rows.", rows) % {"n": rows}


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
