"""Passwords of users: what is accepted, how they are kept, how many are hashed at once."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    MinimumLengthValidator,
    NumericPasswordValidator,
)
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

SHORTEST, LONGEST = 8, 256
# Letters and digits that nobody takes for another when they are read out or written by hand.
_CLEAR: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 4, 4
# One hash takes half a second of a core and 100 MB: so many at once in one process.
_SLOTS: Final = threading.BoundedSemaphore(2)
# Whoever waits holds a thread of the web server.
LONGEST_WAIT_SECONDS: Final = 10
# The settings' validators are those of staff, who need longer ones.
_VALIDATORS = (
    MinimumLengthValidator(SHORTEST),
    CommonPasswordValidator(),
    NumericPasswordValidator(),
)


class HashingBusy(Exception):
    """So many passwords are being hashed that this one's turn did not come."""


@contextmanager
def hashing_slot() -> Iterator[None]:
    """
    Hold one of the few slots in which a password is hashed or compared.

    :raises HashingBusy: if none was free for `LONGEST_WAIT_SECONDS`.
    """
    if not _SLOTS.acquire(timeout=LONGEST_WAIT_SECONDS):
        raise HashingBusy
    try:
        yield
    finally:
        _SLOTS.release()


def new_password() -> str:
    """Return a password to be told to somebody: four groups of four, 79 random bits."""
    groups = [
        "".join(secrets.choice(_CLEAR) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    ]
    return "-".join(groups)


def hash_password(password: str) -> str:
    """
    Return what is kept of a new password. Costs half a second: call it outside of locks.

    :raises ValidationError: if it is too short, too long, too common or only digits.
    :raises HashingBusy: if too many are being hashed.
    """
    errors = []
    if len(password) > LONGEST:
        errors.append(_("The password is too long."))
    for validator in _VALIDATORS:
        try:
            validator.validate(password)
        except ValidationError as error:
            errors.extend(error.messages)
    if errors:
        raise ValidationError(errors)
    with hashing_slot():
        return make_password(password)
