"""The cards of the Users page and the bridge beneath them, as plain values for the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_stubs_ext import StrOrPromise

from analytics.selectors import viewers
from backoffice.core.addresses import with_parameters
from backoffice.core.figures import Counted
from backoffice.core.formatting import month_text, number, percent, short_day
from backoffice.core.periods import Month, Period
from backoffice.core.scope import Scope
from subscriptions.models import AccessSpan
from subscriptions.selectors import (
    Bridge,
    bridge,
    counts_of_windows,
    trials_ending,
    users_asked_to_stop,
    users_unsubscribed,
    users_with_access,
)
from users.selectors import account_counts


class Triple(NamedTuple):
    """One figure this month so far, last month over the same elapsed time, and all last month."""

    value: int
    previous: int
    previous_full: int


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """Every number of the cards, for one scope and instant."""

    registered: Triple
    active: Triple
    trial: Triple | None
    """None where the project offers no trials."""
    unsubscribed: Triple
    bridge: Bridge
    viewers: int
    trials_ending: int
    asked_to_stop: int


@dataclass(frozen=True, slots=True)
class Months:
    """The windows that the cards compare."""

    so_far: Period
    elapsed_before: Period
    before: Period

    @classmethod
    def at(cls, now: datetime, scope: Scope) -> "Months":
        month = Month.of(now.astimezone(scope.zone).date())
        previous = month.shifted(-1)
        return cls(
            so_far=month.period(scope.zone).until(now),
            elapsed_before=previous.elapsed(now, scope.zone),
            before=previous.period(scope.zone),
        )

    def __iter__(self) -> Any:
        return iter((self.so_far, self.elapsed_before, self.before))


def month_figures(scope: Scope, now: datetime, *, has_trials: bool) -> MonthFigures:
    """Return the figures of the calendar month of now; the query count depends on nothing."""
    months = Months.at(now, scope)
    windows = list(months)
    end = months.so_far.end
    kind = AccessSpan.Kind
    counts = counts_of_windows(scope, [kind.ACCESS, kind.TRIAL], windows)
    return MonthFigures(
        registered=_registered(scope, windows),
        active=Triple(*users_with_access(scope, kind.ACCESS, windows, counts)),
        trial=Triple(*users_with_access(scope, kind.TRIAL, windows, counts))
        if has_trials
        else None,
        unsubscribed=Triple(*users_unsubscribed(scope, windows)),
        bridge=bridge(scope, months.so_far, counts),
        viewers=viewers(scope, months.so_far),
        trials_ending=trials_ending(scope, end) if has_trials else 0,
        asked_to_stop=users_asked_to_stop(scope, end),
    )


def _registered(scope: Scope, windows: Sequence[Period]) -> Triple:
    counts = account_counts(scope, [edge for w in windows for edge in (w.start, w.end)])
    return Triple(*(counts[w.end].registered - counts[w.start].registered for w in windows))


@dataclass(frozen=True, slots=True)
class CardWriter:
    """Turns figures into what the template shows: texts in one language, links that keep scope."""

    scope: Scope
    now: datetime
    language: str
    kept: Sequence[tuple[str, str]]
    """The parameters that each link keeps: the project and the platforms."""

    def cards(self, figures: MonthFigures) -> list[dict[str, Any]]:
        """Return the cards in their order."""
        cards = [self._registered(figures), self._active(figures)]
        if figures.trial:
            cards.append(self._trial(figures, figures.trial))
        return [*cards, self._unsubscribed(figures)]

    def bridge(self, bridge: Bridge) -> dict[str, Any]:
        """Return the parts of the bridge, each a link to its users."""
        # English words stay the same for one and many; those of other languages do not.
        first = short_day(self._month.first_day, self.language)
        parts: list[tuple[str, Counted, int, str]] = [
            (
                "start",
                Counted.START,
                bridge.start,
                ngettext("active on %(day)s", "active on %(day)s", bridge.start) % {"day": first},
            ),
            ("new", Counted.NEW, bridge.new, ngettext("new", "new", bridge.new)),
            ("back", Counted.BACK, bridge.back, ngettext("back", "back", bridge.back)),
            ("gone", Counted.GONE, bridge.gone, ngettext("gone", "gone", bridge.gone)),
            (
                "now",
                Counted.ACTIVE_NOW,
                bridge.now,
                ngettext("active now", "active now", bridge.now),
            ),
            (
                "came_and_left",
                Counted.CAME_AND_LEFT,
                bridge.came_and_left,
                ngettext(
                    "came and left within the month",
                    "came and left within the month",
                    bridge.came_and_left,
                ),
            ),
        ]
        return {
            key: {
                "text": number(value, self.language),
                "value": value,
                "label": label,
                "url": self._rows(counted),
            }
            for key, counted, value, label in parts
        }

    def _registered(self, figures: MonthFigures) -> dict[str, Any]:
        since = short_day(self._month.first_day, self.language)
        return self._card(
            Counted.REGISTERED,
            _("Registered users"),
            _("Accounts created since the first of the month, whatever their status today."),
            figures.registered,
            notes=[self._note(_("since %(day)s") % {"day": since})],
        )

    def _active(self, figures: MonthFigures) -> dict[str, Any]:
        now, watched = figures.bridge.now, figures.viewers
        return self._card(
            Counted.ACTIVE,
            _("Active users"),
            _(
                "People with access at some time in the month so far, by a subscription, a pack,"
                " a gift or a free copy. Each is counted once."
            ),
            figures.active,
            notes=[
                self._counted_note(
                    now,
                    ngettext("%(n)s active now", "%(n)s active now", now),
                    Counted.ACTIVE_NOW,
                ),
                self._counted_note(
                    watched,
                    ngettext("%(n)s watched something", "%(n)s watched something", watched),
                    Counted.VIEWERS,
                ),
            ],
        )

    def _trial(self, figures: MonthFigures, trial: Triple) -> dict[str, Any]:
        ending = figures.trials_ending
        return self._card(
            Counted.TRIAL,
            _("Users in trial period"),
            _(
                "People with a trial, the first unpaid span of a subscription, in the month so"
                " far."
            ),
            trial,
            notes=[
                self._counted_note(
                    ending,
                    ngettext("%(n)s ends within 3 days", "%(n)s end within 3 days", ending),
                    Counted.TRIAL_ENDING,
                )
            ],
        )

    def _unsubscribed(self, figures: MonthFigures) -> dict[str, Any]:
        asked = figures.asked_to_stop
        return self._card(
            Counted.UNSUBSCRIBED,
            _("Unsubscribed users"),
            _(
                "People whose subscription ended in the month and who hold none now. Packs and"
                " free copies that ran out are not counted here."
            ),
            figures.unsubscribed,
            is_good_up=False,
            notes=[
                self._counted_note(
                    asked,
                    ngettext(
                        "%(n)s asked to stop, still has access",
                        "%(n)s asked to stop, still have access",
                        asked,
                    ),
                    Counted.ASKED_TO_STOP,
                )
            ],
        )

    def _card(
        self,
        counted: Counted,
        label: str,
        definition: str,
        figure: Triple,
        *,
        notes: list[dict[str, str | None]],
        is_good_up: bool = True,
    ) -> dict[str, Any]:
        before = str(self._month.shifted(-1))
        return {
            "key": counted.value,
            "label": label,
            "definition": definition,
            "value": figure.value,
            "value_text": number(figure.value, self.language),
            "url": self._rows(counted),
            "previous": figure.previous,
            "previous_text": _("%(n)s by %(day)s")
            % {"n": number(figure.previous, self.language), "day": self._day_before},
            "previous_url": self._rows(counted, month=before, elapsed="1"),
            "previous_full": figure.previous_full,
            "previous_full_text": _("%(n)s in %(month)s")
            % {
                "n": number(figure.previous_full, self.language),
                "month": month_text(self._month.shifted(-1).first_day, self.language),
            },
            "previous_full_url": self._rows(counted, month=before),
            "change": self._change(figure, is_good_up=is_good_up),
            "notes": notes,
        }

    @property
    def _month(self) -> Month:
        return Month.of(self.now.astimezone(self.scope.zone).date())

    @property
    def _day_before(self) -> str:
        """The last day of the compared window of last month."""
        window = Months.at(self.now, self.scope).elapsed_before
        last = (window.end - timedelta(microseconds=1)).astimezone(self.scope.zone).date()
        return short_day(last, self.language)

    def _rows(self, counted: Counted, *, month: str = "", elapsed: str = "") -> str:
        own = [("counted", counted.value), ("month", month), ("elapsed", elapsed)]
        return with_parameters(reverse("users:list"), [*self.kept, *own])

    def _note(self, text: str, url: str | None = None) -> dict[str, str | None]:
        return {"text": text, "url": url}

    def _counted_note(self, value: int, words: str, counted: Counted) -> dict[str, str | None]:
        return self._note(words % {"n": number(value, self.language)}, self._rows(counted))

    def _change(self, figure: Triple, *, is_good_up: bool) -> dict[str, StrOrPromise]:
        """Return the comparison: a percentage, or the difference where there is no base."""
        difference = figure.value - figure.previous
        if figure.previous:
            text = percent(abs(difference) * 100 / figure.previous, self.language)
        else:
            sign = "+" if difference else ""
            text = f"{sign}{number(difference, self.language)}"
        if not difference:
            return {
                "direction": "same",
                "text": text,
                "tone": "neutral",
                "words": _("unchanged against the same time last month"),
            }
        is_up = difference > 0
        return {
            "direction": "up" if is_up else "down",
            "text": text,
            "tone": "good" if is_up == is_good_up else "bad",
            "words": _("more than at the same time last month")
            if is_up
            else _("fewer than at the same time last month"),
        }
