"""What people are told about what they were given."""

from datetime import datetime, timedelta
from typing import Final

from backoffice.jobs.mailing import post
from backoffice.jobs.models import Mail
from backoffice.projects.models import Platform
from subscriptions.models import FreeCopy, Purchase
from users.models import User

# Gifts of the past, brought in from elsewhere, were told of then.
_NEWS_FOR: Final = timedelta(days=1)


def mail_free_copy(free_copy: FreeCopy, user: User, *, now: datetime) -> Mail:
    """Tell the user of the free copy."""
    return post(
        Mail.Kind.FREE_COPY,
        project=user.project,
        email=user.email,
        language=user.language,
        values={
            "offer": free_copy.offer.name if free_copy.offer else user.project.name,
            "days": str(free_copy.days),
            "url": user.platform.home_url,
        },
        target_user=user.public_id,
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
    recipient = purchase.recipient
    platforms = Platform.objects.filter(project_id=purchase.project_id).order_by("pk")
    platform = recipient.platform if recipient else platforms.first()
    return post(
        Mail.Kind.GIFT,
        project=purchase.project,
        email=recipient.email if recipient else address,
        language=recipient.language if recipient else "",
        values={
            "offer": purchase.offer.name if purchase.offer else purchase.project.name,
            "url": platform.home_url if platform else "",
        },
        target_user=recipient.public_id if recipient else None,
        now=now,
    )
