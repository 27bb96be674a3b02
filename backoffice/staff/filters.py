"""What a register may be narrowed by: its period, and what the register itself names."""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backoffice.audit.models import AuditEvent
from backoffice.core.filters import BoundedDateField, StrictFilterForm
from backoffice.core.periods import midnight
from backoffice.projects.models import Project


class RegisterFilterForm(StrictFilterForm):
    also_known = StrictFilterForm.also_known | {"after", "before"}


class DayFilter(django_filters.Filter):
    """A local day, written YYYY-MM-DD."""

    field_class = BoundedDateField


class RegisterFilter(django_filters.FilterSet):
    """
    Narrows a register to local days, both included, and by what a subclass writes out.

    A subclass names the instant that the days are about.
    """

    instant: ClassVar[str]

    class Meta:
        fields: tuple[str, ...] = ()  # Every filter is written out.
        form: type[StrictFilterForm] = RegisterFilterForm

    by_identity: ClassVar[frozenset[str]] = frozenset()
    """Filters that tell who somebody is: absent for readers who may not see that."""

    def __init__(
        self, *args: Any, project: Project, now: datetime, sees_identity: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.project, self.now = project, now
        if not sees_identity:
            for name in self.by_identity:
                del self.filters[name]
        for one in self.filters.values():
            # Nothing here joins to many; and DISTINCT would add what a file is ordered by to it.
            one.distinct = False
        self.offer_choices()
        # "from" is no name in Python.
        self._add("from", DayFilter(label=_("From"), method=self.since))
        self._add("to", DayFilter(label=_("To"), method=self.until))
        for field in self.form.fields.values():
            if not isinstance(field, forms.ChoiceField):
                field.widget.attrs["class"] = "form-control"

    def offer_choices(self) -> None:
        """Fill in the choices that depend on the project: none here."""

    def since(self, rows: QuerySet[Any], _name: str, day: date) -> QuerySet[Any]:
        return rows.filter(**{f"{self.instant}__gte": midnight(day, self.project.zone)})

    def until(self, rows: QuerySet[Any], _name: str, day: date) -> QuerySet[Any]:
        """Keep rows up to the end of that day."""
        end = midnight(day + timedelta(days=1), self.project.zone)
        return rows.filter(**{f"{self.instant}__lt": end})

    def _add(self, name: str, extra: DayFilter) -> None:
        extra.parent = self
        extra.model = self._meta.model
        self.filters[name] = extra


class AuditFilter(RegisterFilter):
    """Who, what, when, how it ended."""

    instant = "at"
    kind = django_filters.MultipleChoiceFilter(label=_("What"), choices=AuditEvent.Kind.choices)
    who = django_filters.CharFilter(
        label=_("Who"), field_name="actor_label", lookup_expr="icontains", max_length=254
    )
    outcome = django_filters.MultipleChoiceFilter(
        label=_("Outcome"), choices=AuditEvent.Outcome.choices
    )

    class Meta(RegisterFilter.Meta):
        model = AuditEvent
