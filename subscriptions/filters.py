"""What the registers of payments may be narrowed by."""

import django_filters
from django.utils.translation import gettext_lazy as _

from backoffice.staff.filters import RegisterFilter
from subscriptions.models import Provider, ProviderCustomer, ProviderEvent

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
