"""One new user, by hand."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.core.instants import to_second
from backoffice.core.permissions import Permission
from backoffice.core.text import email_key
from backoffice.staff.pages import StaffPage
from subscriptions.actions import register_user
from subscriptions.giving import give_free_copy
from subscriptions.selectors import offers_of
from users.actions import EmailTaken
from users.forms import NewUserForm
from users.mailing import invite
from users.models import User
from users.selectors import custom_fields


class NewUser(StaffPage):
    """Make a user on a platform, with a free copy if asked for."""

    permission_required = Permission.USERS_CREATE
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self._form(data=self.request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            user = self._create(form)
        except EmailTaken:
            other = self._user_with(form.cleaned_data["email"])
            form.add_error("email", _("Another user of this project has this address."))
            return self._page(form, status=409, other=other)
        messages.success(self.request, _("The user was created."))
        return HttpResponseRedirect(reverse("users:profile", args=[user.public_id]))

    @transaction.atomic
    def _create(self, form: NewUserForm) -> User:
        user = form.user(self.project, registered_at=to_second(self.now))
        register_user(user=user, actor=self.request.user, now=self.now)
        if days := form.cleaned_data.get("free_copy_days"):
            give_free_copy(
                user=user, offer=form.offer, days=days, actor=self.request.user, now=self.now
            )
        if form.cleaned_data["invite"]:
            invite(user=user, actor=self.request.user, now=self.now)
        return user

    def _user_with(self, email: str) -> User | None:
        users = User.objects.of(self.project).present()
        return users.filter(email_key=email_key(email)).first()

    def _form(self, **kwargs: Any) -> NewUserForm:
        may_give = self.may(Permission.SUBSCRIPTIONS_EDIT)
        return NewUserForm(
            fields=custom_fields(self.project.pk),
            language=get_language() or "en",
            platforms=list(self.project.platforms.order_by("name", "pk")),
            offers=offers_of(self.project.pk) if may_give else None,
            **kwargs,
        )

    def _page(
        self, form: NewUserForm, *, status: int = 200, other: User | None = None
    ) -> HttpResponse:
        free_copy = [name for name in ("offer", "free_copy_days") if name in form.fields]
        apart = {field.key for field in form.custom_fields} | {"invite", *free_copy}
        context = {
            "title": _("New user"),
            "form": form,
            "person": [field for field in form.visible_fields() if field.name not in apart],
            "sign_up": [form[field.key] for field in form.custom_fields],
            "free_copy": [form[name] for name in free_copy],
            "invitation": [form["invite"]],
            "has_platform": bool(form.platforms),
            "other_url": reverse("users:profile", args=[other.public_id]) if other else None,
        }
        return TemplateResponse(self.request, "users/user_new.html", context, status=status)
