"""Free copies and gifts by hand: send, change, take back; and offers as staff edit them."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.instants import to_second
from backoffice.core.text import email_key
from backoffice.projects.models import Project
from subscriptions.actions import (
    OWN_REFERENCE,
    cancel_gift,
    lock_address,
    put_free_copy,
    put_offer,
    put_purchase,
)
from subscriptions.mails import mail_free_copy, remind_of_gift
from subscriptions.models import FreeCopy, GivenState, Offer, Provider, Purchase
from subscriptions.spans import lock_users
from users.models import User

# What an outside provider charges is changed there: its next report would undo it here.
OURS = (Provider.OKAST, Provider.OTHER)


class NotPossible(Exception):
    """The free copy or gift is not in a state in which that can be done; nothing was changed."""


class OfferExists(Exception):
    """Another offer of the project has this reference; nothing was changed."""


# --- Offers ---------------------------------------------------------------------------------


@transaction.atomic
def create_offer(*, offer: Offer, actor: Actor, now: datetime) -> Offer:
    """
    Store a new offer.

    :raises OfferExists: if the project has one of this reference.
    """
    same = Offer.objects.filter(project=offer.project, reference=offer.reference)
    if same.exists() or not put_offer(offer, now=now):
        transaction.set_rollback(True)
        raise OfferExists
    _record_offer(AuditEvent.Kind.OFFER_CREATED, offer, actor, now, data={})
    return offer


@transaction.atomic
def edit_offer(*, offer: Offer, changes: Mapping[str, Any], actor: Actor, now: datetime) -> Offer:
    """Change an offer; what was rented without a date of expiry follows a new rental length."""
    offer = Offer.objects.select_for_update().get(pk=offer.pk)
    changed = [name for name, value in changes.items() if getattr(offer, name) != value]
    for name in changed:
        setattr(offer, name, changes[name])
    if changed:
        put_offer(offer, now=now)
        _record_offer(
            AuditEvent.Kind.OFFER_EDITED, offer, actor, now, data={"fields": sorted(changed)}
        )
    return offer


def _record_offer(
    kind: AuditEvent.Kind, offer: Offer, actor: Actor, now: datetime, *, data: dict[str, Any]
) -> None:
    record(
        kind,
        actor=actor,
        now=now,
        project=offer.project,
        target=offer,
        data={"offer": offer.reference} | data,
    )


# --- Free copies ----------------------------------------------------------------------------


@transaction.atomic
def send_free_copy(
    *,
    project: Project,
    email: str,
    offer: Offer | None,
    days: int,
    activate_by: datetime | None,
    with_mail: bool,
    language: str,
    actor: Actor,
    now: datetime,
) -> FreeCopy:
    """
    Give access to an address: to its account, or to the account that it will have.

    :param language: of the mail to an address without an account.
    """
    free_copy = _new_copy(project, offer, days, now)
    free_copy.email_key, free_copy.activate_by = email_key(email), activate_by
    _give(free_copy, actor=actor, now=now)
    if with_mail:
        mail_free_copy(free_copy, address=email, language=language, now=now)
    return free_copy


@transaction.atomic
def give_free_copy(
    *,
    user: User,
    offer: Offer | None,
    days: int,
    with_mail: bool = False,
    actor: Actor,
    now: datetime,
) -> FreeCopy:
    """
    Give the user access for so many days, from now unless the project asks for an activation.

    :param with_mail: whether to tell the user.
    :raises subscriptions.actions.UserIsDeleted: if the user was deleted meanwhile.
    """
    free_copy = _new_copy(user.project, offer, days, now)
    free_copy.user = user
    _give(free_copy, actor=actor, now=now)
    if with_mail:
        mail_free_copy(free_copy, now=now)
    return free_copy


def _new_copy(project: Project, offer: Offer | None, days: int, now: datetime) -> FreeCopy:
    reference = f"{OWN_REFERENCE}{secrets.token_hex(8)}"
    sent_at = to_second(now)
    return FreeCopy(project=project, offer=offer, days=days, reference=reference, sent_at=sent_at)


def _give(free_copy: FreeCopy, *, actor: Actor, now: datetime) -> None:
    """Store the copy with its access, and who gave it to whom."""
    put_free_copy(free_copy, now=now)
    record(
        AuditEvent.Kind.FREE_COPY_GIVEN,
        actor=actor,
        now=now,
        project=free_copy.project,
        target=free_copy.user or free_copy,
        data={
            "reference": free_copy.reference,
            "offer": free_copy.offer.reference if free_copy.offer else "",
            "days": free_copy.days,
        },
    )


@transaction.atomic
def remind_of_free_copy(*, free_copy: FreeCopy, actor: Actor, now: datetime) -> None:
    """
    Send the mail once more.

    :raises NotPossible: unless the copy waits to be activated.
    """
    free_copy = _held(free_copy)
    if free_copy.given_state(now) != GivenState.PENDING:
        raise NotPossible
    mail_free_copy(free_copy, address=free_copy.email_key, now=now)
    _record_given(AuditEvent.Kind.FREE_COPY_TOLD, free_copy, actor, now, data={})


@transaction.atomic
def change_free_copy(
    *, free_copy: FreeCopy, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> FreeCopy:
    """
    Change offer, days or deadline of a free copy that is not over.

    :raises NotPossible: if it is.
    """
    free_copy = _held(free_copy)
    if free_copy.given_state(now) == GivenState.DONE:
        raise NotPossible
    changed = [name for name, value in changes.items() if getattr(free_copy, name) != value]
    for name in changed:
        setattr(free_copy, name, changes[name])
    if changed:
        put_free_copy(free_copy, now=now)
        _record_given(
            AuditEvent.Kind.FREE_COPY_CHANGED,
            free_copy,
            actor,
            now,
            data={"fields": sorted(changed), "days": free_copy.days},
        )
    return free_copy


@transaction.atomic
def revoke_free_copy(*, free_copy: FreeCopy, actor: Actor, now: datetime) -> FreeCopy:
    """
    Take a free copy back: its access ends now, or never begins.

    :raises NotPossible: if it is over already.
    """
    free_copy = _held(free_copy)
    if free_copy.given_state(now) == GivenState.DONE:
        raise NotPossible
    free_copy.revoked_at = to_second(now)
    put_free_copy(free_copy, now=now)
    _record_given(AuditEvent.Kind.FREE_COPY_REVOKED, free_copy, actor, now, data={})
    return free_copy


def _held(free_copy: FreeCopy) -> FreeCopy:
    """Return the copy as it is now, with everything locked that its change will lock."""
    if free_copy.email_key:
        lock_address(free_copy.project_id, free_copy.email_key)
        free_copy.refresh_from_db(fields=["user"])
    if free_copy.user_id:
        lock_users([free_copy.user_id])
    rows = FreeCopy.objects.select_for_update(of=("self",))
    return rows.select_related("project", "user", "offer").get(pk=free_copy.pk)


# --- Gifts ----------------------------------------------------------------------------------


@transaction.atomic
def change_gift(
    *, gift: Purchase, expires_at: datetime | None, actor: Actor, now: datetime
) -> Purchase:
    """
    Change until when a gift gives access.

    :raises NotPossible: if an outside provider charges it, or if it was cancelled.
    """
    gift = _held_gift(gift)
    if gift.status == Purchase.Status.CANCELLED:
        raise NotPossible
    if gift.expires_at != expires_at:
        gift.expires_at = expires_at
        gift.status = Purchase.Status.ACTIVE
        put_purchase(gift, now=now)
        _record_given(AuditEvent.Kind.GIFT_CHANGED, gift, actor, now, data={})
    return gift


@transaction.atomic
def revoke_gift(*, gift: Purchase, actor: Actor, now: datetime) -> Purchase:
    """
    Cancel a gift: its access ends now, or never begins. Nothing is paid back here.

    Also one that waits and whose buyer was deleted: nobody else would ever end it.

    :raises NotPossible: if an outside provider charges it, or if it is over already.
    """
    gift = _held_gift(gift)
    if gift.status == Purchase.Status.CANCELLED or gift.given_state(now) == GivenState.DONE:
        raise NotPossible
    cancel_gift(gift, now=now)
    _record_given(AuditEvent.Kind.GIFT_REVOKED, gift, actor, now, data={})
    return gift


@transaction.atomic
def remind_recipient(*, gift: Purchase, actor: Actor, now: datetime) -> None:
    """
    Send the mail about a gift once more.

    :raises NotPossible: unless the gift waits for its recipient.
    """
    gift = _held_gift(gift)
    if gift.given_state(now) != GivenState.PENDING:
        raise NotPossible
    remind_of_gift(gift, gift.recipient_email_key, now=now)
    _record_given(AuditEvent.Kind.GIFT_TOLD, gift, actor, now, data={})


def _held_gift(gift: Purchase) -> Purchase:
    if gift.provider not in OURS:
        raise NotPossible
    if gift.recipient_email_key:
        lock_address(gift.project_id, gift.recipient_email_key)
        gift.refresh_from_db(fields=["recipient", "access_user"])
    concerned = {gift.user_id, gift.recipient_id, gift.access_user_id}
    lock_users(sorted(user_id for user_id in concerned if user_id is not None))
    rows = Purchase.objects.select_for_update(of=("self",))
    return rows.select_related("project", "user", "recipient", "offer").get(pk=gift.pk)


def _record_given(
    kind: AuditEvent.Kind,
    given: FreeCopy | Purchase,
    actor: Actor,
    now: datetime,
    *,
    data: dict[str, Any],
) -> None:
    record(
        kind,
        actor=actor,
        now=now,
        project=given.project,
        target=given,
        data={"reference": given.reference} | data,
    )
