"""Who is behind which number when spans begin and end exactly at the edges of a window."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from backoffice.core.figures import Counted
from backoffice.core.periods import TICK
from tests.reference.history import History, Person, Subscribed
from tests.reference.loading import Loaded, at
from users.filters import UserFilter, Viewpoint
from users.views.month_cards import month_figures

pytestmark = pytest.mark.django_db

# In Paris the month began at 23:00 UTC on the day before.
START = at("2026-10-31 23:00")
NOW = at("2026-11-22 12:00")
BEFORE = at("2026-09-01 00:00")
STAYED = {"active", "active-now", "start"}
LEFT = {"active", "start", "gone", "unsubscribed"}


def loaded_with(spans: list[tuple[datetime, datetime | None]], **reported: datetime) -> Loaded:
    subscriptions = tuple(
        Subscribed(status="active", started_at=start, ended_at=end, **reported)
        for start, end in spans
    )
    person = Person(registered_at=BEFORE, subscriptions=subscriptions)
    return Loaded(History(ZoneInfo("Europe/Paris"), (person,)), now=NOW)


def words_behind(loaded: Loaded) -> set[str]:
    """Return the names of the figures whose list of this month shows the one person."""

    def is_in(word: str) -> bool:
        viewpoint = Viewpoint(loaded.project, NOW, sees_identity=True)
        return UserFilter(QueryDict(f"counted={word}"), viewpoint=viewpoint).rows.exists()

    return {word for word in Counted.values if is_in(word)}


def words_counted(loaded: Loaded) -> set[str]:
    """Return the names of the figures of this month's cards that are 1."""
    found = month_figures(loaded.scope(), NOW, has_trials=True)
    bridge = found.bridge
    numbers = {
        "registered": found.registered.value,
        "active": found.active.value,
        "trial": found.trial.value,
        "unsubscribed": found.unsubscribed.value,
        "viewers": found.viewers,
        "trial-ending": found.trials_ending,
        "asked-to-stop": found.asked_to_stop,
        "active-now": bridge.now,
        "start": bridge.start,
        "new": bridge.new,
        "back": bridge.back,
        "gone": bridge.gone,
        "came-and-left": bridge.came_and_left,
    }
    assert set(numbers.values()) <= {0, 1}
    return {word for word, number in numbers.items() if number}


CASES = {
    "from the first instant of the month": ([(START, at("2026-11-02 00:00"))], LEFT),
    "until the first instant of the month": ([(BEFORE, START)], {"unsubscribed"}),
    "until just after the first instant": ([(BEFORE, START + TICK)], LEFT),
    "from just after the first instant": ([(START + TICK, None)], {"active", "active-now", "new"}),
    "until now": ([(BEFORE, NOW)], LEFT),
    "until just after now": ([(BEFORE, NOW + TICK)], STAYED),
    "from now": ([(NOW, None)], {"active", "active-now", "new"}),
    "from just after now": ([(NOW + TICK, None)], set()),
    "once before, and again": (
        [(BEFORE, at("2026-10-10 00:00")), (at("2026-11-05 00:00"), None)],
        {"active", "active-now", "back"},
    ),
    "again since the first instant": ([(BEFORE, at("2026-10-10 00:00")), (START, None)], STAYED),
    "first ended at the month's start, and again": (
        [(BEFORE, START), (at("2026-11-05 00:00"), None)],
        {"active", "active-now", "back"},
    ),
    "twice within the month, the second still": (
        [(at("2026-11-02 00:00"), at("2026-11-03 00:00")), (at("2026-11-05 00:00"), None)],
        {"active", "active-now", "new"},
    ),
    "once before and twice within the month": (
        [
            (BEFORE, at("2026-10-10 00:00")),
            (at("2026-11-02 00:00"), at("2026-11-03 00:00")),
            (at("2026-11-05 00:00"), None),
        ],
        {"active", "active-now", "back"},
    ),
    "twice within the month, neither now": (
        [
            (at("2026-11-02 00:00"), at("2026-11-03 00:00")),
            (at("2026-11-05 00:00"), at("2026-11-06 00:00")),
        ],
        {"active", "came-and-left", "unsubscribed"},
    ),
    "left and back within the month": (
        [(BEFORE, at("2026-11-02 00:00")), (at("2026-11-05 00:00"), None)],
        STAYED,
    ),
    "left, and back just after now": (
        [(BEFORE, at("2026-11-02 00:00")), (NOW + TICK, None)],
        LEFT,
    ),
    "left, and back at now": ([(BEFORE, at("2026-11-02 00:00")), (NOW, None)], STAYED),
    "one plan after the other without a gap": (
        [(BEFORE, at("2026-11-02 00:00")), (at("2026-11-02 00:00"), None)],
        STAYED,
    ),
}


@pytest.mark.parametrize(("spans", "words"), CASES.values(), ids=CASES)
def test_spans_at_the_edges(spans, words):
    loaded = loaded_with(spans)

    assert words_behind(loaded) == words
    assert words_counted(loaded) == words


IN_TRIAL = STAYED | {"trial"}


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (START, STAYED),
        (START + TICK, IN_TRIAL),
        (NOW, IN_TRIAL),
        (NOW + TICK, IN_TRIAL | {"trial-ending"}),
        (at("2026-11-25 12:00"), IN_TRIAL | {"trial-ending"}),
        (at("2026-11-25 12:00") + TICK, IN_TRIAL),
    ],
)
def test_trials_that_end_at_the_edges(ends, words):
    loaded = loaded_with([(BEFORE, None)], trial_ends_at=ends)

    assert words_behind(loaded) == words
    assert words_counted(loaded) == words


@pytest.mark.parametrize(
    ("cancel_at", "words"),
    [
        (NOW, LEFT),
        (NOW + TICK, STAYED | {"asked-to-stop"}),
        (at("2027-01-01 00:00"), STAYED | {"asked-to-stop"}),
    ],
)
def test_a_stop_asked_for_counts_while_it_lies_ahead(cancel_at, words):
    loaded = loaded_with([(BEFORE, None)], cancel_at=cancel_at)

    assert words_behind(loaded) == words
    assert words_counted(loaded) == words
