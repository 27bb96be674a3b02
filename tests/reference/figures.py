"""
Every figure of the Users page, recomputed by its definition, one person after the other.

Written from docs/metrics.md and for reading, not for speed: no SQL, no roll-up, no trick. It
shares no code with the product. Windows are half-open: [start, end).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.reference.history import Bought, FreeCopy, History, Subscribed, Watched

TICK = timedelta(microseconds=1)
THREE_DAYS = timedelta(days=3)


@dataclass(frozen=True)
class Span:
    """The instants [start, end); an end of none is open."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class Window:
    start: datetime
    end: datetime


# --- What one source gives -------------------------------------------------------------------


def span_until_first(start: datetime, ends: list[datetime | None]) -> Span | None:
    known = [end for end in ends if end is not None]
    end = min(known) if known else None
    return None if end is not None and end <= start else Span(start, end)


def subscription_span(source: Subscribed, history: History) -> Span | None:
    arrived = source.status_since or source.started_at
    if source.status in {"incomplete", "incomplete_expired"}:
        return None
    ends = [source.ended_at, source.cancel_at]
    is_closed = source.status in {"canceled", "unpaid", "paused"}
    if is_closed and source.ended_at is None and source.cancel_at is None:
        ends.append(arrived)
    if source.status == "past_due" and source.provider in {"okast", "other"}:
        ends.append((source.past_due_since or arrived) + timedelta(days=history.grace_days))
    return span_until_first(source.started_at, ends)


def trial_span(source: Subscribed, history: History) -> Span | None:
    access = subscription_span(source, history)
    if access is None or source.trial_ends_at is None:
        return None
    return span_until_first(access.start, [source.trial_ends_at, access.end])


def pack_span(source: Bought, not_before: datetime | None = None) -> Span | None:
    if source.status == "unknown":
        return None
    start = source.purchased_at
    if not_before is not None:
        start = max(start, not_before)
    end = source.expires_at
    if end is None and source.rental_days is not None:
        end = start + timedelta(days=source.rental_days)
    ends = [end]
    if source.status in {"expired", "cancelled"}:
        ends.append(source.status_since or source.purchased_at)
    return span_until_first(start, ends)


def free_copy_span(source: FreeCopy, registered_at: datetime, history: History) -> Span | None:
    has_account_when_sent = registered_at <= source.sent_at
    if has_account_when_sent and not history.needs_activation:
        start = source.sent_at
    elif source.activated_at is not None:
        start = source.activated_at
    else:
        return None
    return span_until_first(start, [start + timedelta(days=source.days), source.revoked_at])


# --- What a person holds ---------------------------------------------------------------------


def merged(spans: list[Span | None]) -> list[Span]:
    """Join spans that overlap or touch."""
    result: list[Span] = []
    for span in sorted((s for s in spans if s is not None), key=lambda s: s.start):
        last = result[-1] if result else None
        if last is None or (last.end is not None and last.end < span.start):
            result.append(span)
        elif last.end is not None and (span.end is None or span.end > last.end):
            result[-1] = Span(last.start, span.end)
    return result


class Figures:
    """The figures of one history."""

    def __init__(self, history: History, platforms: frozenset[int] = frozenset()) -> None:
        self.history = history
        self.zone = history.zone
        self.numbers = [
            number
            for number, person in enumerate(history.people)
            if not platforms or person.platform in platforms
        ]
        everybody = range(len(history.people))
        self.access = {n: merged(list(self._access_sources(n))) for n in everybody}
        self.subscription = {
            n: merged([subscription_span(s, history) for s in history.people[n].subscriptions])
            for n in everybody
        }
        self.trial = {
            n: merged([trial_span(s, history) for s in history.people[n].subscriptions])
            for n in everybody
        }

    def _access_sources(self, number: int) -> Iterator[Span | None]:
        person = self.history.people[number]
        for subscription in person.subscriptions:
            yield subscription_span(subscription, self.history)
        for pack in person.purchases:
            if not pack.is_gift:
                yield pack_span(pack)
        for buyer in self.history.people:
            for gift in buyer.purchases:
                if gift.is_gift and gift.recipient == number:
                    yield pack_span(gift, not_before=person.registered_at)
        for copy in person.free_copies:
            yield free_copy_span(copy, person.registered_at, self.history)

    def status_at(self, number: int, instant: datetime) -> str:
        spans = self.access[number]
        if any(s.start <= instant and (s.end is None or s.end > instant) for s in spans):
            return "active"
        if any(s.end is not None and s.end <= instant for s in spans):
            return "cancelled"
        return "registered"

    def status_changes_at(self, number: int, instant: datetime) -> datetime | None:
        """Return the first instant after this one at which the clock changes the status."""
        edges = [e for s in self.access[number] for e in (s.start, s.end) if e is not None]
        return min((edge for edge in edges if edge > instant), default=None)

    def views(self, number: int) -> list[Watched]:
        return [
            v
            for v in self.history.people[number].viewings
            if v.seconds >= self.history.minimum_view_seconds and not v.by_bot
        ]

    # --- The people behind each number -------------------------------------------------------

    def counted(self, word: str, window: Window) -> set[int]:
        """Return the people whom the figure of this name counts in the window."""
        rule = getattr(self, f"is_{word.replace('-', '_')}")
        return {number for number in self.numbers if rule(number, window)}

    def is_registered(self, number: int, w: Window) -> bool:
        return w.start <= self.history.people[number].registered_at < w.end

    def is_active(self, number: int, w: Window) -> bool:
        return touched(self.access[number], w)

    def is_active_now(self, number: int, w: Window) -> bool:
        return held_at_end(self.access[number], w.end)

    def is_viewers(self, number: int, w: Window) -> bool:
        starts = [view.started_at for view in self.views(number)]
        if self.history.people[number].is_deleted:
            # Of them the day alone is kept: it counts from its beginning.
            days = [(at, midnight(self.local_day(at), self.zone)) for at in starts]
            return any(w.start <= at and begun < w.end for at, begun in days)
        return any(w.start <= at < w.end for at in starts)

    def is_trial(self, number: int, w: Window) -> bool:
        return touched(self.trial[number], w)

    def is_trial_ending(self, number: int, w: Window) -> bool:
        return any(
            s.start < w.end and s.end is not None and w.end <= s.end < w.end + THREE_DAYS
            for s in self.trial[number]
        )

    def is_unsubscribed(self, number: int, w: Window) -> bool:
        spans = self.subscription[number]
        ended = any(s.end is not None and w.start <= s.end < w.end for s in spans)
        return ended and not held_at_end(spans, w.end)

    def is_asked_to_stop(self, number: int, w: Window) -> bool:
        for source in self.history.people[number].subscriptions:
            span = subscription_span(source, self.history)
            is_ahead = source.cancel_at is not None and source.cancel_at >= w.end
            if span is not None and is_ahead and held_at_end([span], w.end):
                return True
        return False

    def is_start(self, number: int, w: Window) -> bool:
        return held_at_start(self.access[number], w.start)

    def had_access_before(self, number: int, w: Window) -> bool:
        return any(s.start < w.start for s in self.access[number])

    def is_new(self, number: int, w: Window) -> bool:
        came = self.is_active_now(number, w) and not self.is_start(number, w)
        return came and not self.had_access_before(number, w)

    def is_back(self, number: int, w: Window) -> bool:
        came = self.is_active_now(number, w) and not self.is_start(number, w)
        return came and self.had_access_before(number, w)

    def is_gone(self, number: int, w: Window) -> bool:
        return self.is_start(number, w) and not self.is_active_now(number, w)

    def is_came_and_left(self, number: int, w: Window) -> bool:
        is_at_an_edge = self.is_start(number, w) or self.is_active_now(number, w)
        return self.is_active(number, w) and not is_at_an_edge

    # --- The chart ---------------------------------------------------------------------------

    def chart(self, first: date, last: date, now: datetime) -> list[tuple[date, int, int, int]]:
        """Return date, registered, active so far and active at the end of each day until today."""
        start = midnight(first, self.zone)
        points = []
        day = first
        while day <= min(last, now.astimezone(self.zone).date()):
            day_start = midnight(day, self.zone)
            day_end = min(midnight(day + timedelta(days=1), self.zone), now + TICK)
            points.append(
                (
                    day,
                    len(self.counted("registered", Window(day_start, day_end))),
                    len(self.counted("active", Window(start, day_end))),
                    len(self.counted("active-now", Window(start, day_end))),
                )
            )
            day += timedelta(days=1)
        return points

    # --- What is kept of viewings ------------------------------------------------------------

    def local_day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()


def touched(spans: list[Span], w: Window) -> bool:
    return any(s.start < w.end and (s.end is None or s.end > w.start) for s in spans)


def held_at_start(spans: list[Span], start: datetime) -> bool:
    return any(s.start <= start and (s.end is None or s.end > start) for s in spans)


def held_at_end(spans: list[Span], end: datetime) -> bool:
    return any(s.start < end and (s.end is None or s.end >= end) for s in spans)


# --- Days and months of a zone -----------------------------------------------------------------


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant at which a calendar on the wall shows the day or a later one."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    low, high = noon - timedelta(days=3), noon + timedelta(days=3)
    while high - low > TICK:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).date() >= day:
            high = middle
        else:
            low = middle
    return high


def first_of_month(day: date, months: int = 0) -> date:
    """Return the first day of the month so many months after the day's."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def month_so_far(now: datetime, zone: ZoneInfo) -> Window:
    return Window(midnight(first_of_month(now.astimezone(zone).date()), zone), now + TICK)


def whole_month_before(now: datetime, zone: ZoneInfo) -> Window:
    today = now.astimezone(zone).date()
    return Window(midnight(first_of_month(today, -1), zone), midnight(first_of_month(today), zone))


def same_part_of_month_before(now: datetime, zone: ZoneInfo) -> Window:
    """
    Return the month before, up to the moment when its clocks showed what they show now.

    A time that they showed twice is the first of both, or the second if now is one as well; one
    that they skipped is read as if they had not been moved yet.
    """
    whole = whole_month_before(now, zone)
    local = now.astimezone(zone)
    first = first_of_month(local.date(), -1)
    try:
        wall = local.replace(tzinfo=None, year=first.year, month=first.month)
    except ValueError:
        return whole
    hours = [timedelta(minutes=m) for m in range(-16 * 60, 16 * 60)]
    as_utc = [wall.replace(tzinfo=UTC) - offset for offset in hours]
    showed = [u for u in as_utc if u.astimezone(zone).replace(tzinfo=None) == wall]
    if showed:
        moment = sorted(showed)[min(local.fold, len(showed) - 1)]
    else:
        before = (wall.replace(tzinfo=UTC) - timedelta(days=2)).astimezone(zone)
        moment = wall.replace(tzinfo=UTC) - before.utcoffset()
    return Window(whole.start, min(whole.end, moment + TICK))
