"""What the Users page and its files may be narrowed by, every filter written out."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from analytics.selectors import deleted_viewers, viewers_in
from backoffice.core.columns import FileParameters
from backoffice.core.figures import Counted, Grain
from backoffice.core.filters import FIRST_DATE, BoundedDateField, StrictFilterForm, ValuesFilter
from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT
from backoffice.core.named_periods import DateRange, PeriodName, range_of
from backoffice.core.pagination import Cursor, CursorRefused, Ordering
from backoffice.core.periods import Month, Period, days_between
from backoffice.core.scope import Scope
from backoffice.core.territories import is_country, is_language
from backoffice.core.text import fold
from backoffice.core.validation import clean_custom_value
from backoffice.projects.models import Project
from backoffice.staff.filters import RegisterFilter
from subscriptions.models import Offer, Provider
from subscriptions.selectors import holders_of, payers_of, payment_holders, users_behind
from users.models import (
    CustomField,
    DeviceSession,
    Impersonation,
    ImpersonationQuerySet,
    ImpersonationState,
    User,
    UserImport,
    UserQuerySet,
    UserSearch,
)
from users.selectors import account_counts, custom_fields

ORDERINGS = {
    "status": ("status", "registered_at", "pk"),
    "name": ("sort_name", "pk"),
    "email": ("email_key", "pk"),
    "registered": ("registered_at", "pk"),
    "modified": ("modified_at", "pk"),
}
BY_IDENTITY = {"name", "email"}
BY_REGISTRATION = "registered"
DEFAULT_SORT = f"-{BY_REGISTRATION}"
SORT_CHOICES = [(f"{sign}{name}", name) for name in ORDERINGS for sign in ("", "-")]
LARGEST_EXPONENT = 15
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")
# From so many letters on, a word is found anywhere in a word; below, at its beginning.
WORD_PART = 3
# A search with more hits finds a page of them by walking through the list.
MANY_HITS = 30_000
# Parameters that choose how rows are shown, not which.
NARROW_NOTHING = {"sort", "grain", "per_page", "after", "before"}
STATUSES = {
    "active": User.Status.ACTIVE,
    "registered": User.Status.REGISTERED,
    "cancelled": User.Status.CANCELLED,
    "canceled": User.Status.CANCELLED,
}
STATUS_CHOICES = [(word, status.label) for word, status in STATUSES.items()]


def ordering_named(name: str) -> Ordering:
    """Return the order that the parameter `sort` names."""
    return Ordering(name, ORDERINGS[name.removeprefix("-")], is_descending=name.startswith("-"))


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """From where a list is read: the project, the instant, and how much the reader may see."""

    project: Project
    now: datetime
    sees_identity: bool

    @property
    def today(self) -> date:
        return self.now.astimezone(self.project.zone).date()


class PeriodFilterForm(StrictFilterForm):
    """A period by name or by dates, and a place in a list: either way of saying each."""

    def __init__(self, *args: Any, viewpoint: Viewpoint, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewpoint = viewpoint

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = cleaned.get("from"), cleaned.get("to")
        if cleaned.get("period") and (first or last):
            self.add_error("period", _("Choose either a period or dates, not both."))
        if cleaned.get("after") and cleaned.get("before"):
            self.add_error("before", _("A page lies after a place or before it, not both."))
        return cleaned


class UserFilterForm(PeriodFilterForm):
    """The values of one filter bar, checked together."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self._check_counted(cleaned)
        if not self.viewpoint.sees_identity:
            self._refuse_identity(cleaned)
        return cleaned

    def _check_counted(self, cleaned: dict[str, Any]) -> None:
        month = cleaned.get("month")
        if cleaned.get("counted"):
            chosen = cleaned.get("period") or cleaned.get("from") or cleaned.get("to")
            if chosen and cleaned.get("period") != PeriodName.ALL:
                self.add_error("counted", _("A figure has its own month; leave the dates empty."))
        elif month or cleaned.get("elapsed"):
            self.add_error(None, _("A month can be chosen together with a figure only."))
        if month and month > Month.of(self.viewpoint.today):
            self.add_error("month", _("This month lies ahead."))

    def _refuse_identity(self, cleaned: dict[str, Any]) -> None:
        if cleaned.get("q"):
            self.add_error("q", _("Your role may not search by name or e-mail."))
        if str(cleaned.get("sort", "")).removeprefix("-") in BY_IDENTITY:
            self.add_error("sort", _("Your role may not sort by name or e-mail."))


class MonthField(forms.CharField):
    """A month written YYYY-MM; cleans to `Month`, or none."""

    def clean(self, value: Any) -> Month | None:
        text = super().clean(value)
        if not text:
            return None
        if not re.fullmatch(r"(199\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])", text, re.ASCII):
            raise ValidationError(_("Write the month as YYYY-MM."), code="invalid")
        return Month(int(text[:4]), int(text[5:]))


class PageSizeField(forms.IntegerField):
    """How many rows a page shows: 10 to 100."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=10, max_value=100, **kwargs)

    def to_python(self, value: Any) -> int | None:
        # int() takes 1_0 too, and digits of any script.
        if value and not (value.isascii() and value.lstrip("-").isdigit()):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class CursorField(forms.CharField):
    """The text of a page link; cleans to the `Cursor` that it holds, or none."""

    def __init__(
        self,
        *,
        sort: str,
        of: str,
        named: Callable[[str], Ordering] = ordering_named,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sort = sort
        self.of = of
        self.named = named

    def clean(self, value: Any) -> Cursor | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return Cursor.decode(text, self.named(self.sort), of=self.of)
        except (CursorRefused, KeyError) as error:
            raise ValidationError(
                _("This page link is no longer valid: start again from the first page."),
                code="cursor",
            ) from error


class DayFilter(django_filters.Filter):
    """A filter by a local day."""

    field_class = BoundedDateField


class PageSizeFilter(django_filters.Filter):
    """The number of rows a page."""

    field_class = PageSizeField


class CursorFilter(django_filters.Filter):
    """A place in the list."""

    field_class = CursorField


class MonthFilter(django_filters.Filter):
    """A filter by a month."""

    field_class = MonthField


class PeriodFilter(django_filters.FilterSet):
    """Narrows to a period of local days, by its name or by its ends."""

    period = django_filters.ChoiceFilter(
        label=gettext_lazy("Period"),
        choices=PeriodName.choices,
        method="keep_all",
        empty_label=gettext_lazy("Automatic"),
    )
    # "from" is a word of Python's own; a class body takes it through its dictionary.
    locals()["from"] = DayFilter(label=gettext_lazy("From"), method="keep_all")
    to = DayFilter(label=gettext_lazy("To"), method="keep_all")

    class Meta:
        fields: tuple[str, ...] = ()  # Every filter is written out.
        form = PeriodFilterForm

    def __init__(self, data: QueryDict, *, viewpoint: Viewpoint, queryset: QuerySet[Any]) -> None:
        self.viewpoint = viewpoint
        super().__init__(data, queryset=queryset)

    @cached_property
    def form(self) -> PeriodFilterForm:
        form_class: type[PeriodFilterForm] = self.get_form_class()
        return form_class(self.data, viewpoint=self.viewpoint)

    @property
    def values(self) -> dict[str, Any]:
        """The cleaned values; only of a valid form."""
        return self.form.cleaned_data

    @cached_property
    def date_range(self) -> DateRange | None:
        """The local days that the rows and the chart are narrowed to; none for all dates."""
        first, last = self.values["from"], self.values["to"]
        if first or last:
            today = self.viewpoint.today
            return DateRange(first or FIRST_DATE, last or max(first, today), is_open=not first)
        if self.values["period"]:
            return range_of(self.values["period"], self.viewpoint.today)
        return self._automatic_range()

    def _automatic_range(self) -> DateRange | None:
        """Return the days where none were chosen."""
        return range_of(PeriodName.MONTH, self.viewpoint.today)

    @property
    def instants(self) -> Period | None:
        """The instants of `date_range`."""
        days = self.date_range
        if days is None:
            return None
        return days_between(days.first, days.last, self.viewpoint.project.zone)

    def keep_all(self, rows: QuerySet[Any], _name: str, _value: object) -> QuerySet[Any]:
        """Narrow nothing here: the parameter works together with others, in filter_queryset."""
        return rows


class ChartFilter(PeriodFilter):
    """Narrows cards and chart: to platforms, and to a period of local days."""

    platform = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("Platform"), method="narrow_platform", choices=[]
    )

    class Meta(PeriodFilter.Meta):
        model = User
        form = UserFilterForm

    def __init__(self, data: QueryDict, *, viewpoint: Viewpoint) -> None:
        super().__init__(data, viewpoint=viewpoint, queryset=User.objects.of(viewpoint.project))
        self.platforms = list(viewpoint.project.platforms.order_by("name", "pk"))
        self.platform_ids = {platform.slug: platform.pk for platform in self.platforms}
        self._offer("platform", [(platform.slug, platform.name) for platform in self.platforms])

    def _offer(self, name: str, choices: Any) -> None:
        self.filters[name].extra["choices"] = list(choices)

    @property
    def scope(self) -> Scope:
        """What cards and chart are narrowed to."""
        chosen = self.values["platform"]
        return Scope(
            self.viewpoint.project.pk,
            self.viewpoint.project.zone,
            tuple(sorted(self.platform_ids[slug] for slug in chosen)),
        )

    def narrow_platform(self, users: UserQuerySet, _name: str, slugs: list[str]) -> UserQuerySet:
        return users.filter(platform__in=[self.platform_ids[slug] for slug in slugs])


class ChartFileFilter(FileParameters, ChartFilter):
    """What the chart's file is narrowed by, and how it is written."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many rows a list has, and how many more the figure behind it counts."""

    total: int
    deleted: int
    """Users of the same figure who were deleted since."""


class UserFilter(ChartFilter):
    """
    Narrows the users of one project: the list, its files and their count take `rows`.

    Statuses are those written on the rows; the view refreshes them first.
    """

    q = django_filters.CharFilter(
        label=gettext_lazy("Search"),
        method="keep_all",
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("Name, e-mail or id")}),
    )
    status = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("Status"), method="narrow_status", choices=STATUS_CHOICES
    )
    used = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("Used platform"), method="narrow_used", choices=[]
    )
    country = ValuesFilter(
        label=gettext_lazy("Country"), field_name="country", lookup_expr="in", check=is_country
    )
    language = ValuesFilter(
        label=gettext_lazy("Language"), field_name="language", lookup_expr="in", check=is_language
    )
    offer = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("Offer"), method="narrow_offer", choices=[]
    )
    provider = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("Payment"), method="narrow_provider", choices=Provider.choices
    )
    counted = django_filters.ChoiceFilter(choices=Counted.choices, method="keep_all")
    month = MonthFilter(method="keep_all")
    elapsed = django_filters.ChoiceFilter(choices=[("1", "1")], method="keep_all")
    sort = django_filters.ChoiceFilter(choices=SORT_CHOICES, method="keep_all")

    chosen: Collection[UUID] | None = None
    """Public ids: a selection by hand is no part of the address."""

    def __init__(self, data: QueryDict, *, viewpoint: Viewpoint) -> None:
        super().__init__(data, viewpoint=viewpoint)
        project = viewpoint.project
        self._offer("used", self.filters["platform"].extra["choices"])
        offers = list(Offer.objects.filter(project=project).order_by("name", "pk"))
        self.offer_ids = {offer.reference: offer.pk for offer in offers}
        self._offer("offer", [(offer.reference, offer.name) for offer in offers])
        self.custom_fields = custom_fields(project.pk)
        for field in self.custom_fields:
            self.filters[f"custom.{field.key}"] = self._custom_filter(field)

    def _custom_filter(self, field: CustomField) -> django_filters.Filter:
        def narrow(users: UserQuerySet, _name: str, texts: list[str]) -> UserQuerySet:
            wanted = Q()
            for text in texts:
                wanted |= Q(custom__contains={field.key: stored_value(field, text)})
            return users.filter(wanted)

        made = ValuesFilter(
            label=field.label(get_language() or "en"),
            method=narrow,
            check=_checker_of(field),
            required=False,
        )
        made.parent, made.model = self, User
        return made

    @property
    def ordering(self) -> Ordering:
        return ordering_named(self.values["sort"] or DEFAULT_SORT)

    @property
    def window(self) -> Period:
        """The part of a month in which the chosen figure is counted."""
        now, zone = self.viewpoint.now, self.viewpoint.project.zone
        month = self.values["month"] or Month.of(self.viewpoint.today)
        if self.values["elapsed"]:
            return month.elapsed(now, zone)
        return month.period(zone).until(now)

    def _automatic_range(self) -> DateRange | None:
        if self.values["q"] or self.values["counted"]:
            return None
        return super()._automatic_range()

    @cached_property
    def rows(self) -> UserQuerySet:
        """The users that the list shows, in no order; of those chosen by hand, if some are."""
        users: UserQuerySet = self.qs
        present = users.present()
        return present if self.chosen is None else present.filter(public_id__in=self.chosen)

    def filter_queryset(self, queryset: UserQuerySet) -> UserQuerySet:
        users: UserQuerySet = super().filter_queryset(queryset)
        if self.instants:
            users = users.registered_in(self.instants)
        if self.values["counted"]:
            users = users.filter(self._counted())
        if self.values["q"]:
            users = users.filter(found_by(self.values["q"], self._named))
        return users

    def totals(self) -> Totals:
        """Return how many rows there are: from day counts where the filter allows it."""
        return self._totals

    @cached_property
    def _totals(self) -> Totals:
        if self._narrowed_by() <= {"platform", "period", "from", "to"}:
            return self._totals_by_registration()
        if self._narrowed_by() <= {"platform", "period", "counted", "month", "elapsed"}:
            return self._totals_with_deleted()
        if self._is_search_alone:
            return Totals(self._found.count(), 0)
        return Totals(self.rows.count(), 0)

    @property
    def keys(self) -> QuerySet[UserSearch] | None:
        """
        The keys of the rows in a narrow table that has the columns of the order, if there is one.

        Hits of a search are put in order there: the planner cannot tell how rare a word is, and
        would read the whole rows of all hits, or walk through everybody to find the last of them.
        Where hits are many, walking finds a page of them at once.
        """
        fits = self._is_search_alone and self.ordering.fields == ORDERINGS[BY_REGISTRATION]
        return self._found if fits and self.totals().total <= MANY_HITS else None

    def _narrowed_by(self) -> set[str]:
        return {name for name, value in self.values.items() if value} - NARROW_NOTHING

    def _totals_by_registration(self) -> Totals:
        period = self.instants or Period(FIRST_INSTANT, LAST_INSTANT)
        counts = account_counts(self.scope, [period.start, period.end])
        before, after = counts[period.start], counts[period.end]
        deleted = after.deleted - before.deleted
        return Totals(after.registered - before.registered - deleted, deleted)

    def _totals_with_deleted(self) -> Totals:
        counted = self.qs.aggregate(
            total=Count("pk", filter=Q(deleted_at=None)), deleted=Count("deleted_at")
        )
        deleted = counted["deleted"]
        if self.values["counted"] == Counted.VIEWERS and not self.instants:
            # No row says who they were.
            deleted += deleted_viewers(self.scope, self.window)
        return Totals(counted["total"], deleted)

    @property
    def _is_search_alone(self) -> bool:
        narrowed = self._narrowed_by()
        return "q" in narrowed and narrowed <= {"q", "period"} and not self.instants

    @cached_property
    def _found(self) -> QuerySet[UserSearch]:
        """The search in the table of words alone, which has a row for each present user."""
        found = found_by(self.values["q"], self._named, words="")
        return UserSearch.objects.filter(found, project=self.viewpoint.project)

    @cached_property
    def _named(self) -> list[int]:
        """The users whose id, or the reference of whose payment, is searched for."""
        text, project = self.values["q"].strip(), self.viewpoint.project
        return payers_of(text, project.pk) + _user_with_id(text, project)

    def _counted(self) -> Q:
        counted, window = Counted(self.values["counted"]), self.window
        if counted == Counted.REGISTERED:
            return Q(registered_at__gte=window.start, registered_at__lt=window.end)
        if counted == Counted.VIEWERS:
            project = self.viewpoint.project
            return viewers_in(window, project.pk, project.zone)
        return users_behind(counted, self.viewpoint.project.pk, window)

    def narrow_status(self, users: UserQuerySet, _name: str, words: list[str]) -> UserQuerySet:
        return users.filter(status__in={STATUSES[word] for word in words})

    def narrow_used(self, users: UserQuerySet, _name: str, slugs: list[str]) -> UserQuerySet:
        wanted = [self.platform_ids[slug] for slug in slugs]
        signed_in = DeviceSession.objects.filter(user=OuterRef("pk"), platform__in=wanted)
        return users.filter(Q(viewing__platform_ids__overlap=wanted) | Exists(signed_in))

    def narrow_offer(self, users: UserQuerySet, _name: str, references: list[str]) -> UserQuerySet:
        wanted = [self.offer_ids[reference] for reference in references]
        return users.filter(holders_of(wanted, now=self.viewpoint.now))

    def narrow_provider(self, users: UserQuerySet, _name: str, names: list[str]) -> UserQuerySet:
        return users.filter(
            payment_holders(names, project_id=self.viewpoint.project.pk, now=self.viewpoint.now)
        )


class UserListFilter(UserFilter):
    """What the Users page reads from its address: the filter, the grain, the place in the list."""

    grain = django_filters.ChoiceFilter(choices=Grain.choices, method="keep_all")
    per_page = PageSizeFilter(method="keep_all")
    after = CursorFilter(method="keep_all")
    before = CursorFilter(method="keep_all")

    def __init__(self, data: QueryDict, *, viewpoint: Viewpoint) -> None:
        super().__init__(data, viewpoint=viewpoint)
        for name in ("after", "before"):
            # A cursor belongs to one list in one order.
            self.filters[name].extra |= {
                "sort": data.get("sort") or DEFAULT_SORT,
                "of": self.list_name,
            }

    @property
    def list_name(self) -> str:
        """What the cursors of the list are sealed with."""
        return f"users {self.viewpoint.project.pk}"


class BasicFileFilter(FileParameters, UserFilter):
    """What the basic file reads from its address: the filter, and how the file is written."""


class CompleteFileFilter(BasicFileFilter):
    """The same for the complete file, and which sign-up fields it has."""

    custom = ValuesFilter(method="keep_all", check=str.isprintable)


def found_by(text: str, named: Sequence[int], *, words: str = "search__") -> Q:
    """
    Return the condition that a user is found by the text.

    Every word is part of the name or address from three letters, a beginning below.

    :param named: users who are found besides, by an id or a reference.
    :param words: the way to `UserSearch` from the model asked; from itself it is empty.
    """
    parts = fold(text).split()
    column = f"{words}text__contains"
    found = Q() if parts else Q(pk__in=[])
    for part in parts:
        found &= Q(**{column: part if len(part) >= WORD_PART else f" {part}"})
    return found | Q(pk__in=named) if named else found


def _user_with_id(text: str, project: Project) -> list[int]:
    try:
        public_id = UUID(text)
    except ValueError:
        return []
    return list(User.objects.of(project).filter(public_id=public_id).values_list("pk", flat=True))


def stored_value(field: CustomField, text: str) -> Any:
    """
    Return the text as the value that the field stores.

    :raises ValidationError: if the field holds no such values.
    """
    value: bool | int | float | str = text
    if field.type == CustomField.Type.BOOLEAN:
        value = {"true": True, "false": False}.get(text, text)
    elif field.type == CustomField.Type.NUMBER:
        value = number_of(text)
    return clean_custom_value(field.type, field.choices, value)


def number_of(text: str) -> int | float | str:
    """Return the number that the text writes as in JSON, whole if it can be; else the text."""
    if not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    # Before it is written out: 1e999999999 has as many digits.
    if abs(number.adjusted()) > LARGEST_EXPONENT:
        return text
    return int(number) if number == number.to_integral_value() else float(number)


def _checker_of(field: CustomField) -> Callable[[str], bool]:
    def is_storable(text: str) -> bool:
        try:
            stored_value(field, text)
        except ValidationError:
            return False
        return True

    return is_storable


class ImportFilter(RegisterFilter):
    """Which imports the register shows: who, when, state."""

    instant = "created_at"
    who = django_filters.CharFilter(label=gettext_lazy("Who"), method="by_actor", max_length=254)
    state = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("State"), choices=UserImport.State.choices
    )

    class Meta(RegisterFilter.Meta):
        model = UserImport

    def by_actor(self, imports: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return imports.filter(Q(actor__name__icontains=text) | Q(actor__email__icontains=text))


class ImpersonationFilter(RegisterFilter):
    """Who looked, how, when, and how it stands."""

    instant = "created_at"
    who = django_filters.CharFilter(label=gettext_lazy("Who"), method="by_whom", max_length=254)
    mode = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("Mode"), choices=Impersonation.Mode.choices
    )
    state = django_filters.MultipleChoiceFilter(
        label=gettext_lazy("State"), choices=ImpersonationState.choices, method="in_states"
    )

    class Meta(RegisterFilter.Meta):
        model = Impersonation

    def by_whom(self, rows: ImpersonationQuerySet, _name: str, part: str) -> ImpersonationQuerySet:
        return rows.filter(Q(staff__name__icontains=part) | Q(staff__email__icontains=part))

    def in_states(
        self, rows: ImpersonationQuerySet, _name: str, states: list[str]
    ) -> ImpersonationQuerySet:
        found = rows.none()
        for state in states:
            found |= rows.in_state(state, self.now)
        return found
