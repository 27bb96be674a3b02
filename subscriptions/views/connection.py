"""The project's accounts with payment providers: connected, compared."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.permissions import Permission
from backoffice.jobs.actions import start
from backoffice.staff.pages import StaffPage
from subscriptions.accounts import NotConnected, SecretsRefused, connect_stripe, stripe_secrets
from subscriptions.forms import StripeForm
from subscriptions.models import Provider, ProviderAccount, ProviderEvent, ProviderSync
from subscriptions.models import ProviderCustomer as Customer


class PaymentSettings(StaffPage):
    """How the project is connected to Stripe, and what arrives from it."""

    permission_required = Permission.SETTINGS_VIEW
    change_permission = Permission.SETTINGS_EDIT
    http_method_names = ("get", "head", "post")

    def get(self, _request: HttpRequest) -> HttpResponse:
        return self._page(StripeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StripeForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            connect_stripe(
                project=self.project,
                secret_key=form.cleaned_data["secret_key"],
                webhook_secrets=form.cleaned_data["webhook_secrets"],
                actor=self.request.user,
                now=self.now,
            )
        except SecretsRefused as refused:
            form.add_error(refused.field, refused.said)
            return self._page(form, status=400)
        messages.success(request, _("The project is connected to Stripe."))
        return HttpResponseRedirect(self._address())

    def _address(self) -> str:
        address = reverse("subscriptions:payment-settings")
        return with_parameters(address, [("project", self.project.slug)])

    def _page(self, form: StripeForm, *, status: int = 200) -> HttpResponse:
        account = ProviderAccount.objects.filter(
            project=self.project, provider=Provider.STRIPE
        ).first()
        path = reverse("subscriptions:stripe-notification", args=[self.project.slug])
        events = ProviderEvent.objects.filter(project=self.project)
        context: dict[str, Any] = {
            "title": _("Payments"),
            "form": form,
            "account": account,
            "is_readable": account is not None and _is_readable(account),
            "mode": _mode(account),
            "webhook_url": self.request.build_absolute_uri(path),
            "waiting": events.filter(next_try_at__isnull=False).count(),
            "unmatched": Customer.objects.filter(
                project=self.project, user=None, is_forgotten=False
            ).count(),
            "last": ProviderSync.objects.filter(
                project=self.project, provider=Provider.STRIPE
            ).first(),
            "may_edit": self.may(Permission.SETTINGS_EDIT),
            "zone": self.zone,
        }
        return TemplateResponse(
            self.request, "subscriptions/payment_settings.html", context, status=status
        )


class CompareWithStripe(StaffPage):
    """Start the comparison with Stripe."""

    permission_required = Permission.SETTINGS_EDIT
    http_method_names = ("post",)

    def post(self, _request: HttpRequest) -> HttpResponse:
        job = start(
            "subscriptions.sync_stripe",
            project=self.project,
            actor=self.request.user,
            arguments={},
            now=self.now,
        )
        return HttpResponseRedirect(reverse("jobs:job", args=[job.pk]))


def _is_readable(account: ProviderAccount) -> bool:
    try:
        stripe_secrets(account)
    except NotConnected:
        return False
    return True


def _mode(account: ProviderAccount | None) -> str:
    if account is None or account.is_live is None:
        return ""
    return _("live mode") if account.is_live else _("test mode")
