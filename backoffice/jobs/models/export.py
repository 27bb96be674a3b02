"""Files that were taken or are being made, of one person each."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.jobs.models.job import Job
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember


class ExportQuerySet(models.QuerySet["Export"]):
    def in_states(self, *states: str) -> Self:
        """Keep those in a state as people see it, which for a file in the making is its job's."""
        making = Q(state=Export.State.MAKING)
        # A file of no job is none of them; a null would be neither.
        failed = Q(job__state__in=Job.MAY_BE_RETRIED, job__isnull=False)
        wanted = Q(pk__in=[])
        for state in states:
            if state == Export.State.FAILED:
                wanted |= making & failed
            elif state == Export.State.MAKING:
                wanted |= making & ~failed
            else:
                wanted |= Q(state=state)
        return self.filter(wanted)


class Export(models.Model):
    """One file: who took which rows when. Its bytes, if kept, lie beside the database."""

    class State(models.TextChoices):
        MAKING = "MAKING", _("Being made")
        READY = "READY", _("Ready")
        SENT = "SENT", _("Sent at once")
        GONE = "GONE", _("Removed")
        # Never stored: a file whose job failed or was stopped, until it is begun again.
        FAILED = "FAILED", _("Not made")

    class Gone(models.TextChoices):
        EXPIRED = "EXPIRED", _("Removed after 24 hours.")
        USER_DELETED = "USER_DELETED", _("Removed: a user who may be in it was deleted.")
        ROLE_LOST = "ROLE_LOST", _("Removed: its owner may not hold it any more.")

    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    actor = models.ForeignKey(StaffMember, models.PROTECT, related_name="+")
    # Null for a file that was made within its request.
    job = models.OneToOneField(Job, models.PROTECT, null=True, blank=True, related_name="+")
    # Which file: "users-basic"; and as what it is saved.
    what = models.CharField(max_length=40)
    file_name = models.CharField(max_length=150)
    state = models.CharField(max_length=6, choices=State)
    gone = models.CharField(max_length=12, choices=Gone, blank=True)
    # By language: what the rows were narrowed to, in words without personal data.
    filter_words = models.JSONField(default=dict)
    # The parameters of the address, encrypted: they may hold a name. Empty once it is made.
    sealed_query = models.TextField(blank=True)
    # Where the person asked, for the link in the mail; "https://host".
    origin = models.CharField(max_length=300, blank=True)
    # What stands beside the file: definitions of its columns, zone, instant, digest.
    manifest = models.JSONField(default=dict)
    with_identity = models.BooleanField(default=False)
    rows = models.BigIntegerField(null=True, blank=True)
    size = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    # Its name in the folder of files; meaningless, not to be guessed.
    stored_name = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    # How often users were deleted while it was made: what was read before is not to be kept.
    outdated = models.IntegerField(default=0)
    fetched = models.IntegerField(default=0)
    last_fetched_at = models.DateTimeField(null=True, blank=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("MAKING", "READY", "SENT", "GONE")),
                name="export_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="READY")
                | Q(
                    rows__isnull=False,
                    size__isnull=False,
                    expires_at__isnull=False,
                    made_at__isnull=False,
                )
                & ~Q(stored_name="")
                & ~Q(sha256=""),
                name="export_ready_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(state="GONE") ^ Q(gone=""), name="export_gone_says_why"
            ),
        )
        indexes = (
            models.Index(fields=["project", "-created_at", "-id"], name="export_by_project"),
            models.Index(
                fields=["expires_at"],
                condition=Q(state="READY"),
                name="export_ready_by_expiry",
            ),
        )

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_sheet(self) -> bool:
        return self.file_name.endswith(".xlsx")
