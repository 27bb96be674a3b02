"""The Users page: cards, chart and table over one filter."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from backoffice.core.addresses import pairs_of, with_parameters
from backoffice.core.figures import Grain
from backoffice.core.formatting import date_range_text, day_text, number
from backoffice.core.pagination import DEFAULT_PER_PAGE, Page, keyset_page
from backoffice.core.permissions import Permission
from backoffice.staff.pages import StaffPage
from subscriptions.spans import refresh_statuses
from users.filters import (
    BY_IDENTITY,
    DEFAULT_SORT,
    ORDERINGS,
    ChartFilter,
    UserListFilter,
    Viewpoint,
)
from users.models import User
from users.views.activity_chart import (
    activity_by_day,
    bars_of,
    chart_data,
    chart_rows,
    days_shown,
    default_grain,
    grains_for,
)
from users.views.file_chooser import file_chooser, file_links
from users.views.filter_bar import PLACE, filter_bar
from users.views.month_cards import CardWriter, month_figures
from users.views.user_rows import RowWriter, acts_allowed, one_click_acts

FilterT = TypeVar("FilterT", bound=ChartFilter)

ROW_FIELDS = (
    "public_id",
    "status",
    "first_name",
    "last_name",
    "email",
    "platform_id",
    "registered_at",
    "modified_at",
    "sort_name",
    "email_key",
)


class FilteredUsers(StaffPage):
    """What the list shows is what its files hold: both take their rows from one filter."""

    def filter_by(self, filterset: type[FilterT]) -> FilterT:
        """Return the filter that the address asks for, valid or not."""
        return filterset(self.request.GET, viewpoint=self.viewpoint)

    @property
    def viewpoint(self) -> Viewpoint:
        return Viewpoint(
            project=self.project,
            now=self.now,
            sees_identity=self.may(Permission.USERS_SEE_IDENTITY),
        )

    @property
    def language(self) -> str:
        return get_language() or "en"


class UserList(FilteredUsers, TemplateView):  # type: ignore[misc]
    """How the month goes, who registered, and where to find anybody."""

    permission_required = Permission.USERS_VIEW
    template_name = "users/user_list.html"

    def get(self, *_args: Any, **_kwargs: Any) -> TemplateResponse:
        asked = self.filter_by(UserListFilter)
        is_valid = asked.form.is_valid()
        context = self._frame(asked) | (self._content(asked) if is_valid else {})
        return TemplateResponse(
            self.request, self.template_name, context, status=200 if is_valid else 400
        )

    def _frame(self, asked: UserListFilter) -> dict[str, Any]:
        return filter_bar(asked, sees_identity=self.viewpoint.sees_identity) | {
            "title": _("Users"),
            "create_url": self._link("users:new", Permission.USERS_CREATE),
            "import_url": self._link("users:import", Permission.USERS_IMPORT),
            "zone_name": self.zone.key,
        }

    def _content(self, asked: UserListFilter) -> dict[str, Any]:
        refresh_statuses(project_id=self.project.pk, now=self.now)
        figures = month_figures(asked.scope, self.now, has_trials=self.project.has_trials)
        writer = CardWriter(
            asked.scope, self.now, self.language, _kept(asked, {"project", "platform"})
        )
        return {
            "period_words": self._period_words(asked),
            "cards": writer.cards(figures),
            "bridge": writer.bridge(figures.bridge),
            "chart": self._chart(asked),
            "table": self._table(asked),
        }

    def _period_words(self, asked: UserListFilter) -> str:
        days = asked.date_range
        if days is None:
            return _("All dates")
        last = max(days.first, min(days.last, self.viewpoint.today))
        if days.is_open:
            return _("until %(day)s") % {"day": day_text(last, self.language)}
        return date_range_text(days.first, last, self.language)

    def _chart(self, asked: UserListFilter) -> dict[str, Any]:
        today = self.viewpoint.today
        days = days_shown(asked.scope, asked.date_range, today)
        fitting = grains_for(days)
        wanted = Grain(asked.values["grain"] or default_grain(days))
        grain = wanted if wanted in fitting else fitting[0]
        bars = bars_of(activity_by_day(asked.scope, days, self.now), days, grain, today)
        with_year = days.first.year != days.last.year
        return {
            "title": _("Number of registered and active users"),
            "grain_words": grain.label,
            "grains": [
                {
                    "label": choice.label,
                    "url": self._address(asked, grain=choice.value),
                    "is_current": choice == grain,
                }
                for choice in fitting
            ],
            "rows": chart_rows(bars, grain, self.language),
            "csv_url": self._chart_file(asked),
            "data": chart_data(bars, grain, with_year=with_year, language=self.language),
        }

    def _chart_file(self, asked: UserListFilter) -> str | None:
        if not self.may(Permission.ANALYTICS_EXPORT):
            return None
        kept = _kept(asked, {"project", "platform", "period", "from", "to"})
        # A search or a figure shows all dates without saying so in the address.
        if asked.date_range is None and not asked.values["period"]:
            kept.append(("period", "all"))
        return with_parameters(reverse("users:chart-file"), kept)

    def _table(self, asked: UserListFilter) -> dict[str, Any]:
        totals = asked.totals()
        page = self._page(asked)
        may_export = self.may(Permission.USERS_EXPORT)
        files = file_links(asked) if may_export else []
        writer = RowWriter(
            now=self.now,
            zone=self.zone,
            language=self.language,
            sees_identity=self.viewpoint.sees_identity,
            platform_names={platform.pk: platform.name for platform in asked.platforms},
            actions=list(acts_allowed(self.permissions)),
            posted=one_click_acts(self.project),
        )
        return {
            "title": _("Who are the last registered users?"),
            "total": totals.total,
            "deleted": totals.deleted,
            "count_text": self._count_text(totals.total, totals.deleted),
            "columns": self._columns(asked),
            "rows": writer.rows(page.rows),
            "next_url": self._address(asked, after=page.after) if page.after else None,
            "previous_url": self._address(asked, before=page.before) if page.before else None,
            "position_text": self._position_text(page, totals.total),
            "files": files,
            "chooser": file_chooser(asked, totals.total, self.language) if may_export else None,
            **self._for_chosen(asked, files, totals.total),
            "limits": " · ".join(self._limits(has_files=bool(files))),
            "empty": None if page.rows else self._empty(asked),
            "select_all_text": _("Select all %(n)s matching")
            % {"n": number(totals.total, self.language)},
        }

    def _limits(self, *, has_files: bool) -> Iterator[str]:
        """Say, before they bite, how often what this page offers can be done."""
        if has_files:
            files = number(settings.EXPORTS_A_DAY, self.language)
            yield _("%(n)s files a day and person at most") % {"n": files}
        if self.may(Permission.USERS_IMPERSONATE):
            times = number(settings.IMPERSONATIONS_A_DAY, self.language)
            yield _("%(n)s impersonations a day and person at most") % {"n": times}

    def _for_chosen(
        self, asked: UserListFilter, files: Sequence[dict[str, str]], total: int
    ) -> dict[str, str]:
        """Return where ticked rows are sent, and where all that match are."""
        n = number(total, self.language)
        places: dict[str, str] = {}
        if files:
            # What is ticked whole is the basic list of the same filter; chosen rows may be of
            # any date.
            chosen = [("period", "all"), *_kept(asked, {"project", "sort"})]
            places |= {
                "export_url": files[0]["url"],
                "export_chosen_url": with_parameters(reverse("users:basic-file"), chosen),
                "export_all_text": _("Export all %(n)s matching") % {"n": n},
            }
        if self.may(Permission.USERS_DELETE):
            kept = pairs_of(asked.data, without={"after", "before", "per_page", "grain"})
            if asked.date_range is None and not asked.values["period"]:
                kept.append(("period", "all"))
            elif not asked.values["period"] and not (asked.values["from"] or asked.values["to"]):
                kept.append(("period", "month"))
            places |= {
                "delete_url": reverse("users:delete-several"),
                "delete_all_url": with_parameters(reverse("users:delete-several"), kept),
                "delete_all_text": _("Delete all %(n)s matching") % {"n": n},
            }
        return places

    def _page(self, asked: UserListFilter) -> Page[User]:
        after, before = asked.values["after"], asked.values["before"]
        cursor = after or before
        keys = asked.keys
        rows = asked.rows if keys is None else User.objects.all()
        return keyset_page(
            rows.only(*ROW_FIELDS),
            asked.ordering,
            of=asked.list_name,
            per_page=asked.values["per_page"] or DEFAULT_PER_PAGE,
            at=cursor.at if cursor else self.now,
            after=after,
            before=before,
            keys=keys,
        )

    def _count_text(self, total: int, deleted: int) -> str:
        """Return how many there are, and of how many a number still knows."""
        people = ngettext("%(n)s person", "%(n)s people", total)
        said = [people % {"n": number(total, self.language)}]
        if deleted:
            gone = ngettext("%(n)s since deleted", "%(n)s since deleted", deleted)
            said.append(gone % {"n": number(deleted, self.language)})
        return ", ".join(said)

    def _position_text(self, page: Page[User], total: int) -> str:
        if not page.rows:
            return ""
        return _("%(first)s–%(last)s of %(total)s") % {
            "first": number(page.offset + 1, self.language),
            "last": number(page.offset + len(page.rows), self.language),
            "total": number(total, self.language),
        }

    def _columns(self, asked: UserListFilter) -> list[dict[str, Any]]:
        labels = {
            "status": _("Status"),
            "name": _("Name"),
            "email": _("E-mail"),
            "platform": _("Platform"),
            "registered": pgettext("column of dates", "Registered"),
            "modified": pgettext("column of dates", "Modified"),
        }
        return [
            {
                "key": key,
                "label": label,
                "url": self._sort_url(asked, key),
                "sort": _direction(asked, key),
                "is_number": key in {"registered", "modified"},
            }
            for key, label in labels.items()
        ]

    def _sort_url(self, asked: UserListFilter, key: str) -> str | None:
        if key not in ORDERINGS or (key in BY_IDENTITY and not self.viewpoint.sees_identity):
            return None
        current = asked.values["sort"] or DEFAULT_SORT
        # Dates begin with the latest, words with the first; a second click turns it round.
        first = f"-{key}" if key in {"registered", "modified"} else key
        turned = first.removeprefix("-") if first.startswith("-") else f"-{first}"
        return self._address(asked, sort=turned if current == first else first)

    def _empty(self, asked: UserListFilter) -> dict[str, Any]:
        """Say why there is nothing, and what to do next."""
        if not User.objects.of(self.project).present().exists():
            actions = [
                {"label": label, "url": url}
                for label, url in (
                    (_("Create a user"), self._link("users:new", Permission.USERS_CREATE)),
                    (_("Import users"), self._link("users:import", Permission.USERS_IMPORT)),
                )
                if url
            ]
            text = _("No user yet: create or import some, or connect a platform.")
            return {"text": text, "actions": actions}
        if set(asked.data) - {"project", "period", "from", "to", "sort", "per_page"}:
            clear = with_parameters(reverse("users:list"), _kept(asked, {"project"}))
            actions = [{"label": _("Clear"), "url": clear}, *self._all_dates(asked)]
            return {"text": _("Nobody matches this filter."), "actions": actions}
        return {
            "text": _("Nobody registered in this period."),
            "actions": self._all_dates(asked),
        }

    def _all_dates(self, asked: UserListFilter) -> list[dict[str, str]]:
        """Return the way to the same filter at all dates, where they are not shown already."""
        if asked.date_range is None:
            return []
        url = self._address(asked, **{"period": "all", "from": "", "to": ""})
        return [{"label": _("All dates"), "url": url}]

    def _link(self, name: str, permission: Permission) -> str | None:
        """Return the page's address if it exists and is allowed."""
        if not self.may(permission):
            return None
        try:
            return reverse(name)
        except NoReverseMatch:
            return None

    def _address(self, asked: UserListFilter, **changes: str) -> str:
        kept = pairs_of(asked.data, without={*changes, *PLACE})
        return with_parameters(reverse("users:list"), [*kept, *changes.items()])


def _kept(asked: UserListFilter, names: set[str]) -> list[tuple[str, str]]:
    return pairs_of(asked.data, without=set(asked.data) - names)


def _direction(asked: UserListFilter, key: str) -> str | None:
    if asked.ordering.name.removeprefix("-") != key:
        return None
    return "descending" if asked.ordering.is_descending else "ascending"


def public_ids(values: Sequence[str]) -> set[UUID]:
    """
    Return the ids, sent one to a field or several with commas between them.

    :raises ValueError: if one is none.
    """
    return {UUID(text) for value in values for text in value.split(",") if text}
