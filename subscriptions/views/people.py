"""How users and addresses are shown in the lists of payments."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.core.masking import mask_email
from users.models import User


@dataclass(frozen=True, slots=True)
class Person:
    """A user, or an address without an account, as one reader may see it."""

    name: str
    url: str
    """Of the profile; empty for an address and for a deleted user."""


@dataclass(frozen=True, slots=True)
class People:
    """Shows users to one reader."""

    sees_identity: bool

    def of(self, user: User | None, *, address: str = "") -> Person:
        """Return the user, or the address that has no account."""
        if user is None:
            return Person(address if self.sees_identity else mask_email(address), "")
        if user.deleted_at is not None:
            return Person(_("Deleted user"), "")
        shown = user.shown_name(sees_identity=self.sees_identity)
        return Person(shown, reverse("users:profile", args=[user.public_id]))
