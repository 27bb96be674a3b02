"""
Secrets that open one thing of one owner: 256 random bits behind the owner's public id.

The owner leads, so that what a token opens is found among the owner's rows (architecture D5).
"""

import base64
import binascii
import hashlib
import secrets
from typing import Final
from uuid import UUID

_OWNER_BYTES: Final = 16
_SECRET_BYTES: Final = 32
# 48 bytes in base64, which needs no padding.
TOKEN_LENGTH: Final = 64


def new_token(owner: UUID) -> str:
    """Return a new token; only `hash_of_token` of it is ever kept."""
    return base64.urlsafe_b64encode(owner.bytes + secrets.token_bytes(_SECRET_BYTES)).decode()


def owner_of_token(token: str) -> UUID | None:
    """Return whose token it claims to be, or `None` if it has not the form of one."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    if len(raw) != _OWNER_BYTES + _SECRET_BYTES:
        return None
    return UUID(bytes=raw[:_OWNER_BYTES])


def hash_of_token(token: str) -> str:
    """Return what is kept of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
