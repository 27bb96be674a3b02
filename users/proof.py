"""Whether somebody is the user that they say: e-mail and password, throttled by failures."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Self

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.db import connection
from django.utils.crypto import salted_hmac

from backoffice.core.passwords import hashing_slot
from backoffice.core.text import email_key
from backoffice.projects.models import Project
from users.models import AttemptAllowance, User


class WrongPair(Exception):
    """No user of the project has this e-mail and this password."""


class TooManyFailures(Exception):
    """Signing in failed too often for this e-mail or from this address."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds
        """When it may be tried again."""


class Limit(NamedTuple):
    """How often something may be tried: at once, and anew within some seconds."""

    name: str
    """A keyed hash of what is limited and for whom."""
    most: int
    seconds: int

    @classmethod
    def on(cls, what: str, who: str, *, most: int, seconds: int) -> Self:
        key = salted_hmac("users.proof", f"{what} {who}", algorithm="sha256").hexdigest()
        return cls(key, most, seconds)


def prove(*, project: Project, email: str, password: str, address: str, now: datetime) -> User:
    """
    Return the user with the e-mail and the password.

    Costs one hash, whether there is such a user or not; none where it failed too often.

    :param address: the client's address of the network.
    :raises WrongPair: if there is none; that counts as a failure.
    :raises TooManyFailures: before anything is hashed; that counts as nothing.
    :raises backoffice.core.passwords.HashingBusy: if too many are being hashed.
    """
    key = email_key(email)
    limits = _sign_in_limits(project, key, address)
    # Asked in the slot, so that of many guesses at once only the few in slots get past.
    with hashing_slot():
        wait = seconds_to_wait(limits, now=now)
        if wait:
            raise TooManyFailures(wait)
        user = User.objects.of(project).present().filter(email_key=key).first()
        # Without a usable password Django hashes as long, and says no.
        if not check_password(password, user.password if user else "") or user is None:
            for limit in limits:
                count_attempt(limit, now=now)
            raise WrongPair
    return user


def _sign_in_limits(project: Project, key: str, address: str) -> list[Limit]:
    seconds = settings.SIGN_IN_FAILURE_MINUTES * 60
    return [
        Limit.on(
            "sign-in by e-mail",
            f"{project.pk} {key}",
            most=settings.SIGN_IN_FAILURES_PER_EMAIL,
            seconds=seconds,
        ),
        Limit.on(
            "sign-in by address",
            f"{project.pk} {address}",
            most=settings.SIGN_IN_FAILURES_PER_ADDRESS,
            seconds=seconds,
        ),
    ]


# --- Allowances ----------------------------------------------------------------------------

COUNT_ATTEMPT = """
    INSERT INTO users_attemptallowance AS a (name, attempts_left, counted_at)
    VALUES (%(name)s, %(most)s - 1, %(now)s)
    ON CONFLICT (name) DO UPDATE SET
        attempts_left = greatest(0, least(%(most)s, a.attempts_left + %(rate)s * greatest(0,
            extract(epoch FROM excluded.counted_at - a.counted_at))) - 1),
        counted_at = greatest(a.counted_at, excluded.counted_at)
"""

# Long since full again, as one that is not there; a few at a time.
FORGET_ALLOWANCES = """
    DELETE FROM users_attemptallowance WHERE name IN (
        SELECT name FROM users_attemptallowance
        WHERE counted_at < %(now)s - interval '1 day'
        ORDER BY counted_at LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


def seconds_to_wait(limits: Iterable[Limit], *, now: datetime) -> int:
    """Return after how many whole seconds all limits allow an attempt; 0 if they do now."""
    by_name = {limit.name: limit for limit in limits}
    waits = [0.0]
    for known in AttemptAllowance.objects.filter(name__in=by_name):
        limit = by_name[known.name]
        rate = limit.most / limit.seconds
        passed = max(0.0, (now - known.counted_at).total_seconds())
        waits.append((1 - known.attempts_left) / rate - passed)
    # Fractions of an attempt are not exact; a millisecond is near enough.
    return math.ceil(round(max(waits), 3))


def count_attempt(limit: Limit, *, now: datetime) -> None:
    """Take one attempt from the limit's allowance, if one is left."""
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_ATTEMPT,
            {
                "name": limit.name,
                "most": float(limit.most),
                "rate": limit.most / limit.seconds,
                "now": now,
            },
        )
        cursor.execute(FORGET_ALLOWANCES, {"now": now})
