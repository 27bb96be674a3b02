"""
The roll-ups of viewings, computed anew from the raw rows.

What each roll-up should hold stands here once, as a SELECT: `rebuild_rollups` fills the tables
with it and `check_figures` compares the tables with it. `analytics.ingest` arrives at the same
rows by adding differences.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.core.derived import DerivedTable

# The viewings; those that are long enough and not by a bot are views. %(projects)s is an array of
# project ids, or NULL for all, and so is %(users)s of user ids. `local_start` is the start on the
# project's own clock.
VIEWINGS = """
    SELECT v.user_id, v.started_at, v.id, v.project_id, v.platform_id, v.content_id,
           v.watched_seconds, v.started_at AT TIME ZONE p.time_zone AS local_start,
           v.watched_seconds >= p.minimum_view_seconds AND d.hardware_type <> 'bot' AS is_view
    FROM analytics_viewing AS v
    JOIN projects_project AS p ON p.id = v.project_id
    JOIN analytics_device AS d ON d.id = v.device_id
    WHERE (%(projects)s::bigint[] IS NULL OR v.project_id = ANY (%(projects)s::bigint[]))
      AND (%(users)s::bigint[] IS NULL OR v.user_id = ANY (%(users)s::bigint[]))
"""
VIEWS = f"SELECT * FROM ({VIEWINGS}) AS viewings WHERE is_view"

# Of deleted users nothing is kept by person, though their viewings may still wait to be folded.
# The contents are collected in the order of viewing: the first and the last are its ends.
USER_VIEWING = f"""
    SELECT user_id, u.public_id, u.platform_id AS account_platform_id, sums.project_id,
           last_started_at, views, viewing_seconds, content_ids,
           contents[1]::bigint AS first_content_id, first_viewed_at,
           contents[views]::bigint AS last_content_id, last_viewed_at, platform_ids
    FROM (
        SELECT user_id, min(project_id) AS project_id, max(started_at) AS last_started_at,
               (count(*) FILTER (WHERE is_view))::int AS views,
               coalesce(sum(watched_seconds) FILTER (WHERE is_view), 0) AS viewing_seconds,
               coalesce(array_agg(DISTINCT content_id) FILTER (WHERE is_view), '{{}}')
                   AS content_ids,
               array_agg(content_id ORDER BY started_at, id) FILTER (WHERE is_view) AS contents,
               min(started_at) FILTER (WHERE is_view) AS first_viewed_at,
               max(started_at) FILTER (WHERE is_view) AS last_viewed_at,
               coalesce(array_agg(DISTINCT platform_id) FILTER (WHERE is_view), '{{}}')::bigint[]
                   AS platform_ids
        FROM ({VIEWINGS}) AS viewings
        GROUP BY user_id
    ) AS sums
    JOIN users_user AS u ON u.id = user_id AND u.deleted_at IS NULL
"""

# Month after month, each in the order of users: both indexes grow in pages that are at hand.
VIEWER_MONTH = f"""
    SELECT months.user_id, months.month, u.project_id, u.platform_id AS account_platform_id,
           months.first_viewed_at
    FROM (
        SELECT user_id, date_trunc('month', local_start)::date AS month,
               min(started_at) AS first_viewed_at
        FROM ({VIEWS}) AS views
        GROUP BY user_id, month
    ) AS months
    JOIN users_user AS u ON u.id = months.user_id AND u.deleted_at IS NULL
    ORDER BY month, user_id
"""

# A count of the stored months, which are compared with the viewings themselves, and of those that
# deleted users had.
VIEWER_DAY = """
    SELECT project_id, platform_id, day, sum(first_viewers)::int AS first_viewers
    FROM (
        SELECT m.project_id, m.account_platform_id AS platform_id,
               (m.first_viewed_at AT TIME ZONE p.time_zone)::date AS day,
               count(*) AS first_viewers
        FROM analytics_viewermonth AS m
        JOIN projects_project AS p ON p.id = m.project_id
        GROUP BY m.project_id, m.account_platform_id, day
        UNION ALL
        SELECT project_id, platform_id, day, first_viewers FROM analytics_anonymousviewerday
    ) AS parts
    WHERE %(projects)s::bigint[] IS NULL OR project_id = ANY (%(projects)s::bigint[])
    GROUP BY project_id, platform_id, day
"""

# The viewings that are there, those that wait to be folded included, and what was folded.
VIEWING_DAY = f"""
    SELECT project_id, platform_id, day, sum(views)::int AS views,
           sum(viewing_seconds) AS viewing_seconds
    FROM (
        SELECT project_id, platform_id, local_start::date AS day, count(*) AS views,
               sum(watched_seconds) AS viewing_seconds
        FROM ({VIEWS}) AS views
        GROUP BY project_id, platform_id, day
        UNION ALL
        SELECT project_id, platform_id, day, views, viewing_seconds
        FROM analytics_anonymousviewing
        WHERE %(projects)s::bigint[] IS NULL OR project_id = ANY (%(projects)s::bigint[])
    ) AS parts
    GROUP BY project_id, platform_id, day
"""

USER_VIEWING_TABLE = DerivedTable(
    name="user viewing",
    table="analytics_userviewing",
    key=("user_id",),
    values=(
        "public_id",
        "account_platform_id",
        "project_id",
        "last_started_at",
        "views",
        "viewing_seconds",
        "first_content_id",
        "first_viewed_at",
        "last_content_id",
        "last_viewed_at",
        "platform_ids",
        "content_ids",
    ),
    expected=USER_VIEWING,
)

# The order matters: the days of viewers are counted from their months.
ROLLUPS = (
    USER_VIEWING_TABLE,
    DerivedTable(
        name="viewer months",
        table="analytics_viewermonth",
        key=("user_id", "month"),
        values=("project_id", "account_platform_id", "first_viewed_at"),
        expected=VIEWER_MONTH,
    ),
    DerivedTable(
        name="viewer days",
        table="analytics_viewerday",
        key=("project_id", "platform_id", "day"),
        values=("first_viewers",),
        expected=VIEWER_DAY,
        are_counters=True,
    ),
    DerivedTable(
        name="viewing days",
        table="analytics_viewingday",
        key=("project_id", "platform_id", "day"),
        values=("views", "viewing_seconds"),
        expected=VIEWING_DAY,
        are_counters=True,
    ),
)

# Sorting and grouping tens of millions of rows: with the usual few megabytes most of the time
# would go to disk. Holds until the end of the transaction.
ROOM_FOR_LARGE_SORTS = """
    SET LOCAL work_mem = '256MB';
    SET LOCAL maintenance_work_mem = '256MB';
    SET LOCAL jit = off;
    SET LOCAL statement_timeout = 0;
"""


@transaction.atomic
def rebuild_rollups(project_ids: Sequence[int] | None = None) -> None:
    """
    Replace the roll-ups of these projects, or of all, by what the raw viewings give.

    Writers wait until the end; readers too where all projects are rebuilt, whose tables are
    truncated. Source: the viewings that are views, one pass for each roll-up; 100,000 to
    160,000 viewings a second.
    """
    values = {"projects": None if project_ids is None else list(project_ids), "users": None}
    with connection.cursor() as cursor:
        cursor.execute(ROOM_FOR_LARGE_SORTS)
        for rollup in ROLLUPS:
            rollup.lock(cursor)
        for rollup in ROLLUPS:
            if project_ids is None:
                cursor.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(rollup.table)))
            else:
                cursor.execute(
                    sql.SQL("DELETE FROM {} WHERE project_id = ANY (%(projects)s)").format(
                        sql.Identifier(rollup.table)
                    ),
                    values,
                )
            rollup.fill(cursor, values)


FORGET_SUMS = "DELETE FROM analytics_userviewing WHERE user_id = ANY (%(users)s::bigint[])"

# Months taken away and put back, each as the number of first views by platform and local day.
FORGET_MONTHS = """
    WITH months AS (
        DELETE FROM analytics_viewermonth WHERE user_id = ANY (%(users)s::bigint[])
        RETURNING project_id, account_platform_id, first_viewed_at
    )
"""
KEEP_MONTHS = f"""
    WITH months AS (
        INSERT INTO analytics_viewermonth
            (user_id, month, project_id, account_platform_id, first_viewed_at)
        {VIEWER_MONTH}
        RETURNING project_id, account_platform_id, first_viewed_at
    )
"""
COUNT_MONTHS = """
    SELECT m.account_platform_id, (m.first_viewed_at AT TIME ZONE p.time_zone)::date, count(*)
    FROM months AS m JOIN projects_project AS p ON p.id = m.project_id
    GROUP BY 1, 2
"""


def rebuild_users(cursor: CursorWrapper, user_ids: Sequence[int]) -> Counter[tuple[int, date]]:
    """
    Replace these users' own roll-ups by what their raw viewings give.

    The caller holds the users' rows (`analytics.ingest.lock_users`).

    :return: by how much the counts of first viewers change, by account platform and day; the
        caller adds them to ViewerDay last.
    """
    values = {"projects": None, "users": list(user_ids)}
    changes: Counter[tuple[int, date]] = Counter()
    cursor.execute(FORGET_SUMS, values)
    USER_VIEWING_TABLE.fill(cursor, values)
    cursor.execute(FORGET_MONTHS + COUNT_MONTHS, values)
    for platform_id, day, count in cursor.fetchall():
        changes[platform_id, day] -= count
    cursor.execute(KEEP_MONTHS + COUNT_MONTHS, values)
    for platform_id, day, count in cursor.fetchall():
        changes[platform_id, day] += count
    return changes
