"""What a person watched: the profile's cards, its latest contents, its graph and its list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.filters import DEFAULT_SORT, SORTS, Measure, ViewedFilter
from analytics.models import Content, Viewing
from analytics.selectors import (
    LastViewed,
    ViewingBar,
    ViewingGraph,
    ViewingSums,
    last_viewed,
    viewing_graph,
)
from backoffice.core.addresses import pairs_of, with_parameters
from backoffice.core.figures import Grain
from backoffice.core.formatting import (
    DASH,
    date_range_text,
    day_text,
    duration_text,
    instant_text,
    month_text,
    number,
    percent,
    short_day,
)
from backoffice.core.named_periods import DateRange
from backoffice.core.pagination import DEFAULT_PER_PAGE, Page, keyset_page
from backoffice.core.periods import Month, dates
from users.models import User
from users.views.activity_chart import default_grain
from users.views.filter_bar import PLACE

# As many contents have a colour of their own.
RANKS = 8
LAST_SHOWN = 5
WHOLE = Decimal(100)
# Columns of figures: their order begins with the largest.
NUMBERS = {"duration", "viewing", "percent", "date"}


@dataclass(frozen=True, slots=True)
class ViewingWriter:
    """Turns the viewing of one user into what the profile shows, over one filter."""

    user: User
    asked: ViewedFilter
    language: str

    @property
    def zone(self) -> ZoneInfo:
        return self.asked.viewpoint.project.zone

    @property
    def today(self) -> date:
        return self.asked.viewpoint.today

    @property
    def least(self) -> int:
        return self.asked.viewpoint.project.minimum_view_seconds

    # --- Cards ---

    def cards(self, so_far: ViewingSums, this_month: ViewingSums) -> list[dict[str, Any]]:
        """Return the four cards, each with the address of the viewings that it adds up."""
        ever, month = self._period_address("all"), self._period_address("month")
        return [
            self._media("media", _("Media viewed"), so_far, ever),
            self._media("media-month", _("Media viewed this month"), this_month, month),
            self._time("time", _("Viewing time"), so_far, ever),
            self._time("time-month", _("Viewing time this month"), this_month, month),
        ]

    def _media(self, key: str, label: str, sums: ViewingSums, url: str) -> dict[str, Any]:
        return {
            "key": key,
            "label": label,
            "value": sums.media,
            "text": number(sums.media, self.language),
            "note": self._views(sums.views),
            "url": url,
        }

    def _time(self, key: str, label: str, sums: ViewingSums, url: str) -> dict[str, Any]:
        return {
            "key": key,
            "label": label,
            "value": sums.seconds,
            "text": duration_text(sums.seconds),
            "note": self._views(sums.views),
            "url": url,
        }

    def _views(self, views: int) -> str:
        words = ngettext("%(n)s view", "%(n)s views", views)
        return words % {"n": number(views, self.language)}

    # --- Last viewed content ---

    def last_viewed(self, so_far: ViewingSums) -> list[dict[str, Any]]:
        """Return the latest distinct contents with how far the user has come in each."""
        rows = last_viewed(
            self.user.pk, minimum_seconds=self.least, media_viewed=so_far.media, shown=LAST_SHOWN
        )
        return [self._last(row) for row in rows]

    def _last(self, row: LastViewed) -> dict[str, Any]:
        is_available = row.status == Content.Status.AVAILABLE
        return {
            "title": row.title,
            "url": row.url if is_available else "",
            "type": str(Content.Type(row.type).label),
            "status": row.status,
            "status_label": str(Content.Status(row.status).label),
            "viewed_at": row.viewed_at.isoformat(),
            "viewed_text": instant_text(row.viewed_at, self.zone, self.language),
            **self._progress(row),
        }

    def _progress(self, row: LastViewed) -> dict[str, Any]:
        """Return where in the content the user is; at most its end, whatever was reported."""
        if not row.duration_seconds:
            return {"progress": None, "progress_text": ""}
        reached = min(WHOLE, WHOLE * row.position_seconds / row.duration_seconds)
        words = _("%(percent)s · at %(position)s of %(duration)s") % {
            "percent": percent(reached, self.language),
            "position": duration_text(min(row.position_seconds, row.duration_seconds)),
            "duration": duration_text(row.duration_seconds),
        }
        return {"progress": int(reached), "progress_text": words}

    # --- The filter ---

    def period_words(self) -> str:
        """Say which days are shown."""
        return days_in_words(self.asked.date_range, self.language)

    # --- What is the user viewing? ---

    def graph(self) -> tuple[dict[str, Any], ViewingGraph]:
        """Return the graph for the template, and the figures that it was made of."""
        days, measure = self.asked.date_range, self.asked.measured
        grain = default_grain(days) if days else Grain.MONTH
        found = viewing_graph(
            self.user.pk,
            self.asked.instants,
            self.zone,
            minimum_seconds=self.least,
            grain=grain,
            by_views=measure == Measure.VIEWS,
            ranks=RANKS,
        )
        firsts = self._firsts(days, grain, found.bars)
        series = self._series(found, measure, firsts)
        return {
            "title": _("What is the user viewing?"),
            "measure": str(measure.label),
            "measures": [
                {
                    "label": str(choice.label),
                    "url": self.address("graph", measure=choice.value),
                    "is_current": choice == measure,
                }
                for choice in Measure
            ],
            "grain": _per(grain),
            "series": series,
            "rows": self._graph_rows(firsts, series, grain, measure),
            "total": self._amount(sum(one["total"] for one in series), measure),
            "data": self._graph_data(firsts, series, grain, measure),
        }, found

    def _firsts(
        self, days: DateRange | None, grain: Grain, bars: Sequence[ViewingBar]
    ) -> list[date]:
        """Return the first day of each bar: from the period's to its last that has begun."""
        watched = [bar.first_day for bar in bars]
        if not watched:
            return []
        # Years without anything at either end of a long period tell nothing.
        first, last = min(watched), max(watched)
        if days and grain != Grain.MONTH:
            first = min(first, _first_of(days.first, grain))
            last = max(last, min(days.last, self.today))
        return [day for day in dates(first, last) if day == _first_of(day, grain)]

    def _series(
        self, found: ViewingGraph, measure: Measure, firsts: Sequence[date]
    ) -> list[dict[str, Any]]:
        """Return the contents watched most, then all others as one, each with its bars."""
        place = {day: number for number, day in enumerate(firsts)}
        names = {rank: one.title for rank, one in enumerate(found.contents, start=1)}
        values = {rank: [0] * len(firsts) for rank in (*names, 0)}
        for bar in found.bars:
            values[bar.rank][place[bar.first_day]] = (
                bar.views if measure == Measure.VIEWS else bar.seconds
            )
        if not any(values[0]):
            del values[0]
        return [
            {
                "name": names.get(rank, _("Others")),
                "tone": str(rank) if rank else "rest",
                "values": bars,
                "total": sum(bars),
                "total_text": self._amount(sum(bars), measure),
            }
            for rank, bars in values.items()
        ]

    def _graph_rows(
        self,
        firsts: Sequence[date],
        series: Sequence[dict[str, Any]],
        grain: Grain,
        measure: Measure,
    ) -> list[dict[str, Any]]:
        """Return the rows of the table; times without a view would only say 0."""
        rows = []
        for number_, first in enumerate(firsts):
            cells = [one["values"][number_] for one in series]
            if any(cells):
                rows.append(
                    {
                        "date": first.isoformat(),
                        "label": _label(first, grain, self.language),
                        "cells": [self._amount(cell, measure) if cell else DASH for cell in cells],
                        "total": self._amount(sum(cells), measure),
                    }
                )
        return rows

    def _graph_data(
        self,
        firsts: Sequence[date],
        series: Sequence[dict[str, Any]],
        grain: Grain,
        measure: Measure,
    ) -> dict[str, Any]:
        """Return what the drawing is made from."""
        with_year = bool(firsts) and firsts[0].year != firsts[-1].year
        return {
            "kind": "stack",
            "labels": [_label(day, grain, self.language, with_year=with_year) for day in firsts],
            "series": [
                {"name": one["name"], "tone": one["tone"], "values": one["values"]}
                for one in series
            ],
            "isTime": measure == Measure.TIME,
            "locale": self.language,
            "names": {"axis": str(measure.label), "grain": _per(grain), "total": _("Total")},
        }

    def _amount(self, value: int, measure: Measure) -> str:
        return duration_text(value) if measure == Measure.TIME else number(value, self.language)

    # --- Viewed content ---

    def viewed(self, found: ViewingGraph) -> dict[str, Any]:
        """Return the list of viewings for the template: one page of it, and its sums."""
        page = self._page()
        shown = found.sums.views + (found.not_counted if self.asked.shows_short else 0)
        return {
            "title": _("Viewed content"),
            "total": shown,
            "sums": self._sums(found),
            "columns": self._columns(),
            "rows": [self._row(viewing) for viewing in page.rows],
            "next_url": self.address("viewed", after=page.after) if page.after else None,
            "previous_url": self.address("viewed", before=page.before) if page.before else None,
            "position_text": self._position(page, shown),
            "short_url": self.address("viewed", short="1")
            if found.not_counted and not self.asked.shows_short
            else None,
            "short_text": ngettext(
                "Show %(n)s that was too short to count",
                "Show %(n)s that were too short to count",
                found.not_counted,
            )
            % {"n": number(found.not_counted, self.language)},
            "everything_url": self._period_address("all"),
        }

    def _sums(self, found: ViewingGraph) -> str:
        """Say what the period comes to; of the month and of all dates, what the cards say."""
        media = found.sums.media
        parts = [
            self._views(found.sums.views),
            ngettext("%(n)s content", "%(n)s contents", media)
            % {"n": number(media, self.language)},
            duration_text(found.sums.seconds),
        ]
        if self.asked.shows_short and found.not_counted:
            parts.append(_("%(n)s not counted") % {"n": number(found.not_counted, self.language)})
        return " · ".join(parts)

    def _page(self) -> Page[Viewing]:
        values = self.asked.values
        cursor = values["after"] or values["before"]
        return keyset_page(
            self.asked.ordered_rows,
            self.asked.ordering,
            of=self.asked.list_name,
            per_page=values["per_page"] or DEFAULT_PER_PAGE,
            at=cursor.at if cursor else self.asked.viewpoint.now,
            after=values["after"],
            before=values["before"],
        )

    def _position(self, page: Page[Viewing], total: int) -> str:
        if not page.rows:
            return ""
        return _("%(first)s–%(last)s of %(total)s") % {
            "first": number(page.offset + 1, self.language),
            "last": number(page.offset + len(page.rows), self.language),
            "total": number(total, self.language),
        }

    def _columns(self) -> list[dict[str, Any]]:
        labels = {
            "status": _("Status"),
            "type": _("Type"),
            "name": _("Name"),
            "duration": _("Duration"),
            "viewing": _("Viewing time"),
            "percent": _("% viewed"),
            "date": _("Date"),
        }
        current = self.asked.values["sort"] or DEFAULT_SORT
        return [
            {
                "key": key,
                "label": labels[key],
                "url": self.address("viewed", sort=_next_sort(key, current)),
                "sort": _direction(key, current),
                "is_number": key in NUMBERS,
            }
            for key in SORTS
        ]

    def _row(self, viewing: Any) -> dict[str, Any]:
        """Return one viewing; `viewing` has what `ViewedFilter.ordered_rows` adds."""
        content = viewing.content
        duration = content.duration_seconds
        return {
            "status": content.status,
            "status_label": str(Content.Status(content.status).label),
            "type": str(Content.Type(content.type).label),
            "name": viewing.title,
            "duration": DASH if duration is None else duration_text(duration),
            "viewing": duration_text(viewing.watched_seconds),
            "percent": DASH
            if viewing.percent is None
            else percent(viewing.percent, self.language),
            "cause": self._cause(viewing, duration),
            "viewed_at": viewing.started_at.isoformat(),
            "viewed_text": instant_text(viewing.started_at, self.zone, self.language),
            "is_view": viewing.is_view,
        }

    def _cause(self, viewing: Any, duration: int | None) -> str:
        """Return the number of the likelier cause of more than 100 %, as listed; or nothing."""
        if not duration or viewing.watched_seconds <= duration:
            return ""
        return "1" if viewing.position_seconds > duration else "2"

    # --- Addresses ---

    def address(self, fragment: str, **changes: str) -> str:
        """Return the profile's address with the filter and these changes, at that block."""
        is_valid = self.asked.form.is_valid()
        kept = pairs_of(self.asked.data, without={*changes, *PLACE}) if is_valid else []
        path = reverse("users:profile", args=[self.user.public_id])
        return f"{with_parameters(path, [*kept, *changes.items()])}#{fragment}"

    def _period_address(self, period: str) -> str:
        return self.address("viewed", **{"period": period, "from": "", "to": "", "short": ""})


def days_in_words(days: DateRange | None, language: str) -> str:
    """Return the days of a period as people read them."""
    return date_range_text(days.first, days.last, language) if days else _("All dates")


def _next_sort(key: str, current: str) -> str:
    """Return the order that a click on the column asks for; the second turns it round."""
    first = f"-{key}" if key in NUMBERS else key
    turned = key if first.startswith("-") else f"-{key}"
    return turned if current == first else first


def _direction(key: str, current: str) -> str | None:
    if current.removeprefix("-") != key:
        return None
    return "descending" if current.startswith("-") else "ascending"


def _first_of(day: date, grain: Grain) -> date:
    """Return the first day of the bar that the day belongs to."""
    if grain == Grain.WEEK:
        return day - timedelta(days=day.weekday())
    return Month.of(day).first_day if grain == Grain.MONTH else day


def _per(grain: Grain) -> str:
    return {Grain.DAY: _("per day"), Grain.WEEK: _("per week"), Grain.MONTH: _("per month")}[grain]


def _label(first: date, grain: Grain, language: str, *, with_year: bool = True) -> str:
    if grain == Grain.MONTH:
        return f"{month_text(first, language)} {first.year}"
    if grain == Grain.WEEK:
        year, week, _weekday = first.isocalendar()
        return _("Week %(week)s of %(year)s") % {"week": week, "year": year}
    return day_text(first, language) if with_year else short_day(first, language)
