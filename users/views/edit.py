"""A person's profile, open for editing."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.generic import View

from backoffice.core.permissions import Permission
from subscriptions.actions import change_user
from users.actions import ChangedSince, EmailTaken
from users.forms import UserForm
from users.models import User
from users.selectors import custom_fields
from users.views.profile import UserPage


class Edit(UserPage, View):
    """Change personal information; who comes second sees both versions and loses nothing."""

    permission_required = Permission.USERS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form(initial=UserForm.values_of(self.user)))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self._form(data=self.request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            change_user(
                user=self.user,
                changes=form.changes_for(self.user),
                version=form.cleaned_data["version"],
                actor=self.request.user,
                now=self.now,
            )
        except EmailTaken:
            form.add_error("email", _("Another user of this project has this address."))
            return self._page(form, status=400)
        except ChangedSince:
            return self._conflict(form)
        messages.success(self.request, _("The profile was changed."))
        return HttpResponseRedirect(reverse("users:profile", args=[self.user.public_id]))

    def _conflict(self, form: UserForm) -> HttpResponse:
        """Show what was typed beside what stands there by now; saving again overwrites it."""
        newer = User.objects.get(pk=self.user.pk)
        stands = UserForm.values_of(newer)
        typed = {name: str(form.data.get(name, "")) for name in form.fields}
        typed["version"] = str(newer.version)
        again = self._form(data=typed)
        again.full_clean()
        differing = [
            {
                "label": again[name].label,
                "stands": stands.get(name, ""),
                "typed": typed.get(name, ""),
            }
            for name in again.fields
            if name != "version" and str(stands.get(name, "")) != typed.get(name, "")
        ]
        return self._page(again, status=409, differing=differing)

    def _form(self, **kwargs: Any) -> UserForm:
        language = get_language() or "en"
        return UserForm(fields=custom_fields(self.project.pk), language=language, **kwargs)

    def _page(
        self, form: UserForm, *, status: int = 200, differing: list[dict[str, Any]] | None = None
    ) -> HttpResponse:
        context = {
            "title": _("Edit"),
            "form": form,
            "differing": differing,
            "profile_url": reverse("users:profile", args=[self.user.public_id]),
        }
        return TemplateResponse(self.request, "users/edit.html", context, status=status)
