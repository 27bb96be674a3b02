"""Questions about access: how many users held it, came, left, and who they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact

from backoffice.core.figures import Counted
from backoffice.core.periods import TICK, Day, Period
from backoffice.core.running_counts import accumulate, bucket_days, edges_of
from backoffice.core.scope import Scope
from subscriptions.models import (
    AccessSpan,
    FreeCopy,
    Offer,
    Provider,
    Purchase,
    Source,
    Subscription,
)
from users.models import User

Kind = AccessSpan.Kind

TRIAL_ENDING = timedelta(days=3)

# States in which nothing will ever be charged again.
ENDED = frozenset({Subscription.Status.CANCELED, Subscription.Status.INCOMPLETE_EXPIRED})
# Whose customers cancel with the store itself: nobody else can.
STORES = frozenset({Provider.GOOGLE, Provider.APPLE})


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Spans of one kind whose edge lies before an instant."""

    started: int
    started_first: int
    """Those that are their user's first."""
    ended: int

    @property
    def open(self) -> int:
        """Spans with start < instant <= end: users holding access just before the instant."""
        return self.started - self.ended


# By kind and instant.
CountsOfWindows: TypeAlias = dict[tuple[int, datetime], SpanCounts]


@dataclass(frozen=True, slots=True)
class Bridge:
    """How the users with access at a window's start became those with access at its end."""

    start: int
    new: int
    back: int
    gone: int
    came_and_left: int

    @property
    def now(self) -> int:
        return self.start + self.new + self.back - self.gone


# Bucketed by the days of the edges, so that one pass serves them all.
COUNTS_BY_BUCKET = """
    SELECT kind, width_bucket(day, %(days)s::date[]) AS bucket,
           sum(started), sum(started_first), sum(ended)
    FROM subscriptions_spanday
    WHERE project_id = %(project)s AND kind = ANY (%(kinds)s)
      AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY kind, bucket
"""

# The part of a day that lies before an edge, from the index alone.
COUNTS_OF_DAY_PARTS = """
    SELECT edge.number, kinds.kind, starts.n, starts.first, ends.n
    FROM unnest(%(froms)s::timestamptz[], %(tos)s::timestamptz[])
         WITH ORDINALITY AS edge (day_start, instant, number)
    CROSS JOIN unnest(%(kinds)s::int[]) AS kinds (kind)
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, count(*) FILTER (WHERE previous_end IS NULL) AS first
        FROM subscriptions_accessspan
        WHERE project_id = %(project)s AND kind = kinds.kind
          AND start_at >= edge.day_start AND start_at < edge.instant
          AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    ) AS starts
    CROSS JOIN LATERAL (
        SELECT count(*) AS n
        FROM subscriptions_accessspan
        WHERE project_id = %(project)s AND kind = kinds.kind
          AND end_at >= edge.day_start AND end_at < edge.instant
          AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    ) AS ends
"""


def span_counts(
    scope: Scope, kinds: Sequence[int], instants: Sequence[datetime]
) -> CountsOfWindows:
    """
    Return the running counts of each kind at each instant, in two queries.

    Source: the day counts for whole local days, the spans for the day that an instant cuts.
    """
    edges = edges_of(instants, scope.zone)
    values = _values(scope) | {
        "kinds": list(kinds),
        "days": bucket_days(edges),
        "froms": [edge.day_start for edge in edges],
        "tos": [edge.instant for edge in edges],
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTS_BY_BUCKET, values)
        buckets = cursor.fetchall()
        cursor.execute(COUNTS_OF_DAY_PARTS, values)
        parts = {(kind, edges[number - 1].instant): row for number, kind, *row in cursor}
    counts = {}
    for kind in kinds:
        whole = [
            accumulate(edges, [(row[1], row[column]) for row in buckets if row[0] == kind])
            for column in (2, 3, 4)
        ]
        for edge in edges:
            part = parts[kind, edge.instant]
            counts[kind, edge.instant] = SpanCounts(
                *(days[edge.instant] + more for days, more in zip(whole, part, strict=True))
            )
    return counts


COUNT_RETURNS = """
    SELECT count(spans.user_id)
    FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[])
         WITH ORDINALITY AS span_of_time (start_at, end_at, number)
    LEFT JOIN subscriptions_accessspan AS spans
      ON spans.project_id = %(project)s AND spans.kind = %(kind)s
     AND spans.start_at > span_of_time.start_at AND spans.start_at < span_of_time.end_at
     AND spans.previous_end <= span_of_time.start_at
     AND (%(platforms)s::bigint[] IS NULL OR spans.platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY number ORDER BY number
"""


def counts_of_windows(
    scope: Scope, kinds: Sequence[int], periods: Sequence[Period]
) -> CountsOfWindows:
    """Return the running counts that the figures of these periods need, in two queries."""
    return span_counts(scope, kinds, [i for p in periods for i in (p.start + TICK, p.end)])


def users_with_access(
    scope: Scope, kind: int, periods: Sequence[Period], counts: CountsOfWindows | None = None
) -> list[int]:
    """
    Return for each period the number of distinct users with a span of the kind in it.

    Those with one open at the start, and one for each span that begins later and is its
    user's first or whose previous ended by the start: exactly one for each further user.

    :param counts: what `counts_of_windows` answered, if it was asked already.
    """
    counts = counts or counts_of_windows(scope, [kind], periods)
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_RETURNS,
            _values(scope)
            | {
                "kind": kind,
                "starts": [p.start for p in periods],
                "ends": [p.end for p in periods],
            },
        )
        returns = [count for (count,) in cursor]
    answer = []
    for period, back in zip(periods, returns, strict=True):
        at_start = counts[kind, period.start + TICK]
        firsts = counts[kind, period.end].started_first - at_start.started_first
        answer.append(at_start.open + firsts + back)
    return answer


# new and back: those who arrived and hold access at the end by the same span. The few whose
# span at the end has a predecessor in the window are looked up by user.
BRIDGE = """
    SELECT count(*) FILTER (WHERE previous_end IS NULL AND is_open),
           count(*) FILTER (WHERE previous_end <= %(start)s AND is_open),
           count(*) FILTER (WHERE previous_end IS NULL OR previous_end <= %(start)s)
    FROM (
        SELECT previous_end, (end_at IS NULL OR end_at >= %(end)s) AS is_open
        FROM subscriptions_accessspan
        WHERE project_id = %(project)s AND kind = 1
          AND start_at > %(start)s AND start_at < %(end)s
          AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    ) AS spans
"""

BRIDGE_OF_REPEATED = """
    SELECT count(*) FILTER (WHERE arrival.previous_end IS NULL), count(arrival.previous_end)
    FROM subscriptions_accessspan AS last
    CROSS JOIN LATERAL (
        SELECT previous_end
        FROM subscriptions_accessspan AS first
        WHERE first.user_id = last.user_id AND first.kind = 1
          AND first.start_at > %(start)s AND first.start_at < last.start_at
          AND (first.previous_end IS NULL OR first.previous_end <= %(start)s)
    ) AS arrival
    WHERE last.project_id = %(project)s AND last.kind = 1
      AND last.start_at > %(start)s AND last.start_at < %(end)s
      AND last.previous_end > %(start)s
      AND (last.end_at IS NULL OR last.end_at >= %(end)s)
      AND (%(platforms)s::bigint[] IS NULL OR last.platform_id = ANY (%(platforms)s::bigint[]))
"""


def bridge(scope: Scope, window: Period, counts: CountsOfWindows | None = None) -> Bridge:
    """
    Return how access moved in the window, per user, in two queries more than `counts` took.

    new and back hold access at the end and not at the start, and never or once before; gone
    the reverse; came and left held it in between only. Source: spans of kind access.
    """
    counts = counts or counts_of_windows(scope, [Kind.ACCESS], [window])
    values = _values(scope) | {"start": window.start, "end": window.end}
    with connection.cursor() as cursor:
        cursor.execute(BRIDGE, values)
        new, back, arrived = cursor.fetchone()
        cursor.execute(BRIDGE_OF_REPEATED, values)
        new_again, back_again = cursor.fetchone()
    start = counts[Kind.ACCESS, window.start + TICK].open
    end = counts[Kind.ACCESS, window.end].open
    new, back = new + new_again, back + back_again
    return Bridge(
        start=start,
        new=new,
        back=back,
        gone=start - (end - new - back),
        came_and_left=arrived - new - back,
    )


COUNT_UNSUBSCRIBED = """
    SELECT count(spans.user_id)
    FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[])
         WITH ORDINALITY AS span_of_time (start_at, end_at, number)
    LEFT JOIN subscriptions_accessspan AS spans
      ON spans.project_id = %(project)s AND spans.kind = 2
     AND spans.end_at >= span_of_time.start_at AND spans.end_at < span_of_time.end_at
     AND (spans.next_start IS NULL OR spans.next_start >= span_of_time.end_at)
     AND (%(platforms)s::bigint[] IS NULL OR spans.platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY number ORDER BY number
"""


def users_unsubscribed(scope: Scope, periods: Sequence[Period]) -> list[int]:
    """
    Return for each period the number of users whose subscription ended and who hold none after.

    Source: spans of kind subscription that end in the period without one starting before the
    period's end: one for each such user.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_UNSUBSCRIBED,
            _values(scope)
            | {"starts": [p.start for p in periods], "ends": [p.end for p in periods]},
        )
        return [count for (count,) in cursor]


def trials_ending(scope: Scope, end: datetime) -> int:
    """Return the number of users in trial just before the instant, for three days at most."""
    spans = AccessSpan.objects.filter(
        project_id=scope.project_id,
        kind=Kind.TRIAL,
        start_at__lt=end,
        end_at__gte=end,
        end_at__lt=end + TRIAL_ENDING,
    )
    if scope.platform_ids:
        spans = spans.filter(platform_id__in=scope.platform_ids)
    return spans.count()


# Where the account was created stands on the span that ends; only who holds another, endless
# subscription besides has none, and is looked up.
COUNT_ASKED_TO_STOP = """
    SELECT count(DISTINCT asked.user_id)
    FROM subscriptions_subscription AS asked
    LEFT JOIN subscriptions_accessspan AS spans
      ON spans.user_id = asked.user_id AND spans.project_id = %(project)s AND spans.kind = 2
     AND spans.end_at >= %(end)s AND spans.start_at < %(end)s
    WHERE asked.project_id = %(project)s
      AND asked.cancel_at >= %(end)s AND asked.access_start < %(end)s
      AND (asked.access_end IS NULL OR asked.access_end >= %(end)s)
      AND (%(platforms)s::bigint[] IS NULL OR coalesce(
          spans.platform_id, (SELECT platform_id FROM users_user WHERE id = asked.user_id)
      ) = ANY (%(platforms)s::bigint[]))
"""


def users_asked_to_stop(scope: Scope, end: datetime) -> int:
    """Return the number of users who asked to stop a subscription that still gives access."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_ASKED_TO_STOP, _values(scope) | {"end": end})
        (count,) = cursor.fetchone()
    return int(count)


def _values(scope: Scope) -> dict[str, Any]:
    return {"project": scope.project_id, "platforms": scope.platforms}


def _asked_to_stop(project_id: int, end: datetime) -> QuerySet[Subscription]:
    return Subscription.objects.filter(
        project_id=project_id,
        cancel_at__gte=end,
        access_start__lt=end,
    ).filter(Q(access_end=None) | Q(access_end__gte=end))


DAYS = """
    SELECT day, sum(started), sum(started_first), sum(ended)
    FROM subscriptions_spanday
    WHERE project_id = %(project)s AND kind = 1 AND day >= %(first)s AND day <= %(last)s
      AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY day
"""

RETURNS_BY_DAY = """
    SELECT width_bucket(start_at, %(midnights)s::timestamptz[]) AS number, count(*)
    FROM subscriptions_accessspan
    WHERE project_id = %(project)s AND kind = 1 AND previous_end <= %(start)s
      AND start_at > %(start)s AND start_at < %(end)s
      AND (%(platforms)s::bigint[] IS NULL OR platform_id = ANY (%(platforms)s::bigint[]))
    GROUP BY number
"""


@dataclass(frozen=True, slots=True)
class AccessDay:
    """Users with access on one local day."""

    date: date
    active_cumulative: int
    """Distinct users with access at any time from the period's start to the day's end."""
    active_end_of_day: int
    """Users with access just before the day's end; for the running day, now."""


def access_by_day(scope: Scope, days: Sequence[Day], end: datetime) -> list[AccessDay]:
    """
    Return the users with access on each of the consecutive days, in four queries.

    :param end: where the last day stops: its end, or just after now if it is the running day.
    """
    if not days:
        return []
    start = days[0].period.start
    counts = span_counts(scope, [Kind.ACCESS], [start, start + TICK, end])
    before, at_start = counts[Kind.ACCESS, start], counts[Kind.ACCESS, start + TICK]
    values = _values(scope) | {
        "first": days[0].date,
        "last": days[-1].date,
        "start": start,
        "end": end,
        "midnights": [day.period.start for day in days],
    }
    with connection.cursor() as cursor:
        cursor.execute(DAYS, values)
        by_day = {day: row for day, *row in cursor}
        cursor.execute(RETURNS_BY_DAY, values)
        returns = dict(cursor.fetchall())
    answer = []
    started, firsts, ended, back = before.started, before.started_first, before.ended, 0
    for number, day in enumerate(days, start=1):
        more = by_day.get(day.date, (0, 0, 0))
        started, firsts, ended = started + more[0], firsts + more[1], ended + more[2]
        back += returns.get(number, 0)
        if number == len(days):
            last = counts[Kind.ACCESS, end]
            started, firsts, ended = last.started, last.started_first, last.ended
        answer.append(
            AccessDay(
                date=day.date,
                active_cumulative=at_start.open + firsts - at_start.started_first + back,
                active_end_of_day=started - ended,
            )
        )
    return answer


def first_access_day(scope: Scope) -> date | None:
    """Return the local day of the project's first access, whatever the platform; or none."""
    spans = AccessSpan.objects.filter(project_id=scope.project_id, kind=Kind.ACCESS)
    first = spans.order_by("start_at").values_list("start_at", flat=True).first()
    return first.astimezone(scope.zone).date() if first else None


def users_behind(counted: Counted, project_id: int, window: Period) -> Q:
    """
    Return the condition that a user is one of those whom the figure counts in the window.

    "Now" and "at the end" are the last instant of the window. Only the figures about access,
    trials and subscriptions are known here.

    :raises KeyError: for any other.
    """

    start, end = window.start, window.end
    spans = AccessSpan.objects.filter(project_id=project_id)
    access = spans.filter(kind=Kind.ACCESS)
    at_start = Q(start_at__lte=start) & (Q(end_at=None) | Q(end_at__gt=start))
    at_end = Q(start_at__lt=end) & (Q(end_at=None) | Q(end_at__gte=end))
    within = Q(start_at__lt=end) & (Q(end_at=None) | Q(end_at__gt=start))
    begun = Q(start_at__gt=start, start_at__lt=end)
    # Somebody new at the end holds a span that began in the window: few rows to look at.
    arrived_and_stayed = _of(access.filter(begun & at_end))
    subscription, trial = spans.filter(kind=Kind.SUBSCRIPTION), spans.filter(kind=Kind.TRIAL)
    ending = Q(start_at__lt=end, end_at__gte=end, end_at__lt=end + TRIAL_ENDING)
    ended = Q(end_at__gte=start, end_at__lt=end)
    held_at_start, held_at_end = _has(access, at_start), _has(access, at_end)
    held_before = _has(access, Q(start_at__lt=start))
    conditions = {
        Counted.ACTIVE: _of(access.filter(within)),
        Counted.ACTIVE_NOW: _of(access.filter(at_end)),
        Counted.START: _of(access.filter(at_start)),
        Counted.NEW: arrived_and_stayed & ~held_at_start & ~held_before,
        Counted.BACK: arrived_and_stayed & ~held_at_start & held_before,
        Counted.GONE: _of(access.filter(at_start & Q(end_at__lt=end))) & ~held_at_end,
        Counted.CAME_AND_LEFT: _of(access.filter(begun)) & ~held_at_start & ~held_at_end,
        Counted.TRIAL: _of(trial.filter(within)),
        Counted.TRIAL_ENDING: _of(trial.filter(ending)),
        Counted.UNSUBSCRIBED: _of(subscription.filter(ended)) & ~_has(subscription, at_end),
        Counted.ASKED_TO_STOP: Q(pk__in=_asked_to_stop(project_id, end).values("user_id")),
    }
    return conditions[counted]


def _of(spans: QuerySet[AccessSpan]) -> Q:
    """Return the condition of being the user of one of the spans, found from the spans."""
    return Q(pk__in=spans.values("user_id"))


def _has(spans: QuerySet[AccessSpan], condition: Q) -> Q:
    """Return the condition of having such a span, looked up for each user."""
    return Q(Exists(spans.filter(condition, user=OuterRef("pk"))))


def holders_of(offer_ids: Sequence[int], *, now: datetime) -> Q:
    """Return the condition that a user holds one of the offers now, whatever gives it."""
    offered = {"offer__in": offer_ids}
    return _among(
        _holders(Subscription, "user", now, **offered),
        _holders(Purchase, "access_user", now, **offered),
        _holders(FreeCopy, "user", now, **offered),
    )


def payment_holders(providers: Sequence[str], *, project_id: int, now: datetime) -> Q:
    """
    Return the condition that one of the providers gives a user of the project access now.

    Free copies and gifts received are nobody's charge: they count as OKAST.
    """
    paid = {"project": project_id, "provider__in": providers}
    holders = [
        _holders(Subscription, "user", now, **paid),
        _holders(Purchase, "access_user", now, **paid, type=Purchase.Type.PACK),
    ]
    if Provider.OKAST in providers:
        given = {"project": project_id}
        holders.append(_holders(FreeCopy, "user", now, **given))
        holders.append(_holders(Purchase, "access_user", now, **given, type=Purchase.Type.GIFT))
    return _among(*holders)


def _holders(
    source: type[Source], user: str, now: datetime, **conditions: object
) -> QuerySet[Any]:
    """Return the ids of the users to whom such a source gives access now."""
    rows: QuerySet[Any] = source._default_manager.filter(access_start__lte=now, **conditions)
    return rows.filter(Q(access_end=None) | Q(access_end__gt=now)).values(user)


def _among(first: QuerySet[Any], *more: QuerySet[Any]) -> Q:
    """
    Return the condition of being one of these users.

    One set for all: as alternatives, each would be looked up for each user. A set without
    repeats: of one with them the planner expects a few hundred users, and looks each one up.
    """
    return Q(pk__in=first.union(*more))


def payers_of(reference: str, project_id: int) -> list[int]:
    """Return the users of the project who paid by this reference, in upper or lower case."""
    # Both sides are made lower by the database: an index holds the one.
    same = Exact(Lower("reference"), Lower(Value(reference)))
    paid = [
        source._default_manager.filter(same, project_id=project_id)
        for source in (Subscription, Purchase)
    ]
    subscriptions, purchases = (rows.values_list("user_id", flat=True) for rows in paid)
    return list(subscriptions.union(purchases))


@dataclass(frozen=True, slots=True)
class Holding:
    """One source of a user that gives, gave or will give access."""

    user_id: int
    source: str
    """"subscription", "pack", "gift" or "free_copy"."""
    status: str
    """As the provider reports it; empty for a free copy."""
    start: datetime
    end: datetime | None
    trial_end: datetime | None = None


def holdings_of(user_ids: Sequence[int]) -> dict[int, list[Holding]]:
    """Return the sources with access of each of these users, in three queries."""
    found: dict[int, list[Holding]] = {user_id: [] for user_id in user_ids}
    for holding in (*_subscribed(user_ids), *_bought(user_ids), *_given(user_ids)):
        found[holding.user_id].append(holding)
    return found


def _subscribed(user_ids: Sequence[int]) -> Iterator[Holding]:
    rows = Subscription.objects.filter(user__in=user_ids, access_start__isnull=False)
    columns = ("user_id", "status", "access_start", "access_end", "trial_end")
    for user_id, status, start, end, trial_end in rows.values_list(*columns):
        yield Holding(user_id, "subscription", status, start, end, trial_end)


def _bought(user_ids: Sequence[int]) -> Iterator[Holding]:
    rows = Purchase.objects.filter(access_user__in=user_ids, access_start__isnull=False)
    columns = ("access_user_id", "type", "status", "access_start", "access_end")
    for user_id, type_, status, start, end in rows.values_list(*columns):
        yield Holding(user_id, type_, status, start, end)


def _given(user_ids: Sequence[int]) -> Iterator[Holding]:
    rows = FreeCopy.objects.filter(user__in=user_ids, access_start__isnull=False)
    columns = ("user_id", "access_start", "access_end")
    for user_id, start, end in rows.values_list(*columns):
        yield Holding(user_id, "free_copy", "", start, end)


@dataclass(frozen=True, slots=True)
class Sources:
    """All that one user pays for, bought or was given, with the offers; the latest first."""

    user_id: int
    subscriptions: list[Subscription]
    purchases: list[Purchase]
    """What the user bought, gifts for others included, and what others gave, with the buyers."""
    free_copies: list[FreeCopy]

    def holdings(self) -> list[Holding]:
        """Return what gives the user access at some time, as `holdings_of` does."""
        given: list[tuple[str, str, Source, datetime | None]] = [
            *(("subscription", row.status, row, row.trial_end) for row in self.subscriptions),
            *(
                (row.type, row.status, row, None)
                for row in self.purchases
                if row.access_user_id == self.user_id
            ),
            *(("free_copy", "", row, None) for row in self.free_copies),
        ]
        return [
            Holding(self.user_id, source, status, row.access_start, row.access_end, trial_end)
            for source, status, row, trial_end in given
            if row.access_start is not None
        ]

    def status_at(self, now: datetime) -> User.Status:
        """Return the user's status at the instant (docs/metrics.md, "Status")."""
        held = self.holdings()
        if any(one.start <= now and (one.end is None or one.end > now) for one in held):
            return User.Status.ACTIVE
        has_ended = any(one.end is not None and one.end <= now for one in held)
        return User.Status.CANCELLED if has_ended else User.Status.REGISTERED

    @property
    def bought(self) -> list[Purchase]:
        return [row for row in self.purchases if row.user_id == self.user_id]

    @property
    def gifts_received(self) -> list[Purchase]:
        return [
            row
            for row in self.purchases
            if row.type == Purchase.Type.GIFT and row.recipient_id == self.user_id
        ]


def sources_of(user_id: int) -> Sources:
    """Return what the user pays for, bought or was given, in three queries."""
    subscriptions = Subscription.objects.filter(user=user_id).select_related("offer", "user")
    purchases = Purchase.objects.filter(Q(user=user_id) | Q(recipient=user_id))
    free_copies = FreeCopy.objects.filter(user=user_id).select_related("offer")
    return Sources(
        user_id,
        list(subscriptions.order_by("-started_at", "-pk")),
        list(purchases.select_related("offer", "user").order_by("-purchased_at", "-pk")),
        list(free_copies.order_by("-sent_at", "-pk")),
    )


def charged_subscriptions(user_ids: Sequence[int], *, now: datetime) -> QuerySet[Subscription]:
    """
    Return the subscriptions of these users for which somebody may still be charged.

    One of Stripe's whose latest payment was taken back has ended here, and goes on there.
    """
    may_go_on = Q(ended_at=None) | Q(ended_at__gt=now) | Q(provider=Provider.STRIPE)
    return Subscription.objects.filter(may_go_on, user_id__in=user_ids).exclude(status__in=ENDED)


def offers_of(project_id: int) -> list[Offer]:
    """Return what the project sells, by name."""
    return list(Offer.objects.filter(project_id=project_id).order_by("name", "pk"))
