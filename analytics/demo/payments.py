"""What people paid for and were given: subscriptions, purchases, gifts and free copies."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from analytics.demo.people import analyse, fill, run
from backoffice.projects.models import Project
from subscriptions.models import Offer

# How often each offer is taken, in percent of its kind, in the order of the catalogue.
SUBSCRIPTION_SHARES = (70, 18, 12)
PACK_SHARES = (60, 30, 10)

RUN_TABLE = """
    CREATE TEMP TABLE demo_run (
        key bigint, run integer, user_id bigint, project_id bigint, kind text,
        deleted_at timestamptz, offer_id bigint, price_minor bigint, months integer,
        has_trial boolean, is_voluntary boolean, converts boolean, provider text,
        start_at timestamptz, paid_at timestamptz, stop_at timestamptz, end_at timestamptz
    ) ON COMMIT DROP
"""

# Most people who ever subscribe do so within the hour of their registration.
FIRST_STARTS = """
    SELECT id AS user_id, project_id, kind, deleted_at,
           registered_at + CASE WHEN pg_temp.u(id, 202) < 0.75
               THEN interval '1 hour' * pg_temp.u(id, 203)
               ELSE interval '60 days' * power(pg_temp.u(id, 203), 2) END AS start_at
    FROM demo_profile
    WHERE pg_temp.u(id, 201) < 0.71
"""
# Some come back, weeks or many months after they left.
NEXT_STARTS = """
    SELECT user_id, project_id, kind, deleted_at,
           end_at + interval '9 days' + interval '280 days' * power(pg_temp.u(key, 205), 1.6)
               AS start_at
    FROM demo_run
    WHERE run = %(run)s - 1 AND pg_temp.u(key, 204) < 0.30
"""

# One subscription from its start to its end, which may lie after now: the trial, whether it is
# continued, how many periods are paid, and whether the end is wanted or a payment that fails.
RUNS = """
    INSERT INTO demo_run
    SELECT key, %(run)s, user_id, project_id, kind, deleted_at, offer_id, price_minor, months,
           has_trial, is_voluntary, converts, provider, start_at, paid_at, stop_at,
           least(deleted_at, CASE WHEN is_voluntary THEN stop_at
                                  WHEN provider IN ('okast', 'other')
                                  THEN stop_at + grace_days * interval '1 day'
                                  ELSE stop_at + interval '10 days' END)
    FROM (
        SELECT *,
               CASE WHEN converts THEN paid_at + make_interval(months => months * (1
                    + floor(-ln(1 - pg_temp.u(key, 214))
                            * CASE WHEN months = 12 THEN 1.4 ELSE 17 END)::integer))
                    ELSE paid_at END AS stop_at,
               NOT converts OR pg_temp.u(key, 215) < 0.72 AS is_voluntary
        FROM (
            SELECT *,
                   CASE WHEN has_trial THEN start_at + trial_days * interval '1 day'
                        ELSE start_at END AS paid_at,
                   NOT has_trial OR pg_temp.u(key, 213) < 0.74 AS converts
            FROM (
                SELECT s.user_id, s.project_id, s.kind, s.deleted_at, s.key, o.offer_id,
                       o.price_minor, o.months, o.trial_days, p.grace_days,
                       date_trunc('second', s.start_at) AS start_at,
                       %(run)s = 1 AND p.has_trials AND o.trial_days IS NOT NULL AS has_trial,
                       CASE WHEN s.kind = 'ios' AND draw < 0.8 THEN 'apple'
                            WHEN s.kind = 'android' AND draw < 0.75 THEN 'google'
                            WHEN s.kind IN ('tv', 'other') AND draw < 0.3 THEN 'okast'
                            WHEN draw > 0.96 THEN 'other' WHEN draw > 0.9 THEN 'okast'
                            ELSE 'stripe' END AS provider
                FROM (SELECT *, user_id * 4 + %(run)s AS key,
                             pg_temp.u(user_id, 211) AS draw FROM ({starts}) AS f) AS s
                JOIN projects_project AS p ON p.id = s.project_id
                JOIN demo_svod AS o ON o.project_id = s.project_id
                    AND o.slot = floor(100 * pg_temp.u(s.key, 212))::integer
                WHERE s.start_at < coalesce(s.deleted_at, %(now)s)
            ) AS begun
            OFFSET 0
        ) AS tried
        OFFSET 0
    ) AS planned
"""

# What the provider reports of each at now, and the access that follows from it
# (subscriptions/entitlements.py, whose result for each row a test compares).
SUBSCRIPTIONS = """
    INSERT INTO subscriptions_subscription
        (user_id, project_id, offer_id, provider, reference, status, price_minor, currency,
         started_at, first_paid_at, current_period_end, past_due_since, trial_ends_at, cancel_at,
         ended_at, cancel_reason, status_since, access_start, access_end, trial_end)
    SELECT user_id, project_id, offer_id, provider, reference, status, price_minor, currency,
           start_at, first_paid_at, current_period_end, past_due_since, trial_ends_at, cancel_at,
           ended_at, cancel_reason, status_since,
           CASE WHEN opens THEN start_at END, CASE WHEN opens THEN access_end END,
           CASE WHEN opens AND has_trial THEN least(trial_ends_at, access_end) END
    FROM (
        SELECT *, access_end IS NULL OR access_end > start_at AS opens
        FROM (
            SELECT *,
                   least(cancel_at, ended_at,
                         CASE WHEN status IN ('canceled', 'unpaid', 'paused')
                                   AND cancel_at IS NULL AND ended_at IS NULL
                              THEN status_since END,
                         CASE WHEN status = 'past_due' AND provider IN ('okast', 'other')
                              THEN past_due_since + grace_days * interval '1 day' END
                   ) AS access_end
            FROM (
                SELECT s.*, j.currency, j.grace_days,
                       CASE s.provider
                           WHEN 'stripe' THEN 'sub_1'
                               || left(replace(pg_temp.id(key, 230)::text, '-', ''), 14) || key
                           WHEN 'google' THEN 'GPA.3' || lpad(key::text, 14, '0')
                           WHEN 'apple' THEN '47' || lpad(key::text, 13, '0')
                           ELSE upper(left(s.provider, 2)) || '-' || key END AS reference,
                       CASE state WHEN 'late' THEN 'past_due' WHEN 'paused' THEN 'paused'
                            WHEN 'unpaid' THEN CASE WHEN pg_temp.u(key, 231) < 0.4
                                                    THEN 'unpaid' ELSE 'canceled' END
                            WHEN 'ended' THEN 'canceled' WHEN 'erased' THEN 'canceled'
                            ELSE CASE WHEN has_trial AND paid_at > %(now)s THEN 'trialing'
                                      ELSE 'active' END END AS status,
                       CASE WHEN converts AND paid_at < least(end_at, %(now)s) THEN paid_at
                            END AS first_paid_at,
                       CASE WHEN state IN ('ended', 'unpaid', 'erased') THEN least(stop_at, end_at)
                            WHEN state = 'late' THEN late_since + make_interval(months => months)
                            WHEN paid_at > %(now)s THEN paid_at
                            ELSE period_start + make_interval(months => months)
                            END AS current_period_end,
                       CASE WHEN state = 'late' THEN late_since
                            WHEN state = 'unpaid' THEN stop_at END AS past_due_since,
                       CASE WHEN has_trial THEN paid_at END AS trial_ends_at,
                       CASE WHEN state = 'leaving'
                                 OR state = 'ended' AND pg_temp.u(key, 232) < 0.7 THEN stop_at
                            END AS cancel_at,
                       CASE WHEN state IN ('ended', 'erased')
                                 OR state = 'unpaid' AND pg_temp.u(key, 231) >= 0.4 THEN end_at
                            END AS ended_at,
                       CASE WHEN state IN ('unpaid', 'late') THEN 'payment failed'
                            WHEN state = 'erased' THEN 'account deleted'
                            WHEN state NOT IN ('ended', 'leaving') THEN ''
                            WHEN NOT converts THEN 'trial not continued'
                            ELSE (ARRAY['too expensive', 'nothing left to watch', 'no time',
                                        'technical problems', 'another service', ''])
                                 [1 + floor(6 * pg_temp.u(key, 233))::integer]
                            END AS cancel_reason,
                       CASE WHEN state IN ('ended', 'unpaid', 'erased') THEN end_at
                            WHEN state = 'late' THEN late_since
                            WHEN state = 'paused' THEN date_trunc('second', greatest(paid_at,
                                %(now)s - interval '30 days' * pg_temp.u(key, 234)))
                            WHEN paid_at > %(now)s THEN start_at
                            ELSE paid_at END AS status_since
                FROM (
                    SELECT *,
                           CASE WHEN NOT is_voluntary AND stop_at <= %(now)s THEN stop_at
                                ELSE period_start END AS late_since,
                           CASE WHEN end_at = deleted_at THEN 'erased'
                                WHEN end_at <= %(now)s AND is_voluntary THEN 'ended'
                                WHEN end_at <= %(now)s THEN 'unpaid'
                                WHEN stop_at <= %(now)s THEN 'late'
                                WHEN stop_at < %(now)s + make_interval(months => least(months, 2))
                                     AND is_voluntary AND pg_temp.u(key, 220) < 0.8 THEN 'leaving'
                                WHEN paid_at < %(now)s - interval '40 days'
                                     AND pg_temp.u(key, 221) < 0.008 THEN 'paused'
                                WHEN paid_at < %(now)s - interval '27 days' AND
                                     period_start > %(now)s - interval '6 days'
                                     AND pg_temp.u(key, 222) < 0.07 THEN 'late'
                                ELSE 'active' END AS state
                    FROM (
                        SELECT *,
                               paid_at + make_interval(months => months * (
                                   (extract(year FROM age(%(now)s, paid_at)) * 12
                                    + extract(month FROM age(%(now)s, paid_at)))::integer
                                   / months)) AS period_start
                        FROM demo_run
                        OFFSET 0
                    ) AS r
                    OFFSET 0
                ) AS s
                JOIN projects_project AS j ON j.id = s.project_id
                OFFSET 0
            ) AS reported
            OFFSET 0
        ) AS closed
        OFFSET 0
    ) AS entitled
    ORDER BY start_at, user_id
"""

# Sign-ups whose first payment never came through: they open nothing.
INCOMPLETE = """
    INSERT INTO subscriptions_subscription
        (user_id, project_id, offer_id, provider, reference, status, price_minor, currency,
         started_at, cancel_reason, status_since)
    SELECT p.id, p.project_id, o.offer_id, 'stripe', 'sub_0incomplete' || p.id,
           CASE WHEN p.registered_at > %(now)s - interval '1 day' THEN 'incomplete'
                ELSE 'incomplete_expired' END,
           o.price_minor, j.currency, p.registered_at, '', p.registered_at
    FROM demo_profile AS p
    JOIN projects_project AS j ON j.id = p.project_id
    JOIN demo_svod AS o ON o.project_id = p.project_id
        AND o.slot = floor(100 * pg_temp.u(p.id, 240))::integer
    WHERE pg_temp.u(p.id, 241)
        < CASE WHEN p.registered_at > %(now)s - interval '1 day' THEN 0.2 ELSE 0.015 END
    ORDER BY p.registered_at, p.id
"""

# Packs bought for oneself. A stub's running access was cancelled when its account was deleted.
PACKS = """
    INSERT INTO subscriptions_purchase
        (user_id, project_id, offer_id, provider, reference, type, status, price_minor, currency,
         purchased_at, expires_at, recipient_email_key, status_since, access_user_id,
         access_start, access_end)
    SELECT user_id, project_id, offer_id, provider, 'pi_' || key, 'pack', status, price_minor,
           currency, purchased_at, expires_at, '', status_since, user_id,
           CASE WHEN opens THEN purchased_at END, CASE WHEN opens THEN access_end END
    FROM (
        SELECT *, status <> 'unknown' AND coalesce(access_end > purchased_at, true) AS opens
        FROM (
            SELECT *, least(runs_out, CASE WHEN status IN ('expired', 'cancelled')
                                           THEN status_since END) AS access_end
            FROM (
                SELECT *,
                       CASE WHEN status = 'cancelled' AND is_erased THEN deleted_at
                            WHEN status = 'cancelled' THEN date_trunc('second', purchased_at
                                + least(%(now)s - purchased_at, interval '2 days')
                                  * pg_temp.u(key, 311))
                            WHEN status = 'expired' THEN least(%(now)s, runs_out
                                + interval '7 minutes')
                            ELSE purchased_at END AS status_since
                FROM (
                    SELECT *,
                           CASE WHEN is_erased THEN 'cancelled'
                                WHEN pg_temp.u(key, 307) < 0.02 THEN 'unknown'
                                WHEN pg_temp.u(key, 307) < 0.06 THEN 'cancelled'
                                WHEN runs_out <= %(now)s AND pg_temp.u(key, 308) < 0.7
                                THEN 'expired' ELSE 'active' END AS status
                    FROM (
                        SELECT *, CASE WHEN pg_temp.u(key, 306) < 0.5 THEN runs_out END
                                      AS expires_at,
                               deleted_at IS NOT NULL AND coalesce(runs_out > deleted_at, true)
                                   AS is_erased
                        FROM (
                            SELECT *, purchased_at + rental_days * interval '1 day' AS runs_out
                            FROM (
                                SELECT p.id AS user_id, p.project_id, p.deleted_at, k.key,
                                       o.offer_id, o.price_minor, o.rental_days, j.currency,
                                       CASE p.kind WHEN 'ios' THEN 'apple'
                                                   WHEN 'android' THEN 'google'
                                                   ELSE 'stripe' END AS provider,
                                       date_trunc('second', p.registered_at
                                           + (coalesce(p.deleted_at, %(now)s) - p.registered_at)
                                             * pg_temp.u(k.key, 304)) AS purchased_at
                                FROM demo_profile AS p
                                JOIN projects_project AS j ON j.id = p.project_id
                                CROSS JOIN LATERAL (
                                    SELECT p.id * 8 + n AS key FROM generate_series(1,
                                        1 + floor(5 * power(pg_temp.u(p.id, 302), 2))::integer)
                                        AS n
                                ) AS k
                                JOIN demo_pack AS o ON o.project_id = p.project_id
                                    AND o.slot = floor(100 * pg_temp.u(k.key, 303))::integer
                                WHERE pg_temp.u(p.id, 301) < 0.17
                                OFFSET 0
                            ) AS bought
                            OFFSET 0
                        ) AS ending
                        OFFSET 0
                    ) AS dated
                    OFFSET 0
                ) AS known
                OFFSET 0
            ) AS reported
            OFFSET 0
        ) AS closed
        OFFSET 0
    ) AS entitled
    ORDER BY purchased_at, key
"""

# Packs bought for somebody else: a user of the project, or an address without an account.
GIFTS = """
    INSERT INTO subscriptions_purchase
        (user_id, project_id, offer_id, provider, reference, type, status, price_minor, currency,
         purchased_at, recipient_id, recipient_email_key, status_since, access_user_id,
         access_start, access_end)
    SELECT user_id, project_id, offer_id, 'stripe', 'pi_gift_' || user_id, 'gift', 'active',
           price_minor, currency, purchased_at, recipient_id,
           CASE WHEN recipient_id IS NULL THEN 'gift' || user_id || '@friends.example' ELSE '' END,
           purchased_at, recipient_id, access_start,
           access_start + rental_days * interval '1 day'
    FROM (
        SELECT g.*, r.id AS recipient_id, greatest(r.registered_at, purchased_at) AS start_at,
               CASE WHEN r.id IS NOT NULL THEN greatest(r.registered_at, purchased_at) END
                   AS access_start
        FROM (
            SELECT p.id AS user_id, p.project_id, o.offer_id, o.price_minor, o.rental_days,
                   j.currency,
                   date_trunc('second', p.registered_at
                       + (coalesce(p.deleted_at, %(now)s) - p.registered_at)
                         * pg_temp.u(p.id, 332)) AS purchased_at,
                   CASE WHEN pg_temp.u(p.id, 333) < 0.75
                        THEN 1 + floor(s.people * pg_temp.u(p.id, 334))::bigint END AS number
            FROM demo_profile AS p
            JOIN projects_project AS j ON j.id = p.project_id
            JOIN demo_share AS s ON s.project_id = p.project_id
            JOIN demo_pack AS o ON o.project_id = p.project_id
                AND o.slot = floor(60 + 40 * pg_temp.u(p.id, 335))::integer
            WHERE pg_temp.u(p.id, 331) < 0.02
            OFFSET 0
        ) AS g
        LEFT JOIN demo_profile AS r ON r.project_id = g.project_id AND r.number = g.number
            AND r.id <> g.user_id AND r.deleted_at IS NULL
    ) AS given
    ORDER BY purchased_at, user_id
"""

# Free copies for people with an account; some were sent before their account existed.
FREE_COPIES = """
    INSERT INTO subscriptions_freecopy
        (user_id, project_id, offer_id, email_key, reference, sent_at, days, activate_by,
         activated_at, revoked_at, access_start, access_end)
    SELECT user_id, project_id, offer_id, '', 'copy-' || user_id, sent_at, days, activate_by,
           activated_at, revoked_at, CASE WHEN opens THEN begun_at END,
           CASE WHEN opens THEN access_end END
    FROM (
        SELECT *, begun_at IS NOT NULL AND access_end > begun_at AS opens
        FROM (
            SELECT *, least(begun_at + days * interval '1 day', revoked_at) AS access_end
            FROM (
                SELECT *,
                       CASE WHEN NOT free_copies_need_activation AND registered_at <= sent_at
                            THEN sent_at ELSE activated_at END AS begun_at
                FROM (
                    SELECT *,
                           CASE WHEN deleted_at IS NOT NULL THEN deleted_at
                                WHEN pg_temp.u(user_id, 366) < 0.05
                                     AND sent_at < %(now)s - interval '6 days'
                                THEN sent_at + interval '5 days' END AS revoked_at,
                           CASE WHEN pg_temp.u(user_id, 367) < 0.7
                                     AND asked_at <= coalesce(deleted_at, %(now)s)
                                THEN asked_at END AS activated_at
                    FROM (
                        SELECT *, sent_at + interval '30 days' AS activate_by,
                               date_trunc('second', greatest(sent_at, registered_at)
                                   + interval '12 days' * power(pg_temp.u(user_id, 365), 3))
                                   AS asked_at
                        FROM (
                            SELECT p.id AS user_id, p.project_id, p.registered_at, p.deleted_at,
                                   j.free_copies_need_activation, o.offer_id,
                                   (ARRAY[7, 14, 30, 90, 365])
                                       [1 + floor(5 * pg_temp.u(p.id, 364))::integer] AS days,
                                   date_trunc('second', CASE WHEN pg_temp.u(p.id, 362) < 0.15
                                       THEN p.registered_at
                                            - interval '20 days' * pg_temp.u(p.id, 363)
                                       ELSE p.registered_at
                                            + (coalesce(p.deleted_at, %(now)s) - p.registered_at)
                                              * pg_temp.u(p.id, 363) END) AS sent_at
                            FROM demo_profile AS p
                            JOIN projects_project AS j ON j.id = p.project_id
                            JOIN demo_svod AS o ON o.project_id = p.project_id AND o.slot = 0
                            WHERE pg_temp.u(p.id, 361) < 0.06
                            OFFSET 0
                        ) AS sent
                        OFFSET 0
                    ) AS asked
                    OFFSET 0
                ) AS answered
                OFFSET 0
            ) AS begun
            OFFSET 0
        ) AS closed
        OFFSET 0
    ) AS entitled
    ORDER BY sent_at, user_id
"""

# Copies on their way to addresses that have no account, some of them too late by now.
PENDING_COPIES = """
    INSERT INTO subscriptions_freecopy
        (project_id, offer_id, email_key, reference, sent_at, days, activate_by)
    SELECT s.project_id, o.offer_id, 'press' || n || '@papers.example', 'press-' || n,
           sent_at, 30, sent_at + interval '30 days'
    FROM demo_share AS s
    JOIN demo_svod AS o ON o.project_id = s.project_id AND o.slot = 0
    CROSS JOIN LATERAL generate_series(1, 3 + s.people / 250) AS n
    CROSS JOIN LATERAL (SELECT date_trunc('second', %(now)s - (%(now)s - %(start)s) * 0.2
                        * pg_temp.u(n, 371 + s.project_id)) AS sent_at) AS d
    ORDER BY s.project_id, n
"""


def create_payments(projects: Sequence[Project], *, start: datetime, now: datetime) -> None:
    """Create all sources of access of the people in demo_profile, as of now."""
    fill_offers(projects)
    values = {"start": start, "now": now}
    run(RUN_TABLE)
    for number, starts in enumerate((FIRST_STARTS, NEXT_STARTS, NEXT_STARTS), start=1):
        run(RUNS.format(starts=starts), values | {"run": number})
        analyse("demo_run")
    for statement in (SUBSCRIPTIONS, INCOMPLETE, PACKS, GIFTS, FREE_COPIES, PENDING_COPIES):
        run(statement, values)


def fill_offers(projects: Sequence[Project]) -> None:
    """Write which offer is taken by draw, a hundred slots for each kind and project."""
    svod: list[tuple[Any, ...]] = []
    packs: list[tuple[Any, ...]] = []
    for project in projects:
        offers = list(Offer.objects.filter(project=project).order_by("pk"))
        for rows, kind, shares in (
            (svod, Offer.Kind.SUBSCRIPTION, SUBSCRIPTION_SHARES),
            (packs, Offer.Kind.PACK, PACK_SHARES),
        ):
            of_kind = [offer for offer in offers if offer.kind == kind]
            drawn = [
                offer for offer, share in zip(of_kind, shares, strict=True) for _ in range(share)
            ]
            rows += [
                (slot, project.pk, offer.pk, offer.price_minor, offer.interval_months,
                 offer.trial_days, offer.rental_days)
                for slot, offer in enumerate(drawn)
            ]  # fmt: skip
    columns = (
        "(slot integer, project_id bigint, offer_id bigint, price_minor bigint, months integer,"
        " trial_days integer, rental_days integer)"
    )
    fill(f"demo_svod {columns}", svod)
    fill(f"demo_pack {columns}", packs)
