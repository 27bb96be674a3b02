"""A person's profile, with the personal information open for editing."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from backoffice.core.permissions import Permission
from subscriptions.actions import change_user
from users.actions import PROFILE_FIELDS, ChangedSince, EmailTaken
from users.forms import NAME_AND_LANGUAGE, SEEN, UserForm, values_of
from users.views.profile import Profile


class Edit(Profile):
    """Change personal information; who comes second sees both versions and loses nothing."""

    permission_required = Permission.USERS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self._form(self.request.POST)
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
        return HttpResponseRedirect(f"{self.profile_url}#personal")

    def _conflict(self, form: UserForm) -> HttpResponse:
        """
        Show what was typed beside what stands there by now; saving again overwrites it.

        What the editor did not touch takes the newer value, so that nobody's change is undone
        unseen.
        """
        self.user.refresh_from_db(fields=[*PROFILE_FIELDS, "version", "modified_at"])
        stands = {name: str(value) for name, value in values_of(self.user).items()}
        untouched = form.untouched()
        data = QueryDict(mutable=True)
        for name in form.fields:
            newer = stands.get(name, "")
            data[name] = newer if name in untouched else str(form.data.get(name, ""))
            data[SEEN + name] = newer
        data["version"] = str(self.user.version)
        again = self._form(data)
        again.full_clean()
        return self._page(
            again,
            status=409,
            differing=[
                {
                    "label": again[name].label,
                    "stands": stands.get(name, ""),
                    "typed": str(form.data.get(name, "")),
                    "is_untouched": name in untouched,
                }
                for name in again.fields
                if name != "version" and stands.get(name, "") != str(form.data.get(name, ""))
            ],
        )

    def _form(self, data: Any = None) -> UserForm:
        return UserForm(
            data,
            edited=self.user,
            only=None if self.may(Permission.USERS_EDIT_ACCOUNT) else NAME_AND_LANGUAGE,
            fields=self.custom_fields,
            language=self.language,
        )

    def _page(
        self, form: UserForm, *, status: int = 200, differing: list[dict[str, Any]] | None = None
    ) -> HttpResponse:
        context = self.content() | {
            "form": form,
            "form_url": self.address("users:edit"),
            "differing": differing,
            # The period is chosen on the profile itself.
            "filter": None,
        }
        return TemplateResponse(self.request, self.template_name, context, status=status)
