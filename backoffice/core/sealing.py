"""Encryption of what is kept and read again by this service alone."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac


class SealBroken(Exception):
    """What was sealed cannot be read: `SECRET_KEY` is another one now, or the text was changed."""


def fernet(purpose: str, secret: bytes = b"") -> MultiFernet:
    """
    Return what closes and opens texts of one purpose; the keys before `SECRET_KEY` open too.

    The key follows from `SECRET_KEY`, the purpose and a secret that need not be kept.
    """
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(purpose, secret, key)) for key in keys])


def seal(text: str, *, purpose: str) -> str:
    """Return the text encrypted."""
    return fernet(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, *, purpose: str) -> str:
    """
    Return the text that was sealed for the same purpose.

    :raises SealBroken: if it cannot be read.
    """
    try:
        return fernet(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken from error


def _derived(purpose: str, secret: bytes, key: str | bytes) -> bytes:
    digest = salted_hmac(purpose, secret, secret=key, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest)
