"""When users may watch: spans of access, and their running counts by day."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from backoffice.projects.models import Platform, Project
from users.models import User


class AccessSpan(models.Model):
    """
    One span [start_at, end_at) of a user, of one kind; an end of none is open.

    Spans of one user and kind neither overlap nor touch. Each keeps the end of the user's
    previous span and the start of the next, which makes "distinct users active in a period"
    a count of spans (docs/metrics.md).
    """

    class Kind(models.IntegerChoices):
        ACCESS = 1, _("Access")
        SUBSCRIPTION = 2, _("Subscription")
        TRIAL = 3, _("Trial")

    user = models.ForeignKey(User, models.PROTECT, related_name="spans", db_index=False)
    # Copies of the user's, for counts that read the index alone.
    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    kind = models.PositiveSmallIntegerField(choices=Kind)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField(null=True, blank=True)
    previous_end = models.DateTimeField(null=True, blank=True)
    next_start = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            # Checked at the end of the statement: a rebuild deletes and inserts in one.
            ExclusionConstraint(
                name="access_span_no_overlap",
                expressions=(
                    (F("user"), RangeOperators.EQUAL),
                    (F("kind"), RangeOperators.EQUAL),
                    (
                        Func(
                            F("start_at"),
                            F("end_at"),
                            Value("[)"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ),
                deferrable=models.Deferrable.IMMEDIATE,
            ),
            models.CheckConstraint(
                condition=Q(end_at=None) | Q(start_at__lt=F("end_at")),
                name="access_span_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(previous_end=None) | Q(previous_end__lt=F("start_at")),
                name="access_span_starts_after_previous",
            ),
        )
        indexes = (
            models.Index(fields=["user", "kind", "start_at"], name="access_span_by_user"),
            models.Index(
                fields=["project", "kind", "start_at"],
                include=["end_at", "previous_end", "platform", "user"],
                name="access_span_starts",
            ),
            models.Index(
                fields=["project", "kind", "end_at"],
                include=["start_at", "next_start", "platform", "user"],
                condition=Q(end_at__isnull=False),
                name="access_span_ends",
            ),
            # The few spans of people who come back: all that a long chart must read one by one.
            models.Index(
                fields=["project", "kind", "start_at"],
                include=["end_at", "previous_end", "platform", "user"],
                condition=Q(previous_end__isnull=False),
                name="access_span_returns",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} from {self.start_at:%Y-%m-%d}"


class SpanDay(models.Model):
    """How many spans of one kind began and ended on one local day, for users of one platform."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="+", db_index=False)
    platform = models.ForeignKey(Platform, models.PROTECT, related_name="+", db_index=False)
    kind = models.PositiveSmallIntegerField(choices=AccessSpan.Kind)
    day = models.DateField()
    started = models.IntegerField(default=0)
    # Those of the started that are their user's first.
    started_first = models.IntegerField(default=0)
    ended = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "kind", "day", "platform"], name="span_day_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}: +{self.started} -{self.ended}"
