"""The files of subscriptions and of purchases: their columns, and how they are written."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, DecimalField, F, Func, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.core.exports import Guarded, IsoInstant, MadeFile, write_csv
from backoffice.core.masking import MaskedEmail
from backoffice.core.money import currencies_with
from backoffice.core.sheets import Cell, sheet_cell, write_sheet
from subscriptions.models import Subscription
from users.filters import Viewpoint

Payments = QuerySet[Any]


@dataclass(frozen=True, slots=True)
class PaymentColumn:
    """One column: its name, its words, and the cell as an expression; text guarded."""

    name: str
    label: StrOrPromise
    expression: Combinable
    cell: Cell = Cell.TEXT
    """What it is in a sheet."""


class _MajorUnits(Func):
    """Minor units as a decimal with the currency's own number of decimals."""

    template = "(%(expressions)s::numeric / 10 ^ %(digits)s)::numeric(20, %(digits)s)"
    output_field = DecimalField()


def _price() -> Combinable:
    def of(digits: int) -> Func:
        return _MajorUnits(F("price_minor"), digits=digits)

    unusual = [When(currency__in=currencies_with(n), then=of(n)) for n in (0, 3, 4)]
    return Case(*unusual, default=of(2))


def _instant(name: str, label: StrOrPromise, path: str) -> PaymentColumn:
    return PaymentColumn(name, label, IsoInstant(F(path)), Cell.INSTANT)


def _text(name: str, label: StrOrPromise, path: str) -> PaymentColumn:
    return PaymentColumn(name, label, Guarded(F(path)))


def _beginning(viewpoint: Viewpoint) -> list[PaymentColumn]:
    """Return the columns with which both files begin: whose it is, and what."""
    # Of a deleted user nothing is left to show but that there was one.
    email = F("user__email") if viewpoint.sees_identity else MaskedEmail(F("user__email"))
    return [
        _text("reference", _("Reference"), "reference"),
        PaymentColumn("user", _("User, unique identifier"), _user_id()),
        PaymentColumn("email", _("E-mail"), Guarded(email)),
        _text("provider", _("Payment details"), "provider"),
        _text("offer", _("Offer"), "offer__name"),
        PaymentColumn("price", _("Price"), _price(), Cell.NUMBER),
        _text("currency", _("Currency"), "currency"),
    ]


def _user_id() -> Combinable:
    return Case(When(user__deleted_at=None, then=F("user__public_id")), default=Value(None))


def subscription_columns(viewpoint: Viewpoint) -> list[PaymentColumn]:
    """Return the columns of the file of subscriptions, in their order."""
    held = Q(status__in=Subscription.RUNNING, access_start__isnull=False)
    held &= Q(access_end=None) | Q(access_end__gt=viewpoint.now)
    status = Case(When(held, then=Value("active")), default=Value("cancelled"))
    return [
        *_beginning(viewpoint),
        PaymentColumn("status", _("Status"), status),
        _text("provider_status", _("State at the provider"), "status"),
        _instant("started_at", _("Start"), "started_at"),
        _instant("first_paid_at", _("First payment"), "first_paid_at"),
        _instant("renews_at", _("End of the paid period"), "current_period_end"),
        _instant("ends_at", _("End"), "access_end"),
        _text("cancel_reason", _("Reason of cancellation"), "cancel_reason"),
    ]


def purchase_columns(viewpoint: Viewpoint) -> list[PaymentColumn]:
    """Return the columns of the file of purchases, in their order."""
    is_over = Q(expires_at__lte=viewpoint.now) | Q(access_end__lte=viewpoint.now)
    status = Case(When(Q(status="active") & is_over, then=Value("expired")), default=F("status"))
    return [
        *_beginning(viewpoint),
        PaymentColumn("status", _("Status"), status),
        _text("type", _("Purchase type"), "type"),
        _instant("purchased_at", _("Date"), "purchased_at"),
        _instant("expires_at", _("End"), "access_end"),
    ]


def write_payments(
    rows: Payments, columns: list[PaymentColumn], *, viewpoint: Viewpoint, is_sheet: bool
) -> MadeFile:
    """
    Return the file of the rows in their order: headings by name in CSV, in words in a sheet.

    :raises SheetRefused: if it is more than a sheet can hold.
    :raises TooSlow: if it takes longer than it may.
    """
    zone = viewpoint.project.zone
    if not is_sheet:
        headings = [column.name for column in columns]
        cells = [column.expression for column in columns]
        return write_csv(headings, rows.values_list(*cells), zone=zone)
    headings = [str(column.label) for column in columns]
    kinds = [column.cell for column in columns]
    typed = [sheet_cell(column.expression, column.cell) for column in columns]
    return write_sheet(headings, kinds, rows.values_list(*typed), zone=zone)
