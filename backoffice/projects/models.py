"""Projects, their platforms and the keys of those: the reference data that all apps share."""

from typing import Self
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.core.money import currencies

# These lie among the zones, but are what a machine is set to, or nothing yet: another machine
# would cut other days.
_NO_ZONES = frozenset(["Factory", "localtime", "posixrules"])


def time_zones() -> set[str]:
    """Return the names of all zones that are the same on every machine."""
    return available_timezones() - _NO_ZONES


def validate_time_zone(name: str) -> None:
    """Refuse a name that the time zone database does not know, or no two machines agree on."""
    if name not in time_zones():
        raise ValidationError(_("%(name)s is no time zone."), params={"name": name})


def validate_currency(code: str) -> None:
    """Refuse a code that ISO 4217 does not know."""
    if code not in currencies():
        raise ValidationError(
            _("%(code)s is no currency: use three capital letters, like EUR."),
            params={"code": code},
        )


def english_only() -> list[str]:
    return ["en"]


class Project(models.Model):
    """One streaming service: its zone, money, languages and rules."""

    class ReasonRule(models.TextChoices):
        REQUIRED = "REQUIRED", _("Required")
        OPTIONAL = "OPTIONAL", _("Optional")
        OFF = "OFF", _("Off")

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    # All figures of the project are cut at this zone's days and months.
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone])
    currency = models.CharField(max_length=3, validators=[validate_currency])
    languages = ArrayField(models.CharField(max_length=10), default=english_only)
    device_limit = models.PositiveSmallIntegerField(default=3, choices=[(3, "3"), (5, "5")])
    has_trials = models.BooleanField(default=False)
    # A viewing shorter than this is kept, but is no view.
    minimum_view_seconds = models.PositiveSmallIntegerField(
        default=5, validators=[MaxValueValidator(60)]
    )
    # How long a late payer keeps access where no provider retries.
    grace_days = models.PositiveSmallIntegerField(default=3)
    free_copies_need_activation = models.BooleanField(default=False)
    impersonation_reason = models.CharField(
        max_length=8, choices=ReasonRule, default=ReasonRule.REQUIRED
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(device_limit__in=(3, 5)),
                name="project_device_limit_is_3_or_5",
            ),
            models.CheckConstraint(
                condition=Q(minimum_view_seconds__lte=60),
                name="project_minimum_view_at_most_a_minute",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="project_currency_is_iso_4217",
            ),
            models.CheckConstraint(condition=~Q(languages__len=0), name="project_has_a_language"),
            models.CheckConstraint(
                condition=Q(impersonation_reason__in=("REQUIRED", "OPTIONAL", "OFF")),
                name="project_impersonation_reason_known",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Platform(models.Model):
    """A front end of a project: a web site, an app on phones, on televisions."""

    class Kind(models.TextChoices):
        WEB = "web", _("Web")
        IOS = "ios", "iOS"
        ANDROID = "android", "Android"
        TV = "tv", _("TV")
        OTHER = "other", _("Other")

    project = models.ForeignKey(Project, models.PROTECT, related_name="platforms")
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=8, choices=Kind)
    home_url = models.URLField(max_length=500)
    password_reset_url = models.URLField(max_length=500, blank=True)
    # Where an impersonation ticket is posted; the home address if there is none.
    impersonation_url = models.URLField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "slug"], name="platform_slug_unique_in_project"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("web", "ios", "android", "tv", "other")),
                name="platform_kind_known",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def impersonation_address(self) -> str:
        """Return where a staff member is handed over, with a ticket."""
        return self.impersonation_url or self.home_url


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self) -> Self:
        """Keep keys that still open the door."""
        return self.filter(revoked_at=None)


class ApiKey(models.Model):
    """One key of one platform. Only its hash is kept: the key itself is shown once."""

    platform = models.ForeignKey(Platform, models.PROTECT, related_name="api_keys")
    # SHA-256 of the key; the key has 256 random bits, so no slow hash is needed.
    key_hash = models.CharField(max_length=64, unique=True)
    # The first characters, so that a person can tell two keys apart.
    hint = models.CharField(max_length=12)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(key_hash__regex=r"^[0-9a-f]{64}$"),
                name="api_key_hash_is_sha_256",
            ),
        )

    def __str__(self) -> str:
        return f"{self.hint}…"


class KeyAllowance(models.Model):
    """
    How many requests one key may still send: a bucket that fills with time.

    The table is unlogged: a crash empties it, and a request waits for no disk.
    """

    api_key = models.OneToOneField(
        ApiKey, models.CASCADE, primary_key=True, related_name="allowance"
    )
    requests_left = models.FloatField()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.requests_left:.0f} left"


class StoredAnswer(models.Model):
    """
    What one POST with an idempotency key was answered, kept for a day and given again.

    It may hold personal data: whoever deletes a user deletes the answers about the user.
    """

    platform = models.ForeignKey(Platform, models.CASCADE, related_name="+")
    # SHA-256 of the key that the platform chose.
    key_hash = models.CharField(max_length=64)
    # A keyed hash of what was asked: the same key with another body is a mistake.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    # The answer's JSON, encrypted with what the platform sent: without that nobody reads it.
    body = models.TextField()
    # The public id of the user whom the answer is about, else of the one thing it is about.
    target_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["platform", "key_hash"], name="stored_answer_once_per_key"
            ),
        )

    def __str__(self) -> str:
        return f"{self.status} at {self.created_at:%Y-%m-%d %H:%M:%S} UTC"
