"""What the audit trail may be narrowed by."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backoffice.audit.models import AuditEvent
from backoffice.core.filters import BoundedDateField, StrictFilterForm
from backoffice.core.periods import midnight


class AuditFilterForm(StrictFilterForm):
    also_known = StrictFilterForm.also_known | {"after", "before"}


class DayFilter(django_filters.Filter):
    """A local day, written YYYY-MM-DD."""

    field_class = BoundedDateField


class AuditFilter(django_filters.FilterSet):
    """Who, what, when, how it ended."""

    kind = django_filters.MultipleChoiceFilter(label=_("What"), choices=AuditEvent.Kind.choices)
    who = django_filters.CharFilter(
        label=_("Who"), field_name="actor_label", lookup_expr="icontains", max_length=254
    )
    outcome = django_filters.MultipleChoiceFilter(
        label=_("Outcome"), choices=AuditEvent.Outcome.choices
    )

    class Meta:
        model = AuditEvent
        fields: tuple[str, ...] = ()  # Every filter is written out here.
        form = AuditFilterForm

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        # "from" is no name in Python.
        self._add("from", DayFilter(label=_("From"), method=self.since))
        self._add("to", DayFilter(label=_("To"), method=self.until))
        for name, field in self.form.fields.items():
            field.widget.attrs["class"] = (
                "form-select" if name in {"kind", "outcome"} else "form-control"
            )

    def since(self, events: QuerySet[AuditEvent], _name: str, day: date) -> QuerySet[AuditEvent]:
        return events.filter(at__gte=midnight(day, self.zone))

    def until(self, events: QuerySet[AuditEvent], _name: str, day: date) -> QuerySet[AuditEvent]:
        """Keep events up to the end of that day."""
        return events.filter(at__lt=midnight(day + timedelta(days=1), self.zone))

    def _add(self, name: str, extra: DayFilter) -> None:
        extra.parent = self
        extra.model = AuditEvent
        self.filters[name] = extra
