"""The whole Users page over HTTP, any platform and period, against the usual way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from datetime import date, datetime, timedelta
from typing import Any

from bench.harness import Report, Site, Times, asked_of, dice, elapsed, largest_project, load, same

REQUESTS = 120
WARM = 30
SHORT_DAYS = (1, 31)
LONG_DAYS = (32, 365)

OTHER_FILTERS = (
    "period=all",
    "status=active&period=all",
    "status=cancelled&sort=name&period=all",
    "country=FR&period=all",
    "language=fr&sort=-modified&period=all",
    "used={platform}&period=all",
    "offer={offer}&period=all",
    "provider=stripe&period=all",
    "provider=okast&status=cancelled&period=all",
    "platform={platform}&country=FR&offer={offer}&period=all",
    "custom.newsletter=true&period=all",
    "q=mar&status=active",
    "q=a",
    "counted=registered",
    "counted=active",
    "counted=active-now",
    "counted=viewers",
    "counted=trial",
    "counted=trial-ending",
    "counted=unsubscribed",
    "counted=asked-to-stop",
    "counted=start",
    "counted=new",
    "counted=back",
    "counted=gone",
    "counted=came-and-left",
    "counted=active&month={month}&elapsed=1&sort=name",
    "counted=viewers&month={month}&sort=-modified",
    "counted=active&platform={platform}",
)


def measure(site: Site, report: Report, now: datetime, *, usual_runs: int) -> None:
    """Time the page for random questions; then the same answers by the usual way."""
    project = largest_project()
    short = over_http(site, project, now, SHORT_DAYS)
    note = f"p50 {short.median:.0f}, {load()}"
    report.at_most("dashboard, any platform, up to 31 days, p95", short.p95, 150, "ms", note=note)
    longer = over_http(site, project, now, LONG_DAYS)
    note = f"p50 {longer.median:.0f}, {load()}"
    report.at_most("dashboard, up to a year, p95", longer.p95, 400, "ms", note=note)
    slowest, ms = slowest_filter(site, project, now)
    report.at_most("any other filter, the slowest", ms, 1500, "ms", note=f"{slowest}, {load()}")
    if usual_runs:
        usual = [usual_page(project, now, query) for query in usual_questions(project, usual_runs)]
        ratio = Times(tuple(usual)).median / short.median
        note = f"{Times(tuple(usual)).median / 1000:.1f} s, {usual_runs} pages"
        report.at_least("dashboard against ORM over raw rows", ratio, 100, "×", note=note)


def over_http(site: Site, project: Any, now: datetime, days: tuple[int, int]) -> Times:
    """Return the times of the page for random platforms and periods."""
    queries = list(questions(project, now, days, REQUESTS + WARM))
    for query in queries[REQUESTS:]:
        # Over many connections, so that every thread has its own to the database.
        site.hang_up()
        site.get(f"/users/?{query}")
    return Times(tuple(elapsed(lambda q=q: site.get(f"/users/?{q}")) for q in queries[:REQUESTS]))


def questions(project: Any, now: datetime, days: tuple[int, int], many: int) -> Iterator[str]:
    """Yield addresses: one platform or all, and some days of the past two years."""
    chance = dice()
    slugs = [*project.platforms.order_by("pk").values_list("slug", flat=True)]
    today = now.astimezone(project.zone).date()
    for _ in range(many):
        length = chance.randint(*days)
        last = today - timedelta(days=chance.randint(0, 700 - length))
        first = last - timedelta(days=length - 1)
        platform = chance.choice(["", *(f"&platform={slug}" for slug in slugs)])
        yield f"project={project.slug}&from={first}&to={last}{platform}"


def slowest_filter(site: Site, project: Any, now: datetime) -> tuple[str, float]:
    """Return the address of the slowest other filter and its median of three."""
    times = {
        query: Times(tuple(elapsed(lambda q=query: site.get(f"/users/?{q}")) for _ in range(3)))
        for query in other_filters(project, now)
    }
    for query, found in times.items():
        print(f"    {found.median:6.0f} ms  {query}", flush=True)
    slowest = max(times, key=lambda query: times[query].median)
    return slowest, times[slowest].median


def other_filters(project: Any, now: datetime) -> list[str]:
    """Return addresses with every filter that the page knows."""
    from backoffice.core.periods import Month
    from subscriptions.models import Offer

    offer = Offer.objects.filter(project=project, kind="subscription").order_by("pk").first()
    month = Month.of(now.astimezone(project.zone).date()).shifted(-1)
    platform = project.platforms.order_by("pk").first()
    has_field = project.custom_fields.filter(key="newsletter").exists()
    return [
        f"project={project.slug}&"
        + query.format(
            platform=platform.slug if platform else "",
            offer=offer.reference if offer else "",
            month=month,
        )
        for query in OTHER_FILTERS
        if has_field or not query.startswith("custom.")
    ]


# --- The usual way -------------------------------------------------------------------------


def usual_questions(project: Any, many: int) -> Iterator[tuple[str, str]]:
    """Yield as many platforms, none among them, each with the current month."""
    slugs = [*project.platforms.order_by("pk").values_list("slug", flat=True)]
    chance = dice()
    for _ in range(many):
        yield chance.choice(["", *slugs]), "month"


def usual_page(project: Any, now: datetime, question: tuple[str, str]) -> float:
    """
    Return the milliseconds of one page the usual way, its template left out.

    :raises Different: if one number of it is not ours.
    """
    from subscriptions.spans import refresh_statuses

    platform, period = question
    query = f"period={period}" + (f"&platform={platform}" if platform else "")
    theirs: dict[str, Any] = {}
    refresh_statuses(project_id=project.pk, now=now)
    with one_snapshot():
        ms = elapsed(lambda: theirs.update(usual_answers(project, now, query)))
        ours = our_answers(project, now, query)
    for name, value in ours.items():
        same(f"{query}: {name}", value, theirs[name])
    return ms


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let both ways read the same rows, whoever writes meanwhile."""
    from django.db import connection, transaction

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def our_answers(project: Any, now: datetime, query: str) -> dict[str, Any]:
    """Return every number of the page, from the selectors that the page uses."""
    from users.views.activity_chart import activity_by_day, days_shown
    from users.views.month_cards import month_figures

    asked = asked_of(project, now, query)
    figures = month_figures(asked.scope, now, has_trials=True)
    days = days_shown(asked.scope, asked.date_range, now.astimezone(project.zone).date())
    rows = asked.rows.order_by(*asked.ordering.order_by())[:50]
    return {
        "registered": tuple(figures.registered),
        "active": tuple(figures.active),
        "trial": tuple(figures.trial or ()),
        "unsubscribed": tuple(figures.unsubscribed),
        "trials ending": figures.trials_ending,
        "asked to stop": figures.asked_to_stop,
        "viewers": figures.viewers,
        "bridge": astuple(figures.bridge),
        "chart": [
            (day.registered, day.active_cumulative, day.active_end_of_day)
            for day in activity_by_day(asked.scope, days, now)
        ],
        "total": asked.totals().total,
        "rows": [(user.pk, user.status) for user in rows],
    }


def usual_answers(project: Any, now: datetime, query: str) -> dict[str, Any]:
    """Return the same numbers by the usual way."""
    from backoffice.core.periods import dates, day_of
    from bench import usual
    from users.views.month_cards import Months

    asked = asked_of(project, now, query)
    scope, months = asked.scope, Months.at(now, asked.scope)
    end = months.so_far.end
    today: date = now.astimezone(project.zone).date()
    shown = asked.date_range
    begun = [day_of(day, scope.zone) for day in dates(shown.first, min(shown.last, today))]
    table = usual.table(scope, now, asked.instants)
    return {
        "registered": tuple(usual.registered(scope, window) for window in months),
        "active": tuple(usual.active(scope, window) for window in months),
        "trial": tuple(usual.in_trial(scope, window) for window in months),
        "unsubscribed": tuple(usual.unsubscribed(scope, window) for window in months),
        "trials ending": usual.trials_ending(scope, end),
        "asked to stop": usual.asked_to_stop(scope, end),
        "viewers": usual.viewers(project, scope, months.so_far),
        "bridge": usual.bridge(scope, months.so_far),
        "chart": usual.chart(scope, begun, now),
        "total": table.count(),
        "rows": [(user.pk, usual.status_of(user)) for user in table[:50]],
    }
