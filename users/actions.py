"""
Changes of users. Whoever creates a user calls `subscriptions.actions.register_user`, and whoever
changes an address `subscriptions.actions.change_user`: gifts may be waiting for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.instants import to_second
from backoffice.core.text import email_key, name_sort_key, search_text
from users.models import User, UserSearch

PROFILE_FIELDS = ("email", "first_name", "last_name", "language", "country", "custom")

# The ORM cannot add to a row that may not be there yet.
COUNT_REGISTRATION = """
    INSERT INTO users_registrationday AS d (project_id, platform_id, day, registered, deleted)
    VALUES (%(project)s, %(platform)s, %(day)s, 1, %(deleted)s)
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET
        registered = d.registered + 1, deleted = d.deleted + excluded.deleted
"""


class EmailTaken(Exception):
    """Another user of the project has the address; nothing was changed."""


class ChangedSince(Exception):
    """Somebody else changed the profile after it was read; nothing was changed."""


@transaction.atomic
def create_user(*, user: User, actor: Actor, now: datetime) -> User:
    """
    Store a new user, who is handed in unsaved and with clean values (users.validation).

    :raises EmailTaken: if the project has the address, also when both come at once.
    """
    user.modified_at = user.registered_at
    if user.password:
        user.password_changed_at = to_second(now)
    set_comparable_columns(user)
    _save_or_refuse(user)
    keep_words(user)
    record(AuditEvent.Kind.USER_CREATED, actor=actor, project=user.project, target=user, now=now)
    count_registration(user)
    return user


@transaction.atomic
def edit_user(
    *,
    user: User,
    changes: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    version: int | None = None,
) -> User:
    """
    Give the profile new, clean values; only what differs counts as a change.

    :param changes: values by names of PROFILE_FIELDS.
    :param version: the one that the editor saw; None to change whatever is there.
    :raises ChangedSince: if the version is another one by now.
    :raises EmailTaken: if another user of the project has the address.
    """
    user = (
        User.objects.select_related("project", "platform")
        .select_for_update(of=("self",))
        .get(pk=user.pk, deleted_at=None)
    )
    if version is not None and version != user.version:
        raise ChangedSince
    changed = [
        name for name in PROFILE_FIELDS if name in changes and changes[name] != getattr(user, name)
    ]
    if not changed:
        return user
    for name in changed:
        setattr(user, name, changes[name])
    set_comparable_columns(user)
    user.version += 1
    user.modified_at = max(to_second(now), user.registered_at)
    _save_or_refuse(user)
    keep_words(user)
    record(
        AuditEvent.Kind.USER_EDITED,
        actor=actor,
        project=user.project,
        target=user,
        now=now,
        data={"fields": changed},
    )
    return user


@transaction.atomic
def set_password(
    *, user: User, password_hash: str, actor: Actor, now: datetime, must_change: bool = False
) -> None:
    """Replace the password; the hash comes from users.passwords and is made outside of locks."""
    User.objects.filter(pk=user.pk).update(
        password=password_hash,
        password_changed_at=to_second(now),
        must_change_password=must_change,
    )
    record(
        AuditEvent.Kind.USER_EDITED,
        actor=actor,
        project=user.project,
        target=user,
        now=now,
        data={"fields": ["password"]},
    )


def set_comparable_columns(user: User) -> None:
    """Derive the columns by which users are compared and ordered."""
    user.email_key = email_key(user.email)
    longest = User._meta.get_field("sort_name").max_length
    user.sort_name = name_sort_key(user.first_name, user.last_name)[:longest]


def keep_words(user: User) -> None:
    """Bring the words by which the user is found up to date."""
    UserSearch.objects.bulk_create(
        [
            UserSearch(
                user=user,
                project_id=user.project_id,
                registered_at=user.registered_at,
                text=search_text(user.first_name, user.last_name, user.email),
            )
        ],
        update_conflicts=True,
        unique_fields=["user"],
        update_fields=["text", "registered_at"],
    )


def count_registration(user: User, *, deleted: int = 0) -> None:
    """Add the account to its platform's local day; `deleted` is 1 for one that is a stub."""
    day = user.registered_at.astimezone(user.project.zone).date()
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_REGISTRATION,
            {
                "project": user.project_id,
                "platform": user.platform_id,
                "day": day,
                "deleted": deleted,
            },
        )


def _save_or_refuse(user: User) -> None:
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        if "user_email_unique_in_project" not in str(error):
            raise
        raise EmailTaken from error
