"""
What a deleted user has watched, folded into sums that all deleted users share (architecture D12).

The views, seconds, finishes and completion of each content, platform, country, device class and
day are the same before and after; who watched cannot be told any more.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from analytics.models import Viewing

# So many viewings are folded in one transaction, unless somebody waits for more.
CHUNK: Final = 2_000

# What the given viewings come to, cell by cell. Short ones and those of bots are no views, stand
# in no sum, and are simply gone.
CELLS = """
    SELECT v.project_id, (v.started_at AT TIME ZONE p.time_zone)::date AS day, v.content_id,
           v.platform_id, v.country, d.hardware_type, count(*) AS views,
           sum(v.watched_seconds) AS viewing_seconds,
           count(*) FILTER (WHERE v.position_seconds::bigint * 10 >= c.duration_seconds::bigint * 9
                              AND c.duration_seconds > 0) AS finishes,
           coalesce(sum(trunc(least(1, v.watched_seconds::numeric
                                       / nullif(c.duration_seconds, 0)), 6)), 0) AS completion
    FROM viewings AS v
    JOIN projects_project AS p ON p.id = v.project_id
    JOIN analytics_device AS d ON d.id = v.device_id
    JOIN analytics_content AS c ON c.id = v.content_id
    WHERE v.watched_seconds >= p.minimum_view_seconds AND d.hardware_type <> 'bot'
    GROUP BY v.project_id, day, v.content_id, v.platform_id, v.country, d.hardware_type
"""

# Lives as long as the connection; empty after each transaction.
STAGING = """
    CREATE TEMP TABLE IF NOT EXISTS folded_cell (
        project_id bigint NOT NULL, day date NOT NULL, content_id bigint NOT NULL,
        platform_id bigint NOT NULL, country text NOT NULL, hardware_type text NOT NULL,
        views bigint NOT NULL, viewing_seconds bigint NOT NULL, finishes bigint NOT NULL,
        completion numeric NOT NULL
    ) ON COMMIT DELETE ROWS;
    DELETE FROM folded_cell;
"""

# The start of the last viewing of the next chunk; those that began with it come along.
END_OF_CHUNK = """
    SELECT max(started_at) FROM (
        SELECT started_at FROM analytics_viewing WHERE user_id = %(user)s
        ORDER BY started_at LIMIT %(chunk)s
    ) AS chunk
"""

TAKE_VIEWINGS = f"""
    WITH viewings AS (
        DELETE FROM analytics_viewing
        WHERE user_id = %(user)s AND started_at <= %(until)s
        RETURNING *
    ),
    cells AS (INSERT INTO folded_cell {CELLS})
    SELECT count(*) FROM viewings
"""

# One at a time writes a project's anonymous rows, which are taken in no order.
LOCK_CELLS = "SELECT pg_advisory_xact_lock(%(lock)s, %(project)s::integer)"
CELLS_LOCK: Final = 7_281_002

# Rows written together lie together and bear the number of one transaction, in the table and in a
# dump of it. So others of the same days, the nearest on either side, are written anew with them.
TAKE_OTHERS = """
    WITH others AS (
        DELETE FROM analytics_anonymousviewing AS a
        USING (
            SELECT DISTINCT o.ctid
            FROM folded_cell AS c
            CROSS JOIN LATERAL (
                (SELECT ctid FROM analytics_anonymousviewing AS n
                 WHERE n.project_id = c.project_id AND n.day = c.day
                   AND n.content_id >= c.content_id
                 ORDER BY n.content_id LIMIT %(each_side)s)
                UNION ALL
                (SELECT ctid FROM analytics_anonymousviewing AS n
                 WHERE n.project_id = c.project_id AND n.day = c.day
                   AND n.content_id < c.content_id
                 ORDER BY n.content_id DESC LIMIT %(each_side)s)
            ) AS o
        ) AS chosen
        WHERE a.ctid = chosen.ctid
        RETURNING a.*
    )
    INSERT INTO folded_cell
        (project_id, day, content_id, platform_id, country, hardware_type,
         views, viewing_seconds, finishes, completion)
    SELECT project_id, day, content_id, platform_id, country, hardware_type,
           views, viewing_seconds, finishes, completion
    FROM others
"""
EACH_SIDE: Final = 2

ADD_CELLS = """
    INSERT INTO analytics_anonymousviewing AS a
        (project_id, day, content_id, platform_id, country, hardware_type,
         views, viewing_seconds, finishes, completion)
    SELECT project_id, day, content_id, platform_id, country, hardware_type,
           sum(views), sum(viewing_seconds), sum(finishes), sum(completion)
    FROM folded_cell
    GROUP BY project_id, day, content_id, platform_id, country, hardware_type
    ORDER BY random()
    ON CONFLICT (project_id, day, content_id, platform_id, country, hardware_type) DO UPDATE SET
        views = a.views + excluded.views,
        viewing_seconds = a.viewing_seconds + excluded.viewing_seconds,
        finishes = a.finishes + excluded.finishes,
        completion = a.completion + excluded.completion
"""


# The months in which the user had a view, as one more first viewer of each day.
TAKE_MONTHS = """
    WITH months AS (
        DELETE FROM analytics_viewermonth WHERE user_id = %(user)s
        RETURNING project_id, account_platform_id, first_viewed_at
    )
    INSERT INTO analytics_anonymousviewerday AS d (project_id, platform_id, day, first_viewers)
    SELECT m.project_id, m.account_platform_id,
           (m.first_viewed_at AT TIME ZONE p.time_zone)::date AS day, count(*)
    FROM months AS m JOIN projects_project AS p ON p.id = m.project_id
    GROUP BY m.project_id, m.account_platform_id, day
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET
        first_viewers = d.first_viewers + excluded.first_viewers
"""

# For the same reason as above: most of the rows that bear this transaction's number are others'.
TOUCH_OTHER_DAYS = """
    UPDATE analytics_anonymousviewerday AS d SET first_viewers = d.first_viewers
    FROM (
        SELECT project_id, day, platform_id FROM analytics_anonymousviewerday
        WHERE project_id = %(project)s ORDER BY random() LIMIT %(others)s
    ) AS o
    WHERE (d.project_id, d.day, d.platform_id) = (o.project_id, o.day, o.platform_id)
"""

FORGET_SUMS = "DELETE FROM analytics_userviewing WHERE user_id = %(user)s"


def forget_viewer(cursor: CursorWrapper, user_id: int, *, project_id: int) -> None:
    """
    Remove what is kept of a user by person; the counts of viewers stay as they are.

    The caller holds the user's sums (`analytics.ingest.lock_users`) and folds the viewings.
    """
    values: dict[str, int] = {"user": user_id, "project": project_id, "lock": CELLS_LOCK}
    cursor.execute(LOCK_CELLS, values)
    cursor.execute(TAKE_MONTHS, values)
    if cursor.rowcount:
        cursor.execute(TOUCH_OTHER_DAYS, values | {"others": 2 * EACH_SIDE * cursor.rowcount})
    cursor.execute(FORGET_SUMS, values)


@transaction.atomic
def fold_viewings(user_id: int, *, project_id: int, chunk: int = CHUNK) -> int | None:
    """
    Fold about so many viewings of a deleted user; return how many, None if none is left.

    The sums of days do not change: they count what was folded and what waits alike.
    """
    values: dict[str, Any] = {"user": user_id, "chunk": chunk, "each_side": EACH_SIDE}
    with connection.cursor() as cursor:
        cursor.execute(END_OF_CHUNK, values)
        (until,) = cursor.fetchone()
        if until is None:
            return None
        cursor.execute(STAGING)
        cursor.execute(TAKE_VIEWINGS, values | {"until": until})
        (taken,) = cursor.fetchone()
        cursor.execute(LOCK_CELLS, {"lock": CELLS_LOCK, "project": project_id})
        cursor.execute(TAKE_OTHERS, values)
        cursor.execute(ADD_CELLS)
    return int(taken)


def viewings_of(user_ids: Sequence[int], *, most: int | None = None) -> int:
    """Return how many raw viewings these users have, short ones included; `most` at most."""
    rows = Viewing.objects.filter(user_id__in=user_ids)
    return (rows if most is None else rows[:most]).count()
