"""
Changes of what users pay for and are given; each ends with the spans of whom it concerns.

Locks are taken in one order everywhere: addresses, users by id, then the source itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils.crypto import salted_hmac

from backoffice.audit.recording import Actor
from backoffice.core.instants import to_second
from backoffice.core.text import email_key
from subscriptions.entitlements import (
    beneficiary_of,
    closes,
    free_copy_entitlement,
    purchase_entitlement,
    subscription_entitlement,
)
from subscriptions.mails import mail_gift
from subscriptions.models import (
    FreeCopy,
    Offer,
    ProviderCustomer,
    ProviderEvent,
    Purchase,
    Source,
    Subscription,
)
from subscriptions.selectors import ENDED, STORES
from subscriptions.spans import lock_users, rebuild_spans
from users.actions import create_user, edit_user, set_password
from users.models import User

# Held until the end of the transaction by whoever creates an account of the address or gives
# something to it, so that a gift cannot be left waiting for an account that is just made.
LOCK_ADDRESS = """
    SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0)),
           pg_advisory_xact_lock(hashtextextended(%s, 0))
"""
# The same for whoever makes accounts of thousands of addresses at once.
LOCK_ALL_ADDRESSES = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"

# What the references of free copies given here begin with; platforms choose those of their own.
OWN_REFERENCE = "staff-"


# What a report replaces.
REPORTED_COLUMNS = (
    "offer",
    "status",
    "price_minor",
    "currency",
    "started_at",
    "first_paid_at",
    "current_period_end",
    "past_due_since",
    "trial_ends_at",
    "cancel_at",
    "ended_at",
    "cancel_reason",
    "status_since",
    "as_of",
    "access_start",
    "access_end",
    "trial_end",
)


class BelongsToAnother(Exception):
    """The source is known as another user's; nothing was changed."""


class UserIsDeleted(Exception):
    """What is reported concerns somebody who was deleted; nothing is kept of it."""


# --- Users ---------------------------------------------------------------------------------


@transaction.atomic
def register_user(*, user: User, actor: Actor, now: datetime) -> User:
    """
    Store a new user and hand over the gifts and free copies that wait for the address.

    :raises users.actions.EmailTaken: if the project has the address.
    """
    lock_address(user.project_id, email_key(user.email))
    create_user(user=user, actor=actor, now=now)
    hand_over_what_waits(user, now=now)
    return user


@transaction.atomic
def change_user(
    *,
    user: User,
    changes: dict[str, object],
    password_hash: str = "",
    actor: Actor,
    now: datetime,
    version: int | None = None,
) -> User:
    """
    Change profile and password of a user; a new address receives what waits for it.

    :raises users.actions.ChangedSince: see `edit_user`.
    :raises users.actions.EmailTaken: see `edit_user`.
    """
    new_key = email_key(str(changes.get("email", user.email)))
    if new_key != user.email_key:
        lock_address(user.project_id, new_key)
    edited = edit_user(user=user, changes=changes, actor=actor, now=now, version=version)
    if password_hash:
        set_password(user=edited, password_hash=password_hash, actor=actor, now=now)
    if new_key != user.email_key:
        hand_over_what_waits(edited, now=now)
    return edited


def hand_over_what_waits(user: User, *, now: datetime) -> None:
    """Give the user the gifts and free copies that wait for the address, which is locked."""
    gifts = list(
        Purchase.objects.select_for_update(of=("self",))
        .filter(project_id=user.project_id, recipient_email_key=user.email_key)
        .exclude(recipient_email_key="")
        .select_related("offer")
        .order_by("pk")
    )
    for gift in gifts:
        gift.recipient, gift.recipient_email_key = user, ""
        derive_purchase(gift)
        gift.save()
    copies = list(
        FreeCopy.objects.select_for_update()
        .filter(project_id=user.project_id, email_key=user.email_key)
        .exclude(email_key="")
        .order_by("pk")
    )
    for free_copy in copies:
        free_copy.user, free_copy.email_key = user, ""
        free_copy.project = user.project
        derive_free_copy(free_copy)
        free_copy.save()
    if gifts or copies:
        rebuild_spans([user.pk], now=now)


def lock_address(project_id: int, key: str) -> None:
    """Line up with whoever gives something to the address or makes its account."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_ADDRESS, [f"addresses {project_id}", f"address {project_id} {key}"])


def lock_all_addresses(project_id: int) -> None:
    """Let nobody else make an account or a gift in the project until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_ALL_ADDRESSES, [f"addresses {project_id}"])


@transaction.atomic
def registration_moved(user_ids: Sequence[int], *, now: datetime) -> None:
    """Derive anew what depends on when and where these users registered; their rows are locked."""
    gifts = list(
        Purchase.objects.select_for_update(of=("self",))
        .filter(recipient__in=user_ids)
        .select_related("offer", "user", "recipient")
        .order_by("pk")
    )
    for gift in gifts:
        derive_purchase(gift)
    Purchase.objects.bulk_update(
        gifts, ["access_start", "access_end", "access_user"], batch_size=1000
    )
    copies = list(
        FreeCopy.objects.select_for_update(of=("self",))
        .filter(user__in=user_ids)
        .select_related("user", "project")
        .order_by("pk")
    )
    for free_copy in copies:
        derive_free_copy(free_copy)
    FreeCopy.objects.bulk_update(copies, ["access_start", "access_end"], batch_size=1000)
    rebuild_spans(user_ids, now=now)


# --- Offers --------------------------------------------------------------------------------


@transaction.atomic
def put_offer(reported: Offer, *, now: datetime) -> bool:
    """
    Store the offer as reported, unsaved, in place of what is known; return whether it is new.

    A new rental length applies to what was rented without a date of expiry, too.
    """
    known = (
        Offer.objects.select_for_update()
        .filter(project_id=reported.project_id, reference=reported.reference)
        .first()
    )
    if known is None and _inserted(reported):
        return True
    if known is None:
        known = Offer.objects.select_for_update().get(
            project_id=reported.project_id, reference=reported.reference
        )
    reported.pk = known.pk
    reported.save(force_update=True)
    if known.rental_days != reported.rental_days:
        _derive_rentals(reported, now=now)
    return False


def _derive_rentals(offer: Offer, *, now: datetime) -> None:
    rentals = Purchase.objects.filter(offer=offer, expires_at=None)
    users = rentals.exclude(access_user=None).values_list("access_user", flat=True).distinct()
    user_ids = sorted(users)
    lock_users(user_ids)
    changed = list(
        rentals.select_for_update(of=("self",)).select_related("user", "recipient").order_by("pk")
    )
    for purchase in changed:
        purchase.offer = offer
        derive_purchase(purchase)
    Purchase.objects.bulk_update(
        changed, ["access_start", "access_end", "access_user"], batch_size=1000
    )
    rebuild_spans(user_ids, now=now)


# --- Sources -------------------------------------------------------------------------------


@transaction.atomic
def put_subscription(reported: Subscription, *, now: datetime) -> bool:
    """
    Store the subscription as reported, unsaved; return whether it is new.

    :raises BelongsToAnother: if it is known with another user.
    :raises UserIsDeleted: if its user was deleted.
    """
    _lock_present([reported.user_id])
    known = (
        Subscription.objects.select_for_update()
        .filter(
            project_id=reported.project_id,
            provider=reported.provider,
            reference=reported.reference,
        )
        .first()
    )
    _check_same_user(known, reported)
    if _is_older(reported, known):
        return False
    reported.status_since = _since(known, reported, now=now)
    _keep_trial(known, reported)
    derive_subscription(reported)
    _store(reported, known)
    rebuild_spans([reported.user_id], now=now)
    return known is None


@transaction.atomic
def put_subscriptions(reported: Sequence[Subscription], *, now: datetime) -> int:
    """
    Store subscriptions of one project and provider as reported, unsaved; return how many changed.

    A handful of statements for all. What is known with another user is left as it is, and what
    concerns somebody deleted is passed over.
    """
    if not reported:
        return 0
    gone = _lock_users([row.user_id for row in reported])
    first = reported[0]
    known_rows = Subscription.objects.select_for_update().filter(
        project_id=first.project_id,
        provider=first.provider,
        reference__in=[row.reference for row in reported],
    )
    known = {row.reference: row for row in known_rows.order_by("pk")}
    new, changed = [], []
    for row in reported:
        before = known.get(row.reference)
        if row.user_id in gone:
            continue
        if before and (before.user_id != row.user_id or _is_older(row, before)):
            continue
        row.status_since = _since(before, row, now=now)
        if before is not None:
            row.first_paid_at = _earliest(row.first_paid_at, before.first_paid_at)
        _keep_trial(before, row)
        derive_subscription(row)
        if before is None:
            new.append(row)
            continue
        row.pk = before.pk
        if _differs(row, before):
            changed.append(row)
    Subscription.objects.bulk_create(new)
    Subscription.objects.bulk_update(changed, REPORTED_COLUMNS)
    rebuild_spans(sorted({row.user_id for row in (*new, *changed)}), now=now)
    return len(new) + len(changed)


@transaction.atomic
def put_purchase(reported: Purchase, *, now: datetime) -> bool:
    """
    Store the purchase as reported, unsaved; return whether it is new.

    A gift to an address (`recipient_email_key`) goes to the account of the address, or waits.
    Whoever is given a new one is told by mail.

    :raises BelongsToAnother: if it is known with another buyer.
    :raises UserIsDeleted: if its buyer or its recipient was deleted, by whatever name reported.
    """
    address = reported.recipient_email_key
    if reported.recipient_email_key:
        reported.recipient = _account_of(reported.project_id, reported.recipient_email_key)
        if reported.recipient is not None:
            reported.recipient_email_key = ""
    same = Purchase.objects.filter(
        project_id=reported.project_id, provider=reported.provider, reference=reported.reference
    )
    before = same.values_list("access_user", flat=True).first()
    named = (reported.user_id, reported.recipient_id, before)
    concerned = sorted({user_id for user_id in named if user_id is not None})
    _lock_present(concerned)
    known = same.select_for_update().first()
    _check_same_user(known, reported)
    if _is_older(reported, known):
        return False
    reported.status_since = _since(known, reported, now=now)
    derive_purchase(reported)
    _store(reported, known)
    rebuild_spans(concerned, now=now)
    if known is None:
        mail_gift(reported, address, now=now)
    return known is None


def cancel_gift(gift: Purchase, *, now: datetime) -> None:
    """
    Cancel a gift, which is locked with its users: its access ends now, or never begins.

    Its buyer may have been deleted since: whom it was given to, it does not concern them.
    """
    gift.status, gift.status_since = Purchase.Status.CANCELLED, to_second(now)
    derive_purchase(gift)
    gift.save()
    if gift.access_user_id is not None:
        rebuild_spans([gift.access_user_id], now=now)


@transaction.atomic
def put_free_copy(reported: FreeCopy, *, now: datetime) -> bool:
    """
    Store the free copy as reported, unsaved; return whether it is new.

    One for an address (`email_key`) goes to the account of the address, or waits.

    :raises BelongsToAnother: if it is known with another user.
    :raises UserIsDeleted: if its user was deleted, by whatever name reported.
    """
    if reported.email_key:
        reported.user = _account_of(reported.project_id, reported.email_key)
        if reported.user is not None:
            reported.email_key = ""
    concerned = [reported.user_id] if reported.user_id else []
    _lock_present(concerned)
    same = FreeCopy.objects.filter(project_id=reported.project_id)
    if same.filter(reference=erased_reference(reported.reference)).exists():
        raise UserIsDeleted
    known = same.select_for_update().filter(reference=reported.reference).first()
    if known is not None and known.user_id is not None:
        _check_same_user(known, reported)
    derive_free_copy(reported)
    _store(reported, known)
    rebuild_spans(concerned, now=now)
    return known is None


def _lock_present(user_ids: Sequence[int]) -> None:
    """
    Lock the users' rows.

    :raises UserIsDeleted: if one of them was deleted, perhaps while this waited for the lock.
    """
    if _lock_users(user_ids):
        raise UserIsDeleted


def _lock_users(user_ids: Sequence[int]) -> set[int]:
    """Lock the users' rows in the order of their keys; return those who were deleted."""
    users = User.objects.filter(pk__in=user_ids).order_by("pk").select_for_update()
    return {pk for pk, deleted_at in users.values_list("pk", "deleted_at") if deleted_at}


# --- Deletion ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptPayments:
    """What is left of a deleted user's payments: what an invoice needs, and no more."""

    subscriptions: int
    purchases: int


@transaction.atomic
def forget_payer(*, user: User, address: str, at: datetime) -> KeptPayments:
    """
    End what the deleted user holds, and erase what its invoices do not need.

    Called by the deletion, which holds the user's row and has written the instant there.

    :param address: the `email_key` that the user had.
    :param at: the instant of the deletion, to the second.
    """
    subscriptions = list(
        Subscription.objects.select_for_update(of=("self",))
        .filter(user=user)
        .select_related("project")
        .order_by("pk")
    )
    for subscription in subscriptions:
        _end_subscription(subscription, at=at)
    purchases = list(
        Purchase.objects.select_for_update(of=("self",))
        .filter(Q(user=user) | Q(access_user=user))
        .select_related("offer", "user", "recipient")
        .order_by("pk")
    )
    for purchase in purchases:
        if purchase.access_user_id == user.pk and _is_open(purchase, at):
            purchase.expires_at = at
            derive_purchase(purchase)
            purchase.save()
    copies = FreeCopy.objects.select_for_update(of=("self",)).filter(user=user)
    for free_copy in copies.select_related("project", "user").order_by("pk"):
        if _is_open(free_copy, at):
            free_copy.revoked_at = at
        free_copy.reference = erased_reference(free_copy.reference)
        derive_free_copy(free_copy)
        free_copy.save()
    _forget_address(user.project_id, address)
    rebuild_spans([user.pk], now=at)
    bought = sum(purchase.user_id == user.pk for purchase in purchases)
    return KeptPayments(len(subscriptions), bought)


def erased_reference(reference: str) -> str:
    """Return what is kept of the platform's name of a deleted user's free copy: a keyed hash."""
    key = "subscriptions.actions free copy"
    return salted_hmac(key, reference, algorithm="sha256").hexdigest()


def _end_subscription(subscription: Subscription, *, at: datetime) -> None:
    subscription.cancel_reason = ""
    if _is_open(subscription, at) or subscription.status not in ENDED:
        subscription.ended_at = _end_of(subscription, at=at)
        if subscription.provider not in STORES:
            never_opened = subscription.status == Subscription.Status.INCOMPLETE
            subscription.status = (
                Subscription.Status.INCOMPLETE_EXPIRED
                if never_opened
                else Subscription.Status.CANCELED
            )
            subscription.status_since = at
    derive_subscription(subscription)
    subscription.save()


def _end_of(subscription: Subscription, *, at: datetime) -> datetime:
    """Return when it ended, the deletion at the latest; what gave no access gives none."""
    is_access = subscription.access_start is not None
    ends = [subscription.access_end if is_access else subscription.started_at]
    return min(end for end in [*ends, subscription.ended_at, at] if end is not None)


def _is_open(source: Source, at: datetime) -> bool:
    return source.access_start is not None and (
        source.access_end is None or source.access_end > at
    )


def _forget_address(project_id: int, address: str) -> None:
    """Erase the address where something waits for it: who had it registered, and is gone."""
    if not address:
        return
    waiting = Purchase.objects.filter(project_id=project_id, recipient_email_key=address)
    waiting.update(recipient_email_key="")
    FreeCopy.objects.filter(project_id=project_id, email_key=address).update(email_key="")


# --- What follows from a source ------------------------------------------------------------
def derive_subscription(subscription: Subscription) -> None:
    """Set the access columns that follow from what was reported."""
    access = subscription_entitlement(subscription, grace_days=subscription.project.grace_days)
    subscription.access_start, subscription.access_end = access.start, access.end
    subscription.trial_end = access.trial_end


def derive_purchase(purchase: Purchase) -> None:
    """Set the access columns that follow from what was reported."""
    access = purchase_entitlement(purchase)
    purchase.access_start, purchase.access_end = access.start, access.end
    purchase.access_user = beneficiary_of(purchase)


def derive_free_copy(free_copy: FreeCopy) -> None:
    """Set the access columns that follow from what was reported."""
    access = free_copy_entitlement(
        free_copy, needs_activation=free_copy.project.free_copies_need_activation
    )
    free_copy.access_start, free_copy.access_end = access.start, access.end


def _account_of(project_id: int, key: str) -> User | None:
    lock_address(project_id, key)
    return User.objects.filter(project_id=project_id, email_key=key, deleted_at=None).first()


def _check_same_user(
    known: Subscription | Purchase | FreeCopy | None,
    reported: Subscription | Purchase | FreeCopy,
) -> None:
    if known is not None and known.user_id != reported.user_id:
        raise BelongsToAnother


def _is_older(reported: Subscription | Purchase, known: Subscription | Purchase | None) -> bool:
    """
    Tell whether the provider was asked for what stands here after it was asked for the report.

    Two may ask at once and answer in either order; the later question has the newer answer, and
    whatever changed since comes with an event of its own.
    """
    if known is None or known.as_of is None or reported.as_of is None:
        return False
    return reported.as_of < known.as_of


def _differs(row: Subscription, before: Subscription) -> bool:
    return any(
        getattr(row, name) != getattr(before, name)
        for name in REPORTED_COLUMNS
        if name not in {"as_of", "offer"}
    ) or (row.offer_id != before.offer_id)


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def _keep_trial(known: Subscription | None, reported: Subscription) -> None:
    """Keep a trial that is over: a store tells of it only while it runs."""
    is_asked = reported.provider in STORES and reported.as_of is not None
    if not is_asked or known is None or known.trial_ends_at is None or reported.trial_ends_at:
        return
    reported.trial_ends_at = known.trial_ends_at
    paid_until = reported.current_period_end
    has_paid = paid_until is not None and paid_until > known.trial_ends_at
    has_paid = has_paid and reported.status != Subscription.Status.PAST_DUE
    reported.first_paid_at = known.first_paid_at or (known.trial_ends_at if has_paid else None)


def _since(
    known: Subscription | Purchase | None, reported: Subscription | Purchase, *, now: datetime
) -> datetime:
    """
    Return since when the reported status holds: repeating it moves nothing.

    One that closes reopens nothing: what had ended by then stays ended since then, and what gave
    no access so far gives none.
    """
    arrived = to_second(now)
    if known is None:
        return arrived
    if known.status == reported.status:
        return known.status_since
    if not closes(reported):
        return arrived
    ended = known.access_end if known.access_start else _start_of(reported)
    return arrived if ended is None else min(arrived, ended)


def _start_of(source: Subscription | Purchase) -> datetime:
    return source.started_at if isinstance(source, Subscription) else source.purchased_at


def _store(reported: Source, known: Source | None) -> None:
    if known is not None:
        reported.pk = known.pk
        reported.save(force_update=True)
    elif not _inserted(reported):
        # Two came at once. One user's are lined up by the lock on the user.
        raise BelongsToAnother


def _inserted(row: Source | Offer) -> bool:
    """Insert the row; return False if another writer was faster with the same reference."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if "_reference_unique" not in str(error):
            raise
        return False
    return True


# --- Deletion ------------------------------------------------------------------------------


@transaction.atomic
def forget_payments(user_ids: Sequence[int]) -> None:
    """
    Remove what ties these users to payment providers, but for what they paid.

    Of a customer a keyed hash of the provider's id remains, so that a late event is known to be
    about somebody who was deleted. Events lose the id of their object. Subscriptions and
    purchases stay with the stub as long as invoices must be kept.
    """
    customers = list(
        ProviderCustomer.objects.select_for_update().filter(user__in=user_ids).order_by("pk")
    )
    own_subjects = [customer.reference for customer in customers]
    for source in (Subscription, Purchase):
        own = source._default_manager.filter(user__in=user_ids)
        own_subjects += own.values_list("reference", flat=True)
    events = ProviderEvent.objects.filter(
        Q(customer__in=customers)
        | Q(
            project__in=User.objects.filter(pk__in=user_ids).values("project"),
            subject__in=[name for name in own_subjects if name],
        )
    )
    events.exclude(next_try_at=None).update(
        state=ProviderEvent.State.IGNORED, reason="deleted-user", next_try_at=None
    )
    events.update(subject="", customer=None)
    for customer in customers:
        customer.reference = forgotten_reference(customer.project_id, customer.reference)
        customer.user, customer.matched_by, customer.is_forgotten = None, "", True
        customer.save()


def forgotten_reference(project_id: int, reference: str) -> str:
    """Return what is kept of the id of a customer who was deleted: a keyed hash."""
    digest = salted_hmac(
        "subscriptions.actions forgotten", f"{project_id} {reference}", algorithm="sha256"
    ).hexdigest()
    return f"forgotten {digest}"
