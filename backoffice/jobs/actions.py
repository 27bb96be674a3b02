"""Changes to jobs: ask for one, stop it, ask again, forget whom it was about."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from procrastinate.contrib.django import app

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import SYSTEM, Actor, record
from backoffice.core.logs import current_request_id
from backoffice.jobs.models import Job
from backoffice.jobs.models.job import LIVES
from backoffice.jobs.running import KINDS
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember

# Jobs have workers of their own, so that a mail need not wait for a million rows.
QUEUE = "long"
RUN_TASK = "jobs.run"


class JobRefused(Exception):
    """The job is not in a state in which that can be done."""


@transaction.atomic
def start(
    kind: str,
    *,
    project: Project,
    actor: StaffMember | None,
    arguments: Mapping[str, Any],
    now: datetime,
) -> Job:
    """
    Ask for a job; a worker begins it once the caller's transaction is stored.

    :param arguments: ids and plain choices, never personal data; users' keys as "user_ids".
    """
    made = Job.objects.create(
        project=project,
        kind=KINDS[kind].name,
        actor=actor,
        arguments=dict(arguments),
        request_id=current_request_id() or uuid4().hex,
        created_at=now,
    )
    record(
        AuditEvent.Kind.JOB_STARTED,
        actor=actor or SYSTEM,
        now=now,
        project=project,
        target=made,
        data={"job": kind},
        request_id=made.request_id,
    )
    _queue(made)
    return made


@transaction.atomic
def cancel(*, job: Job, actor: Actor, now: datetime) -> Job:
    """
    Stop a job: at once if it waits, at its next step if it runs.

    :raises JobRefused: if it has ended already.
    """
    job = Job.objects.select_for_update().get(pk=job.pk)
    if job.is_finished:
        raise JobRefused
    job.cancel_requested_at = job.cancel_requested_at or now
    if job.state == Job.State.WAITING:
        job.state = Job.State.CANCELLED
        job.finished_at = now
    job.save(update_fields=["cancel_requested_at", "state", "finished_at"])
    _record(AuditEvent.Kind.JOB_CANCELLED, job, actor, now)
    return job


@transaction.atomic
def retry(*, job: Job, actor: Actor, now: datetime) -> Job:
    """
    Have a job that failed or was stopped begun again from the start.

    :raises JobRefused: if it is not one of those.
    """
    job = Job.objects.select_for_update().get(pk=job.pk)
    if job.state not in Job.MAY_BE_RETRIED:
        raise JobRefused
    job.state = Job.State.WAITING
    job.finished_at = job.started_at = job.cancel_requested_at = None
    job.done, job.total = 0, None
    job.failure, job.failure_facts = "", {}
    job.lives = LIVES
    job.save()
    _record(AuditEvent.Kind.JOB_RETRIED, job, actor, now)
    _queue(job)
    return job


@transaction.atomic
def forget_users_in_jobs(user_ids: Collection[int]) -> None:
    """Remove the keys of users from jobs that are not at work on them."""
    about = Job.objects.select_for_update().filter(arguments__has_key="user_ids")
    for job in about.exclude(state=Job.State.RUNNING):
        kept = [one for one in job.arguments["user_ids"] if one not in user_ids]
        if kept != job.arguments["user_ids"]:
            job.arguments["user_ids"] = kept
            job.save(update_fields=["arguments"])


def _queue(job: Job) -> None:
    """Hand the job to procrastinate, in the transaction at hand."""
    app.configure_task(RUN_TASK, queue=QUEUE).defer(job_id=job.pk)


def _record(kind: AuditEvent.Kind, job: Job, actor: Actor, now: datetime) -> None:
    record(kind, actor=actor, now=now, project=job.project, target=job, data={"job": job.kind})
