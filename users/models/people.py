"""Users, their sign-up fields, the words they are found by, their counts by day, deletions."""

import uuid
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backoffice.core.instants import within_bounds
from backoffice.core.masking import mask_email, mask_name
from backoffice.core.periods import Period
from backoffice.jobs.models import Job
from backoffice.projects.models import Platform, Project


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
