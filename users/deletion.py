"""
Deleting users: personal data goes, what was watched stays in the totals (docs/personal-data.md).

One user goes in one transaction: either everything about the person is there, or nothing is.
Only the raw viewings of somebody who has very many are folded afterwards, chunk by chunk: by then
nothing says any more whose they were. Whatever is cut off is taken up again where it stopped.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Sum
from procrastinate.contrib.django import app

from analytics.anonymising import fold_viewings, forget_viewer, viewings_of
from analytics.ingest import lock_users
from analytics.models import UserViewing
from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.instants import to_second
from backoffice.jobs.actions import forget_users_in_jobs, start
from backoffice.jobs.exports import forget_files
from backoffice.jobs.mailing import forget_users_in_mail
from backoffice.projects.models import Project
from backoffice.staff.models import StaffMember
from subscriptions.accounts import NotConnected, account_of, stripe_gateway
from subscriptions.actions import forget_payer, forget_payments
from subscriptions.models import Provider, Purchase, Subscription
from subscriptions.providers.reports import ActRefused, NotFound, ProviderTrouble
from subscriptions.selectors import STORES, charged_subscriptions
from users.actions import erase_identity
from users.impersonation import forget_impersonations
from users.imports.expiry import forget_in_imports
from users.models import Deletion, DeviceSession, User

# What is done when the answer comes; more is a job.
INLINE_VIEWINGS: Final = 5_000
INLINE_USERS: Final = 20
# Whoever deletes more types the number.
ASK_NUMBER_ABOVE: Final = 50

# The name of the task that folds what is left of somebody with very many viewings.
FOLD_TASK: Final = "users.fold_viewings"
JOB: Final = "users.delete"

# A preview that nobody confirmed holds the keys of its members for so long.
PREVIEWS_LAST: Final = timedelta(days=1)


class AlreadyDeleted(Exception):
    """Somebody else deleted the user; nothing was changed."""


class ChangedSincePreview(Exception):
    """What was previewed is not what is there any more; nothing was changed."""


class NotCancelled(Exception):
    """The provider did not cancel a subscription that runs; nothing was deleted."""


# --- What would go -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """What the deletion of some users concerns, as it stands now."""

    users: int
    views: int
    viewing_seconds: int
    contents: int
    """Distinct over all of them."""
    device_sessions: int
    payments: int
    """Subscriptions and purchases that were ever paid: their records stay."""
    at_stripe: int
    """Subscriptions that Stripe may still charge."""
    at_stores: dict[str, int]
    """The same of Google and Apple, by provider; those without any are absent."""
    elsewhere: int
    """Those that run without any of these, and end here."""
    fingerprint: str
    """Of the users and their running subscriptions: another one means that something changed."""


CONTENTS_OF = """
    SELECT count(DISTINCT content_id)
    FROM analytics_userviewing, unnest(content_ids) AS content_id
    WHERE user_id = ANY (%(users)s::bigint[])
"""


def preview_of(user_ids: Sequence[int], *, now: datetime) -> Preview:
    """Return what deleting these users, of one project and all present, would concern."""
    running = list(
        charged_subscriptions(user_ids, now=now).order_by("pk").values_list("pk", "provider")
    )
    by_provider = Counter(provider for _, provider in running)
    viewing = UserViewing.objects.filter(user_id__in=user_ids).aggregate(
        views=Sum("views", default=0), seconds=Sum("viewing_seconds", default=0)
    )
    with connection.cursor() as cursor:
        cursor.execute(CONTENTS_OF, {"users": list(user_ids)})
        (contents,) = cursor.fetchone()
    facts = [*map(str, sorted(user_ids)), "", *(str(pk) for pk, _ in running)]
    return Preview(
        users=len(user_ids),
        views=viewing["views"],
        viewing_seconds=viewing["seconds"],
        contents=contents,
        device_sessions=DeviceSession.objects.filter(user_id__in=user_ids).count(),
        payments=Subscription.objects.filter(user_id__in=user_ids).count()
        + Purchase.objects.filter(user_id__in=user_ids).count(),
        at_stripe=by_provider.pop(Provider.STRIPE, 0),
        at_stores={store: by_provider.pop(store) for store in STORES & by_provider.keys()},
        elsewhere=by_provider.total(),
        fingerprint=hashlib.sha256("\n".join(facts).encode()).hexdigest(),
    )


# --- What went -----------------------------------------------------------------------------


@dataclass(slots=True)
class Sums:
    """What deleting some users came to: the receipt, without a word on who they were."""

    users: int = 0
    views: int = 0
    viewing_seconds: int = 0
    contents: int = 0
    """Distinct over all of them; counted when all are gone."""
    payments: int = 0
    """Subscriptions and purchases whose records are kept."""
    cancelled: int = 0
    """Subscriptions that were cancelled with Stripe."""
    left: int = 0
    """Those that Stripe may still charge: somebody wished it, or nobody could ask Stripe."""
    at_stores: int = 0
    """Those that only their customers can cancel, with the store."""
    failed: int = 0
    """Users who are still there, because Stripe did not cancel."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What one user's deletion came to."""

    views: int
    viewing_seconds: int
    content_ids: list[int]
    payments: int


@dataclass(frozen=True, slots=True)
class Charges:
    """What became of the subscriptions that ran before a deletion."""

    asked: frozenset[int] = frozenset()
    """Keys of those of which Stripe was asked, or need not be."""
    cancelled: int = 0
    left: int = 0
    at_stores: int = 0


def stop_charges(user_id: int, *, mode: str, now: datetime) -> Charges:
    """
    Cancel what Stripe charges the user for, unless it is to be left; outside of any transaction.

    :raises NotCancelled: if Stripe refused or did not answer; some may be cancelled already, and
        are not cancelled twice.
    """
    running = list(charged_subscriptions([user_id], now=now).select_related("project"))
    at_stripe = [one for one in running if one.provider == Provider.STRIPE]
    cancelled = 0
    if mode == Deletion.Mode.CANCEL:
        cancelled = sum(cancel_at_stripe(subscription) for subscription in at_stripe)
    return Charges(
        asked=frozenset(one.pk for one in at_stripe),
        cancelled=cancelled,
        left=len(at_stripe) - cancelled,
        at_stores=sum(one.provider in STORES for one in running),
    )


def is_connected(project: Project) -> bool:
    """Tell whether Stripe can be asked to cancel anything of the project."""
    try:
        account_of(project, Provider.STRIPE)
    except NotConnected:
        return False
    return True


def cancel_at_stripe(subscription: Subscription) -> bool:
    """
    Have Stripe cancel the subscription; return False if the project is not connected to it.

    :raises NotCancelled: if Stripe refused or did not answer.
    """
    # The same act again is the same to Stripe, too.
    key = f"delete {subscription.project_id} {subscription.reference}"
    try:
        gateway = stripe_gateway(account_of(subscription.project, Provider.STRIPE))
        gateway.cancel(subscription.reference, at_period_end=False, key=key)
    except NotConnected:
        return False
    except NotFound:
        # Nothing of that name is charged any more.
        return True
    except (ActRefused, ProviderTrouble) as error:
        raise NotCancelled from error
    return True


def delete_user(
    *, user: User, actor: Actor, now: datetime, mode: str = Deletion.Mode.CANCEL
) -> None:
    """
    Delete one user as a machine asks: at once, though very many viewings are folded in the
    background.

    :raises AlreadyDeleted: if the user is gone.
    :raises NotCancelled: if a subscription runs on at Stripe; nothing was deleted.
    """
    charges = stop_charges(user.pk, mode=mode, now=now)
    erase(user_id=user.pk, charges=charges, actor=actor, now=now)


@transaction.atomic
def erase(*, user_id: int, charges: Charges, actor: Actor, now: datetime) -> Gone:
    """
    Leave a stub without identity, and fold what was watched unless it is very much.

    The locks are taken in the order in which `check_figures --repair` takes its own.

    :raises AlreadyDeleted: if the user is gone.
    :raises ChangedSincePreview: if a subscription began at Stripe since the charges were stopped.
    """
    user = (
        User.objects.select_for_update(of=("self",))
        .select_related("project", "platform")
        .filter(pk=user_id, deleted_at=None)
        .first()
    )
    if user is None:
        raise AlreadyDeleted
    running = charged_subscriptions([user_id], now=now).filter(provider=Provider.STRIPE)
    if running.exclude(pk__in=charges.asked).exists():
        raise ChangedSincePreview
    before, at = copy(user), to_second(now)
    # Finds them by their names and address.
    forget_in_imports([user_id], now=now)
    erase_identity(user=user, at=at)
    kept = forget_payer(user=user, address=before.email_key, at=at)
    forget_payments([user_id])
    forget_impersonations([user_id])
    with connection.cursor() as cursor:
        # From here on, no batch of viewings that was under way brings anything back.
        lock_users(cursor, [user_id])
        gone = _sums_of(user_id, payments=kept.subscriptions + kept.purchases)
        if viewings_of([user_id], most=INLINE_VIEWINGS + 1) <= INLINE_VIEWINGS:
            fold_viewings(user_id, project_id=user.project_id, chunk=INLINE_VIEWINGS)
        else:
            # Whoever waits for it may fold at the same time; this is for those who do not.
            app.configure_task(FOLD_TASK).defer(user_id=user_id, project_id=user.project_id)
        forget_viewer(cursor, user_id, project_id=user.project_id)
    forget_users_in_jobs([user_id])
    forget_files(project=user.project)
    forget_users_in_mail(public_ids=[before.public_id], emails=[before.email])
    # What was previewed with the user cannot be confirmed any more.
    Deletion.objects.filter(confirmed_at=None, user_ids__contains=[user_id]).delete()
    record(
        AuditEvent.Kind.USER_DELETED,
        actor=actor,
        now=now,
        project=user.project,
        target=before,
        data={
            "views": gone.views,
            "viewing_seconds": gone.viewing_seconds,
            "contents": len(gone.content_ids),
            "payments": gone.payments,
            "cancelled": charges.cancelled,
            "left": charges.left,
            "at_stores": charges.at_stores,
        },
    )
    return gone


def _sums_of(user_id: int, *, payments: int) -> Gone:
    sums = UserViewing.objects.filter(user_id=user_id)
    found = sums.values_list("views", "viewing_seconds", "content_ids").first()
    return Gone(*(found or (0, 0, [])), payments)


# --- The act, from its preview to its receipt ----------------------------------------------


@transaction.atomic
def preview(
    *, user_ids: Sequence[int], project: Project, staff: StaffMember, now: datetime
) -> tuple[Deletion, Preview]:
    """Freeze the set of users, of one project and all present, and say what would go."""
    _forget_old_previews(now)
    shown = preview_of(user_ids, now=now)
    deletion = Deletion.objects.create(
        project=project,
        staff_member=staff,
        created_at=now,
        user_ids=sorted(user_ids),
        fingerprint=shown.fingerprint,
    )
    return deletion, shown


@transaction.atomic
def confirm(*, deletion: Deletion, mode: str, staff: StaffMember, now: datetime) -> Deletion:
    """
    Note that what was previewed is to be done, and leave it to a job if it is long.

    Done again, it changes nothing.

    :raises ChangedSincePreview: if one of the users is gone, or another subscription runs.
    """
    deletion = Deletion.objects.select_for_update().get(pk=deletion.pk)
    if deletion.confirmed_at is not None:
        return deletion
    present = User.objects.present().filter(pk__in=deletion.user_ids).count()
    stands = preview_of(deletion.user_ids, now=now).fingerprint
    if present != len(deletion.user_ids) or stands != deletion.fingerprint:
        raise ChangedSincePreview
    deletion.mode, deletion.confirmed_at = mode, now
    if not _is_short(deletion):
        deletion.job = start(
            JOB,
            project=deletion.project,
            actor=staff,
            arguments={"deletion": str(deletion.pk)},
            now=now,
        )
    deletion.save()
    return deletion


def _is_short(deletion: Deletion) -> bool:
    """Tell whether it can be carried out while somebody waits for the answer."""
    return len(deletion.user_ids) <= INLINE_USERS and (
        viewings_of(deletion.user_ids, most=INLINE_VIEWINGS + 1) <= INLINE_VIEWINGS
    )


def carry_out(
    *,
    deletion: Deletion,
    actor: Actor,
    now: Callable[[], datetime],
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Deletion:
    """
    Delete the members one by one, from where it stopped; whoever is gone already is passed over.

    Somebody whose subscription Stripe did not cancel stays, and is counted.

    :param on_progress: told now and then how many users and viewings are done in this run.
    """
    done = 0
    for user_id in deletion.user_ids[deletion.position :]:
        _delete_member(deletion, user_id, actor=actor, now=now())
        done += 1
        on_progress(done)
        while (folded := fold_viewings(user_id, project_id=deletion.project_id)) is not None:
            done += folded
            on_progress(done)
        _advance(deletion)
    return _finish(deletion, now=now())


def _delete_member(deletion: Deletion, user_id: int, *, actor: Actor, now: datetime) -> None:
    try:
        charges = stop_charges(user_id, mode=deletion.mode, now=now)
        with transaction.atomic():
            gone = erase(user_id=user_id, charges=charges, actor=actor, now=now)
            _count(deletion, gone, charges)
    except AlreadyDeleted:
        pass
    except (NotCancelled, ChangedSincePreview):
        with transaction.atomic():
            locked = Deletion.objects.select_for_update().get(pk=deletion.pk)
            locked.sums["failed"] = locked.sums.get("failed", 0) + 1
            locked.save(update_fields=["sums"])


def _count(deletion: Deletion, gone: Gone, charges: Charges) -> None:
    locked = Deletion.objects.select_for_update().get(pk=deletion.pk)
    sums = Sums(**locked.sums)
    sums.users += 1
    sums.views += gone.views
    sums.viewing_seconds += gone.viewing_seconds
    sums.payments += gone.payments
    sums.cancelled += charges.cancelled
    sums.left += charges.left
    sums.at_stores += charges.at_stores
    locked.sums = asdict(sums)
    locked.content_ids = sorted({*locked.content_ids, *gone.content_ids})
    locked.save(update_fields=["sums", "content_ids"])


def _advance(deletion: Deletion) -> None:
    """Note that the member is done to the last viewing; of two runs at once, both say so."""
    deletion.position += 1
    Deletion.objects.filter(pk=deletion.pk, position__lt=deletion.position).update(
        position=deletion.position
    )


@transaction.atomic
def _finish(deletion: Deletion, *, now: datetime) -> Deletion:
    """Forget the members, keep the sums."""
    deletion = Deletion.objects.select_for_update().get(pk=deletion.pk)
    if deletion.finished_at is None:
        sums = Sums(**deletion.sums)
        sums.contents = len(deletion.content_ids)
        deletion.sums = asdict(sums)
        deletion.user_ids, deletion.content_ids = [], []
        deletion.finished_at = now
        deletion.save()
    return deletion


def _forget_old_previews(now: datetime) -> None:
    """Remove what nobody confirmed; of what was never done to its end, forget the members."""
    old = Deletion.objects.filter(created_at__lte=now - PREVIEWS_LAST, finished_at=None)
    old.filter(confirmed_at=None).delete()
    for abandoned in old:
        _finish(abandoned, now=now)
