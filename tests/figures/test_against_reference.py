"""Every figure of the Users page, on random histories, against a plain recomputation."""

from datetime import datetime, timedelta

import pytest
from django.http import QueryDict
from hypothesis import given, note
from hypothesis import strategies as st

from analytics.models import UserViewing, ViewerDay, ViewerMonth, ViewingDay
from analytics.selectors import viewers
from backoffice.core.figures import Counted
from backoffice.core.named_periods import DateRange
from backoffice.core.periods import TICK, Month, Period
from subscriptions.models import AccessSpan
from subscriptions.selectors import bridge
from subscriptions.spans import refresh_statuses
from tests.reference import figures as reference
from tests.reference.figures import Figures, Window
from tests.reference.loading import Loaded, viewing_id
from tests.reference.strategies import histories
from users.filters import UserFilter, Viewpoint
from users.models import User
from users.views.activity_chart import activity_by_day
from users.views.month_cards import month_figures

pytestmark = pytest.mark.django_db

Kind = AccessSpan.Kind
LATER = timedelta(days=2, hours=5)
PLATFORMS = st.sampled_from([frozenset(), frozenset(), frozenset({0}), frozenset({1})])


def month_of(now: datetime, loaded: Loaded) -> Month:
    return Month.of(now.astimezone(loaded.history.zone).date())


def windows(now: datetime, loaded: Loaded) -> list[tuple[str, Period, Window]]:
    """Name the three windows of a card, each as the product and as the reference cut it."""
    zone = loaded.history.zone
    this = month_of(now, loaded)
    before = this.shifted(-1)
    return [
        ("", this.period(zone).until(now), reference.month_so_far(now, zone)),
        (
            f"month={before}&elapsed=1",
            before.elapsed(now, zone),
            reference.same_part_of_month_before(now, zone),
        ),
        (
            f"month={before}",
            before.period(zone).until(now),
            reference.whole_month_before(now, zone),
        ),
    ]


@given(histories(), PLATFORMS)
def test_cards_and_the_figures_beneath_them(given_history, platforms):
    history, now = given_history
    loaded, expected = Loaded(history, now=now), Figures(history, platforms)
    scope = loaded.scope(platforms)
    cut = windows(now, loaded)
    so_far, _elapsed, _whole = counts = [
        {word: len(expected.counted(word, window)) for word in Counted.values}
        for _name, _period, window in cut
    ]

    found = month_figures(scope, now, has_trials=True)

    for name, period, window in cut:
        assert (period.start, period.end) == (window.start, window.end), name
    for card in ("registered", "active", "trial", "unsubscribed"):
        assert getattr(found, card) == tuple(count[card] for count in counts), card
    assert found.viewers == so_far["viewers"]
    assert found.trials_ending == so_far["trial-ending"]
    assert found.asked_to_stop == so_far["asked-to-stop"]
    for (name, period, _window), count in zip(cut, counts, strict=True):
        moves = bridge(scope, period)
        note(f"{name} {moves}")
        assert moves.now == count["active-now"]
        assert (moves.start, moves.new, moves.back, moves.gone, moves.came_and_left) == tuple(
            count[word] for word in ("start", "new", "back", "gone", "came-and-left")
        )
        assert count["active"] == moves.start + moves.new + moves.back + moves.came_and_left
        assert viewers(scope, period) == count["viewers"]
    assert found.bridge == bridge(scope, cut[0][1])


@given(histories(), PLATFORMS, st.integers(0, 2))
def test_every_number_is_a_link_to_exactly_its_people(given_history, platforms, which):
    history, now = given_history
    loaded, expected = Loaded(history, now=now), Figures(history, platforms)
    slugs = "".join(f"&platform={loaded.platforms[number].slug}" for number in platforms)
    deleted = {number for number, person in enumerate(history.people) if person.is_deleted}

    month, _period, window = windows(now, loaded)[which]
    for word in Counted.values:
        query = QueryDict(f"counted={word}&{month}{slugs}")
        found = UserFilter(query, viewpoint=Viewpoint(loaded.project, now, sees_identity=True))
        assert found.form.is_valid(), found.form.errors
        people = expected.counted(word, window)

        note(f"{query.urlencode()} {window}")
        assert loaded.numbers(found.rows) == people - deleted
        assert found.totals().total == len(people - deleted)
        assert found.totals().deleted == len(people & deleted)


# How long before today a chart begins; a string names the first of a month.
CHART_STARTS = st.sampled_from(["this month", "this month", "last month", 0, 1, 7]) | st.integers(
    0, 70
)


@given(histories(), PLATFORMS, CHART_STARTS, st.integers(-3, 40))
def test_every_point_of_the_chart(given_history, platforms, start, length):
    history, now = given_history
    loaded, expected = Loaded(history, now=now), Figures(history, platforms)
    today = now.astimezone(history.zone).date()
    first = {
        "this month": reference.first_of_month(today),
        "last month": reference.first_of_month(today, -1),
    }.get(start) or today - timedelta(days=start)
    last = first + timedelta(days=max(0, length))

    days = activity_by_day(loaded.scope(platforms), DateRange(first, last), now)

    found = [
        (day.date, day.registered, day.active_cumulative, day.active_end_of_day) for day in days
    ]
    assert found == expected.chart(first, last, now)


@given(histories(), st.sampled_from([timedelta(), TICK, LATER, timedelta(days=40)]))
def test_spans_and_statuses_whatever_time_passes(given_history, passed):
    history, written = given_history
    loaded, expected = Loaded(history, now=written), Figures(history)
    now = written + passed

    refresh_statuses(project_id=loaded.project.pk, now=now)

    for number, user in enumerate(User.objects.of(loaded.project).order_by("pk")):
        assert user.get_status_display().lower() == expected.status_at(number, now)
        if passed == timedelta():
            assert user.status_until == expected.status_changes_at(number, now)
        for kind, spans in (
            (Kind.ACCESS, expected.access[number]),
            (Kind.SUBSCRIPTION, expected.subscription[number]),
            (Kind.TRIAL, expected.trial[number]),
        ):
            stored = AccessSpan.objects.filter(user=user, kind=kind).order_by("start_at")
            ends = [span.end for span in spans]
            starts = [span.start for span in spans]
            assert [
                (s.start_at, s.end_at, s.previous_end, s.next_start, s.platform_id) for s in stored
            ] == [
                (*edges, user.platform_id)
                for edges in zip(starts, ends, [None, *ends], [*starts[1:], None], strict=False)
            ]


@given(histories())
def test_the_roll_ups_of_viewings(given_history):
    history, now = given_history
    loaded, expected = Loaded(history, now=now), Figures(history)
    numbered = number_viewings(history)

    rows = UserViewing.objects.filter(project_id=loaded.project.pk)
    stored = {row.user_id: row for row in rows if row.views}
    months = ViewerMonth.objects.filter(project_id=loaded.project.pk)
    views = {n: expected.views(n) for n in range(len(history.people))}
    present = {n: s for n, s in views.items() if s and not history.people[n].is_deleted}
    viewers_found = {loaded.users[n].pk for n in present}

    assert set(stored) == viewers_found
    for number, seen in present.items():
        user = loaded.users[number]
        row = stored[user.pk]
        in_order = sorted(seen, key=lambda view: (view.started_at, viewing_id(numbered[id(view)])))
        first, last = in_order[0], in_order[-1]
        contents = sorted({loaded.contents[view.content] for view in seen})
        assert (row.views, row.viewing_seconds) == (len(seen), sum(v.seconds for v in seen))
        assert (row.media_viewed, row.content_ids) == (len(contents), contents)
        assert (row.first_viewed_at, row.last_viewed_at) == (first.started_at, last.started_at)
        assert row.first_content_id == loaded.contents[first.content]
        assert row.last_content_id == loaded.contents[last.content]
        assert row.platform_ids == sorted({loaded.platforms[v.platform].pk for v in seen})
        firsts = {}
        for view in in_order:
            firsts.setdefault(expected.local_day(view.started_at).replace(day=1), view.started_at)
        assert (
            dict(months.filter(user_id=user.pk).values_list("month", "first_viewed_at")) == firsts
        )
        assert {m.account_platform_id for m in months.filter(user_id=user.pk)} == {
            user.platform_id
        }
    check_days(loaded, expected, views)


def check_days(loaded: Loaded, expected: Figures, views) -> None:
    """Compare the day counts: first viewers by account platform, views by sending platform."""
    first_viewers, sent = {}, {}
    for number, seen in views.items():
        months = {}
        for view in sorted(seen, key=lambda v: v.started_at):
            day = expected.local_day(view.started_at)
            months.setdefault(day.replace(day=1), day)
            key = (loaded.platforms[view.platform].pk, day)
            count, seconds = sent.get(key, (0, 0))
            sent[key] = (count + 1, seconds + view.seconds)
        for day in months.values():
            key = (loaded.users[number].platform_id, day)
            first_viewers[key] = first_viewers.get(key, 0) + 1
    days = ViewerDay.objects.filter(project=loaded.project)
    sums = ViewingDay.objects.filter(project=loaded.project)
    assert {(d.platform_id, d.day): d.first_viewers for d in days} == first_viewers
    assert {(d.platform_id, d.day): (d.views, d.viewing_seconds) for d in sums} == sent


def number_viewings(history) -> dict[int, int]:
    """Number each viewing as loading does; two equal records are one object at most."""
    everything = [view for person in history.people for view in person.viewings]
    return {id(view): number for number, view in enumerate(everything)}
