"""When a session last proved who sits there: the stamps of sign-in, use and password."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

SIGNED_IN_AT: Final = "staff_signed_in_at"
SEEN_AT: Final = "staff_seen_at"
PROVED_AT: Final = "staff_proved_at"

# How often a session in use is stamped again: one write a minute, not one a request.
_STAMP_EVERY: Final = timedelta(minutes=1)


def stamp_sign_in(session: SessionBase, now: datetime) -> None:
    """Start the session's clocks; signing in counts as proof."""
    for stamp in (SIGNED_IN_AT, SEEN_AT, PROVED_AT):
        session[stamp] = now.timestamp()


def stamp_proof(session: SessionBase, now: datetime) -> None:
    """Note that the person has just proved who they are."""
    session[PROVED_AT] = now.timestamp()


def stamp_use(session: SessionBase, now: datetime) -> None:
    """Note that the session is in use, to the minute."""
    if _age(session, SEEN_AT, now) >= _STAMP_EVERY:
        session[SEEN_AT] = now.timestamp()


def is_expired(session: SessionBase, now: datetime) -> bool:
    """Tell whether the session was idle, or lasted, too long; one without stamps has."""
    return _age(session, SEEN_AT, now) >= timedelta(minutes=settings.SESSION_IDLE_MINUTES) or _age(
        session, SIGNED_IN_AT, now
    ) >= timedelta(hours=settings.SESSION_HOURS)


def is_proved(session: SessionBase, now: datetime) -> bool:
    """Tell whether the last proof is recent enough for the acts of `STEP_UP`."""
    return _age(session, PROVED_AT, now) < timedelta(minutes=settings.STEP_UP_MINUTES)


def _age(session: SessionBase, stamp: str, now: datetime) -> timedelta:
    at = session.get(stamp)
    if not isinstance(at, float):
        return timedelta.max
    return timedelta(seconds=now.timestamp() - at)
