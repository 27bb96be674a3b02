"""
What staged beats make of the viewings and of all that is counted of them: one statement.

`analytics.ingest` has staged them, and holds their users.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from analytics.partitions import partition_name
from analytics.prepared import array, ask, pipeline
from analytics.rollups import rebuild_users
from backoffice.core.periods import Month
from backoffice.projects.models import Platform

# The users are locked: what is not there when this begins does not come meanwhile.
#
# change: what each beat makes of its viewing; beats that change nothing are dropped. Of the old
# row and the beat, the one with more seconds leads. Ties are broken by what does not depend on
# the order of arrival; ids of devices and contents do. Months before the first start are left
# out. (With a last one beside it the planner would take the starts between for a handful.)
#
# stored_known: by the place where the row lies, so that no plan can read a whole month for it.
#
# rebuilt: differences cannot say what is left of a user's contents, platforms, first and last
# view when a view is none any more, or was another's; nor which of two views at once is the first.
#
# gained: what is added to the sums of each other user. The place of a beat is in the order of
# users, starts and ids: with the content behind it in one number, the least and the greatest
# are the contents viewed first and last. A viewing that becomes a view was led there by its new
# beat: the platform is the batch's.
#
# summed: by the place where the row lies. A user's contents are sorted; one more is put into its
# place, which is what mostly happens.
#
# candidate: first views of a month, perhaps. A view after all others of the user is the first of
# its month or changes nothing: the stored month is looked up only where it may come late. (Within
# a day of a month's end a clock that is set back may take local days out of order.)
#
# earlier: by how much the counts of first viewers change; an earlier first view moves one.
MERGE = """
    WITH project AS MATERIALIZED (
        SELECT time_zone, minimum_view_seconds FROM projects_project
        WHERE id = %(project)s::bigint
    ),
    change AS MATERIALIZED (
        SELECT h.user_id, h.row AS user_row, b.started_at, b.id, b.place, h.account_platform_id,
               n.platform_id, n.content_id, n.device_id, n.country, n.watched_seconds,
               greatest(b.position_seconds, v.position_seconds) AS position_seconds,
               b.has_ended OR coalesce(v.has_ended, false) AS has_ended,
               (b.started_at AT TIME ZONE p.time_zone)::date AS day,
               n.watched_seconds >= p.minimum_view_seconds AND n.hardware_type <> 'bot'
                   AS is_view,
               coalesce(
                   v.watched_seconds >= p.minimum_view_seconds AND od.hardware_type <> 'bot',
                   false
               ) AS was_view,
               v.platform_id AS old_platform_id, v.content_id AS old_content_id,
               v.watched_seconds AS old_watched_seconds,
               v.tableoid AS old_part, v.ctid AS old_row,
               h.first_viewed_at, h.first_content_id, h.last_viewed_at, h.last_content_id
        FROM (SELECT *, country::text AS sent_country FROM ingest_beat) AS b
        JOIN ingest_user AS h USING (public_id)
        CROSS JOIN project AS p
        JOIN analytics_device AS d ON d.id = b.device_id
        LEFT JOIN analytics_viewing AS v
            ON v.user_id = h.user_id AND v.id = b.id
            AND v.started_at = CASE WHEN b.started_at <= h.last_started_at THEN b.started_at END
            AND v.started_at >= %(first)s::timestamptz
        LEFT JOIN analytics_device AS od ON od.id = v.device_id
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN v.user_id IS NULL OR b.watched_seconds > v.watched_seconds THEN true
                WHEN b.watched_seconds < v.watched_seconds THEN false
                WHEN b.device_id <> v.device_id
                    THEN d.agent_hash COLLATE "C" > od.agent_hash COLLATE "C"
                WHEN b.sent_country <> v.country
                    THEN b.sent_country COLLATE "C" > v.country COLLATE "C"
                WHEN b.content_id <> v.content_id THEN (
                    SELECT bc.reference COLLATE "C" > vc.reference COLLATE "C"
                    FROM analytics_content AS bc, analytics_content AS vc
                    WHERE bc.id = b.content_id AND vc.id = v.content_id
                )
                ELSE %(platform)s::integer > v.platform_id
            END AS leads
        ) AS l
        CROSS JOIN LATERAL (
            SELECT CASE WHEN leads THEN %(platform)s::integer ELSE v.platform_id END
                       AS platform_id,
                   CASE WHEN leads THEN b.content_id ELSE v.content_id END AS content_id,
                   CASE WHEN leads THEN b.device_id ELSE v.device_id END AS device_id,
                   CASE WHEN leads THEN b.sent_country ELSE v.country END AS country,
                   CASE WHEN leads THEN d.hardware_type ELSE od.hardware_type END
                       AS hardware_type,
                   CASE WHEN leads THEN b.watched_seconds ELSE v.watched_seconds END
                       AS watched_seconds
        ) AS n
        WHERE v.user_id IS NULL OR leads OR b.position_seconds > v.position_seconds
           OR b.has_ended > v.has_ended
    ),
    stored_new AS (
        INSERT INTO analytics_viewing (
            user_id, started_at, id, project_id, platform_id, content_id, device_id, country,
            watched_seconds, position_seconds, has_ended
        )
        SELECT user_id, started_at, id, %(project)s::integer, platform_id, content_id, device_id,
               country, watched_seconds, position_seconds, has_ended
        FROM change WHERE old_watched_seconds IS NULL
    ),
    stored_known AS (
        UPDATE analytics_viewing AS v SET
            platform_id = c.platform_id, content_id = c.content_id, device_id = c.device_id,
            country = c.country, watched_seconds = c.watched_seconds,
            position_seconds = c.position_seconds, has_ended = c.has_ended
        FROM change AS c
        WHERE c.old_row IS NOT NULL AND v.tableoid = c.old_part AND v.ctid = c.old_row
          AND v.started_at = c.started_at AND v.started_at >= %(first)s::timestamptz
    ),
    rebuilt AS MATERIALIZED (
        SELECT DISTINCT user_id
        FROM change
        WHERE was_view AND (
                  NOT is_view OR content_id <> old_content_id OR platform_id <> old_platform_id
              )
           OR is_view AND NOT was_view AND (
                  started_at = first_viewed_at AND content_id <> first_content_id
                  OR started_at = last_viewed_at AND content_id <> last_content_id
              )
    ),
    added AS MATERIALIZED (
        SELECT *, is_view AND NOT was_view AS is_new_view FROM change
        WHERE (is_view OR old_row IS NULL) AND user_id NOT IN (SELECT user_id FROM rebuilt)
    ),
    gained AS MATERIALIZED (
        SELECT user_row, count(*) FILTER (WHERE is_new_view) AS views,
               sum(CASE WHEN was_view THEN watched_seconds - old_watched_seconds
                        WHEN is_view THEN watched_seconds ELSE 0 END) AS seconds,
               max(started_at) AS last_started_at,
               min(started_at) FILTER (WHERE is_new_view) AS first_at,
               max(started_at) FILTER (WHERE is_new_view) AS last_at,
               min(place::bigint << 32 | content_id) FILTER (WHERE is_new_view)
                   & 4294967295 AS first_content_id,
               max(place::bigint << 32 | content_id) FILTER (WHERE is_new_view)
                   & 4294967295 AS last_content_id,
               array_agg(content_id) FILTER (WHERE is_new_view) AS content_ids
        FROM added GROUP BY user_row
    ),
    summed AS (
        UPDATE analytics_userviewing AS u SET
            views = u.views + g.views,
            viewing_seconds = u.viewing_seconds + g.seconds,
            last_started_at = greatest(u.last_started_at, g.last_started_at),
            first_content_id = CASE WHEN u.views = 0 OR g.first_at < u.first_viewed_at
                THEN g.first_content_id ELSE u.first_content_id END,
            first_viewed_at = least(u.first_viewed_at, g.first_at),
            last_content_id = CASE WHEN u.views = 0 OR g.last_at > u.last_viewed_at
                THEN g.last_content_id ELSE u.last_content_id END,
            last_viewed_at = greatest(u.last_viewed_at, g.last_at),
            platform_ids = CASE WHEN g.views = 0 OR %(platform)s::bigint = ANY (u.platform_ids)
                THEN u.platform_ids
                ELSE ARRAY(SELECT id FROM unnest(u.platform_ids || %(platform)s::bigint) AS id
                           ORDER BY id) END,
            content_ids = CASE
                WHEN g.views = 0 THEN u.content_ids
                WHEN g.views > 1 THEN ARRAY(
                    SELECT DISTINCT id FROM unnest(u.content_ids || g.content_ids) AS id
                    ORDER BY id
                )
                WHEN u.content_ids[width_bucket(g.content_ids[1], u.content_ids)]
                    = g.content_ids[1] THEN u.content_ids
                ELSE
                    u.content_ids[:width_bucket(g.content_ids[1], u.content_ids)]
                    || g.content_ids
                    || u.content_ids[width_bucket(g.content_ids[1], u.content_ids) + 1:]
            END
        FROM gained AS g
        WHERE u.ctid = g.user_row
    ),
    candidate AS (
        SELECT user_id, month, account_platform_id, bool_or(is_late) AS is_late,
               min(started_at) AS first_at, min(day) AS day
        FROM added
        CROSS JOIN project
        CROSS JOIN LATERAL (
            SELECT date_trunc('month', day::timestamp)::date AS month,
                   (last_viewed_at AT TIME ZONE time_zone)::date AS last_day
        ) AS d
        CROSS JOIN LATERAL (
            SELECT started_at < last_viewed_at OR last_day >= month - 1 AS is_late
        ) AS l
        WHERE is_new_view
          AND (last_viewed_at IS NULL OR started_at < last_viewed_at
               OR date_trunc('month', last_day::timestamp)::date <> month)
        GROUP BY user_id, month, account_platform_id
    ),
    earlier AS MATERIALIZED (
        SELECT c.*, m.ctid AS row, m.first_viewed_at AS old_first_at
        FROM candidate AS c
        LEFT JOIN analytics_viewermonth AS m
            ON m.user_id = CASE WHEN is_late THEN c.user_id END AND m.month = c.month
        WHERE m.user_id IS NULL OR c.first_at < m.first_viewed_at
    ),
    new_months AS (
        INSERT INTO analytics_viewermonth
            (user_id, month, project_id, account_platform_id, first_viewed_at)
        SELECT user_id, month, %(project)s::bigint, account_platform_id, first_at
        FROM earlier WHERE old_first_at IS NULL
    ),
    moved_months AS (
        UPDATE analytics_viewermonth AS m SET first_viewed_at = e.first_at
        FROM earlier AS e
        WHERE m.ctid = e.row
    )
    SELECT 'views', platform_id, day, sum(views), sum(seconds)
    FROM (
        SELECT platform_id, day, 1 AS views, watched_seconds AS seconds
        FROM change WHERE is_view
        UNION ALL
        SELECT old_platform_id, day, -1, -old_watched_seconds FROM change WHERE was_view
    ) AS parts
    GROUP BY platform_id, day
    UNION ALL
    SELECT 'viewers', account_platform_id, day, count(*), 0 FROM earlier GROUP BY 2, 3
    UNION ALL
    SELECT 'viewers', account_platform_id, (old_first_at AT TIME ZONE time_zone)::date,
           -count(*), 0
    FROM earlier CROSS JOIN project
    WHERE old_first_at IS NOT NULL
    GROUP BY 2, 3
    UNION ALL
    SELECT 'rebuilt', user_id, NULL, 0, 0 FROM rebuilt
"""

ADD_TO_VIEWER_DAYS = """
    INSERT INTO analytics_viewerday AS d (project_id, platform_id, day, first_viewers)
    SELECT %(project)s::bigint, * FROM unnest(
        %(platforms)s::bigint[], %(days)s::date[], %(viewers)s::integer[]
    ) AS c (platform_id, day, viewers)
    ORDER BY platform_id, day
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET
        first_viewers = d.first_viewers + excluded.first_viewers
"""

# A new row cannot be below zero, and PostgreSQL looks at it before it finds the one to change:
# so the difference comes from the array itself.
ADD_TO_VIEWING_DAYS = """
    WITH changes AS MATERIALIZED (
        SELECT * FROM unnest(
            %(platforms)s::bigint[], %(days)s::date[], %(views)s::integer[], %(seconds)s::bigint[]
        ) AS c (platform_id, day, views, seconds)
    )
    INSERT INTO analytics_viewingday AS d (project_id, platform_id, day, views, viewing_seconds)
    SELECT %(project)s::bigint, platform_id, day, greatest(views, 0), greatest(seconds, 0)
    FROM changes ORDER BY platform_id, day
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET (views, viewing_seconds) = (
        SELECT d.views + c.views, d.viewing_seconds + c.seconds
        FROM changes AS c WHERE c.platform_id = d.platform_id AND c.day = d.day
    )
"""


def merge(
    cursor: CursorWrapper, *, platform: Platform, months: set[Month], first: datetime
) -> None:
    """
    Store what is staged, with all that follows from it; the caller holds the users' rows.

    :param months: in which the viewings begin, in UTC.
    :param first: when the first of them does.
    """
    values = {"project": platform.project_id, "platform": platform.pk, "first": first}
    rebuilt: list[int] = []
    viewers: Counter[tuple[int, date]] = Counter()
    views: list[tuple[Any, ...]] = []
    changes = ask(cursor, _merge_statement(months), values).fetchall()
    for kind, number, day, count, seconds in changes:
        if kind == "views" and (count or seconds):
            views.append((number, day, count, seconds))
        elif kind == "viewers":
            viewers[number, day] += count
        elif kind == "rebuilt":
            rebuilt.append(number)
    if rebuilt:
        viewers.update(rebuild_users(cursor, rebuilt))
    moved = [(*key, count) for key, count in viewers.items() if count]
    with pipeline(cursor):
        if moved:
            days = _columns("platforms days viewers", moved)
            ask(cursor, ADD_TO_VIEWER_DAYS, values | days)
        if views:
            days = _columns("platforms days views seconds", views)
            ask(cursor, ADD_TO_VIEWING_DAYS, values | days)


def _merge_statement(months: set[Month]) -> str:
    """Return MERGE for viewings of these months; of one month it needs to know no other."""
    if len(months) > 1:
        return MERGE
    (month,) = months
    return MERGE.replace("analytics_viewing", partition_name(month))


def _columns(names: str, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Return rows of numbers and days as arrays by name."""
    return dict(zip(names.split(), map(array, zip(*rows, strict=True)), strict=True))
