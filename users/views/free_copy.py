"""Access for a time, given to a user."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.core.formatting import instant_text
from backoffice.core.permissions import Permission
from subscriptions.actions import UserIsDeleted
from subscriptions.giving import give_free_copy
from subscriptions.models import FreeCopy
from subscriptions.selectors import offers_of
from users.forms import FreeCopyForm
from users.views.profile import UserPage


class GiveFreeCopy(UserPage):
    """Choose the offer and the days; what it comes to stands in the message afterwards."""

    permission_required = Permission.SUBSCRIPTIONS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(FreeCopyForm(offers=offers_of(self.project.pk)))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = FreeCopyForm(self.request.POST, offers=offers_of(self.project.pk))
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            given = give_free_copy(
                user=self.user,
                offer=form.offer,
                days=form.cleaned_data["days"],
                with_mail=form.cleaned_data["mail"],
                actor=self.request.user,
                now=self.now,
            )
        except UserIsDeleted as error:
            raise Http404 from error
        messages.success(self.request, self._what_follows(given))
        return HttpResponseRedirect(self.profile_url)

    def _what_follows(self, given: FreeCopy) -> str:
        if given.access_end is None:
            return _("The free copy was given; it starts when the user activates it.")
        end = instant_text(given.access_end, self.zone, get_language() or "en")
        return _("The free copy was given: access until %(end)s.") % {"end": end}

    def _page(self, form: FreeCopyForm, *, status: int = 200) -> HttpResponse:
        context = {
            "title": _("Free copy"),
            "form": form,
            "needs_activation": self.project.free_copies_need_activation,
            "profile_url": self.profile_url,
            "form_url": self.address("users:free-copy"),
        }
        return TemplateResponse(self.request, "users/free_copy.html", context, status=status)
