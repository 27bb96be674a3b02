"""What people are told about what they were given."""

from datetime import datetime, timedelta
from typing import Final

from backoffice.jobs.mailing import post
from backoffice.jobs.models import Mail
from backoffice.projects.models import Project
from subscriptions.models import FreeCopy, Purchase
from users.models import User

# Gifts of the past, brought in from elsewhere, were told of then.
_NEWS_FOR: Final = timedelta(days=1)


def mail_free_copy(
    free_copy: FreeCopy, *, address: str = "", language: str = "", now: datetime
) -> Mail:
    """
    Tell of a free copy: its user, or the address that has no account yet.

    :param language: of an address; a user has one.
    """
    user, project = free_copy.user, free_copy.project
    return post(
        Mail.Kind.FREE_COPY,
        project=project,
        email=user.email if user else address,
        language=user.language if user else language,
        values={
            "offer": free_copy.offer.name if free_copy.offer else project.name,
            "days": str(free_copy.days),
            "url": _home_of(user, project),
        },
        target_user=user.public_id if user else None,
        now=now,
    )


def mail_gift(purchase: Purchase, address: str, *, now: datetime) -> Mail | None:
    """
    Tell the recipient of a new gift; nothing for what is no gift, not paid or not new.

    :param address: of a recipient who may have no account.
    """
    is_gift = purchase.type == Purchase.Type.GIFT and purchase.status == Purchase.Status.ACTIVE
    if not is_gift or purchase.purchased_at <= now - _NEWS_FOR:
        return None
    return remind_of_gift(purchase, address, now=now)


def remind_of_gift(gift: Purchase, address: str, *, now: datetime) -> Mail:
    """Tell the recipient of a gift, or the address that has no account yet."""
    recipient = gift.recipient
    return post(
        Mail.Kind.GIFT,
        project=gift.project,
        email=recipient.email if recipient else address,
        language=recipient.language if recipient else "",
        values={
            "offer": gift.offer.name if gift.offer else gift.project.name,
            "url": _home_of(recipient, gift.project),
        },
        target_user=recipient.public_id if recipient else None,
        now=now,
    )


def _home_of(user: User | None, project: Project) -> str:
    """Return the home page of the user's platform, or of the project's first one."""
    platform = user.platform if user else project.platforms.order_by("pk").first()
    return platform.home_url if platform else ""
