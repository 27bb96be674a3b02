"""
Access spans: derived from the sources in sets, together with their counts and each status.

Called by `subscriptions.actions` at the end of a change, in its transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from users.models import User

# The spans that the sources of the users give, merged and chained. %(users)s is an array of
# user ids, or NULL for everybody. range_agg joins overlapping and touching spans; a source's
# access is a subscription's when it comes from one, and a trial until its trial ends.
EXPECTED_SPANS = """
    SELECT merged.user_id, u.project_id, u.platform_id, merged.kind,
           lower(merged.span) AS start_at, upper(merged.span) AS end_at,
           lag(upper(merged.span)) OVER chain AS previous_end,
           lead(lower(merged.span)) OVER chain AS next_start
    FROM (
        SELECT user_id, kind, unnest(range_agg(span)) AS span
        FROM (
            SELECT user_id, kind, tstzrange(access_start, access_end) AS span
            FROM subscriptions_subscription, (VALUES (1), (2)) AS kinds (kind)
            WHERE access_start IS NOT NULL
              AND (%(users)s::bigint[] IS NULL OR user_id = ANY (%(users)s::bigint[]))
            UNION ALL
            SELECT user_id, 3, tstzrange(access_start, trial_end)
            FROM subscriptions_subscription
            WHERE access_start IS NOT NULL AND trial_end IS NOT NULL
              AND (%(users)s::bigint[] IS NULL OR user_id = ANY (%(users)s::bigint[]))
            UNION ALL
            SELECT access_user_id, 1, tstzrange(access_start, access_end)
            FROM subscriptions_purchase
            WHERE access_start IS NOT NULL AND access_user_id IS NOT NULL
              AND (%(users)s::bigint[] IS NULL OR access_user_id = ANY (%(users)s::bigint[]))
            UNION ALL
            SELECT user_id, 1, tstzrange(access_start, access_end)
            FROM subscriptions_freecopy
            WHERE access_start IS NOT NULL AND user_id IS NOT NULL
              AND (%(users)s::bigint[] IS NULL OR user_id = ANY (%(users)s::bigint[]))
        ) AS sources
        GROUP BY user_id, kind
    ) AS merged
    JOIN users_user AS u ON u.id = merged.user_id
    WINDOW chain AS (PARTITION BY merged.user_id, merged.kind ORDER BY lower(merged.span))
"""

# How many of the given spans begin and end on each local day; n is 1 or -1.
SPAN_DAYS = """
    SELECT project_id, platform_id, kind, day,
           sum(started) AS started, sum(started_first) AS started_first, sum(ended) AS ended
    FROM (
        SELECT s.project_id, s.platform_id, s.kind,
               (s.start_at AT TIME ZONE p.time_zone)::date AS day,
               n AS started, CASE WHEN s.previous_end IS NULL THEN n ELSE 0 END AS started_first,
               0 AS ended
        FROM spans AS s JOIN projects_project AS p ON p.id = s.project_id
        UNION ALL
        SELECT s.project_id, s.platform_id, s.kind,
               (s.end_at AT TIME ZONE p.time_zone)::date, 0, 0, n
        FROM spans AS s JOIN projects_project AS p ON p.id = s.project_id
        WHERE s.end_at IS NOT NULL
    ) AS edges
    GROUP BY project_id, platform_id, kind, day
"""

# One statement: the overlap constraint is checked at its end. Counters are written last and in
# key order, so that two writers never wait for each other in a circle.
REPLACE_SPANS = f"""
    WITH expected AS ({EXPECTED_SPANS}),
    removed AS (
        DELETE FROM subscriptions_accessspan AS s
        WHERE s.user_id = ANY (%(users)s::bigint[]) AND NOT EXISTS (
            SELECT FROM expected AS e
            WHERE e.user_id = s.user_id AND e.kind = s.kind AND e.start_at = s.start_at
              AND (e.platform_id, e.end_at, e.previous_end, e.next_start)
                  IS NOT DISTINCT FROM (s.platform_id, s.end_at, s.previous_end, s.next_start)
        )
        RETURNING s.*
    ),
    added AS (
        INSERT INTO subscriptions_accessspan
            (user_id, project_id, platform_id, kind, start_at, end_at, previous_end, next_start)
        SELECT e.* FROM expected AS e
        WHERE NOT EXISTS (
            SELECT FROM subscriptions_accessspan AS s
            WHERE s.user_id = e.user_id AND s.kind = e.kind AND s.start_at = e.start_at
              AND (s.platform_id, s.end_at, s.previous_end, s.next_start)
                  IS NOT DISTINCT FROM (e.platform_id, e.end_at, e.previous_end, e.next_start)
        )
        RETURNING *
    ),
    spans AS (
        SELECT project_id, platform_id, kind, start_at, end_at, previous_end, 1 AS n FROM added
        UNION ALL
        SELECT project_id, platform_id, kind, start_at, end_at, previous_end, -1 FROM removed
    ),
    changes AS ({SPAN_DAYS})
    INSERT INTO subscriptions_spanday AS d
        (project_id, platform_id, kind, day, started, started_first, ended)
    SELECT project_id, platform_id, kind, day, started, started_first, ended
    FROM changes
    WHERE started <> 0 OR started_first <> 0 OR ended <> 0
    ORDER BY project_id, kind, day, platform_id
    ON CONFLICT (project_id, kind, day, platform_id) DO UPDATE SET
        started = d.started + excluded.started,
        started_first = d.started_first + excluded.started_first,
        ended = d.ended + excluded.ended
"""

FILL_SPANS = f"""
    INSERT INTO subscriptions_accessspan
        (user_id, project_id, platform_id, kind, start_at, end_at, previous_end, next_start)
    {EXPECTED_SPANS}
"""

FILL_SPAN_DAYS = f"""
    WITH spans AS (SELECT *, 1 AS n FROM subscriptions_accessspan)
    INSERT INTO subscriptions_spanday
        (project_id, platform_id, kind, day, started, started_first, ended)
    {SPAN_DAYS}
"""

# What the spans say at %(now)s, and when the clock alone will change it.
EXPECTED_STATUS = """
    SELECT id,
           CASE WHEN is_active THEN 0 WHEN has_ended THEN 2 ELSE 1 END AS status,
           CASE WHEN is_active THEN current_end ELSE next_start END AS status_until
    FROM (
        SELECT u.id,
               coalesce(bool_or(
                   s.start_at <= %(now)s AND (s.end_at IS NULL OR s.end_at > %(now)s)
               ), false) AS is_active,
               coalesce(bool_or(s.end_at <= %(now)s), false) AS has_ended,
               min(s.end_at) FILTER (WHERE s.start_at <= %(now)s AND s.end_at > %(now)s)
                   AS current_end,
               min(s.start_at) FILTER (WHERE s.start_at > %(now)s) AS next_start
        FROM users_user AS u
        LEFT JOIN subscriptions_accessspan AS s ON s.user_id = u.id AND s.kind = 1
        WHERE %(users)s::bigint[] IS NULL OR u.id = ANY (%(users)s::bigint[])
        GROUP BY u.id
    ) AS facts
"""

WRITE_STATUS = f"""
    UPDATE users_user AS u
    SET status = e.status, status_until = e.status_until
    FROM ({EXPECTED_STATUS}) AS e
    WHERE e.id = u.id
      AND (u.status, u.status_until) IS DISTINCT FROM (e.status, e.status_until)
"""


@transaction.atomic
def rebuild_spans(user_ids: Sequence[int], *, now: datetime) -> None:
    """
    Derive the spans of these users from their sources, with the day counts and each status.

    The users' rows are locked in the order of their ids first. Source: the access columns of
    subscriptions, purchases and free copies.
    """
    if not user_ids:
        return
    lock_users(user_ids)
    values: dict[str, Any] = {"users": list(user_ids), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(REPLACE_SPANS, values)
        cursor.execute(WRITE_STATUS, values)


@transaction.atomic
def rebuild_all_spans(*, now: datetime) -> None:
    """Derive the spans, day counts and statuses of everybody anew."""
    values = {"users": None, "now": now}
    with connection.cursor() as cursor:
        # Foreign keys that wait for the commit would forbid the TRUNCATE.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE subscriptions_accessspan, subscriptions_spanday")
        cursor.execute(FILL_SPANS, values)
        cursor.execute(FILL_SPAN_DAYS)
        cursor.execute(WRITE_STATUS, values)


def refresh_statuses(*, project_id: int, now: datetime) -> None:
    """
    Derive anew each status that the clock has changed since it was written.

    Called before statuses are read. Costs one look into a partial index when none is due.
    """
    due = User.objects.filter(project_id=project_id, status_until__lte=now)
    if not due.exists():
        return
    with transaction.atomic():
        user_ids = list(due.order_by("pk").select_for_update().values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute(WRITE_STATUS, {"users": user_ids, "now": now})


def lock_users(user_ids: Sequence[int]) -> None:
    """Lock the users' rows until the transaction ends, in the order of their ids."""
    list(
        User.objects.filter(pk__in=user_ids)
        .order_by("pk")
        .select_for_update()
        .values_list("pk", flat=True)
    )
