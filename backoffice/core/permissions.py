"""The whole policy on one screen: what can be allowed, and which role allows it.

`docs/permissions.md` shows the same as a table; a test compares the two.
"""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    """One act that a role may allow, named "<app>.<verb>"."""

    USERS_VIEW = "users.view"
    USERS_SEE_IDENTITY = "users.see_identity"
    """Names and e-mails in clear, and searching, sorting and filtering by them."""
    USERS_SEE_VIEWING = "users.see_viewing"
    """What one person watched, content by content."""
    USERS_CREATE = "users.create"
    USERS_EDIT = "users.edit"
    """A user's name and language; the rest of what is personal needs `USERS_EDIT_ACCOUNT` too."""
    USERS_EDIT_ACCOUNT = "users.edit_account"
    """What could hand an account to somebody else, above all its e-mail address."""
    USERS_EXPORT = "users.export"
    USERS_IMPORT = "users.import"
    USERS_DELETE = "users.delete"
    USERS_SET_PASSWORD = "users.set_password"  # noqa: S105  # a permission, no password
    USERS_SEND_RESET = "users.send_reset"
    USERS_IMPERSONATE = "users.impersonate"
    USERS_IMPERSONATE_FULL = "users.impersonate_full"
    USERS_END_SESSION = "users.end_session"
    ANALYTICS_VIEW = "analytics.view"
    ANALYTICS_EXPORT = "analytics.export"
    SUBSCRIPTIONS_VIEW = "subscriptions.view"
    SUBSCRIPTIONS_EDIT = "subscriptions.edit"
    SUBSCRIPTIONS_CHARGE = "subscriptions.charge"
    """Stopping, resuming and refunding what a provider charges."""
    AUDIT_VIEW = "audit.view"
    AUDIT_VIEW_OWN = "audit.view_own"
    """The register of one's own acts only."""
    SETTINGS_VIEW = "settings.view"
    SETTINGS_EDIT = "settings.edit"
    STAFF_MANAGE = "staff.manage"


class Role(models.TextChoices):
    """A bundle of permissions, held on one project or on all."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    SUPPORT = "support", _("Support")
    ANALYST = "analyst", _("Analyst")
    READER = "reader", _("Reader")


READER = frozenset({Permission.USERS_VIEW, Permission.ANALYTICS_VIEW})
ANALYST = READER | {
    Permission.USERS_SEE_VIEWING,
    Permission.USERS_EXPORT,
    Permission.ANALYTICS_EXPORT,
    Permission.SUBSCRIPTIONS_VIEW,
}
SUPPORT = READER | {
    Permission.USERS_SEE_VIEWING,
    Permission.USERS_SEE_IDENTITY,
    Permission.USERS_EDIT,
    Permission.USERS_SEND_RESET,
    Permission.USERS_IMPERSONATE,
    Permission.USERS_END_SESSION,
    Permission.SUBSCRIPTIONS_VIEW,
    Permission.AUDIT_VIEW_OWN,
}
ADMIN = (ANALYST | SUPPORT) | {
    Permission.USERS_CREATE,
    Permission.USERS_EDIT_ACCOUNT,
    Permission.USERS_IMPORT,
    Permission.USERS_DELETE,
    Permission.USERS_SET_PASSWORD,
    Permission.SUBSCRIPTIONS_EDIT,
    Permission.SUBSCRIPTIONS_CHARGE,
    Permission.AUDIT_VIEW,
    Permission.SETTINGS_VIEW,
    Permission.SETTINGS_EDIT,
    Permission.STAFF_MANAGE,
}
OWNER = ADMIN | {Permission.USERS_IMPERSONATE_FULL}

ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: OWNER,
    Role.ADMIN: ADMIN,
    Role.SUPPORT: SUPPORT,
    Role.ANALYST: ANALYST,
    Role.READER: READER,
}

# These ask for the password again when the last proof is too old.
STEP_UP = frozenset(
    {
        Permission.USERS_EXPORT,
        Permission.ANALYTICS_EXPORT,
        Permission.USERS_IMPORT,
        Permission.USERS_DELETE,
        Permission.USERS_SET_PASSWORD,
        Permission.USERS_IMPERSONATE,
        Permission.USERS_IMPERSONATE_FULL,
        Permission.SUBSCRIPTIONS_CHARGE,
    }
)
