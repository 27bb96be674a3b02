"""The end of a person's device sessions: of one, of all."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from backoffice.core.permissions import Permission
from users.actions import end_sessions_for_staff
from users.views.profile import UserPage


class EndSessions(UserPage, View):
    """End the session that the address names, or all; effective at the device's next request."""

    permission_required = Permission.USERS_END_SESSION
    http_method_names = ("post",)

    def post(self, *_args: Any, **kwargs: Any) -> HttpResponse:
        ended = end_sessions_for_staff(
            user=self.user,
            actor=self.request.user,
            now=self.now,
            session_id=kwargs.get("session_id"),
        )
        if ended:
            words = ngettext("%(n)s session was ended.", "%(n)s sessions were ended.", ended)
            messages.success(self.request, words % {"n": ended})
        else:
            messages.warning(self.request, _("No session was live any more."))
        return HttpResponseRedirect(f"{self.profile_url}#sessions")
