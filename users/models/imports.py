"""Files of users: the import, its parts and rows, and which headings it knew."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.jobs.models import Job
from backoffice.projects.models import Platform, Project
from backoffice.staff.models import StaffMember


class UserImport(models.Model):
    """
    One file of users that somebody uploaded, and what became of it (users.imports).

    Its parts and rows hold personal data and go when it expires; this row stays in the register.
    """

    class State(models.TextChoices):
        UPLOADED = "UPLOADED", _("Columns to be matched")
        CHECKING = "CHECKING", _("Being checked")
        CHECKED = "CHECKED", _("Dry run, to be confirmed")
        REFUSED = "REFUSED", _("Refused as a whole")
        APPLYING = "APPLYING", _("Being applied")
        APPLIED = "APPLIED", _("Applied")
        UNDOING = "UNDOING", _("Being undone")
        UNDONE = "UNDONE", _("Undone")
        EXPIRED = "EXPIRED", _("Expired before it was confirmed")

    class Mode(models.TextChoices):
        UPDATE = "update", _("Update who has the address already")
        SKIP = "skip", _("Leave who has the address already as they are")

    WAITING_FOR_SOMEBODY = (State.UPLOADED, State.CHECKED)
    AT_WORK = (State.CHECKING, State.APPLYING, State.UNDOING)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Who uploaded it.
    actor = models.ForeignKey(StaffMember, models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=8, choices=State, default=State.UPLOADED)
    # As its owner calls it; empty once it has expired.
    file_name = models.CharField(max_length=200, blank=True)
    file_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    # Python's name of the encoding, and the separator; both empty for XLSX.
    encoding = models.CharField(max_length=10, blank=True)
    separator = models.CharField(max_length=1, blank=True)
    headings = ArrayField(models.TextField(), default=list, blank=True)
    # For each column of the file the name of its meaning, "ignore" or nothing.
    columns = ArrayField(models.CharField(max_length=50, blank=True), default=list, blank=True)
    mode = models.CharField(max_length=6, choices=Mode, default=Mode.UPDATE)
    # Of new users whose row names none.
    platform = models.ForeignKey(Platform, models.PROTECT, null=True, blank=True, related_name="+")
    sends_invitations = models.BooleanField(default=False)
    # Why the file was refused as a whole: a code of users.imports.words, and what it names.
    refusal = models.JSONField(default=dict, blank=True)
    # Rows in, and how they divide: as the dry run found them, then as they were applied.
    rows = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    # Those of the refused that the dry run had not refused: their users changed meanwhile.
    refused_late = models.PositiveIntegerField(default=0)
    # All rows up to this line are applied, or undone, for good.
    done_to_line = models.PositiveIntegerField(default=0)
    # What undoing removed, restored and could not undo, and how many invitations of those removed
    # had left: {"removed": n, "restored": n, "kept": n, "mails": n}.
    undone = models.JSONField(default=dict, blank=True)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    # When its parts and rows go.
    expires_at = models.DateTimeField()
    forgotten_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(state__in=("CHECKED", "APPLYING", "APPLIED", "UNDOING", "UNDONE"))
                | Q(rows=F("new") + F("changed") + F("unchanged") + F("refused")),
                name="user_import_every_row_has_its_verdict",
            ),
        )
        indexes = (
            models.Index(fields=["project", "-created_at", "-id"], name="user_import_by_project"),
            models.Index(
                fields=["expires_at"],
                condition=Q(forgotten_at=None),
                name="user_import_to_expire",
            ),
        )

    def __str__(self) -> str:
        return f"import {self.public_id}"


class ImportPart(models.Model):
    """One piece of an uploaded file, in the order of their numbers."""

    user_import = models.ForeignKey(
        UserImport, models.CASCADE, related_name="parts", db_index=False
    )
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user_import", "number"], name="import_part_once"),
        )

    def __str__(self) -> str:
        return f"part {self.number}"


class ImportRow(models.Model):
    """
    One row of an uploaded file with its verdict, and the user as the row would have them.

    Written in sets by users.imports, line by line of the file.
    """

    class Verdict(models.IntegerChoices):
        NEW = 1, pgettext_lazy("rows", "New")
        CHANGED = 2, _("Changed")
        UNCHANGED = 3, _("Unchanged")
        REFUSED = 4, pgettext_lazy("rows", "Refused")

    pk = models.CompositePrimaryKey("user_import_id", "verdict", "line")
    user_import = models.ForeignKey(UserImport, models.CASCADE, related_name="+", db_index=False)
    verdict = models.PositiveSmallIntegerField(choices=Verdict)
    line = models.PositiveIntegerField()
    # The user: the key and the version that the dry run saw, or the id that a new one gets.
    user_key = models.BigIntegerField(null=True)
    version = models.PositiveIntegerField(null=True)
    public_id = models.UUIDField(null=True)
    email = models.TextField(blank=True)
    first_name = models.TextField(blank=True)
    last_name = models.TextField(blank=True)
    language = models.TextField(blank=True)
    country = models.TextField(blank=True)
    platform_key = models.BigIntegerField(null=True)
    registered_at = models.DateTimeField(null=True)
    custom = models.JSONField(null=True)
    # A free copy to give: the offer's key and the days.
    offer_key = models.BigIntegerField(null=True)
    free_copy_days = models.PositiveIntegerField(null=True)
    # Of a changed user: what each changed column held before, and `modified_at`.
    before = models.JSONField(null=True)
    # Of a refused row: [[column, code or message, what it names], …].
    reasons = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"line {self.line}: {self.get_verdict_display()}"


class ImportHeading(models.Model):
    """What a heading of a project's files was matched to by hand the last time."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    # backoffice.core.text.fold of the heading.
    heading = models.CharField(max_length=200)
    column = models.CharField(max_length=50)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "heading"], name="import_heading_once_in_project"
            ),
        )

    def __str__(self) -> str:
        return f"{self.heading}: {self.column}"
