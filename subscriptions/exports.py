"""The files of subscriptions and of purchases: their columns."""

from django.db.models import Case, DecimalField, F, Func, Q, Value, When
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.core.columns import FileColumn
from backoffice.core.exports import Guarded, IsoInstant
from backoffice.core.masking import MaskedEmail
from backoffice.core.money import currencies_with
from backoffice.core.sheets import Cell
from subscriptions.models import Subscription
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
