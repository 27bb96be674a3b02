"""Jobs: long work that somebody asked for and may watch, stop and ask for again."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember

# How often a job that was cut off is begun again before somebody has to ask for it.
LIVES = 3


class JobQuerySet(models.QuerySet["Job"]):
    def unfinished(self) -> Self:
        """Keep those that wait or run."""
        return self.filter(state__in=Job.UNFINISHED)


class Job(models.Model):
    """One piece of long work; the queue behind it is procrastinate's."""

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        RUNNING = "RUNNING", _("Running")
        DONE = "DONE", _("Done")
        FAILED = "FAILED", _("Failed")
        CANCELLED = "CANCELLED", _("Stopped")

    UNFINISHED = (State.WAITING, State.RUNNING)
    MAY_BE_RETRIED = (State.FAILED, State.CANCELLED)

    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    # A name of `backoffice.jobs.running.KINDS`.
    kind = models.CharField(max_length=50)
    # In whose name and language it runs; none for what time or a machine began.
    actor = models.ForeignKey(StaffMember, models.PROTECT, null=True, blank=True, related_name="+")
    # Ids and plain choices, never personal data. Those of users stand under "user_ids".
    arguments = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    # In steps of the job's own choice; the total is null while nobody knows it.
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    # What came out: counts and ids, never personal data.
    result = models.JSONField(default=dict)
    # Why it failed, as a message to translate, and the facts that it names.
    failure = models.CharField(max_length=300, blank=True)
    failure_facts = models.JSONField(default=dict)
    # Counts every beginning; a run whose number is no longer this one may change nothing.
    attempt = models.IntegerField(default=0)
    lives = models.PositiveSmallIntegerField(default=LIVES)
    # Of the request that asked for it, so that its lines in the audit trail stand together.
    request_id = models.CharField(max_length=32)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("WAITING", "RUNNING", "DONE", "FAILED", "CANCELLED")),
                name="job_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("WAITING", "RUNNING"), finished_at=None)
                | Q(state__in=("DONE", "FAILED", "CANCELLED"), finished_at__isnull=False),
                name="job_finished_at_and_state_go_together",
            ),
        )
        indexes = (
            models.Index(fields=["project", "-created_at", "-id"], name="job_by_project"),
            models.Index(fields=["actor", "-created_at", "-id"], name="job_by_actor"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.state not in self.UNFINISHED

    @property
    def failure_said(self) -> str:
        """Why it failed, in the reader's language; empty if it did not."""
        return gettext(self.failure) % self.failure_facts if self.failure else ""
