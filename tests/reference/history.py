"""
What was reported about a few people of one service, as plain records.

The records know nothing of the database. `tests.reference.figures` computes every figure from
them, slowly and by the words of docs/metrics.md; `tests.reference.loading` writes them into it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Subscribed:
    """A subscription as its provider reports it."""

    status: str
    started_at: datetime
    provider: str = "google"
    trial_ends_at: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    past_due_since: datetime | None = None
    status_since: datetime | None = None
    """When the status arrived; none: at the start."""


@dataclass(frozen=True)
class Bought:
    """A pack, or a gift, which is a pack bought for `recipient` (the number of a person)."""

    status: str
    purchased_at: datetime
    is_gift: bool = False
    recipient: int | None = None
    expires_at: datetime | None = None
    rental_days: int | None = None
    status_since: datetime | None = None


@dataclass(frozen=True)
class FreeCopy:
    """A free copy sent to a person."""

    sent_at: datetime
    days: int
    activated_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class Watched:
    """One viewing of a content, named by a number."""

    started_at: datetime
    seconds: int
    content: int = 0
    platform: int = 0
    by_bot: bool = False


@dataclass(frozen=True)
class Person:
    """An account, with all that was reported of it."""

    registered_at: datetime
    platform: int = 0
    is_deleted: bool = False
    subscriptions: tuple[Subscribed, ...] = ()
    purchases: tuple[Bought, ...] = ()
    free_copies: tuple[FreeCopy, ...] = ()
    viewings: tuple[Watched, ...] = ()


@dataclass(frozen=True)
class History:
    """A service and its people; a person is named by the place in the list."""

    zone: ZoneInfo
    people: tuple[Person, ...] = ()
    grace_days: int = 3
    needs_activation: bool = False
    minimum_view_seconds: int = 5
    platforms: int = field(default=2, kw_only=True)
