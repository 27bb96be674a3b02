"""Files as pages show them."""

from dataclasses import dataclass
from datetime import datetime

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django_stubs_ext import StrOrPromise

from backoffice.core.formatting import number
from backoffice.jobs.models import Export, Job
from backoffice.jobs.views.shown import ShownJob, shown


@dataclass(frozen=True, slots=True)
class ShownExport:
    """One file: what its line in the register and its own page say."""

    id: int
    url: str
    file_name: str
    who: str
    state: str
    state_words: StrOrPromise
    filter_words: list[str]
    rows: str
    size: str
    sha256: str
    created_at: datetime
    expires_at: datetime | None
    fetched: int
    last_fetched_at: datetime | None
    said: StrOrPromise
    """Why it is gone, or was not made."""
    job: ShownJob | None
    is_making: bool
    download_url: str
    """Empty unless the reader can fetch it now."""
    manifest_url: str


def shown_export(export: Export, language: str, *, now: datetime, is_own: bool) -> ShownExport:
    """Return the file in words; its actor and job are read with it."""
    state = state_of(export, now)
    language_words = export.filter_words.get(language) or export.filter_words.get("en", [])
    job = shown(export.job, language) if export.job else None
    said: StrOrPromise = ""
    if state == Export.State.GONE:
        said = export.get_gone_display() or Export.Gone.EXPIRED.label
    elif state == Export.State.FAILED and job:
        said = job.said or job.state_words
    can_fetch = is_own and state == Export.State.READY
    return ShownExport(
        id=export.pk,
        url=reverse("jobs:export", args=[export.pk]),
        file_name=export.file_name,
        who=str(export.actor),
        state=state,
        state_words=state.label,
        filter_words=language_words,
        rows="" if export.rows is None else number(export.rows, language),
        size="" if export.size is None else filesizeformat(export.size),
        sha256=export.sha256,
        created_at=export.created_at,
        expires_at=export.expires_at if state == Export.State.READY else None,
        fetched=export.fetched,
        last_fetched_at=export.last_fetched_at,
        said=said,
        job=job,
        is_making=state == Export.State.MAKING,
        download_url=reverse("jobs:export-file", args=[export.pk]) if can_fetch else "",
        manifest_url=reverse("jobs:export-manifest", args=[export.pk]) if export.manifest else "",
    )


def state_of(export: Export, now: datetime) -> Export.State:
    """Return the state as people see it: that of the job while the file is made."""
    state = Export.State(export.state)
    if state == Export.State.READY and export.expires_at and export.expires_at <= now:
        return Export.State.GONE
    if state == Export.State.MAKING and export.job and export.job.state in Job.MAY_BE_RETRIED:
        return Export.State.FAILED
    return state
