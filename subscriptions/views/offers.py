"""What a project sells: the list, and each offer with those who hold it."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import money_text, number
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from subscriptions.forms import NewOfferForm, OfferForm
from subscriptions.giving import OfferExists, create_offer, edit_offer
from subscriptions.models import Offer
from subscriptions.selectors import holders_of, offers_of
from users.models import User


def terms_of(offer: Offer) -> str:
    """Return in words for how long an offer is sold: "every month · 14 days of trial"."""
    terms = []
    if offer.interval_months:
        words = ngettext("every month", "every %(n)s months", offer.interval_months)
        terms.append(words % {"n": offer.interval_months})
    if offer.rental_days:
        words = ngettext("%(n)s day of rental", "%(n)s days of rental", offer.rental_days)
        terms.append(words % {"n": offer.rental_days})
    if offer.trial_days:
        words = ngettext("%(n)s day of trial", "%(n)s days of trial", offer.trial_days)
        terms.append(words % {"n": offer.trial_days})
    return " · ".join(terms)


class OfferList(StaffPage):
    """Every offer by name."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW
    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "rows": [self._row(offer) for offer in offers_of(self.project.pk)],
            "may_edit": self.may(Permission.SUBSCRIPTIONS_EDIT),
            "new_url": reverse("subscriptions:offer-new"),
        }
        return TemplateResponse(request, "subscriptions/offer_list.html", context)

    def _row(self, offer: Offer) -> dict[str, Any]:
        return {
            "reference": offer.reference,
            "name": offer.name,
            "url": reverse("subscriptions:offer", args=[offer.pk]),
            "kind": offer.get_kind_display(),
            "price": money_text(offer.price_minor, offer.currency, get_language() or "en"),
            "terms": terms_of(offer),
        }


class OfferPage(StaffPage):
    """What the pages of one offer share."""

    def back_to(self, offer: Offer) -> HttpResponse:
        return HttpResponseRedirect(reverse("subscriptions:offer", args=[offer.pk]))

    def page(self, form: OfferForm, *, status: int = 200, **more: Any) -> HttpResponse:
        context = {
            "form": form,
            "may_edit": self.may(Permission.SUBSCRIPTIONS_EDIT),
            "list_url": reverse("subscriptions:offers"),
        }
        template = "subscriptions/offer.html"
        return TemplateResponse(self.request, template, context | more, status=status)


class NewOffer(OfferPage):
    """Add an offer."""

    permission_required = Permission.SUBSCRIPTIONS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = NewOfferForm(initial={"currency": self.project.currency})
        return self.page(form, title=_("New offer"))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = NewOfferForm(self.request.POST)
        if not form.is_valid():
            return self.page(form, title=_("New offer"), status=400)
        offer = Offer(project=self.project, **form.values())
        try:
            create_offer(offer=offer, actor=self.request.user, now=self.now)
        except OfferExists:
            form.add_error("reference", _("Another offer of this project has this reference."))
            return self.page(form, title=_("New offer"), status=409)
        messages.success(self.request, _("The offer was created."))
        return self.back_to(offer)


class EditOffer(OfferPage):
    """One offer: who has it now, and its terms for editing."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW
    change_permission = Permission.SUBSCRIPTIONS_EDIT
    http_method_names = ("get", "head", "post")

    def project_of_object(self) -> int | None:
        # One that does not exist is missed after the permission, like one of the project's.
        return self._found.project_id if self._found else None

    @cached_property
    def _found(self) -> Offer | None:
        return Offer.objects.select_related("project").filter(pk=self.kwargs["offer_id"]).first()

    @property
    def offer(self) -> Offer:
        """The offer that the address names."""
        if self._found is None:
            raise Http404
        return self._found

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        return self._page(OfferForm(initial=OfferForm.values_of(self.offer)))

    def post(self, *_args: Any, **_kwargs: Any) -> HttpResponse:
        form = OfferForm(self.request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        edit_offer(offer=self.offer, changes=form.values(), actor=self.request.user, now=self.now)
        messages.success(self.request, _("The offer was changed."))
        return self.back_to(self.offer)

    def _page(self, form: OfferForm, *, status: int = 200) -> HttpResponse:
        people = User.objects.of(self.project).present()
        holders = people.filter(holders_of([self.offer.pk], now=self.now)).count()
        words = ngettext("%(n)s person has it now", "%(n)s people have it now", holders)
        return self.page(
            form,
            status=status,
            title=self.offer.name,
            offer=self.offer,
            holders=holders,
            holders_text=words % {"n": number(holders, get_language() or "en")},
            holders_url=with_parameters(
                reverse("users:list"),
                [
                    ("project", self.project.slug),
                    ("period", "all"),
                    ("offer", self.offer.reference),
                ],
            ),
        )
