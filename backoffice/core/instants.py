"""The span of time that stored instants must lie in, so that no row breaks a page or a file."""

from datetime import UTC, datetime

from django.db.models import Q

FIRST_INSTANT = datetime(1990, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2200, 1, 1, tzinfo=UTC)


def within_bounds(field: str) -> Q:
    """Return the condition that the instant is missing or lies in [1990, 2200)."""
    return Q(**{f"{field}__isnull": True}) | Q(
        **{f"{field}__gte": FIRST_INSTANT, f"{field}__lt": LAST_INSTANT}
    )


def to_second(instant: datetime) -> datetime:
    """Return the second that the instant lies in: what is reported from outside is kept so."""
    return instant.replace(microsecond=0)
