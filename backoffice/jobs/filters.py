"""What the registers of background work may be narrowed by."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.core.filters import StrictFilterForm
from backoffice.core.periods import midnight
from backoffice.jobs.models import Mail
from backoffice.staff.filters import DayFilter


class RegisterFilterForm(StrictFilterForm):
    also_known = StrictFilterForm.also_known | {"after", "before"}

    sees_identity = True

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("who") and not self.sees_identity:
            raise ValidationError(_("Your role may not search by name or e-mail."))
        return cleaned


class MailFilter(django_filters.FilterSet):
    """Who, what, when, how it stands."""

    kind = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("What"), choices=Mail.Kind.choices
    )
    who = django_filters.CharFilter(
        label=gettext_lazy("Who"),
        field_name="recipient",
        lookup_expr="icontains",
        max_length=254,
    )
    state = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("State"), choices=Mail.State.choices
    )

    class Meta:
        model = Mail
        fields: tuple[str, ...] = ()  # Every filter is written out here.
        form = RegisterFilterForm

    def __init__(self, *args: Any, zone: ZoneInfo, sees_identity: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        # "from" is no name in Python.
        self._add("from", DayFilter(label=gettext_lazy("From"), method=self.since))
        self._add("to", DayFilter(label=gettext_lazy("To"), method=self.until))
        self.form.sees_identity = sees_identity
        for name, field in self.form.fields.items():
            field.widget.attrs["class"] = (
                "form-select" if name in {"kind", "state"} else "form-control"
            )

    def since(self, mails: QuerySet[Mail], _name: str, day: date) -> QuerySet[Mail]:
        return mails.filter(created_at__gte=midnight(day, self.zone))

    def until(self, mails: QuerySet[Mail], _name: str, day: date) -> QuerySet[Mail]:
        """Keep mails up to the end of that day."""
        return mails.filter(created_at__lt=midnight(day + timedelta(days=1), self.zone))

    def _add(self, name: str, extra: DayFilter) -> None:
        extra.parent = self
        extra.model = Mail
        self.filters[name] = extra
