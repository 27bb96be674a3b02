"""
Changes of users. Whoever creates a user calls `subscriptions.actions.register_user`, and whoever
changes an address `subscriptions.actions.change_user`: gifts may be waiting for it.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from procrastinate.contrib.django import app

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.instants import to_second
from backoffice.core.text import email_key, name_sort_key, search_text
from backoffice.core.tokens import hash_of_token, new_token, owner_of_token
from backoffice.projects.actions import forget_answers
from backoffice.projects.models import Platform, Project
from users.models import DeviceSession, PasswordReset, ResetRequest, User, UserSearch
from users.proof import Limit, count_attempt, seconds_to_wait

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
    Store a new user, who is handed in unsaved and with clean values (backoffice.core.validation).

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
    if "email" in changed:
        # A link lies in the mailbox of the former address.
        forget_resets(user)
    record(
        AuditEvent.Kind.USER_EDITED,
        actor=actor,
        project=user.project,
        target=user,
        now=now,
        data={"fields": changed},
    )
    return user


class PasswordChanged(Exception):
    """The password is no longer the one that was seen, or the user is gone; nothing was done."""


@transaction.atomic
def set_password(
    *,
    user: User,
    password_hash: str,
    actor: Actor,
    now: datetime,
    must_change: bool = False,
    replacing: str | None = None,
) -> int:
    """
    Replace the password, end all device sessions and let no reset link work any more.

    :param password_hash: from `backoffice.core.passwords`, made outside of locks.
    :param replacing: the hash that is to be replaced; None to replace whatever is there.
    :return: how many device sessions ended.
    :raises PasswordChanged: if it is another one by now, or the user was deleted.
    """
    known = User.objects.present().filter(pk=user.pk)
    if replacing is not None:
        known = known.filter(password=replacing)
    if not known.update(
        password=password_hash,
        password_changed_at=to_second(now),
        must_change_password=must_change,
    ):
        raise PasswordChanged
    ended = end_device_sessions(user=user, reason=DeviceSession.EndReason.PASSWORD, now=now)
    forget_resets(user)
    record(
        AuditEvent.Kind.USER_EDITED,
        actor=actor,
        project=user.project,
        target=user,
        now=now,
        data={"fields": ["password"]},
    )
    return ended


# --- Deletion ------------------------------------------------------------------------------

COUNT_DELETION = """
    UPDATE users_registrationday AS d SET deleted = d.deleted + 1
    WHERE d.project_id = %(project)s AND d.platform_id = %(platform)s AND d.day = %(day)s
"""


@transaction.atomic
def erase_identity(*, user: User, at: datetime) -> None:
    """
    Leave a stub of the user: when, on which platform and in which country there was an account.

    Called by the deletion, which holds the user's row. The stub has another public id, so that
    nothing which knew the old one leads to it.

    :param at: the instant of the deletion, to the second.
    """
    forget_answers([user.public_id])
    user.public_id = uuid.uuid4()
    user.email = user.first_name = user.last_name = user.language = user.password = ""
    user.email_key = user.sort_name = ""
    user.custom = {}
    user.password_changed_at, user.must_change_password = None, False
    user.version = 1
    user.deleted_at = at
    user.modified_at = max(at, user.registered_at)
    user.save()
    UserSearch.objects.filter(user=user).delete()
    DeviceSession.objects.filter(user=user).delete()
    forget_resets(user)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_DELETION, _registration_of(user))


# --- Device sessions -----------------------------------------------------------------------

# How exact "last seen" is: one write in so long, not one a check.
SEEN_IS_NOTED_EVERY: Final = timedelta(minutes=5)


class OpenedSession(NamedTuple):
    """A new device session: its row, and its token, which nobody can read again."""

    row: DeviceSession
    token: str


@transaction.atomic
def open_device_session(
    *, user: User, platform: Platform, device_type: str, device_name: str, now: datetime
) -> OpenedSession:
    """
    Sign the user in on a device; beyond the project's limit the oldest device session ends.

    :param user: as read when the password was proved.
    :raises PasswordChanged: if it was changed since, or the user deleted.
    """
    # The lock counts: of ten sign-ins at once each sees those before it.
    unchanged = User.objects.select_for_update().filter(
        pk=user.pk, password=user.password, deleted_at=None
    )
    if not unchanged.exists():
        raise PasswordChanged
    live = DeviceSession.objects.filter(user=user, ended_at=None)
    newest = live.order_by("-created_at", "-id").values_list("id", flat=True)
    surplus = list(newest[platform.project.device_limit - 1 :])
    _end(live.filter(id__in=surplus), DeviceSession.EndReason.LIMIT, now)
    token = new_token(user.public_id)
    row = DeviceSession.objects.create(
        user=user,
        project=platform.project,
        platform=platform,
        token_hash=hash_of_token(token),
        device_type=device_type,
        device_name=device_name,
        created_at=now,
        last_seen_at=now,
    )
    return OpenedSession(row, token)


def use_device_session(*, project: Project, token: str, now: datetime) -> DeviceSession | None:
    """Return the live device session of the token, with its user, and note that it was seen."""
    owner = owner_of_token(token)
    if owner is None:
        return None
    session = (
        DeviceSession.objects.select_related("user")
        .filter(
            user__public_id=owner,
            user__project=project,
            user__deleted_at=None,
            token_hash=hash_of_token(token),
            ended_at=None,
        )
        .first()
    )
    stale_before = now - SEEN_IS_NOTED_EVERY
    if session is not None and session.last_seen_at <= stale_before:
        # Asked again in the statement: of many checks at once, one writes.
        DeviceSession.objects.filter(pk=session.pk, last_seen_at__lte=stale_before).update(
            last_seen_at=now
        )
    return session


def end_device_session(
    *, session: DeviceSession, reason: DeviceSession.EndReason, now: datetime
) -> None:
    """End the device session; one that has ended stays as it ended."""
    _end(DeviceSession.objects.filter(pk=session.pk), reason, now)


def end_device_sessions(*, user: User, reason: DeviceSession.EndReason, now: datetime) -> int:
    """End all that are live of the user; return how many."""
    return _end(DeviceSession.objects.filter(user=user), reason, now)


@transaction.atomic
def end_sessions_for_staff(
    *, user: User, actor: Actor, now: datetime, session_id: UUID | None = None
) -> int:
    """
    End the live device session of that id, or all of the user; return how many ended.

    None that has ended before is touched, and where none ends nothing is recorded.
    """
    sessions = DeviceSession.objects.filter(user=user)
    if session_id is not None:
        sessions = sessions.filter(id=session_id)
    ended = _end(sessions, DeviceSession.EndReason.STAFF, now)
    if ended:
        record(
            AuditEvent.Kind.SESSIONS_ENDED,
            actor=actor,
            project=user.project,
            target=user,
            now=now,
            data={"sessions": ended},
        )
    return ended


def _end(sessions: QuerySet[DeviceSession], reason: DeviceSession.EndReason, now: datetime) -> int:
    return sessions.filter(ended_at=None).update(ended_at=now, end_reason=reason)


# --- Password resets -----------------------------------------------------------------------

SEND_RESET_TASK: Final = "users.send_reset"


class ResetGone(Exception):
    """The reset link was used, or lost its worth, meanwhile; nothing was changed."""


@transaction.atomic
def request_password_reset(*, platform: Platform, email: str, now: datetime) -> None:
    """
    Note that somebody asked for a reset link to this address, whether anybody has it or not.

    A worker sends the mail. The same statements run in both cases. Beyond
    RESET_MAILS_PER_HOUR nothing is noted.
    """
    key = email_key(email)
    limit = Limit.on(
        "reset mail",
        f"{platform.project_id} {key}",
        most=settings.RESET_MAILS_PER_HOUR,
        seconds=3600,
    )
    if seconds_to_wait([limit], now=now):
        return
    count_attempt(limit, now=now)
    user = User.objects.of(platform.project).present().filter(email_key=key).first()
    asked = ResetRequest.objects.create(
        project=platform.project, platform=platform, user=user, requested_at=now
    )
    app.configure_task(SEND_RESET_TASK).defer(request_id=asked.pk)


def issue_password_reset(*, user: User, now: datetime, expires_at: datetime | None = None) -> str:
    """
    Return the token for a new reset link; only its hash is kept.

    :param expires_at: in RESET_LINK_MINUTES by default.
    """
    token = new_token(user.public_id)
    PasswordReset.objects.filter(user=user, expires_at__lte=now).delete()
    PasswordReset.objects.create(
        user=user,
        project=user.project,
        token_hash=hash_of_token(token),
        expires_at=expires_at or now + timedelta(minutes=settings.RESET_LINK_MINUTES),
    )
    return token


@transaction.atomic
def redeem_password_reset(
    *, reset: PasswordReset, password_hash: str, actor: Actor, now: datetime
) -> None:
    """
    Give the user of the reset link the new password; device sessions end, other links die.

    :raises ResetGone: if another redemption, a new password or a new address came first.
    """
    user = (
        User.objects.select_related("project")
        .select_for_update(of=("self",))
        .filter(pk=reset.user_id, deleted_at=None)
        .first()
    )
    if user is None or not PasswordReset.objects.filter(pk=reset.pk).exists():
        raise ResetGone
    set_password(user=user, password_hash=password_hash, actor=actor, now=now)


def forget_resets(user: User) -> None:
    """Let no reset link of the user work, those included that were asked for and not yet sent."""
    PasswordReset.objects.filter(user=user).delete()
    ResetRequest.objects.filter(user=user).delete()


# --- Derived columns and counts ------------------------------------------------------------


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
    with connection.cursor() as cursor:
        cursor.execute(COUNT_REGISTRATION, _registration_of(user) | {"deleted": deleted})


def _registration_of(user: User) -> dict[str, Any]:
    """Return the key of the day count in which the account stands."""
    day = user.registered_at.astimezone(user.project.zone).date()
    return {"project": user.project_id, "platform": user.platform_id, "day": day}


def _save_or_refuse(user: User) -> None:
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        if "user_email_unique_in_project" not in str(error):
            raise
        raise EmailTaken from error
