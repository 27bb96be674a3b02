"""Jobs as pages show them: words and addresses, no rows."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from backoffice.core.formatting import number
from backoffice.jobs.models import Job
from backoffice.jobs.running import KINDS


@dataclass(frozen=True, slots=True)
class ShownJob:
    """One job: what its line in the register and its own page say."""

    id: int
    label: StrOrPromise
    url: str
    who: str
    state: str
    """As in the address; `state_words` says it to people."""
    state_words: StrOrPromise
    progress_words: str
    done: int
    total: int | None
    """Both for the bar: without a total it only says that something goes on."""
    said: str
    """What came out, or why nothing did."""
    result_url: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_finished: bool
    is_stopping: bool
    may_retry: bool


def shown(job: Job, language: str) -> ShownJob:
    """Return the job in words; its actor is read with it."""
    kind = KINDS.get(job.kind)
    is_done = job.state == Job.State.DONE
    is_stopping = bool(job.cancel_requested_at) and not job.is_finished
    return ShownJob(
        id=job.pk,
        label=kind.label if kind else job.kind,
        url=reverse("jobs:job", args=[job.pk]),
        who=str(job.actor) if job.actor else _("System"),
        state=job.state,
        state_words=_("Stopping") if is_stopping else job.get_state_display(),
        progress_words=_progress(job, language),
        done=job.done,
        total=job.total,
        said=kind.outcome(job.result) if kind and kind.outcome and is_done else job.failure_said,
        result_url=kind.address(job) if kind and kind.address else "",
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        is_finished=job.is_finished,
        is_stopping=is_stopping,
        may_retry=job.state in Job.MAY_BE_RETRIED and kind is not None,
    )


def _progress(job: Job, language: str) -> str:
    if job.state != Job.State.RUNNING or (not job.done and not job.total):
        return ""
    done = number(job.done, language)
    if job.total is None:
        return done
    return _("%(done)s of %(total)s") % {"done": done, "total": number(job.total, language)}
