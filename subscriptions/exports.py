"""The files of subscriptions and of purchases: their rows, columns and order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, DecimalField, F, Func, Model, Q, Value, When
from django.db.models.expressions import Combinable
from django.http import QueryDict
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.core.columns import FileColumn, chosen, delimiter_of, write_columns
from backoffice.core.exports import Guarded, IsoInstant
from backoffice.core.masking import MaskedEmail
from backoffice.core.money import currencies_with
from backoffice.core.pagination import Ordering
from backoffice.core.sheets import Cell
from backoffice.jobs.exports import query_of
from backoffice.jobs.making import (
    FITS_NO_MORE,
    GIVEN,
    FilePlan,
    manifest_of,
    sees_identity,
    values_in_words,
)
from backoffice.jobs.models import Export
from backoffice.jobs.running import JobFailed
from backoffice.staff.filters import RegisterFilter
from subscriptions.filters import PurchaseFileFilter, SubscriptionFileFilter
from subscriptions.models import Purchase, Subscription
from users.filters import Viewpoint


class _MajorUnits(Func):
    """Minor units as a decimal with the currency's own number of decimals."""

    template = "(%(expressions)s::numeric / 10 ^ %(digits)s)::numeric(20, %(digits)s)"
    output_field = DecimalField()


def _price() -> Combinable:
    def of(digits: int) -> Func:
        return _MajorUnits(F("price_minor"), digits=digits)

    unusual = [When(currency__in=currencies_with(n), then=of(n)) for n in (0, 3, 4)]
    return Case(*unusual, default=of(2))


def _instant(name: str, label: StrOrPromise, path: str) -> FileColumn:
    return FileColumn(name, label, IsoInstant(F(path)), Cell.INSTANT)


def _text(name: str, label: StrOrPromise, path: str) -> FileColumn:
    return FileColumn(name, label, Guarded(F(path)))


def _beginning(viewpoint: Viewpoint) -> list[FileColumn]:
    """Return the columns with which both files begin: whose it is, and what."""
    # Of a deleted user nothing is left to show but that there was one.
    email = F("user__email") if viewpoint.sees_identity else MaskedEmail(F("user__email"))
    return [
        _text("reference", _("Reference"), "reference"),
        FileColumn("user", _("User, unique identifier"), _user_id()),
        FileColumn("email", _("E-mail"), Guarded(email)),
        _text("provider", _("Payment details"), "provider"),
        _text("offer", _("Offer"), "offer__name"),
        FileColumn("price", _("Price"), _price(), Cell.NUMBER),
        _text("currency", _("Currency"), "currency"),
    ]


def _user_id() -> Combinable:
    return Case(When(user__deleted_at=None, then=F("user__public_id")), default=Value(None))


def subscription_columns(viewpoint: Viewpoint) -> list[FileColumn]:
    """Return the columns of the file of subscriptions, in their order."""
    held = Q(status__in=Subscription.RUNNING, access_start__isnull=False)
    held &= Q(access_end=None) | Q(access_end__gt=viewpoint.now)
    status = Case(When(held, then=Value("active")), default=Value("cancelled"))
    return [
        *_beginning(viewpoint),
        FileColumn("status", _("Status"), status),
        _text("provider_status", _("State at the provider"), "status"),
        _instant("started_at", _("Start"), "started_at"),
        _instant("first_paid_at", _("First payment"), "first_paid_at"),
        _instant("renews_at", _("End of the paid period"), "current_period_end"),
        _instant("ends_at", _("End"), "access_end"),
        _text("cancel_reason", _("Reason of cancellation"), "cancel_reason"),
    ]


def purchase_columns(viewpoint: Viewpoint) -> list[FileColumn]:
    """Return the columns of the file of purchases, in their order."""
    is_over = Q(expires_at__lte=viewpoint.now) | Q(access_end__lte=viewpoint.now)
    status = Case(When(Q(status="active") & is_over, then=Value("expired")), default=F("status"))
    return [
        *_beginning(viewpoint),
        FileColumn("status", _("Status"), status),
        _text("type", _("Purchase type"), "type"),
        _instant("purchased_at", _("Date"), "purchased_at"),
        _instant("expires_at", _("End"), "access_end"),
    ]


# --- What a file is ----------------------------------------------------------------------------

EXPORT_JOB = "subscriptions.export"
# What the words of a filter leave out: it narrows nothing.
SAID_ELSEWHERE = {"project", "columns", "delimiter", "headers"}
# What a column means, where its words do not say it.
MEANINGS = {
    "user": _("Empty for a user who was deleted."),
    "price": _("In the currency beside it."),
    "status": _("As of the instant of the file."),
    "renews_at": _("Until when it is paid; it is renewed then, unless somebody asked to stop."),
    "ends_at": _("When access ends; empty while that is open."),
    "expires_at": _("When access ends; empty while that is open."),
}


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """One kind of file: the rows of its list, in the list's order."""

    model: type[Subscription | Purchase]
    filterset: type[RegisterFilter]
    ordering: Ordering
    columns: Callable[[Viewpoint], list[FileColumn]]

    def asked(self, data: QueryDict, viewpoint: Viewpoint) -> RegisterFilter:
        """Return the filter over every row of the project, valid or not."""
        model: type[Model] = self.model
        return self.filterset(
            data,
            queryset=model._default_manager.filter(project=viewpoint.project),
            project=viewpoint.project,
            now=viewpoint.now,
            sees_identity=viewpoint.sees_identity,
        )


PAYMENT_FILES = {
    "subscriptions": PaymentFile(
        Subscription,
        SubscriptionFileFilter,
        Ordering("-started", ("started_at", "pk"), is_descending=True),
        subscription_columns,
    ),
    "purchases": PaymentFile(
        Purchase,
        PurchaseFileFilter,
        Ordering("-purchased", ("purchased_at", "pk"), is_descending=True),
        purchase_columns,
    ),
}


def payment_plan(
    kind: PaymentFile, asked: RegisterFilter, viewpoint: Viewpoint, *, is_sheet: bool
) -> FilePlan:
    """
    Return the file that a valid filter asks for.

    :raises ValidationError: if it asks for a column that the file does not have.
    """
    values = asked.form.cleaned_data
    columns = chosen(kind.columns(viewpoint), values)
    rows = asked.qs.order_by(*kind.ordering.order_by())
    return FilePlan(
        total=asked.qs.count(),
        write=lambda making: write_columns(
            columns,
            rows,
            values,
            zone=viewpoint.project.zone,
            is_sheet=is_sheet,
            making=making,
        ),
        words=_filter_in_words(asked),
        told={
            "filter": _filter_for_audit(asked),
            "columns": [column.name for column in columns],
        },
        manifest=manifest_of(
            [(column.name, column.label) for column in columns],
            MEANINGS,
            project=viewpoint.project,
            now=viewpoint.now,
            delimiter=None if is_sheet else delimiter_of(values),
        ),
    )


def _filter_for_audit(asked: RegisterFilter) -> dict[str, Any]:
    """Return the parameters of a filter; of an address looked for, only that there was one."""
    return {
        name: GIVEN if name in asked.by_identity else values for name, values in asked.data.lists()
    }


def _filter_in_words(asked: RegisterFilter) -> dict[str, list[str]]:
    words = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            told = _filter_for_audit(asked)
            words[language] = list(values_in_words(asked.form, told, without=SAID_ELSEWHERE))
    return words


def plan_of_order(export: Export, now: datetime) -> FilePlan:
    """
    Return the file that was ordered, as of now, in the active language.

    :raises JobFailed: if its filter fits no more.
    """
    kind = PAYMENT_FILES[export.what]
    viewpoint = Viewpoint(export.project, now, sees_identity=sees_identity(export))
    asked = kind.asked(QueryDict(query_of(export)), viewpoint)
    if not asked.form.is_valid():
        raise JobFailed(FITS_NO_MORE)
    return payment_plan(kind, asked, viewpoint, is_sheet=export.is_sheet)
