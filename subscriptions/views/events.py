"""What providers told, what became of it, and the people that nobody could be found for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.core.addresses import with_parameters
from backoffice.core.formatting import instant_text
from backoffice.core.pagination import Ordering
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from backoffice.staff.registers import Register
from subscriptions.accounts import NotConnected, account_of
from subscriptions.customers import AlreadyAssigned, assign_customer
from subscriptions.filters import EventFilter, UnmatchedFilter
from subscriptions.forms import AssignForm
from subscriptions.models import Provider, ProviderCustomer, ProviderEvent
from subscriptions.providers.reports import CustomerReport, NotFound, ProviderTrouble
from subscriptions.tasks import apply_one_event, take_over_one_customer
from subscriptions.webhooks import REASONS, gateway_of, try_again


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the register shows it."""

    event: ProviderEvent
    reason: str
    next_try: str
    may_retry: bool


class EventRegister(Register):
    """Every event of the project's providers, with its state and why it waits."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW
    http_method_names = ("get", "head")
    filterset_class = EventFilter
    ordering = Ordering("-received", ("received_at", "pk"), is_descending=True)
    template_name = "subscriptions/event_register.html"

    def get_queryset(self) -> QuerySet[ProviderEvent]:
        return ProviderEvent.objects.filter(project=self.project)

    def lines(self, rows: Sequence[ProviderEvent]) -> list[Line]:
        may_edit = self.may(Permission.SUBSCRIPTIONS_EDIT)
        return [
            Line(
                event,
                str(REASONS.get(event.reason, "")),
                self._next_try(event),
                may_edit and event.state != ProviderEvent.State.APPLIED and bool(event.subject),
            )
            for event in rows
        ]

    def _next_try(self, event: ProviderEvent) -> str:
        if event.next_try_at is None:
            return ""
        return instant_text(event.next_try_at, self.zone, get_language() or "en")


class TryEventAgain(StaffPage):
    """Have one event applied anew."""

    permission_required = Permission.SUBSCRIPTIONS_EDIT
    http_method_names = ("post",)

    @cached_property
    def found(self) -> ProviderEvent | None:
        rows = ProviderEvent.objects.select_related("project").exclude(subject="")
        return rows.filter(pk=self.kwargs["event_id"]).first()

    def project_of_object(self) -> int | None:
        # One that does not exist is missed after the permission, like one of the project's.
        return self.found.project_id if self.found else None

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        if self.found is None:
            raise Http404
        with transaction.atomic():
            try_again(self.found, actor=self.request.user, now=self.now)
            apply_one_event.defer(event_id=self.found.pk)
        messages.success(request, _("The event is tried again."))
        address = reverse("subscriptions:events")
        return HttpResponseRedirect(with_parameters(address, [("project", self.project.slug)]))


class UnmatchedRegister(Register):
    """Customers of providers that no user could be found for."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW
    http_method_names = ("get", "head")
    filterset_class = UnmatchedFilter
    ordering = Ordering("-seen", ("first_seen_at", "pk"), is_descending=True)
    template_name = "subscriptions/unmatched_register.html"

    def get_queryset(self) -> QuerySet[ProviderCustomer]:
        return ProviderCustomer.objects.filter(project=self.project, user=None, is_forgotten=False)

    def get_context_data(self) -> dict[str, Any]:
        return {"may_assign": self.may(Permission.SUBSCRIPTIONS_EDIT)}


class Assign(StaffPage):
    """Say which user a customer is."""

    permission_required = Permission.SUBSCRIPTIONS_EDIT
    http_method_names = ("get", "head", "post")

    @cached_property
    def found(self) -> ProviderCustomer | None:
        rows = ProviderCustomer.objects.filter(user=None, is_forgotten=False)
        return rows.filter(pk=self.kwargs["customer_id"]).first()

    @property
    def customer(self) -> ProviderCustomer:
        if self.found is None:
            raise Http404
        return self.found

    def project_of_object(self) -> int | None:
        # One that does not exist is missed after the permission, like one of the project's.
        return self.found.project_id if self.found else None

    def get(self, _request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        return self._page(AssignForm(project=self.project), self._asked())

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        customer = self.customer
        form = AssignForm(request.POST, project=self.project)
        if not form.is_valid():
            return self._page(form, None, status=400)
        user = form.cleaned_data["user"]
        try:
            with transaction.atomic():
                due = assign_customer(customer, user, actor=self.request.user, now=self.now)
                for event_id in due:
                    apply_one_event.defer(event_id=event_id)
                take_over_one_customer.defer(customer_id=customer.pk)
        except AlreadyAssigned:
            messages.error(request, _("Somebody else has just said who this is."))
        else:
            messages.success(request, _("Assigned. What was paid appears within moments."))
        return HttpResponseRedirect(reverse("users:profile", args=[user.public_id]))

    def _asked(self) -> CustomerReport | None:
        """Return what the provider knows of the customer; it is shown, never kept."""
        try:
            account = account_of(self.project, Provider(self.customer.provider))
            return gateway_of(account).customer(self.customer.reference)
        except (NotConnected, NotFound, ProviderTrouble):
            return None

    def _page(
        self, form: AssignForm, asked: CustomerReport | None, *, status: int = 200
    ) -> HttpResponse:
        context = {
            "title": _("Who is this customer?"),
            "form": form,
            "customer": self.customer,
            "asked": asked if self.may(Permission.USERS_SEE_IDENTITY) else None,
        }
        return TemplateResponse(self.request, "subscriptions/assign.html", context, status=status)
