"""What one user's viewing may be narrowed by, on the profile and in its files."""

from datetime import datetime
from functools import cached_property
from typing import Any

import django_filters
from django.db import models
from django.db.models import BigIntegerField, F, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from analytics.models import Viewing, ViewingQuerySet
from backoffice.core.columns import FileParameters
from backoffice.core.folding import Folded
from backoffice.core.named_periods import DateRange, PeriodName, range_of
from backoffice.core.pagination import Ordering
from backoffice.core.periods import Month
from users.filters import (
    CursorFilter,
    PageSizeFilter,
    PeriodFilter,
    Viewpoint,
)
from users.models import User

BY_DATE = "date"
DEFAULT_SORT = f"-{BY_DATE}"
# Each order ends in the start and the player's id: no two viewings of a user share both.
TIES = ("started_at", "id")
# What is missing stands before all that is there, and behind it when the order is turned round.
NOTHING = -1
KEYS: dict[str, Combinable] = {
    "status": F("content__status"),
    "type": F("content__type"),
    "name": Folded(F("title")),
    "duration": Coalesce(F("content__duration_seconds"), NOTHING, output_field=BigIntegerField()),
    "viewing": F("watched_seconds"),
    "percent": Coalesce(Cast(F("percent") * 10, BigIntegerField()), NOTHING),
}
SORTS = (*KEYS, BY_DATE)
SORT_CHOICES = [(f"{sign}{name}", name) for name in SORTS for sign in ("", "-")]


class Measure(models.TextChoices):
    """What the bars of the graph add up."""

    TIME = "time", _("Viewing time")
    VIEWS = "views", _("Number of views")


def ordering_named(name: str) -> Ordering:
    """Return the order that the parameter `sort` names."""
    bare = name.removeprefix("-")
    if bare not in SORTS:
        raise KeyError(name)
    fields = TIES if bare == BY_DATE else ("sort_key", *TIES)
    return Ordering(name, fields, is_descending=name.startswith("-"))


class ViewingFilter(PeriodFilter):
    """
    Narrows the viewings of one user to a period; to views, unless `short` asks for all.

    Without a period: the last three months, or the three up to the last view if that is older.
    """

    short = django_filters.ChoiceFilter(
        label=_("Short viewings"),
        choices=[("1", _("Shown, not counted"))],
        method="keep_all",
        empty_label=_("Left out"),
    )

    class Meta(PeriodFilter.Meta):
        model = Viewing

    def __init__(
        self,
        data: QueryDict,
        *,
        viewpoint: Viewpoint,
        user: User,
        last_viewed_at: datetime | None,
    ) -> None:
        self.user = user
        self.last_viewed_at = last_viewed_at
        super().__init__(data, viewpoint=viewpoint, queryset=Viewing.objects.of_user(user.pk))

    @property
    def shows_short(self) -> bool:
        return bool(self.values["short"])

    @cached_property
    def rows(self) -> ViewingQuerySet:
        """The viewings that the list shows, in no order."""
        viewings: ViewingQuerySet = self.qs
        return viewings

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        viewings: ViewingQuerySet = super().filter_queryset(queryset)
        if self.instants:
            viewings = viewings.started_in(self.instants)
        if self.shows_short:
            return viewings
        return viewings.views(self.viewpoint.project.minimum_view_seconds)

    def _automatic_range(self) -> DateRange | None:
        recent = range_of(PeriodName.LAST_3_MONTHS, self.viewpoint.today)
        if recent is None or self.last_viewed_at is None:
            return recent
        last = self.last_viewed_at.astimezone(self.viewpoint.project.zone).date()
        if last >= recent.first:
            return recent
        return DateRange(Month.of(last).shifted(-2).first_day, last)


class ViewedFilter(ViewingFilter):
    """What the profile reads from its address."""

    sort = django_filters.ChoiceFilter(choices=SORT_CHOICES, method="keep_all")
    measure = django_filters.ChoiceFilter(choices=Measure.choices, method="keep_all")
    per_page = PageSizeFilter(method="keep_all")
    after = CursorFilter(method="keep_all")
    before = CursorFilter(method="keep_all")
    # The filter of the list that the reader came from.
    list = django_filters.CharFilter(method="keep_all", max_length=2000)

    def __init__(self, data: QueryDict, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        for name in ("after", "before"):
            # A cursor belongs to one list in one order.
            self.filters[name].extra |= {
                "sort": data.get("sort") or DEFAULT_SORT,
                "of": self.list_name,
                "named": ordering_named,
            }

    @property
    def list_name(self) -> str:
        """What the cursors of the list are sealed with."""
        return f"viewings of user {self.user.pk}"

    @property
    def ordering(self) -> Ordering:
        return ordering_named(self.values["sort"] or DEFAULT_SORT)

    @property
    def measured(self) -> Measure:
        """What the graph adds up."""
        return Measure(self.values["measure"] or Measure.TIME)

    @property
    def ordered_rows(self) -> ViewingQuerySet:
        """The rows with all that is shown of them and with the column of the order."""
        least = self.viewpoint.project.minimum_view_seconds
        rows = self.rows.described().marked(least).select_related("content")
        key = KEYS.get(self.ordering.name.removeprefix("-"))
        return rows if key is None else rows.annotate(sort_key=key)


class ViewingFileFilter(FileParameters, ViewingFilter):
    """What the files of one user's viewing read from their address."""
