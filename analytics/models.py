"""
Contents, devices, viewings and their roll-ups.

Viewings and roll-ups are written by `analytics.ingest` (and rebuilt by `analytics.rollups`)
in sets, never row by row. Tables with one row per user and more are keyed by the user first
and have no foreign keys of their own, so that they can be distributed (architecture D5).
"""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import Case, DecimalField, F, Func, Q, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf, Round
from django.utils.translation import gettext_lazy as _

from backoffice.core.periods import Period
from backoffice.projects.models import Platform, Project
from users.models import User


class Content(models.Model):
    """One thing that can be watched, by the platform's own id; empty until it is described."""

    class Type(models.TextChoices):
        HOSTED = "hosted", _("Hosted")
        LIVE = "live", _("Live")

    class Status(models.TextChoices):
        AVAILABLE = "available", _("Available")
        UNAVAILABLE = "unavailable", _("Unavailable")

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    reference = models.CharField(max_length=64)
    name = models.CharField(max_length=300, blank=True)
    type = models.CharField(max_length=6, choices=Type, default=Type.HOSTED)
    # None while a live event runs, and for a content that was never described.
    duration_seconds = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=11, choices=Status, default=Status.UNAVAILABLE)
    url = models.URLField(max_length=1000, blank=True)
    image_url = models.URLField(max_length=1000, blank=True)
    described_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "reference"], name="content_reference_unique_in_project"
            ),
        )

    def __str__(self) -> str:
        return self.name or self.reference


class Device(models.Model):
    """What one distinct user agent string says about hardware and software; no string is kept."""

    class HardwareType(models.TextChoices):
        COMPUTER = "computer", _("Computer")
        PHONE = "phone", _("Phone")
        TABLET = "tablet", _("Tablet")
        TV = "tv", _("TV")
        CONSOLE = "console", _("Console")
        BOT = "bot", _("Bot")
        OTHER = "other", _("Other")

    # SHA-256 of the string, the first 16 bytes in hex.
    agent_hash = models.CharField(max_length=32, unique=True)
    hardware_type = models.CharField(max_length=8, choices=HardwareType)
    hardware = models.CharField(max_length=100, blank=True)
    os = models.CharField(max_length=100, blank=True)
    browser = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return f"{self.hardware_type} {self.browser}"


class ViewingQuerySet(models.QuerySet["Viewing"]):
    """Name the user first: the key begins with it, and nothing else leads to few rows."""

    def of_user(self, user_id: int) -> Self:
        return self.filter(user_id=user_id)

    def started_in(self, period: Period) -> Self:
        """Keep those that began in the half-open period."""
        return self.filter(started_at__gte=period.start, started_at__lt=period.end)

    def views(self, minimum_seconds: int) -> Self:
        """Keep those that count (docs/metrics.md, "Viewing")."""
        return self.filter(_is_view(minimum_seconds))

    def marked(self, minimum_seconds: int) -> Self:
        """Add `is_view`: whether it counts."""
        counts = When(_is_view(minimum_seconds), then=Value(value=True))
        return self.annotate(is_view=Case(counts, default=Value(value=False)))

    def described(self) -> Self:
        """
        Add `title`, the content's name or, if it was never described, its id; and `percent`,
        how much of its duration was watched, to one decimal, null without a duration.
        """
        name = NullIf(F("content__name"), Value(""))
        whole = NullIf(F("content__duration_seconds"), 0)
        watched = Cast("watched_seconds", DecimalField(max_digits=12, decimal_places=0))
        return self.annotate(
            title=Coalesce(name, F("content__reference")),
            percent=Round(
                watched * 100 / whole,
                precision=1,
                output_field=DecimalField(max_digits=20, decimal_places=1),
            ),
        )


def _is_view(minimum_seconds: int) -> Q:
    is_bot = Q(device__hardware_type=Device.HardwareType.BOT)
    return Q(watched_seconds__gte=minimum_seconds) & ~is_bot


class Viewing(models.Model):
    """
    One run of the player by one user on one content; partitioned by the month of its start.

    `user`, `started_at` and the player's `id` are its identity. The figures are the greatest
    that the player has reported so far.
    """

    pk = models.CompositePrimaryKey("user_id", "started_at", "id")
    user_id = models.BigIntegerField()
    started_at = models.DateTimeField()
    id = models.UUIDField()
    # Ids of small tables in four bytes: there are tens of millions of these rows.
    project_id = models.IntegerField()
    # Relations for the ORM's joins; the database holds plain numbers.
    platform = models.ForeignKey(
        Platform, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    content = models.ForeignKey(
        Content, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    device = models.ForeignKey(
        Device, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    watched_seconds = models.IntegerField()
    position_seconds = models.IntegerField()
    has_ended = models.BooleanField(default=False)
    country = models.CharField(max_length=2, blank=True)

    objects = ViewingQuerySet.as_manager()

    class Meta:
        # Partitions are beyond the ORM: the migration creates the table.
        managed = False
        db_table = "analytics_viewing"

    def __str__(self) -> str:
        return f"viewing at {self.started_at:%Y-%m-%d %H:%M} UTC"


class UserViewing(models.Model):
    """
    What one user has watched so far: the sums of the user's views, for whoever has a viewing.

    One row holds all that a batch of viewings needs of a user, so that it finds and writes one
    page for each; the order of the columns is that of the migration, which says why.
    """

    # Relations for the ORM's joins; the database holds plain numbers.
    user = models.OneToOneField(
        User, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="viewing"
    )
    # The user's own; an account that moves takes its row along (`analytics.actions`).
    public_id = models.UUIDField()
    account_platform_id = models.BigIntegerField()
    project_id = models.BigIntegerField()
    first_content = models.ForeignKey(
        Content,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        null=True,
    )
    first_viewed_at = models.DateTimeField(null=True)
    views = models.IntegerField()
    media_viewed = models.GeneratedField(
        expression=Func(F("content_ids"), function="cardinality"),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    viewing_seconds = models.BigIntegerField()
    last_content = models.ForeignKey(
        Content,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        null=True,
    )
    last_viewed_at = models.DateTimeField(null=True)
    # When the latest viewing began, be it a view or not: what begins later was never reported.
    last_started_at = models.DateTimeField()
    # Ids of the platforms that the user has watched on, ascending.
    platform_ids = ArrayField(models.BigIntegerField())
    # The distinct contents viewed, ascending; in four bytes each, as viewings hold them.
    content_ids = ArrayField(models.IntegerField())

    class Meta:
        # One page for each look-up, where a B-tree reads three.
        indexes = (HashIndex(fields=["public_id"], name="user_viewing_by_public_id"),)

    def __str__(self) -> str:
        return f"{self.views} views"


class ViewerMonth(models.Model):
    """That one user had a view in one local month, and when the first one of the month began."""

    pk = models.CompositePrimaryKey("user_id", "month")
    user_id = models.BigIntegerField()
    # The first day of the month in the project's zone.
    month = models.DateField()
    project_id = models.BigIntegerField()
    # Where the account was created, for counts that read the index alone.
    account_platform_id = models.BigIntegerField()
    first_viewed_at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(
                fields=["project_id", "month", "first_viewed_at"],
                include=["account_platform_id", "user_id"],
                name="viewer_month_by_first_view",
            ),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ViewerDay(models.Model):
    """How many users of one account platform had their month's first view on one local day."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    first_viewers = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "day", "platform"], name="viewer_day_once"),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.first_viewers}"


class ViewingDay(models.Model):
    """Views and seconds on one platform (the one that sent them) on one local day."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    views = models.IntegerField(default=0)
    viewing_seconds = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "day", "platform"], name="viewing_day_once"
            ),
            models.CheckConstraint(
                condition=Q(views__gte=0, viewing_seconds__gte=0), name="viewing_day_not_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.views}"


class AnonymousViewing(models.Model):
    """
    What users deleted since have viewed: sums of one cell, shared by all of them.

    Nothing else of their viewings is kept. No number, instant or person stands here, and rows are
    written anew in no order (`analytics.anonymising`): two rows cannot be told to be one person's.
    """

    pk = models.CompositePrimaryKey(
        "project_id", "day", "content_id", "platform_id", "country", "hardware_type"
    )
    # Plain numbers in the database, as in Viewing: rows are written anew by the thousand.
    project_id = models.IntegerField()
    # The local day on which the views began.
    day = models.DateField()
    content_id = models.IntegerField()
    # Whose key sent them.
    platform_id = models.IntegerField()
    country = models.CharField(max_length=2, blank=True)
    hardware_type = models.CharField(max_length=8, choices=Device.HardwareType)
    views = models.BigIntegerField()
    viewing_seconds = models.BigIntegerField()
    # Views that reached nine tenths of the content.
    finishes = models.BigIntegerField()
    # The sum of the views' shares of the content, each 1 at most and cut to six digits.
    completion = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(views__gt=0, viewing_seconds__gte=0, completion__gte=0)
                & Q(finishes__gte=0, finishes__lte=models.F("views")),
                name="anonymous_viewing_sums_fit",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.views}"


class AnonymousViewerDay(models.Model):
    """How many users deleted since had their month's first view on one local day."""

    pk = models.CompositePrimaryKey("project_id", "day", "platform_id")
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    # Where the accounts were created.
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    first_viewers = models.IntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(first_viewers__gt=0), name="anonymous_viewer_day_has_somebody"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.first_viewers}"
