"""New passwords of platforms' calls, hashed or refused in the API's way."""

from django.core.exceptions import ValidationError

from backoffice.core.passwords import HashingBusy, hash_password
from backoffice.core.wire import invalid, too_many


def hash_or_refuse(password: str) -> str:
    """
    Return what is kept of the password.

    :raises ApiError: if it will not do, or too many are being hashed.
    """
    try:
        return hash_password(password)
    except ValidationError as error:
        raise invalid({"password": " ".join(error.messages)}) from error
    except HashingBusy as error:
        raise too_many("Too many passwords are being set at once.", seconds=1) from error
