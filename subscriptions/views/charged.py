"""One subscription or purchase that Stripe charges: what can be done about it, and doing it."""

from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import instant_text, money_text
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from subscriptions.billing import (
    STILL_CHARGED,
    ActFailed,
    ChangedMeanwhile,
    NotStopped,
    Payment,
    last_payment,
    refund,
    resume_subscription,
    stop_subscription,
)
from subscriptions.models import Provider, Purchase, Subscription
from subscriptions.views.people import People
from subscriptions.webhooks import REASONS


class ChargedPage(StaffPage):
    """A page about one thing that a present user pays for."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW
    change_permission = Permission.SUBSCRIPTIONS_CHARGE
    http_method_names = ("get", "head", "post")
    model: ClassVar[type[Subscription | Purchase]]

    @cached_property
    def source(self) -> Any:
        """The subscription or purchase that the address names."""
        rows: Any = self.model._default_manager.select_related("project", "user", "offer")
        found = rows.filter(
            pk=self.kwargs["source_id"],
            user__public_id=self.kwargs["public_id"],
            user__deleted_at=None,
        ).first()
        if found is None:
            raise Http404
        return found

    def project_of_object(self) -> int | None:
        project_id: int = self.source.project_id
        return project_id

    @property
    def language(self) -> str:
        return get_language() or "en"

    @property
    def who(self) -> str:
        """The user, as the reader may see them."""
        return People(self.may(Permission.USERS_SEE_IDENTITY)).of(self.source.user).name

    def get(self, _request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        payment, trouble = self._payment()
        context = {
            "title": self.source.offer.name if self.source.offer else _("Payment"),
            "facts": self.facts(),
            "acts": self.possible_acts(),
            "who": self.who,
            "paid_until": self.paid_until,
            "is_single": self.model is Purchase,
            "payment": payment and self._shown(payment),
            "trouble": trouble,
            "profile_url": self._profile(),
            "zone": self.zone,
        }
        return TemplateResponse(self.request, "subscriptions/charged.html", context)

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        act = request.POST.get("act", "")
        if act != "refund" and act not in self.possible_acts():
            messages.error(request, _("This cannot be done any more. Nothing was changed."))
            return HttpResponseRedirect(request.get_full_path())
        try:
            messages.success(request, self.do(act))
        except ChangedMeanwhile:
            messages.error(request, _("The payment is another one by now. Nothing was refunded."))
        except NotStopped as failed:
            words = _("The payment is refunded, but the subscription was not stopped: %(reason)s")
            messages.error(request, words % {"reason": REASONS.get(failed.reason, "")})
        except ActFailed as failed:
            reason = REASONS.get(failed.reason, "")
            words = _("Stripe did not do it: %(reason)s") % {"reason": reason}
            messages.error(request, words)
        return HttpResponseRedirect(request.get_full_path())

    def do(self, act: str) -> str:
        """Do the act; return what to say about it."""
        if act != "refund":
            raise Http404
        version = self.request.POST.get("version", "")
        done = refund(self.source, version=version, actor=self.request.user, now=self.now)
        amount = money_text(done.amount_minor, done.currency, self.language)
        return _("%(amount)s are refunded.") % {"amount": amount}

    @property
    def paid_until(self) -> str:
        """When what was paid runs out; empty for what does not, or where nobody knows."""
        return ""

    def possible_acts(self) -> set[str]:
        """Return what can be done now, refunds left out."""
        return set()

    def facts(self) -> list[tuple[str, str]]:
        source = self.source
        return [
            (_("User"), self.who),
            (_("Payment details"), str(Provider(source.provider).label)),
            (_("Reference"), source.reference),
            (_("Status"), str(source.get_status_display())),
            (_("Price"), money_text(source.price_minor, source.currency, self.language)),
        ]

    def instant(self, instant: Any) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""

    @property
    def is_charged_by_stripe(self) -> bool:
        return bool(self.source.provider == Provider.STRIPE)

    def _payment(self) -> tuple[Payment | None, str]:
        """Return the payment that can be given back, or why nobody knows."""
        if not self.is_charged_by_stripe or not self.may(Permission.SUBSCRIPTIONS_CHARGE):
            return None, ""
        try:
            return last_payment(self.source), ""
        except ActFailed as failed:
            return None, str(REASONS.get(failed.reason, ""))

    def _shown(self, payment: Payment) -> dict[str, str]:
        return {
            "version": payment.version,
            "amount": money_text(payment.amount_minor, payment.currency, self.language),
            "card": payment.card,
            "paid_at": self.instant(payment.paid_at),
        }

    def _profile(self) -> str:
        """Return the profile, which reads from its address what list the reader came from."""
        path = reverse("users:profile", args=[self.source.user.public_id])
        return with_parameters(path, [("list", self.request.GET.get("list", ""))])


class ChargedSubscription(ChargedPage):
    """A subscription: stop it, resume it, refund its latest payment."""

    model = Subscription

    @property
    def paid_until(self) -> str:
        return self.instant(self.source.cancel_at or self.source.current_period_end)

    def possible_acts(self) -> set[str]:
        source = self.source
        if (
            not self.is_charged_by_stripe
            or source.status not in STILL_CHARGED
            or not self.may(Permission.SUBSCRIPTIONS_CHARGE)
        ):
            return set()
        return {"stop-now", "resume" if source.cancel_at else "stop-at-end"}

    def do(self, act: str) -> str:
        staff = self.request.user
        if act == "stop-now":
            stop_subscription(self.source, at_period_end=False, actor=staff, now=self.now)
            return _("The subscription has ended.")
        if act == "stop-at-end":
            stop_subscription(self.source, at_period_end=True, actor=staff, now=self.now)
            return _("The subscription will not be renewed; access goes on until it ends.")
        if act == "resume":
            resume_subscription(self.source, actor=staff, now=self.now)
            return _("The subscription goes on.")
        return super().do(act)

    def facts(self) -> list[tuple[str, str]]:
        source = self.source
        more = [
            (_("Start"), self.instant(source.first_paid_at or source.started_at)),
            (_("End of the period"), self.instant(source.current_period_end)),
            (_("Stops at"), self.instant(source.cancel_at)),
            (_("Ended"), self.instant(source.ended_at)),
            (_("Reason"), reason_text(source)),
        ]
        return [*super().facts(), *((label, text) for label, text in more if text)]


class ChargedPurchase(ChargedPage):
    """A single payment: refund it."""

    model = Purchase

    def facts(self) -> list[tuple[str, str]]:
        return [*super().facts(), (_("Date"), self.instant(self.source.purchased_at))]


def reason_text(subscription: Subscription) -> str:
    """Return why it stops, in the reader's words, and whether its user wants it."""
    reason = subscription.stop_reason
    if reason is None:
        return subscription.cancel_reason
    detail = subscription.cancel_reason.partition(": ")[2].replace("_", " ")
    words = f"{reason.label} ({detail})" if detail else str(reason.label)
    kind = _("voluntary") if reason.is_voluntary else _("involuntary")
    return f"{words}, {kind}"
