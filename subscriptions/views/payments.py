"""The lists of subscriptions and of purchases and rentals."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy, ngettext, pgettext
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from backoffice.audit.models import AuditEvent
from backoffice.core.addresses import pairs_of, with_parameters
from backoffice.core.formatting import instant_text, money_text, number
from backoffice.core.permissions import Permission
from backoffice.core.sheets import SheetFile
from backoffice.jobs.making import FilePlan
from backoffice.jobs.views.files import ListFilePage
from backoffice.staff.filters import RegisterFilter
from backoffice.staff.registers import Register
from subscriptions.exports import EXPORT_JOB, PAYMENT_FILES, PaymentFile, payment_plan
from subscriptions.filters import PurchaseFilter, SubscriptionFilter
from subscriptions.models import Purchase, Subscription
from subscriptions.views.people import People
from users.filters import Viewpoint


class PaymentRegister(Register):
    """What the lists of payments share: people, instants and money as the reader sees them."""

    permission_required = Permission.SUBSCRIPTIONS_VIEW
    title: ClassVar[StrOrPromise]
    file_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Label and address name of the files of the list."""

    @property
    def language(self) -> str:
        return get_language() or "en"

    @property
    def people(self) -> People:
        return People(self.may(Permission.USERS_SEE_IDENTITY))

    def instant(self, instant: Any) -> str:
        return instant_text(instant, self.zone, self.language) if instant else ""

    def money(self, row: Subscription | Purchase) -> str:
        return money_text(row.price_minor, row.currency, self.language)

    def get_context_data(self) -> dict[str, Any]:
        """Return the total of the rows that the filter leaves, in words too."""
        said: dict[str, Any] = {"title": self.title}
        if not self.asked.is_valid():
            return said
        total = self.asked.qs.count()
        words = ngettext("%(n)s row", "%(n)s rows", total)
        return said | {
            "total": total,
            "total_text": words % {"n": number(total, self.language)},
            "files": self._files(),
        }

    def _files(self) -> list[tuple[str, str]]:
        """Return label and address of the files of what is shown, for whoever may take them."""
        if not self.may(Permission.ANALYTICS_EXPORT):
            return []
        kept = pairs_of(self.request.GET, without={"after", "before"})
        return [(label, with_parameters(reverse(name), kept)) for label, name in self.file_names]


class PaymentFilePage(ListFilePage):
    """A file of one of the lists, over the same filter."""

    permission_required = Permission.ANALYTICS_EXPORT
    audit_kind = AuditEvent.Kind.PAYMENTS_EXPORTED
    job = EXPORT_JOB

    @property
    def kind(self) -> PaymentFile:
        return PAYMENT_FILES[self.what]

    @property
    def viewpoint(self) -> Viewpoint:
        sees_identity = self.may(Permission.USERS_SEE_IDENTITY)
        return Viewpoint(self.project, self.now, sees_identity=sees_identity)

    def check(self) -> None:
        self._asked()

    def plan(self) -> FilePlan:
        return payment_plan(self.kind, self._asked(), self.viewpoint, is_sheet=self.is_sheet)

    def _asked(self) -> RegisterFilter:
        asked = self.kind.asked(self.request.GET, self.viewpoint)
        self.checked(asked)
        return asked

    def _needed_permissions(self, request: HttpRequest) -> set[Permission]:
        return super()._needed_permissions(request) | {Permission.SUBSCRIPTIONS_VIEW}


class SubscriptionList(PaymentRegister):
    """Every subscription, the latest first."""

    filterset_class = SubscriptionFilter
    ordering = PAYMENT_FILES["subscriptions"].ordering
    template_name = "subscriptions/subscription_list.html"
    title = gettext_lazy("Subscriptions")
    file_names = (
        ("CSV", "subscriptions:subscriptions-file"),
        ("Excel", "subscriptions:subscriptions-sheet"),
    )

    def get_queryset(self) -> QuerySet[Subscription]:
        rows = Subscription.objects.filter(project=self.project)
        return rows.select_related("user", "offer")

    def lines(self, rows: Sequence[Subscription]) -> list[dict[str, Any]]:
        return [self._line(row) for row in rows]

    def _line(self, row: Subscription) -> dict[str, Any]:
        is_active = row.is_held_at(self.now)
        return {
            "reference": row.reference,
            "person": self.people.of(row.user),
            "status": "active" if is_active else "cancelled",
            "status_label": _("Active") if is_active else pgettext("subscription", "Cancelled"),
            "precise": row.detail_at(self.now),
            "payment": row.get_provider_display(),
            "offer": row.offer.name if row.offer else "",
            "price": self.money(row),
            "start": self.instant(row.first_paid_at or row.started_at),
            "end": self.instant(row.access_end or row.ended_at),
            "reason": "" if row.stop_reason else row.cancel_reason,
        }


class SubscriptionsFile(PaymentFilePage):
    """The subscriptions of the list, in its order."""

    what = "subscriptions"
    list_name = "subscriptions:list"


class SubscriptionsSheet(SubscriptionsFile):
    """The same as a spreadsheet."""

    kind_of_file = SheetFile


class PurchaseList(PaymentRegister):
    """Every pack, rental and gift that was bought, the latest first."""

    filterset_class = PurchaseFilter
    ordering = PAYMENT_FILES["purchases"].ordering
    template_name = "subscriptions/purchase_list.html"
    title = gettext_lazy("Purchases and rentals")
    file_names = (
        ("CSV", "subscriptions:purchases-file"),
        ("Excel", "subscriptions:purchases-sheet"),
    )

    def get_queryset(self) -> QuerySet[Purchase]:
        rows = Purchase.objects.filter(project=self.project)
        return rows.select_related("user", "offer")

    def lines(self, rows: Sequence[Purchase]) -> list[dict[str, Any]]:
        return [self._line(row) for row in rows]

    def _line(self, row: Purchase) -> dict[str, Any]:
        status = row.status_at(self.now)
        return {
            "reference": row.reference,
            "person": self.people.of(row.user),
            "status": "active" if status == Purchase.Status.ACTIVE else "cancelled",
            "status_label": status.label,
            "offer": row.offer.name if row.offer else "",
            "type": row.get_type_display(),
            "payment": row.get_provider_display(),
            "price": self.money(row),
            "date": self.instant(row.purchased_at),
        }


class PurchasesFile(PaymentFilePage):
    """The purchases of the list, in its order."""

    what = "purchases"
    list_name = "subscriptions:purchases"


class PurchasesSheet(PurchasesFile):
    """The same as a spreadsheet."""

    kind_of_file = SheetFile
