"""Texts kept so that a dump of the database does not tell them."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes


def seal(text: str, *, purpose: str) -> str:
    """Return the text encrypted for one purpose."""
    return _cipher(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, *, purpose: str) -> str | None:
    """Return the text; `None` if it was sealed for something else or with a lost key."""
    try:
        return _cipher(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def _cipher(purpose: str) -> MultiFernet:
    """Return the cipher of the secret key; the keys before it still decrypt."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(key, purpose)) for key in keys])


def _derived(key: str | bytes, purpose: str) -> bytes:
    derivation = HKDF(SHA256(), length=32, salt=None, info=f"backoffice {purpose}".encode())
    return base64.urlsafe_b64encode(derivation.derive(force_bytes(key)))
