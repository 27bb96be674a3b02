"""Calls of platforms about what users pay for and are given."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from backoffice.core.money import major_units
from backoffice.core.text import email_key
from backoffice.core.validation import clean_email
from backoffice.core.wire import ApiError, instant_text, invalid, path_reference
from backoffice.projects.api import PlatformRequest
from backoffice.projects.models import Project
from subscriptions.actions import (
    BelongsToAnother,
    UserIsDeleted,
    put_free_copy,
    put_offer,
    put_purchase,
    put_subscription,
)
from subscriptions.models import FreeCopy, Offer, Provider, Purchase, Subscription
from subscriptions.schemas import (
    FreeCopyAnswer,
    FreeCopyPut,
    OfferAnswer,
    OfferPut,
    PurchaseAnswer,
    PurchasePut,
    SubscriptionAnswer,
    SubscriptionPut,
)
from users.models import User
from users.selectors import deleted_among

router = Router(tags=["Offers, subscriptions, purchases"])


@router.put(
    "/offers/{rest:offer_id}",
    response={200: OfferAnswer, 201: OfferAnswer},
    summary="Describe an offer",
)
def put_offer_by_id(
    request: PlatformRequest, offer_id: str, body: OfferPut
) -> Status[OfferAnswer]:
    """The whole object is replaced. The id is the platform's own, up to 64 characters."""
    project = request.auth.platform.project
    offer = Offer(
        project=project,
        reference=path_reference(offer_id, name="offer_id", longest=64),
        name=body.name,
        kind=body.kind,
        interval_months=body.interval_months,
        rental_days=body.rental_days,
        trial_days=body.trial_days,
        stripe_price_id=body.stripe_price_id,
        google_product_id=body.google_product_id,
        apple_product_id=body.apple_product_id,
        **body.money(default_currency=project.currency),
    )
    is_new = put_offer(offer, now=timezone.now())
    return Status(201 if is_new else 200, _offer_answer(offer))


@router.put(
    "/subscriptions/{provider}/{rest:reference}",
    response={200: SubscriptionAnswer, 201: SubscriptionAnswer, 204: None},
    summary="Report a subscription",
)
def put_subscription_by_reference(
    request: PlatformRequest, provider: str, reference: str, body: SubscriptionPut
) -> Status[Any]:
    """
    The whole object is replaced. `provider` is okast, google, apple or other; Stripe's come by
    webhook. A status without the date of its end ends when it arrives here for the first time.
    """
    project = request.auth.platform.project
    reported = Subscription(
        project=project,
        provider=_provider(provider),
        reference=path_reference(reference, name="reference", longest=255),
        offer=_offer(project, body.offer),
        status=body.status,
        started_at=body.started_at,
        first_paid_at=body.first_paid_at,
        current_period_end=body.current_period_end,
        past_due_since=body.past_due_since,
        trial_ends_at=body.trial_ends_at,
        cancel_at=body.cancel_at,
        ended_at=body.ended_at,
        cancel_reason=body.cancel_reason,
        **body.money(default_currency=project.currency),
    )
    try:
        reported.user = _user(project, body.user)
        is_new = put_subscription(reported, now=timezone.now())
    except UserIsDeleted:
        return Status(204, None)
    except BelongsToAnother as error:
        raise _belongs_to_another("subscription") from error
    return Status(201 if is_new else 200, _subscription_answer(reported))


@router.put(
    "/purchases/{provider}/{rest:reference}",
    response={200: PurchaseAnswer, 201: PurchaseAnswer, 204: None},
    summary="Report a pack or a gift",
)
def put_purchase_by_reference(
    request: PlatformRequest, provider: str, reference: str, body: PurchasePut
) -> Status[Any]:
    """
    The whole object is replaced. A gift gives its access to the recipient, as soon as there is
    an account of that address; a pack to its user.
    """
    project = request.auth.platform.project
    reported = Purchase(
        project=project,
        provider=_provider(provider),
        reference=path_reference(reference, name="reference", longest=255),
        offer=_offer(project, body.offer),
        type=body.type,
        status=body.status,
        purchased_at=body.purchased_at,
        expires_at=body.expires_at,
        **body.money(default_currency=project.currency),
    )
    if body.recipient and reported.type != Purchase.Type.GIFT:
        raise invalid({"recipient": "Only a gift has a recipient."})
    try:
        reported.user = _user(project, body.user)
        if body.recipient:
            reported.recipient, reported.recipient_email_key = _user_or_address(
                project, body.recipient, field="recipient"
            )
        is_new = put_purchase(reported, now=timezone.now())
    except UserIsDeleted:
        return Status(204, None)
    except BelongsToAnother as error:
        raise _belongs_to_another("purchase") from error
    return Status(201 if is_new else 200, _purchase_answer(reported))


@router.put(
    "/free-copies/{rest:reference}",
    response={200: FreeCopyAnswer, 201: FreeCopyAnswer, 204: None},
    summary="Report a free copy",
)
def put_free_copy_by_reference(
    request: PlatformRequest, reference: str, body: FreeCopyPut
) -> Status[Any]:
    """
    The whole object is replaced. Access runs from sending for an account that existed then,
    unless the project requires activation; else from `activated_at`.
    """
    project = request.auth.platform.project
    reported = FreeCopy(
        project=project,
        reference=path_reference(reference, name="reference", longest=64),
        offer=_offer(project, body.offer),
        sent_at=body.sent_at,
        days=body.days,
        activate_by=body.activate_by,
        activated_at=body.activated_at,
        revoked_at=body.revoked_at,
    )
    try:
        reported.user, reported.email_key = _user_or_address(project, body.user, field="user")
        is_new = put_free_copy(reported, now=timezone.now())
    except UserIsDeleted:
        return Status(204, None)
    except BelongsToAnother as error:
        raise _belongs_to_another("free copy") from error
    return Status(201 if is_new else 200, _free_copy_answer(reported))


# --- What a body refers to -----------------------------------------------------------------


def _provider(name: str) -> str:
    if name == Provider.STRIPE:
        raise invalid({"provider": "What Stripe charges comes by its webhook."})
    if name not in Provider.values:
        raise invalid({"provider": "Use okast, google, apple or other."})
    return name


def _offer(project: Project, reference: str | None) -> Offer | None:
    if reference is None:
        return None
    offer = Offer.objects.filter(project=project, reference=reference).first()
    if offer is None:
        raise invalid({"offer": "This project has no such offer."})
    return offer


def _user(project: Project, public_id: str, *, field: str = "user") -> User:
    """
    Return the project's user.

    :raises ApiError: if there never was one.
    :raises UserIsDeleted: if there was.
    """
    try:
        user_id = UUID(public_id)
    except ValueError as error:
        raise invalid({field: "This project has no such user."}) from error
    user = User.objects.of(project).filter(public_id=user_id).first()
    if user is not None and user.deleted_at is None:
        return user
    if user is not None or deleted_among([str(user_id)], project_id=project.pk):
        raise UserIsDeleted
    raise invalid({field: "This project has no such user."})


def _user_or_address(project: Project, name: str, *, field: str) -> tuple[User | None, str]:
    """Return the user of an id and no key, or nobody and the key of an e-mail."""
    if "@" not in name:
        return _user(project, name, field=field), ""
    try:
        return None, email_key(clean_email(name))
    except ValidationError as error:
        raise invalid({field: error.messages[0]}) from error


def _belongs_to_another(what: str) -> ApiError:
    message = f"This {what} is known as another user's."
    return ApiError(409, "belongs_to_another", message, {"user": message})


# --- Answers -------------------------------------------------------------------------------


def _offer_answer(offer: Offer) -> OfferAnswer:
    return OfferAnswer(
        id=offer.reference,
        name=offer.name,
        kind=offer.kind,
        price=major_units(offer.price_minor, offer.currency),
        currency=offer.currency,
        interval_months=offer.interval_months,
        rental_days=offer.rental_days,
        trial_days=offer.trial_days,
        stripe_price_id=offer.stripe_price_id,
        google_product_id=offer.google_product_id,
        apple_product_id=offer.apple_product_id,
    )


def _subscription_answer(subscription: Subscription) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        provider=subscription.provider,
        reference=subscription.reference,
        user=str(subscription.user.public_id),
        offer=subscription.offer.reference if subscription.offer else None,
        status=subscription.status,
        price=major_units(subscription.price_minor, subscription.currency),
        currency=subscription.currency,
        started_at=str(instant_text(subscription.started_at)),
        first_paid_at=instant_text(subscription.first_paid_at),
        current_period_end=instant_text(subscription.current_period_end),
        past_due_since=instant_text(subscription.past_due_since),
        trial_ends_at=instant_text(subscription.trial_ends_at),
        cancel_at=instant_text(subscription.cancel_at),
        ended_at=instant_text(subscription.ended_at),
        cancel_reason=subscription.cancel_reason,
    )


def _purchase_answer(purchase: Purchase) -> PurchaseAnswer:
    recipient = purchase.recipient_email_key or None
    if purchase.recipient is not None:
        recipient = str(purchase.recipient.public_id)
    return PurchaseAnswer(
        provider=purchase.provider,
        reference=purchase.reference,
        user=str(purchase.user.public_id),
        offer=purchase.offer.reference if purchase.offer else None,
        type=purchase.type,
        status=purchase.status,
        price=major_units(purchase.price_minor, purchase.currency),
        currency=purchase.currency,
        purchased_at=str(instant_text(purchase.purchased_at)),
        expires_at=instant_text(purchase.expires_at),
        recipient=recipient,
    )


def _free_copy_answer(free_copy: FreeCopy) -> FreeCopyAnswer:
    return FreeCopyAnswer(
        reference=free_copy.reference,
        user=str(free_copy.user.public_id) if free_copy.user else free_copy.email_key,
        offer=free_copy.offer.reference if free_copy.offer else None,
        sent_at=str(instant_text(free_copy.sent_at)),
        days=free_copy.days,
        activate_by=instant_text(free_copy.activate_by),
        activated_at=instant_text(free_copy.activated_at),
        revoked_at=instant_text(free_copy.revoked_at),
    )
