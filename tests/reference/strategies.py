"""
Random histories, dense where figures go wrong: at months' ends, clock changes and "now" itself.

Instants are drawn from a few that matter together, each a tick before, at or after, so that
spans touch, overlap, come to nothing and end exactly at an edge of a window.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.reference import history as h
from tests.reference.figures import (
    TICK,
    midnight,
    month_so_far,
    same_part_of_month_before,
    whole_month_before,
)

# Ahead of UTC and behind it; half an hour off; clocks that skip midnight, move by half an hour,
# and once skipped a day.
ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Asia/Tokyo",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "UTC",
]

# Ordinary days, ends of months, leap days, days on which some of the clocks change.
DAYS = [
    date(2026, 11, 22),
    date(2026, 3, 31),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2025, 11, 2),
    date(2026, 3, 8),
    date(2026, 4, 5),
    date(2025, 10, 5),
    date(2024, 2, 29),
    date(2024, 3, 30),
    date(2027, 1, 1),
    date(2026, 12, 31),
    date(2018, 11, 4),
    date(2018, 2, 18),
    date(2011, 12, 31),
    date(2012, 1, 30),
]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NUDGES = [timedelta(), timedelta(), TICK, -TICK, HOUR, -HOUR, 12 * HOUR]


@st.composite
def nows(draw, zone: ZoneInfo) -> datetime:
    """An instant at or near an edge of one of the days."""
    start = midnight(draw(st.sampled_from(DAYS)), zone)
    within = draw(
        st.one_of(
            st.sampled_from([timedelta(), TICK, -TICK, 2 * HOUR, 2.5 * HOUR, DAY - TICK]),
            st.timedeltas(timedelta(), DAY),
        )
    )
    return start + within


def instants_around(now: datetime, zone: ZoneInfo) -> st.SearchStrategy[datetime]:
    """Instants of the months around now, most of them where a window begins or ends."""
    today = now.astimezone(zone).date()
    windows = [
        month_so_far(now, zone),
        same_part_of_month_before(now, zone),
        whole_month_before(now, zone),
    ]
    edges = [instant for w in windows for instant in (w.start, w.end, w.end + 3 * DAY)]
    edges += [now, now + 3 * DAY, now - 40 * DAY, now - 50 * DAY, now + 40 * DAY]
    edges += [midnight(today + days * DAY, zone) for days in (-7, -1, 0, 1)]
    exact = st.sampled_from(edges)
    near = st.builds(datetime.__add__, exact, st.sampled_from(NUDGES))
    far = st.datetimes(
        (now - 100 * DAY).replace(tzinfo=None), (now + 40 * DAY).replace(tzinfo=None)
    ).map(lambda naive: naive.replace(tzinfo=UTC))
    return st.one_of(exact, exact, near, near, far)


@st.composite
def histories(draw) -> tuple[h.History, datetime]:
    """A history of up to ten people, and the instant from which it is looked at."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    now = draw(nows(zone))
    instants = instants_around(now, zone)
    maybe = st.none() | instants
    past = instants.map(lambda instant: min(instant, now))
    size = draw(st.integers(1, 10))
    platforms = st.integers(0, 1)

    plain = st.builds(
        h.Subscribed,
        status=st.just("active"),
        started_at=instants,
        trial_ends_at=maybe,
        ended_at=maybe,
    )
    asked_to_stop = st.builds(
        h.Subscribed, status=st.just("active"), started_at=instants, cancel_at=instants
    )
    odd = st.builds(
        h.Subscribed,
        status=st.sampled_from(
            [
                *["active", "trialing", "past_due", "past_due", "canceled", "unpaid", "paused"],
                *["incomplete", "incomplete_expired"],
            ]
        ),
        started_at=instants,
        provider=st.sampled_from(["google", "okast", "other"]),
        trial_ends_at=maybe,
        cancel_at=maybe,
        ended_at=maybe,
        past_due_since=maybe,
        status_since=maybe,
    )
    purchases = st.builds(
        h.Bought,
        status=st.sampled_from(["active", "active", "expired", "unknown", "cancelled"]),
        purchased_at=instants,
        is_gift=st.booleans(),
        recipient=st.none() | st.integers(0, size - 1),
        expires_at=maybe,
        rental_days=st.sampled_from([None, 1, 2, 30]),
        status_since=maybe,
    ).map(without_recipient_of_a_pack)
    free_copies = st.builds(
        h.FreeCopy,
        sent_at=instants,
        days=st.sampled_from([0, 1, 3, 30, 31]),
        activated_at=maybe,
        revoked_at=maybe,
    )
    viewings = st.builds(
        h.Watched,
        started_at=past,
        seconds=st.sampled_from([0, 4, 5, 6, 600, 600]),
        content=st.integers(0, 3),
        platform=platforms,
        by_bot=st.sampled_from([False, False, False, True]),
    )
    people = st.builds(
        h.Person,
        registered_at=past,
        platform=platforms,
        is_deleted=st.sampled_from([False, False, False, True]),
        subscriptions=st.one_of(
            up_to(3, st.one_of(plain, plain, asked_to_stop, odd)), chains(instants)
        ),
        purchases=up_to(2, purchases),
        free_copies=up_to(1, free_copies),
        viewings=up_to(4, viewings),
    )
    history = h.History(
        zone=zone,
        people=tuple(draw(st.lists(people, min_size=size, max_size=size))),
        grace_days=draw(st.sampled_from([0, 3, 5])),
        needs_activation=draw(st.booleans()),
        minimum_view_seconds=draw(st.sampled_from([0, 5, 60])),
    )
    return history, now


def chains(instants: st.SearchStrategy[datetime]) -> st.SearchStrategy[tuple[h.Subscribed, ...]]:
    """Subscriptions one after the other with gaps between them, the last one perhaps open."""
    return st.lists(instants, min_size=2, max_size=7, unique=True).map(sorted).map(chained)


def chained(edges: list[datetime]) -> tuple[h.Subscribed, ...]:
    ends = [*edges[1::2], None]
    return tuple(
        h.Subscribed(status="active", started_at=start, ended_at=end, trial_ends_at=end)
        for start, end in zip(edges[::2], ends, strict=False)
    )


def without_recipient_of_a_pack(bought: h.Bought) -> h.Bought:
    if bought.is_gift:
        return bought
    return h.Bought(**(vars(bought) | {"recipient": None}))


def up_to(most: int, items: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(items, max_size=most).map(tuple)
