"""Changes to projects, platforms and their keys."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils.translation import gettext as _

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.hosts import is_loopback
from backoffice.projects.models import ApiKey, Platform, Project, StoredAnswer
from backoffice.projects.selectors import hash_of_key

KEY_PREFIX = "bk_"
# 256 random bits; written in 43 characters.
_KEY_BYTES = 32
_HINT_LENGTH = 10
# The settings have a page of this name among the platforms' own.
_TAKEN_SLUG = "new"


class ProjectRefused(Exception):
    """A project or platform cannot be as described; the message says why."""


class IssuedKey(NamedTuple):
    """A new key: its row, and the key itself, which nobody can read again."""

    row: ApiKey
    key: str


@transaction.atomic
def create_project(
    *,
    slug: str,
    name: str,
    time_zone: str,
    currency: str,
    actor: Actor,
    now: datetime,
    device_limit: int = 3,
    has_trials: bool = False,
    minimum_view_seconds: int = 5,
) -> Project:
    """
    Make a project.

    :raises ProjectRefused: if a value will not do or the slug is taken.
    """
    project = Project(
        slug=slug,
        name=name,
        time_zone=time_zone,
        currency=currency,
        device_limit=device_limit,
        has_trials=has_trials,
        minimum_view_seconds=minimum_view_seconds,
        created_at=now,
    )
    _save_checked(project)
    record(
        AuditEvent.Kind.PROJECT_CREATED,
        actor=actor,
        now=now,
        project=project,
        target=project,
        data={"slug": slug},
    )
    return project


@transaction.atomic
def edit_project(
    *, project: Project, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> list[str]:
    """
    Give the project's settings new values; return the names of those that changed.

    What is derived from them is not touched: `analytics.rules` changes what figures depend on.

    :raises ProjectRefused: if a value will not do.
    """
    # Not the key: whoever refers to the project goes on.
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    changed = [name for name, value in changes.items() if getattr(locked, name) != value]
    if not changed:
        return changed
    for name in changed:
        setattr(locked, name, changes[name])
    _save_checked(locked)
    record(
        AuditEvent.Kind.PROJECT_EDITED,
        actor=actor,
        now=now,
        project=locked,
        target=locked,
        data={"fields": changed},
    )
    return changed


@transaction.atomic
def create_platform(
    *,
    project: Project,
    slug: str,
    name: str,
    kind: str,
    home_url: str,
    password_reset_url: str = "",
    impersonation_url: str = "",
    actor: Actor,
    now: datetime,
) -> Platform:
    """
    Make a platform of the project.

    :raises ProjectRefused: if a value will not do, the slug is taken within the project, or an
        address is neither https nor http on this machine.
    """
    if slug == _TAKEN_SLUG:
        raise ProjectRefused(
            _("The short name “%(slug)s” is taken: choose another one.") % {"slug": slug}
        )
    platform = Platform(
        project=project,
        slug=slug,
        name=name,
        kind=kind,
        home_url=home_url,
        password_reset_url=password_reset_url,
        impersonation_url=impersonation_url,
        created_at=now,
    )
    _check_addresses(platform)
    _save_checked(platform)
    record(
        AuditEvent.Kind.PLATFORM_CREATED,
        actor=actor,
        now=now,
        project=project,
        target=platform,
        data={"slug": slug},
    )
    return platform


@transaction.atomic
def edit_platform(
    *, platform: Platform, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> Platform:
    """
    Give the platform's fields new values; its slug stays, addresses and files name it.

    :raises ProjectRefused: as `create_platform`.
    """
    platform = (
        Platform.objects.select_for_update(of=("self",))
        .select_related("project")
        .get(pk=platform.pk)
    )
    changed = [name for name, value in changes.items() if getattr(platform, name) != value]
    if not changed:
        return platform
    for name in changed:
        setattr(platform, name, changes[name])
    _check_addresses(platform)
    _save_checked(platform)
    record(
        AuditEvent.Kind.PLATFORM_EDITED,
        actor=actor,
        now=now,
        project=platform.project,
        target=platform,
        data={"slug": platform.slug, "fields": changed},
    )
    return platform


@transaction.atomic
def create_api_key(*, platform: Platform, actor: Actor, now: datetime, key: str = "") -> IssuedKey:
    """
    Make a key of the platform. Only its hash is kept.

    :param key: one of 256 random bits that the platform has made itself; else a new one.
    """
    key = key or KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    row = ApiKey.objects.create(
        platform=platform, key_hash=hash_of_key(key), hint=key[:_HINT_LENGTH], created_at=now
    )
    record(
        AuditEvent.Kind.API_KEY_CREATED,
        actor=actor,
        now=now,
        project=platform.project,
        target=row,
        data={"hint": row.hint, "platform": platform.slug},
    )
    return IssuedKey(row, key)


@transaction.atomic
def revoke_api_key(*, key: ApiKey, actor: Actor, now: datetime) -> None:
    """Let the key open nothing any more, from the next request on. Again changes nothing."""
    if ApiKey.objects.live().filter(pk=key.pk).update(revoked_at=now):
        record(
            AuditEvent.Kind.API_KEY_REVOKED,
            actor=actor,
            now=now,
            project=key.platform.project,
            target=key,
            data={"hint": key.hint, "platform": key.platform.slug},
        )


def _check_addresses(platform: Platform) -> None:
    check_home_url(platform.home_url)
    for url in (platform.password_reset_url, platform.impersonation_url):
        if url:
            check_home_url(url)
    if "#" in platform.password_reset_url:
        raise ProjectRefused(
            _("The address for new passwords may have no “#”: the token of the link stands there.")
        )


def check_home_url(url: str) -> None:
    """
    Refuse an address that a ticket or a person should not be sent to.

    :raises ProjectRefused: unless it is https, or http on this machine, without a password.
    """
    try:
        URLValidator(schemes=["http", "https"])(url)
        parts = urlsplit(url)
    except (ValidationError, ValueError) as error:
        raise ProjectRefused(
            _("%(url)r is no address: write it like https://www.example.com/.") % {"url": url}
        ) from error
    if parts.username is not None or parts.password is not None:
        raise ProjectRefused(_("The address holds a user name or password: leave it out."))
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ProjectRefused(
            _("%(url)r is not encrypted: use https (http only on this machine).") % {"url": url}
        )


def forget_answers(target_ids: Iterable[UUID]) -> None:
    """Remove the answers kept for repeats that are about these users."""
    StoredAnswer.objects.filter(target_id__in=list(target_ids)).delete()


def _save_checked(row: Project | Platform) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise ProjectRefused(_in_one_line(error)) from error
    row.save()


def _in_one_line(error: ValidationError) -> str:
    """Return all that is wrong, each with its field."""
    return " ".join(
        message if field == "__all__" else f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )
