"""Acts that the menu names and that cannot be done from here yet: each says so."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from backoffice.core.permissions import Permission
from users.views.profile import UserPage


class ToCome(UserPage, TemplateView):  # type: ignore[misc]
    """A plain page that changes nothing."""

    http_method_names = ("get", "head")
    template_name = "users/to_come.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "title": self.act(),
            "profile_url": reverse("users:profile", args=[self.user.public_id]),
        }

    def act(self) -> str:
        """Return the name of the act."""
        raise NotImplementedError


class Impersonate(ToCome):
    """Taking on the user's identity."""

    permission_required = Permission.USERS_IMPERSONATE

    def act(self) -> str:
        return _("Impersonate")
