"""What every list's filter form shares: it refuses what it does not know, and says so."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

# Longer values of any kind have no use in a filter.
LONGEST_VALUE = 500
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Midnights and month arithmetic stay far from the ends of the calendar.
FIRST_DATE, LAST_DATE = date(1990, 1, 1), date(2199, 12, 31)


class StrictFilterForm(forms.Form):
    """
    Refuses a parameter that it does not know, and a second value where one is asked for.

    Likewise days in the wrong order. A misspelt filter must not show everybody. `also_known`
    names the parameters that somebody else reads: paging, the project at hand.
    """

    also_known: frozenset[str] = frozenset({"project"})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if unknown := sorted(set(self.data) - set(self.fields) - self.also_known):
            names = ", ".join(name[:40] for name in unknown[:5])
            raise ValidationError(
                _("Unknown filter: %(names)s."), code="unknown", params={"names": names}
            )
        if isinstance(self.data, QueryDict):
            self._refuse_repeats(self.data)
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last and first > last:
            self.add_error("to", _("The last day lies before the first."))
        return cleaned

    def _refuse_repeats(self, data: QueryDict) -> None:
        for name in data:
            field = self.fields.get(name)
            takes_several = isinstance(field, forms.MultipleChoiceField | ValuesField)
            if not takes_several and len(data.getlist(name)) > 1:
                raise ValidationError(
                    _("%(name)s can be given once only."),
                    code="repeated",
                    params={"name": name[:40]},
                )


class RepeatedInput(forms.TextInput):
    """A text input for each value given, one at least: the address may repeat a parameter."""

    template_name = "_components/repeated_input.html"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return data.getlist(name) if isinstance(data, QueryDict) else data.get(name, [])

    def format_value(self, value: Any) -> Any:
        return value or [""]


class ValuesField(forms.Field):
    """Texts, each of which a check knows; cleans to the list of those given."""

    widget = RepeatedInput

    def __init__(self, *, check: Callable[[str], bool], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check_value = check

    def to_python(self, value: Any) -> list[str]:
        return [item for item in value or [] if item != ""]

    def validate(self, value: list[str]) -> None:
        super().validate(value)
        for item in value:
            if len(item) > LONGEST_VALUE or "\x00" in item or not self.check_value(item):
                raise ValidationError(
                    _("%(value)s is no possible value."),
                    code="invalid",
                    params={"value": item[:40].replace("\x00", "")},
                )


class ValuesFilter(django_filters.Filter):
    """A filter by any of several exact values."""

    field_class = ValuesField


class BoundedDateField(forms.DateField):
    """A day between 1990 and 2199, written YYYY-MM-DD."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], **kwargs)

    def strptime(self, value: str, format: str) -> date:  # noqa: A002
        # Python's own reading takes 2026-1-1 too, and digits of any script.
        if not _DAY.fullmatch(value):
            raise ValueError(value)
        day: date = super().strptime(value, format)
        return day

    def clean(self, value: Any) -> date | None:
        day: date | None = super().clean(value)
        if day and not FIRST_DATE <= day <= LAST_DATE:
            raise ValidationError(_("Choose a day from 1990 to 2199."), code="bounds")
        return day
