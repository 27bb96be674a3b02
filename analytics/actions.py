"""Changes of contents, and of where viewers are counted."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from analytics.ingest import lock_users
from analytics.models import Content
from backoffice.core.instants import to_second


@transaction.atomic
def put_content(reported: Content, *, now: datetime) -> bool:
    """
    Store the content as reported, unsaved, in place of what is known; return whether it is new.

    A content that was viewed before it was described is described now, and counts as new.
    """
    named = {"project_id": reported.project_id, "reference": reported.reference}
    # As a viewing would bring it in: of those who describe it first, the lock lets one be first.
    Content.objects.bulk_create([Content(**named)], ignore_conflicts=True)
    # Viewings that refer to it do not wait for this lock.
    known = Content.objects.select_for_update(no_key=True).get(**named)
    reported.pk = known.pk
    reported.described_at = to_second(now)
    reported.save(force_update=True)
    return known.described_at is None


# --- Accounts that move ----------------------------------------------------------------------

MOVE_SUMS = """
    UPDATE analytics_userviewing AS v SET account_platform_id = u.platform_id
    FROM users_user AS u
    WHERE v.user_id = ANY (%(users)s) AND u.id = v.user_id
"""

# The counts last, in the order of their keys, as all do (`analytics.ingest`).
MOVE_MONTHS = """
    WITH former AS (
        SELECT user_id, month, account_platform_id FROM analytics_viewermonth
        WHERE user_id = ANY (%(users)s)
    ),
    moved AS (
        UPDATE analytics_viewermonth AS m SET account_platform_id = u.platform_id
        FROM former, users_user AS u
        WHERE m.user_id = former.user_id AND m.month = former.month AND u.id = m.user_id
        RETURNING m.project_id, m.first_viewed_at, former.account_platform_id AS old,
                  m.account_platform_id AS new
    )
    INSERT INTO analytics_viewerday AS d (project_id, platform_id, day, first_viewers)
    SELECT m.project_id, s.platform_id, (m.first_viewed_at AT TIME ZONE p.time_zone)::date AS day,
           sum(s.viewers)
    FROM moved AS m
    JOIN projects_project AS p ON p.id = m.project_id
    CROSS JOIN LATERAL (VALUES (m.old, -1), (m.new, 1)) AS s (platform_id, viewers)
    GROUP BY m.project_id, s.platform_id, day
    HAVING sum(s.viewers) <> 0
    ORDER BY s.platform_id, day
    ON CONFLICT (project_id, day, platform_id) DO UPDATE SET
        first_viewers = d.first_viewers + excluded.first_viewers
"""

FORGET_EMPTY = """
    DELETE FROM analytics_userviewing
    WHERE user_id = ANY (%(users)s) AND last_started_at = '-infinity'
"""


def move_viewers(user_ids: Sequence[int]) -> None:
    """
    Count the viewers among these users on the platforms where their accounts are now.

    The caller has moved the accounts, in the same transaction.
    """
    values = {"users": list(user_ids)}
    with connection.cursor() as cursor:
        # Those without a row too: a first viewing that comes now would note the former platform.
        lock_users(cursor, user_ids)
        cursor.execute(MOVE_SUMS, values)
        cursor.execute(MOVE_MONTHS, values)
        cursor.execute(FORGET_EMPTY, values)
