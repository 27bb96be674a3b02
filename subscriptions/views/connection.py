"""The project's accounts with payment providers: connected, compared, disconnected."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import instant_text, number
from backoffice.core.permissions import Permission
from backoffice.jobs.actions import start
from backoffice.staff.pages import StaffPage
from subscriptions.accounts import NotConnected, SecretsRefused, disconnect
from subscriptions.connections import CONNECTIONS, ConnectForm, Connection
from subscriptions.models import (
    Provider,
    ProviderAccount,
    ProviderEvent,
    ProviderSync,
    Subscription,
)
from subscriptions.models import ProviderCustomer as Customer


class ConnectionPage(StaffPage):
    """What the pages about the project's accounts share."""

    permission_required = Permission.SETTINGS_VIEW

    @property
    def language(self) -> str:
        return get_language() or "en"

    def address(self, name: str, *args: str) -> str:
        """Return the address of a page of the project at hand."""
        path = reverse(f"subscriptions:{name}", args=args)
        return with_parameters(path, [("project", self.project.slug)])

    def notification_url(self, provider: Provider) -> str:
        """Return where the provider is to tell what happened."""
        path = reverse(f"subscriptions:{provider}-notification", args=[self.project.slug])
        return self.request.build_absolute_uri(path)

    def back_to_all(self) -> HttpResponse:
        return HttpResponseRedirect(self.address("payment-settings"))


class PaymentSettings(ConnectionPage):
    """With which providers the project is connected, and what arrives from them."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> HttpResponse:
        events = ProviderEvent.objects.filter(project=self.project)
        unmatched = Customer.objects.filter(project=self.project, user=None, is_forgotten=False)
        rows = ProviderAccount.objects.filter(project=self.project)
        accounts = {account.provider: account for account in rows}
        context = {
            "title": _("Payments"),
            "panels": [
                self._panel(provider, connection, accounts.get(provider))
                for provider, connection in CONNECTIONS.items()
            ],
            "waiting": events.filter(next_try_at__isnull=False).count(),
            "unmatched": unmatched.count(),
            "may_edit": self.may(Permission.SETTINGS_EDIT),
            "zone": self.zone,
        }
        return TemplateResponse(request, "subscriptions/payment_settings.html", context)

    def _panel(
        self, provider: Provider, connection: Connection, account: ProviderAccount | None
    ) -> dict[str, Any]:
        is_readable = account is not None and kept_of(connection, account) is not None
        return {
            "provider": provider.value,
            "title": connection.title,
            "account": account,
            "is_readable": is_readable,
            "since": account and instant_text(account.connected_at, self.zone, self.language),
            "mode": _mode(account),
            "notification_url": self.notification_url(provider),
            "what_to_do": connection.what_to_do,
            "last_told": self._last_told(provider),
            "compared": self._compared(provider),
            "connect_url": self.address("connect", provider),
            "disconnect_url": self.address("disconnect", provider),
            "compare_url": reverse("subscriptions:compare")
            if is_readable and provider == Provider.STRIPE
            else "",
        }

    def _last_told(self, provider: Provider) -> str:
        events = ProviderEvent.objects.filter(project=self.project, provider=provider)
        at = events.order_by("-received_at").values_list("received_at", flat=True).first()
        return instant_text(at, self.zone, self.language) if at else ""

    def _compared(self, provider: Provider) -> str:
        rows = ProviderSync.objects.filter(project=self.project, provider=provider)
        last = rows.first()
        if last is None:
            return ""
        words = _("%(at)s: %(phase)s; %(n)s subscriptions compared, %(changed)s taken over")
        return words % {
            "at": instant_text(last.updated_at, self.zone, self.language),
            "phase": last.get_phase_display(),
            "n": number(last.subscriptions, self.language),
            "changed": number(last.changed, self.language),
        }


class OneConnection(ConnectionPage):
    """A page about the account with the provider that the address names."""

    permission_required = Permission.SETTINGS_EDIT
    http_method_names = ("get", "head", "post")

    @property
    def provider(self) -> Provider:
        name = self.kwargs["provider"]
        if name not in CONNECTIONS:
            raise Http404
        return Provider(name)

    @property
    def connection(self) -> Connection:
        return CONNECTIONS[self.provider]

    @property
    def account(self) -> ProviderAccount | None:
        rows = ProviderAccount.objects.select_related("project")
        return rows.filter(project=self.project, provider=self.provider).first()


class Connect(OneConnection):
    """Connect the account, or replace what opens it."""

    proof_comes_first = True

    def get(self, _request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        account, connection = self.account, self.connection
        kept = kept_of(connection, account)
        shown = connection.form.shown(account, kept) if account and kept else {}
        initial = {"audience": self.notification_url(self.provider)} | shown
        return self._page(connection.form(initial=initial, kept=kept))

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        connection = self.connection
        kept = kept_of(connection, self.account)
        form = connection.form(request.POST, request.FILES, kept=kept)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            connection.connect(
                project=self.project, **form.values(), actor=self.request.user, now=self.now
            )
        except SecretsRefused as refused:
            form.add_error(refused.field, refused.said)
            return self._page(form, status=400)
        words = _("The project is connected to %(provider)s.")
        messages.success(request, words % {"provider": connection.title})
        return self.back_to_all()

    def _page(self, form: ConnectForm, *, status: int = 200) -> HttpResponse:
        words = _("Replace the secrets: %(provider)s") if form.kept else _("Connect: %(provider)s")
        context = {
            "title": words % {"provider": self.connection.title},
            "form": form,
            "list_url": self.address("payment-settings"),
            "notification_url": self.notification_url(self.provider),
            "what_to_do": self.connection.what_to_do,
        }
        return TemplateResponse(self.request, "subscriptions/connect.html", context, status=status)


class Disconnect(OneConnection):
    """Say what it does to forget the account, and forget it."""

    change_needs_proof = True

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        account = self.account
        if account is None:
            return self._gone()
        of_provider = Q(project=self.project, provider=self.provider)
        running = Subscription.objects.filter(of_provider, status__in=Subscription.RUNNING)
        running = running.filter(access_start__isnull=False)
        running = running.filter(Q(access_end=None) | Q(access_end__gt=self.now))
        waiting = ProviderEvent.objects.filter(of_provider, next_try_at__isnull=False)
        context = {
            "title": _("Disconnect: %(provider)s") % {"provider": self.connection.title},
            "provider": self.connection.title,
            "account": account,
            "running": running.count(),
            "waiting": waiting.count(),
            "list_url": self.address("payment-settings"),
        }
        return TemplateResponse(request, "subscriptions/disconnect.html", context)

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        try:
            disconnect(
                project=self.project,
                provider=self.provider,
                actor=self.request.user,
                now=self.now,
            )
        except NotConnected:
            return self._gone()
        words = _("The project is disconnected from %(provider)s.")
        messages.success(request, words % {"provider": self.connection.title})
        return self.back_to_all()

    def _gone(self) -> HttpResponse:
        words = _("The project is not connected to %(provider)s.")
        messages.info(self.request, words % {"provider": self.connection.title})
        return self.back_to_all()


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


def kept_of(connection: Connection, account: ProviderAccount | None) -> Any:
    """Return the secrets that are kept; none, also where they cannot be read any more."""
    if account is None:
        return None
    try:
        return connection.kept(account)
    except NotConnected:
        return None


def _mode(account: ProviderAccount | None) -> str:
    if account is None or account.is_live is None:
        return ""
    return _("live mode") if account.is_live else _("test mode")
