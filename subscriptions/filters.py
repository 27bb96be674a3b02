"""What the lists of payments, free copies and gifts may be narrowed by."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backoffice.core.columns import FileParameters
from backoffice.core.filters import StrictFilterForm
from backoffice.core.text import email_key
from backoffice.staff.filters import RegisterFilter
from subscriptions.models import (
    FreeCopy,
    FreeCopyQuerySet,
    GiftQuerySet,
    GivenState,
    Provider,
    ProviderCustomer,
    ProviderEvent,
    Purchase,
    Subscription,
)
from subscriptions.selectors import offers_of
from users.models import User


class OfferedFilter(RegisterFilter):
    """Narrows by what was sold or given, and to whom."""

    by_identity = frozenset({"email"})

    offer = django_filters.MultipleChoiceFilter(
        label=_("Offer"), field_name="offer__reference", choices=[]
    )
    email = django_filters.CharFilter(label=_("E-mail"), method="narrow_email", max_length=320)

    def offer_choices(self) -> None:
        offers = offers_of(self.project.pk)
        choices = [(offer.reference, offer.name) for offer in offers]
        self.filters["offer"].extra["choices"] = choices

    def narrow_email(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        """Keep the rows of the person with exactly this address."""
        return rows.filter(user__in=self._accounts(text))

    def _accounts(self, text: str) -> QuerySet[User]:
        return User.objects.of(self.project).present().filter(email_key=email_key(text))


class SubscriptionFilter(OfferedFilter):
    """Narrows subscriptions; the days are those on which they began."""

    instant = "started_at"

    status = django_filters.MultipleChoiceFilter(
        label=_("Status"), choices=Subscription.Status.choices
    )
    provider = django_filters.MultipleChoiceFilter(label=_("Payment"), choices=Provider.choices)

    class Meta(RegisterFilter.Meta):
        model = Subscription


class SubscriptionFileFilter(FileParameters, SubscriptionFilter):
    """The same for their file, and how it is written; a file has no pages."""

    class Meta(SubscriptionFilter.Meta):
        form = StrictFilterForm


class PurchaseFilter(OfferedFilter):
    """Narrows purchases, gifts for others among them; the days are those of the purchase."""

    instant = "purchased_at"

    status = django_filters.MultipleChoiceFilter(
        label=_("Status"), choices=Purchase.Status.choices, method="narrow_status"
    )
    type = django_filters.MultipleChoiceFilter(
        label=_("Purchase type"), choices=Purchase.Type.choices
    )
    provider = django_filters.MultipleChoiceFilter(label=_("Payment"), choices=Provider.choices)

    class Meta(RegisterFilter.Meta):
        model = Purchase

    def narrow_status(
        self, rows: QuerySet[Purchase], _name: str, chosen: list[str]
    ) -> QuerySet[Purchase]:
        """Keep those in one of the states as of now: sent as active, one expires by the clock."""
        is_over = Q(expires_at__lte=self.now) | Q(access_end__lte=self.now)
        sent_as = Q(status__in=set(chosen) - {Purchase.Status.ACTIVE, Purchase.Status.EXPIRED})
        if Purchase.Status.ACTIVE in chosen:
            sent_as |= Q(status=Purchase.Status.ACTIVE) & ~is_over
        if Purchase.Status.EXPIRED in chosen:
            sent_as |= Q(status=Purchase.Status.EXPIRED)
            sent_as |= Q(status=Purchase.Status.ACTIVE) & is_over
        return rows.filter(sent_as)


class PurchaseFileFilter(FileParameters, PurchaseFilter):
    """The same for their file, and how it is written; a file has no pages."""

    class Meta(PurchaseFilter.Meta):
        form = StrictFilterForm


class GivenFilter(OfferedFilter):
    """Narrows what was given by its state as of now."""

    state = django_filters.ChoiceFilter(
        label=_("Status"), choices=GivenState.choices, method="narrow_state", empty_label=_("Any")
    )

    def narrow_state(
        self, rows: FreeCopyQuerySet | GiftQuerySet, _name: str, state: str
    ) -> FreeCopyQuerySet | GiftQuerySet:
        return rows.in_state(state, self.now)


class FreeCopyFilter(GivenFilter):
    """Narrows free copies; the days are those on which they were sent."""

    instant = "sent_at"

    class Meta(RegisterFilter.Meta):
        model = FreeCopy

    def narrow_email(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        """Keep what the account of the address has, and what waits for the address."""
        return rows.filter(Q(user__in=self._accounts(text)) | Q(email_key=email_key(text)))


class GiftFilter(GivenFilter):
    """Narrows gifts; the days are those of the purchase."""

    instant = "purchased_at"

    class Meta(RegisterFilter.Meta):
        model = Purchase

    def narrow_email(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        """Keep what the person bought or received, and what waits for the address."""
        accounts = self._accounts(text)
        return rows.filter(
            Q(user__in=accounts)
            | Q(recipient__in=accounts)
            | Q(recipient_email_key=email_key(text))
        )


CHARGING = [
    (provider.value, provider.label)
    for provider in (Provider.STRIPE, Provider.GOOGLE, Provider.APPLE)
]


class EventFilter(RegisterFilter):
    """Which provider, what, when, what became of it."""

    instant = "received_at"
    provider = django_filters.MultipleChoiceFilter(label=_("Provider"), choices=CHARGING)
    type = django_filters.CharFilter(label=_("What"), lookup_expr="icontains", max_length=100)
    state = django_filters.MultipleChoiceFilter(
        label=_("State"), choices=ProviderEvent.State.choices
    )

    class Meta(RegisterFilter.Meta):
        model = ProviderEvent


class UnmatchedFilter(RegisterFilter):
    """Which provider, when it was seen first."""

    instant = "first_seen_at"
    provider = django_filters.MultipleChoiceFilter(label=_("Provider"), choices=CHARGING)

    class Meta(RegisterFilter.Meta):
        model = ProviderCustomer
