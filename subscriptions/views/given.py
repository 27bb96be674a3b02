"""Free copies and gifts: the registers, and what can be done with one."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from backoffice.core.formatting import instant_text, money_text
from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from subscriptions.actions import UserIsDeleted
from subscriptions.filters import FreeCopyFilter, GiftFilter
from subscriptions.forms import FreeCopyChangeForm, GiftChangeForm, NewFreeCopyForm
from subscriptions.giving import (
    OURS,
    NotPossible,
    change_free_copy,
    change_gift,
    remind_of_free_copy,
    remind_recipient,
    revoke_free_copy,
    revoke_gift,
    send_free_copy,
)
from subscriptions.models import FreeCopy, GivenState, Purchase
from subscriptions.selectors import offers_of
from subscriptions.views.payments import PaymentRegister
from subscriptions.views.people import People, Person

# The colours of the states, by the names of the badges.
BADGES = {
    GivenState.ENABLED: "active",
    GivenState.PENDING: "registered",
    GivenState.EXPIRED: "cancelled",
    GivenState.DONE: "done",
}

MAIL_SENT = gettext_lazy("The mail is on its way.")


class FreeCopyList(PaymentRegister):
    """Every free copy, the latest first, with its state as of now."""

    filterset_class = FreeCopyFilter
    ordering = Ordering("-sent", ("sent_at", "pk"), is_descending=True)
    template_name = "subscriptions/free_copy_list.html"
    title = gettext_lazy("Free copies")

    def get_queryset(self) -> QuerySet[FreeCopy]:
        return FreeCopy.objects.filter(project=self.project).select_related("user", "offer")

    def get_context_data(self) -> dict[str, Any]:
        return super().get_context_data() | {
            "may_edit": self.may(Permission.SUBSCRIPTIONS_EDIT),
            "new_url": reverse("subscriptions:free-copy-new"),
        }

    def lines(self, rows: Sequence[FreeCopy]) -> list[dict[str, Any]]:
        return [self._line(row) for row in rows]

    def _line(self, row: FreeCopy) -> dict[str, Any]:
        state = row.given_state(self.now)
        return {
            "id": row.pk,
            "person": self.people.of(row.user, address=row.email_key),
            "status": BADGES[state],
            "state": state.value,
            "status_label": state.label,
            "offer": row.offer.name if row.offer else "",
            "days": row.days,
            "sent": self.instant(row.sent_at),
            "start": self.instant(row.access_start),
            "end": self.instant(row.access_end or row.activate_by),
            "url": reverse("subscriptions:free-copy", args=[row.pk]),
        }


class GiftList(PaymentRegister):
    """Every gift, the latest first: who bought it, for whom, and how far it is."""

    filterset_class = GiftFilter
    ordering = Ordering("-purchased", ("purchased_at", "pk"), is_descending=True)
    template_name = "subscriptions/gift_list.html"
    title = gettext_lazy("Gifts")

    def get_queryset(self) -> QuerySet[Purchase]:
        gifts = Purchase.objects.filter(project=self.project, type=Purchase.Type.GIFT)
        return gifts.select_related("user", "recipient", "offer")

    def get_context_data(self) -> dict[str, Any]:
        return super().get_context_data() | {"may_edit": self.may(Permission.SUBSCRIPTIONS_EDIT)}

    def lines(self, rows: Sequence[Purchase]) -> list[dict[str, Any]]:
        return [self._line(row) for row in rows]

    def _line(self, row: Purchase) -> dict[str, Any]:
        state = row.given_state(self.now)
        return {
            "id": row.pk,
            "buyer": self.people.of(row.user),
            "person": self.people.of(row.recipient, address=row.recipient_email_key),
            "status": BADGES[state],
            "state": state.value,
            "status_label": state.label,
            "offer": row.offer.name if row.offer else "",
            "price": self.money(row),
            "date": self.instant(row.purchased_at),
            "end": self.instant(row.access_end or row.expires_at),
            "url": reverse("subscriptions:gift", args=[row.pk]) if row.provider in OURS else "",
        }


class GivenPage(StaffPage):
    """A page about one thing that was given: changed here, or taken back."""

    permission_required = Permission.SUBSCRIPTIONS_EDIT
    http_method_names = ("get", "head", "post")
    list_name: str

    @property
    def found(self) -> FreeCopy | Purchase | None:
        """What the address names; nothing for a new one."""
        return None

    def project_of_object(self) -> int | None:
        # One that does not exist is missed after the permission, like one of the project's.
        return self.found.project_id if self.found else None

    def act(self, change: Callable[[], object], done: StrOrPromise) -> HttpResponse:
        """Do it and say so, or say why it cannot be."""
        try:
            change()
        except NotPossible:
            messages.error(self.request, _("It is over already, or charged elsewhere."))
        except UserIsDeleted:
            messages.error(self.request, _("It concerns a user who was deleted."))
        else:
            messages.success(self.request, str(done))
        return HttpResponseRedirect(reverse(self.list_name))

    def show(self, form: Any, *, status: int = 200, **more: Any) -> HttpResponse:
        context = {"form": form, "list_url": reverse(self.list_name)} | more
        return TemplateResponse(self.request, "subscriptions/given.html", context, status=status)

    @property
    def people(self) -> People:
        return People(self.may(Permission.USERS_SEE_IDENTITY))

    @property
    def language(self) -> str:
        return get_language() or "en"

    def access_lost(self, given: FreeCopy | Purchase, state: GivenState, person: Person) -> str:
        """Say what becomes of whose access when it is taken back."""
        if state != GivenState.ENABLED:
            return _("Nobody has access by it yet, and nobody will.")
        if given.access_end is None:
            words = _("%(person)s loses this access now; it had no end. Other access stays.")
            return words % {"person": person.name}
        words = _(
            "%(person)s loses this access now; it would have lasted until %(end)s. Other access"
            " stays."
        )
        end = instant_text(given.access_end, self.zone, self.language)
        return words % {"person": person.name, "end": end}


class NewFreeCopy(GivenPage):
    """Send a free copy to an address."""

    list_name = "subscriptions:free-copies"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = self._form(data=request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        send_free_copy(
            project=self.project,
            email=form.cleaned_data["email"],
            with_mail=form.cleaned_data["mail"],
            language=form.cleaned_data["language"],
            actor=self.request.user,
            now=self.now,
            **form.values(),
        )
        messages.success(request, _("The free copy was sent."))
        return HttpResponseRedirect(reverse(self.list_name))

    def _form(self, **kwargs: Any) -> NewFreeCopyForm:
        return NewFreeCopyForm(offers=offers_of(self.project.pk), zone=self.zone, **kwargs)

    def _page(self, form: NewFreeCopyForm, *, status: int = 200) -> HttpResponse:
        return self.show(
            form, status=status, title=_("New free copy"), submit_label=_("Send"), is_new=True
        )


class FreeCopyPage(GivenPage):
    """Change a free copy that was sent, or take it back."""

    list_name = "subscriptions:free-copies"

    @cached_property
    def found(self) -> FreeCopy | None:
        rows = FreeCopy.objects.select_related("project", "user", "offer")
        return rows.filter(pk=self.kwargs["free_copy_id"]).first()

    @property
    def free_copy(self) -> FreeCopy:
        """The free copy that the address names."""
        if self.found is None:
            raise Http404
        return self.found

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        initial = FreeCopyChangeForm.values_of(self.free_copy, self.zone)
        return self._page(self._form(initial=initial))

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if "revoke" in request.POST:
            return self.act(self._revoke, _("The free copy was taken back."))
        if "remind" in request.POST:
            return self.act(self._remind, MAIL_SENT)
        form = self._form(data=request.POST)
        if not form.is_valid():
            return self._page(form, status=400)

        def change() -> object:
            return change_free_copy(
                free_copy=self.free_copy,
                changes=form.values(),
                actor=self.request.user,
                now=self.now,
            )

        return self.act(change, _("The free copy was changed."))

    def _revoke(self) -> object:
        return revoke_free_copy(free_copy=self.free_copy, actor=self.request.user, now=self.now)

    def _remind(self) -> object:
        return remind_of_free_copy(free_copy=self.free_copy, actor=self.request.user, now=self.now)

    def _form(self, **kwargs: Any) -> FreeCopyChangeForm:
        return FreeCopyChangeForm(offers=offers_of(self.project.pk), zone=self.zone, **kwargs)

    def _page(self, form: FreeCopyChangeForm, *, status: int = 200) -> HttpResponse:
        free_copy = self.free_copy
        state = free_copy.given_state(self.now)
        person = self.people.of(free_copy.user, address=free_copy.email_key)
        return self.show(
            form,
            status=status,
            title=_("Free copy"),
            submit_label=_("Save"),
            person=person,
            state_label=state.label,
            badge=BADGES[state],
            is_over=state == GivenState.DONE,
            waits=state == GivenState.PENDING,
            revoke_label=_("Take back"),
            what_it_does=[self.access_lost(free_copy, state, person)],
        )


class GiftPage(GivenPage):
    """Change until when a gift gives access, or cancel it."""

    list_name = "subscriptions:gifts"

    @cached_property
    def found(self) -> Purchase | None:
        rows = Purchase.objects.select_related("project", "user", "recipient", "offer")
        return rows.gifts().filter(pk=self.kwargs["gift_id"], provider__in=OURS).first()

    @property
    def gift(self) -> Purchase:
        """The gift that the address names; one that a provider charges is changed there."""
        if self.found is None:
            raise Http404
        return self.found

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        initial = GiftChangeForm.values_of(self.gift, self.zone)
        return self._page(GiftChangeForm(initial=initial, zone=self.zone))

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if "revoke" in request.POST:
            return self.act(self._revoke, _("The gift was cancelled."))
        if "remind" in request.POST:
            return self.act(self._remind, MAIL_SENT)
        form = GiftChangeForm(request.POST, zone=self.zone)
        if not form.is_valid():
            return self._page(form, status=400)

        def change() -> object:
            return change_gift(
                gift=self.gift,
                expires_at=form.expires_at,
                actor=self.request.user,
                now=self.now,
            )

        return self.act(change, _("The gift was changed."))

    def _revoke(self) -> object:
        return revoke_gift(gift=self.gift, actor=self.request.user, now=self.now)

    def _remind(self) -> object:
        return remind_recipient(gift=self.gift, actor=self.request.user, now=self.now)

    def _page(self, form: GiftChangeForm, *, status: int = 200) -> HttpResponse:
        gift = self.gift
        state = gift.given_state(self.now)
        person = self.people.of(gift.recipient, address=gift.recipient_email_key)
        paid = _("Nothing is paid back here: %(buyer)s paid %(price)s.") % {
            "buyer": self.people.of(gift.user).name,
            "price": money_text(gift.price_minor, gift.currency, self.language),
        }
        return self.show(
            form,
            status=status,
            title=_("Gift"),
            submit_label=_("Save"),
            person=person,
            state_label=state.label,
            badge=BADGES[state],
            is_over=gift.status == Purchase.Status.CANCELLED or state == GivenState.DONE,
            is_without_buyer=gift.user.deleted_at is not None,
            waits=state == GivenState.PENDING,
            revoke_label=_("Cancel the gift"),
            what_it_does=[self.access_lost(gift, state, person), paid],
        )
