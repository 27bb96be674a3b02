"""Users: the people of a project's platforms, their sign-up fields and their counts by day."""

from users.models.impersonation import (
    Impersonation,
    ImpersonationHalt,
    ImpersonationQuerySet,
    ImpersonationState,
)
from users.models.imports import ImportHeading, ImportPart, ImportRow, UserImport
from users.models.people import (
    CustomField,
    Deletion,
    RegistrationDay,
    User,
    UserQuerySet,
    UserSearch,
)
from users.models.sign_in import AttemptAllowance, DeviceSession, PasswordReset, ResetRequest

__all__ = [
    "AttemptAllowance",
    "CustomField",
    "Deletion",
    "DeviceSession",
    "Impersonation",
    "ImpersonationHalt",
    "ImpersonationQuerySet",
    "ImpersonationState",
    "ImportHeading",
    "ImportPart",
    "ImportRow",
    "PasswordReset",
    "RegistrationDay",
    "ResetRequest",
    "User",
    "UserImport",
    "UserQuerySet",
    "UserSearch",
]
