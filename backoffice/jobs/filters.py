"""What the registers of background work may be narrowed by."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.jobs.models import Export, Job, Mail
from backoffice.jobs.models.export import ExportQuerySet
from backoffice.jobs.running import KINDS
from backoffice.staff.filters import RegisterFilter


def kind_choices() -> list[tuple[str, StrOrPromise]]:
    return [(kind.name, kind.label) for kind in KINDS.values()]


class JobFilter(RegisterFilter):
    """Who, what, when, state."""

    instant = "created_at"
    kind = django_filters.MultipleChoiceFilter(label=_("What"), choices=kind_choices)
    who = django_filters.CharFilter(label=_("Who"), method="by_actor", max_length=254)
    state = django_filters.MultipleChoiceFilter(label=_("State"), choices=Job.State.choices)

    class Meta(RegisterFilter.Meta):
        model = Job

    def by_actor(self, jobs: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return jobs.filter(Q(actor__name__icontains=text) | Q(actor__email__icontains=text))


class MailFilter(RegisterFilter):
    """Who, what, when, how it stands."""

    instant = "created_at"
    by_identity = frozenset({"who"})

    kind = django_filters.MultipleChoiceFilter(label=_("What"), choices=Mail.Kind.choices)
    who = django_filters.CharFilter(
        label=_("Who"), field_name="recipient", lookup_expr="icontains", max_length=254
    )
    state = django_filters.MultipleChoiceFilter(label=_("State"), choices=Mail.State.choices)

    class Meta(RegisterFilter.Meta):
        model = Mail


class ExportFilter(RegisterFilter):
    """Who, what, when, state."""

    instant = "created_at"
    what = django_filters.CharFilter(
        label=_("What"), field_name="file_name", lookup_expr="icontains", max_length=150
    )
    who = django_filters.CharFilter(label=_("Who"), method="by_actor", max_length=254)
    state = django_filters.MultipleChoiceFilter(
        label=_("State"), choices=Export.State.choices, method="by_state"
    )

    class Meta(RegisterFilter.Meta):
        model = Export

    def by_actor(self, exports: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return exports.filter(Q(actor__name__icontains=text) | Q(actor__email__icontains=text))

    def by_state(self, exports: ExportQuerySet, _name: str, states: list[str]) -> ExportQuerySet:
        return exports.in_states(*states)
