"""Questions about projects, platforms and keys."""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Prefetch, Q

from backoffice.projects.models import ApiKey, Platform, Project

# How exact "last used" is: one write a minute and key, not one a request.
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


def hash_of_key(key: str) -> str:
    """Return what is kept of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def authenticate_key(raw: str, *, now: datetime) -> ApiKey | None:
    """
    Return the live key, with its platform and project, or `None`; note its use to the minute.

    One query, and one write in the first request of each minute.
    """
    key = (
        ApiKey.objects.live()
        .select_related("platform__project")
        .filter(key_hash=hash_of_key(raw))
        .first()
    )
    if key is not None:
        _note_use(key, now)
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    stale_before = now - _USE_IS_NOTED_EVERY
    if key.last_used_at is None or key.last_used_at <= stale_before:
        # Asked again in the statement: of many requests at once, one writes.
        ApiKey.objects.filter(
            Q(last_used_at=None) | Q(last_used_at__lte=stale_before), pk=key.pk
        ).update(last_used_at=now)


def platforms_with_keys(project: Project) -> list[tuple[Platform, list[ApiKey]]]:
    """Return the project's platforms by name, each with its keys, the newest first."""
    keys = ApiKey.objects.order_by("-created_at", "-pk")
    platforms = project.platforms.prefetch_related(Prefetch("api_keys", keys))
    return [
        (platform, list(platform.api_keys.all())) for platform in platforms.order_by("name", "pk")
    ]
