"""Encryption of what is kept and read again by this service alone."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from django.utils.crypto import salted_hmac


class SealBroken(Exception):
    """What was sealed cannot be read: `SECRET_KEY` is another one now, or the text was changed."""


def fernet(purpose: str, secret: bytes = b"") -> Fernet:
    """
    Return what closes and opens texts of one purpose.

    The key follows from `SECRET_KEY`, the purpose and a secret that need not be kept.
    """
    digest = salted_hmac(purpose, secret, algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(digest))


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
