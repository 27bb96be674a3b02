"""Passwords of users: what is accepted, and how they are kept."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    MinimumLengthValidator,
    NumericPasswordValidator,
)
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

SHORTEST, LONGEST = 8, 256
# The settings' validators are those of staff, who need longer ones.
_VALIDATORS = (
    MinimumLengthValidator(SHORTEST),
    CommonPasswordValidator(),
    NumericPasswordValidator(),
)


def hash_password(password: str) -> str:
    """
    Return what is kept of a new password. Costs half a second: call it outside of locks.

    :raises ValidationError: if it is too short, too long, too common or only digits.
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
    return make_password(password)
