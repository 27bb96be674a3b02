"""
What a platform has in a database of its own, which the demo has not: its catalogue, what its
users pay, what they watched. Only read, and only here; all else goes through the API.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from analytics.models import Content, Viewing
from backoffice.projects.models import Project
from subscriptions.models import Purchase, Subscription
from subscriptions.selectors import sources_of
from users.models import User

SHELF = 12
LATEST = 10


@dataclass(frozen=True, slots=True)
class Watched:
    """One run of the player."""

    content: Content
    started_at: datetime
    watched_seconds: int
    position_seconds: int

    @property
    def percent(self) -> int | None:
        """Return how far it went; none where the content's duration is not known."""
        duration = self.content.duration_seconds
        return min(100, self.position_seconds * 100 // duration) if duration else None


@dataclass(frozen=True, slots=True)
class Paid:
    """What one user pays and paid, and what gives access now."""

    subscriptions: list[Subscription]
    purchases: list[Purchase]
    access_until: datetime | None
    has_access: bool


def shelves(project: Project) -> tuple[list[Content], list[Content]]:
    """Return what runs live now, and the latest of what can be watched at any time."""
    on_offer = Content.objects.filter(
        project=project, status=Content.Status.AVAILABLE, described_at__isnull=False
    ).order_by("-described_at", "-pk")
    live = on_offer.filter(type=Content.Type.LIVE)
    hosted = on_offer.filter(type=Content.Type.HOSTED)
    return list(live[:SHELF]), list(hosted[:SHELF])


def content_of(project: Project, reference: str) -> Content | None:
    """Return what can be watched under this name."""
    return Content.objects.filter(
        project=project, reference=reference, status=Content.Status.AVAILABLE
    ).first()


def history_of(project: Project, public_id: str) -> list[Watched]:
    """Return what the user watched last, the latest first."""
    viewings = list(
        Viewing.objects.filter(
            user_id=_key(project, public_id), watched_seconds__gte=project.minimum_view_seconds
        ).order_by("-started_at", "-id")[:LATEST]
    )
    contents = Content.objects.in_bulk({viewing.content_id for viewing in viewings})
    return [
        Watched(
            content=contents[viewing.content_id],
            started_at=viewing.started_at,
            watched_seconds=viewing.watched_seconds,
            position_seconds=viewing.position_seconds,
        )
        for viewing in viewings
    ]


def paid_by(project: Project, public_id: str, *, now: datetime) -> Paid:
    """Return what the user pays, and until when there is access; no end is for good."""
    sources = sources_of(_key(project, public_id))
    held = [
        holding
        for holding in sources.holdings()
        if holding.start <= now and (holding.end is None or holding.end > now)
    ]
    ends = [holding.end for holding in held if holding.end is not None]
    return Paid(
        subscriptions=sources.subscriptions,
        purchases=sources.bought,
        access_until=max(ends) if held and len(ends) == len(held) else None,
        has_access=bool(held),
    )


def _key(project: Project, public_id: str) -> int:
    """Return the dense key of the user; 0, which nobody has, if they were deleted meanwhile."""
    users = User.objects.of(project).present().filter(public_id=UUID(public_id))
    return users.values_list("pk", flat=True).first() or 0
