"""Users: the people of a project's platforms, their sign-up fields and their counts by day."""

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.core.instants import within_bounds
from backoffice.core.masking import mask_email, mask_name
from backoffice.core.periods import Period
from backoffice.jobs.models import Job
from backoffice.projects.models import Platform, Project
from backoffice.staff.models import StaffMember


class CustomField(models.Model):
    """One field that a project's sign-up form asks beyond the usual ones."""

    class Type(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        BOOLEAN = "boolean", _("Yes or no")
        CHOICE = "choice", _("Choice")

    project = models.ForeignKey(Project, models.PROTECT, related_name="custom_fields")
    key = models.CharField(max_length=40)
    # One label for each language code: {"en": "Birthday", "fr": "Anniversaire"}.
    labels = models.JSONField(default=dict)
    type = models.CharField(max_length=7, choices=Type)
    choices = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    is_required = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "key"], name="custom_field_key_unique_in_project"
            ),
            models.CheckConstraint(
                condition=Q(key__regex=r"^[a-z][a-z0-9_]*$"),
                name="custom_field_key_is_a_plain_word",
            ),
        )

    def __str__(self) -> str:
        return self.key

    def label(self, language: str) -> str:
        """Return the label in the language, else in English, else the key."""
        return str(self.labels.get(language) or self.labels.get("en") or self.key)


class UserQuerySet(models.QuerySet["User"]):
    def of(self, project: Project) -> Self:
        """Keep the project's users, stubs of deleted ones included."""
        return self.filter(project=project)

    def present(self) -> Self:
        """Leave out the stubs of deleted users."""
        return self.filter(deleted_at=None)

    def registered_in(self, period: Period) -> Self:
        """Keep users registered in the half-open period."""
        return self.filter(registered_at__gte=period.start, registered_at__lt=period.end)


class User(models.Model):
    """
    One person with an account on a project's platforms; after deletion, a stub without identity.

    `status` is what the access spans say until `status_until`; rows that are due are derived
    anew before they are read (`subscriptions.actions.refresh_statuses`).
    """

    class Status(models.IntegerChoices):
        # The order is the one of the list sorted by status.
        ACTIVE = 0, _("Active")
        REGISTERED = 1, _("Registered")
        CANCELLED = 2, _("Cancelled")

    id = models.BigAutoField(primary_key=True)
    # What the outside sees; the dense key stays inside.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Where the account was created.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    email = models.CharField(max_length=254, blank=True)
    # backoffice.core.text.email_key of the address.
    email_key = models.CharField(max_length=320, blank=True, db_collation="C")
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    # backoffice.core.text.name_sort_key of the names.
    sort_name = models.CharField(max_length=1000, blank=True, db_collation="C")
    language = models.CharField(max_length=10, blank=True)
    country = models.CharField(max_length=2, blank=True)
    registered_at = models.DateTimeField()
    # The last change of a profile field, by the user or by staff; nothing else moves it.
    modified_at = models.DateTimeField()
    password = models.CharField(max_length=128, blank=True)
    password_changed_at = models.DateTimeField(null=True, blank=True)
    must_change_password = models.BooleanField(default=False)
    # The values of the custom fields by key.
    custom = models.JSONField(default=dict, blank=True)
    # Counts the changes of the profile, so that the second of two editors is told.
    version = models.PositiveIntegerField(default=1)
    status = models.PositiveSmallIntegerField(choices=Status, default=Status.REGISTERED)
    # The instant at which the clock alone changes the status; none if it never does.
    status_until = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = UserQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "email_key"],
                condition=Q(deleted_at=None),
                name="user_email_unique_in_project",
            ),
            models.CheckConstraint(
                condition=within_bounds("registered_at") & within_bounds("modified_at"),
                name="user_instants_within_bounds",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None)
                | Q(
                    email="",
                    email_key="",
                    first_name="",
                    last_name="",
                    sort_name="",
                    password="",
                    custom={},
                ),
                name="user_stub_has_no_identity",
            ),
        )
        indexes = (
            # Carries the deletion, so that who is there is counted from the index alone.
            models.Index(
                F("project"),
                F("registered_at").desc(),
                F("id").desc(),
                include=["deleted_at"],
                name="user_by_registration",
            ),
            models.Index(
                F("project"),
                F("platform"),
                F("registered_at").desc(),
                F("id").desc(),
                name="user_by_platform",
            ),
            # Without the stubs, which no list shows.
            models.Index(
                fields=["project", "status", "registered_at", "id"],
                condition=Q(deleted_at=None),
                name="user_by_status",
            ),
            models.Index(
                F("project"), F("modified_at").desc(), F("id").desc(), name="user_by_modification"
            ),
            # Likewise: they have no name, and all of them would stand before the first page.
            models.Index(
                F("project"),
                F("sort_name"),
                F("id"),
                condition=Q(deleted_at=None),
                name="user_by_name",
            ),
            models.Index(
                fields=["project", "status_until"],
                condition=Q(status_until__isnull=False),
                name="user_status_due",
            ),
            GinIndex(fields=["custom"], opclasses=["jsonb_path_ops"], name="user_by_custom_value"),
        )

    def __str__(self) -> str:
        return f"user {self.public_id}"

    @property
    def full_name(self) -> str:
        """First and last name as far as they are known; empty for neither."""
        return f"{self.first_name} {self.last_name}".strip()

    def shown_name(self, *, sees_identity: bool) -> str:
        """Return the name, else the e-mail, else the id, as one reader may see them."""
        name, email = self.full_name, self.email
        if not sees_identity:
            name, email = mask_name(name), mask_email(email)
        return name or email or str(self.public_id)


class UserSearch(models.Model):
    """
    The words by which one present user is found, apart from the user's other columns.

    Narrow on purpose: a search reads few pages, and a change of status does not touch the
    trigram index.
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="search")
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    registered_at = models.DateTimeField()
    # backoffice.core.text.search_text of names and address.
    text = models.TextField()

    class Meta:
        indexes = (GinIndex(OpClass(F("text"), "gin_trgm_ops"), name="user_search_words"),)

    def __str__(self) -> str:
        return f"words of {self.user_id}"


class RegistrationDay(models.Model):
    """How many accounts were created on one platform on one local day, and how many remain."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    # All accounts created on the day, those deleted since included.
    registered = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "day", "platform"], name="registration_day_once"
            ),
            models.CheckConstraint(
                condition=Q(deleted__lte=F("registered")),
                name="registration_day_deleted_of_registered",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.registered}"


class Deletion(models.Model):
    """
    One act of deleting users: the set as it was previewed, until it is done; then its receipt.

    The members are gone from here with the last of them. What remains are sums.
    """

    class Mode(models.TextChoices):
        CANCEL = "cancel", _("Cancel them now")
        KEEP = "keep", _("Leave them as they are")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    # Who previewed it, and alone may confirm it.
    staff_member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_index=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    mode = models.CharField(max_length=6, choices=Mode, default=Mode.CANCEL)
    # Keys of the members, ascending.
    user_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    # So many of them, from the first on, are deleted to the last of their viewings.
    position = models.IntegerField(default=0)
    # Of the members' running subscriptions, as they were previewed.
    fingerprint = models.CharField(max_length=64, blank=True)
    # The contents that the members have viewed, ascending, until they are counted.
    content_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    # Counts by the names of users.deletion.Sums.
    sums = models.JSONField(default=dict)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(finished_at=None)
                | Q(confirmed_at__isnull=False, user_ids=[], content_ids=[]),
                name="deletion_names_nobody_when_done",
            ),
        )

    def __str__(self) -> str:
        return f"deletion {self.id}"


class DeviceSession(models.Model):
    """
    One sign-in of a user on a device, ended ones included.

    The user leads every key, so that the table can be distributed (architecture D5).
    """

    class EndReason(models.TextChoices):
        LIMIT = "limit", _("Too many devices")
        SIGNED_OUT = "signed-out", _("Signed out")
        STAFF = "staff", _("Ended by staff")
        PASSWORD = "password", _("Password changed")
        DELETED = "deleted", _("User deleted")

    pk = models.CompositePrimaryKey("user_id", "id")
    user = models.ForeignKey(User, models.CASCADE, related_name="device_sessions", db_index=False)
    id = models.UUIDField(default=uuid.uuid4)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Whose key signed the user in.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    token_hash = models.CharField(max_length=64)
    # The hardware type of analytics.models.Device, which lies above; as text.
    device_type = models.CharField(max_length=8)
    device_name = models.CharField(max_length=100, blank=True)
    # To the microsecond, unlike other instants: the oldest ends first.
    created_at = models.DateTimeField()
    # Up to five minutes behind.
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=10, choices=EndReason, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "token_hash"], name="device_session_token_unique_for_user"
            ),
            models.CheckConstraint(
                condition=Q(("token_hash__regex", r"^[0-9a-f]{64}$")),
                name="device_session_token_is_sha_256",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | Q(
                    ended_at__isnull=False,
                    end_reason__in=("limit", "signed-out", "staff", "password", "deleted"),
                ),
                name="device_session_end_has_a_reason",
            ),
        )
        indexes = (
            # Not unique, so that the user need not lead: signing out names the session alone.
            models.Index(fields=["id"], name="device_session_by_id"),
            models.Index(fields=["platform", "user"], name="device_session_by_platform"),
        )

    def __str__(self) -> str:
        return f"device session {self.id}"


class PasswordReset(models.Model):
    """
    One link by which a user may choose a new password: gone as soon as it was used.

    The mail holds the token, the row its hash.
    """

    pk = models.CompositePrimaryKey("user_id", "token_hash")
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    token_hash = models.CharField(max_length=64)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(("token_hash__regex", r"^[0-9a-f]{64}$")),
                name="password_reset_token_is_sha_256",
            ),
        )

    def __str__(self) -> str:
        return f"password reset until {self.expires_at:%Y-%m-%d %H:%M} UTC"


class ResetRequest(models.Model):
    """
    That somebody asked for a reset link, until a job has sent it and removed the row.

    An address that nobody has leaves a row as well, without the address: the answer takes the
    same time, and says the same.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    # Whose page the link leads to.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    requested_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"asked at {self.requested_at:%Y-%m-%d %H:%M} UTC"


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
        REFUSED = 4, _("Refused")

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


class AttemptAllowance(models.Model):
    """
    How often something may still be tried, by one address of mail or network: a bucket that
    fills with time.

    The table is unlogged: a crash empties it, and nobody waits for the disk.
    """

    # A keyed hash of what is limited and for whom: no address can be read from it.
    name = models.CharField(max_length=64, primary_key=True)
    attempts_left = models.FloatField()
    counted_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.attempts_left:.1f} left"


class ImpersonationState(models.TextChoices):
    """How an impersonation stands at an instant."""

    WAITING = "waiting", _("Ticket handed out")
    RUNNING = "running", _("Goes on")
    ENDED = "ended", pgettext_lazy("an impersonation", "Ended")
    UNUSED = "unused", _("Ticket never redeemed")


class ImpersonationQuerySet(models.QuerySet["Impersonation"]):
    def in_state(self, state: str, now: datetime) -> Self:
        """Keep those that stand so at this instant."""
        is_redeemed = Q(redeemed_at__isnull=False)
        is_over = Q(ended_at__isnull=False)
        conditions = {
            ImpersonationState.WAITING: ~is_redeemed & ~is_over & Q(ticket_expires_at__gt=now),
            ImpersonationState.RUNNING: is_redeemed & ~is_over & Q(expires_at__gt=now),
            ImpersonationState.ENDED: is_redeemed & (is_over | Q(expires_at__lte=now)),
            ImpersonationState.UNUSED: ~is_redeemed & (is_over | Q(ticket_expires_at__lte=now)),
        }
        return self.filter(conditions[ImpersonationState(state)])

    def redeemable(self, now: datetime) -> Self:
        """Keep those whose ticket still opens the platform."""
        return self.in_state(ImpersonationState.WAITING, now)

    def running(self, now: datetime) -> Self:
        """Keep those that a platform shows at this instant."""
        return self.in_state(ImpersonationState.RUNNING, now)


class Impersonation(models.Model):
    """
    One time that a staff member was handed over to a platform as one of its users; written by
    `users.impersonation`.

    The id is the marker that the platform sends with what it reports meanwhile.
    """

    class Mode(models.TextChoices):
        READ_ONLY = "read-only", _("Read-only")
        FULL = "full", _("Full")

    class EndReason(models.TextChoices):
        STOPPED = "stopped", _("Stopped on the platform")
        SWITCHED_OFF = "switched-off", _("Switched off everywhere")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Where the account was created; no other platform's key redeems the ticket.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="impersonations")
    staff = models.ForeignKey(StaffMember, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=9, choices=Mode, default=Mode.READ_ONLY)
    # Typed by staff, so it may name somebody: it goes with the user, and the trail has no copy.
    reason = models.CharField(max_length=500, blank=True)
    # The ticket itself is in the browser alone.
    ticket_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    ticket_expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True, blank=True)
    # When the platform stops at the latest; set as the ticket is redeemed.
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=12, choices=EndReason, blank=True)

    objects = ImpersonationQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(("ticket_hash__regex", r"^[0-9a-f]{64}$")),
                name="impersonation_ticket_is_sha_256",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=("read-only", "full")), name="impersonation_mode_known"
            ),
            models.CheckConstraint(
                condition=Q(redeemed_at=None, expires_at=None)
                | Q(
                    redeemed_at__isnull=False,
                    expires_at__isnull=False,
                    expires_at__gt=F("redeemed_at"),
                ),
                name="impersonation_lasts_from_redemption",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | Q(ended_at__isnull=False, end_reason__in=("stopped", "switched-off")),
                name="impersonation_end_has_a_reason",
            ),
        )
        indexes = (
            models.Index(
                F("project"), F("created_at").desc(), F("id").desc(), name="impersonation_by_time"
            ),
        )

    def __str__(self) -> str:
        return f"impersonation {self.id}"

    def state(self, now: datetime) -> ImpersonationState:
        """Return how it stands at this instant, as `in_state` does."""
        if self.redeemed_at is None:
            is_late = self.ended_at is not None or self.ticket_expires_at <= now
            return ImpersonationState.UNUSED if is_late else ImpersonationState.WAITING
        return ImpersonationState.ENDED if self.ended_by(now) else ImpersonationState.RUNNING

    def ended_by(self, now: datetime) -> datetime | None:
        """Return when it ended, if it has by now; a ticket that nobody redeemed never began."""
        if self.ended_at is not None:
            return self.ended_at
        if self.expires_at is not None and self.expires_at <= now:
            return self.expires_at
        return None


class ImpersonationHalt(models.Model):
    """That impersonation is switched off in all projects: one row while it is, none else."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    halted_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="impersonation_halt_is_one_row"),
        )

    def __str__(self) -> str:
        return f"since {self.halted_at:%Y-%m-%d %H:%M} UTC"
