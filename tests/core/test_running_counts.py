"""Running counts: edges at instants, and the sums of whole days before them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from backoffice.core.running_counts import accumulate, bucket_days, edges_of

PARIS, AUCKLAND = ZoneInfo("Europe/Paris"), ZoneInfo("Pacific/Auckland")
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_edges_are_distinct_in_order_and_know_their_local_day():
    late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)

    edges = edges_of([NOON, late, NOON], PARIS)

    assert [(edge.instant, edge.day) for edge in edges] == [
        (late, date(2026, 3, 29)),
        (NOON, date(2026, 3, 29)),
    ]
    assert {edge.day_start for edge in edges} == {datetime(2026, 3, 28, 23, tzinfo=UTC)}


def test_the_local_day_is_the_zones():
    assert edges_of([NOON], AUCKLAND)[0].day == date(2026, 3, 30)


def test_whole_days_before_each_edge_are_summed():
    first, second = datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 3, 12, 12, tzinfo=UTC)
    edges = edges_of([first, second], PARIS)

    # 3 before the 10th, 5 on the 10th and 11th, 7 from the 12th on: not yet over for either.
    totals = accumulate(edges, [(0, 3), (1, 5), (2, 7)])

    assert bucket_days(edges) == [date(2026, 3, 10), date(2026, 3, 12)]
    assert totals == {first: 3, second: 8}


def test_two_edges_on_one_day_share_their_days():
    morning, evening = NOON.replace(hour=6), NOON.replace(hour=18)

    assert accumulate(edges_of([morning, evening], PARIS), [(0, 4), (1, 9)]) == {
        morning: 4,
        evening: 4,
    }


def test_without_counts_there_is_nothing():
    assert accumulate(edges_of([NOON], PARIS), []) == {NOON: 0}
