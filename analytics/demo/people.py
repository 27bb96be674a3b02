"""Who registered when, where and under which name: the users, in three statements."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from analytics.demo.names import CULTURES
from analytics.demo.services import Service
from backoffice.core.text import fold, name_sort_key, search_text
from backoffice.projects.models import Project

# Uniform numbers in [0, 1) that depend on the seed alone: `n` names the row, `salt` the use.
# PostgreSQL inlines the function, so that it costs one hash.
RANDOM = """
    CREATE OR REPLACE FUNCTION pg_temp.u(n bigint, salt bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT (hashint8extended(n, {seed}::bigint * 1000003 + salt) & 9007199254740991)
               / 9007199254740992.0::double precision';
    CREATE OR REPLACE FUNCTION pg_temp.id(n bigint, salt bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT encode(int8send(hashint8extended(n, {seed}::bigint * 1000003 + salt))
                      || int8send(hashint8extended(n, {seed}::bigint * 1000003 + salt + 1)),
                      ''hex'')::uuid';
"""

# How busy each hour of a local day is, for signing up and for watching.
RHYTHM = (
    (3, 6), (2, 4), (1, 2), (1, 1), (1, 1), (1, 1), (2, 2), (4, 3), (6, 4), (8, 5), (9, 5),
    (10, 6), (12, 8), (11, 8), (9, 7), (9, 7), (10, 8), (12, 10), (15, 13), (18, 17), (20, 20),
    (18, 20), (12, 15), (6, 10),
)  # fmt: skip
# How busy each month is for watching, January first, in percent.
SEASON = (118, 108, 102, 96, 90, 84, 76, 78, 92, 102, 112, 122)

# Each hour of the past with its weight for signing up (growing by 2 % a month, busy days and
# campaigns) and for watching (evenings, week-ends, winters).
HOURS = """
    CREATE TEMP TABLE demo_hour ON COMMIT DROP AS
    SELECT project_id, start_at,
           (1000 * signing * exp(0.00066 * extract(epoch FROM start_at - %(start)s) / 86400)
            * (0.7 + 0.6 * pg_temp.u(day_number, project_id))
            * CASE WHEN pg_temp.u(day_number, 90 + project_id) < 0.012 THEN 3 ELSE 1 END
           )::bigint + 1 AS signing,
           greatest(1, (watching * season / 100.0
               * (0.85 + 0.3 * pg_temp.u(day_number, 95 + project_id))
               * CASE WHEN is_weekend AND hour BETWEEN 9 AND 18 THEN 1.7
                      WHEN is_weekend THEN 1.15 ELSE 1 END)::integer) AS watching
    FROM (
        SELECT p.id AS project_id, start_at, extract(hour FROM local) AS hour,
               local::date - date '2000-01-01' AS day_number,
               extract(isodow FROM local) >= 6 AS is_weekend,
               extract(month FROM local)::integer AS month
        FROM projects_project AS p,
             generate_series(%(start)s, %(now)s - interval '1 hour', interval '1 hour')
                 AS h (start_at),
             LATERAL (SELECT start_at AT TIME ZONE p.time_zone) AS l (local)
    ) AS hours
    JOIN demo_rhythm USING (hour)
    JOIN demo_season USING (month)
"""

# One row for each account: exactly as many as asked, in the order of their registration.
REGISTRATIONS = """
    CREATE TEMP TABLE demo_person ON COMMIT DROP AS
    WITH counted AS (
        SELECT project_id, start_at, people * upto / total AS last,
               coalesce(lag(people * upto / total) OVER (
                   PARTITION BY project_id ORDER BY start_at), 0) AS before
        FROM (
            SELECT h.project_id, start_at, people::numeric AS people,
                   sum(signing) OVER (PARTITION BY h.project_id ORDER BY start_at) AS upto,
                   sum(signing) OVER (PARTITION BY h.project_id) AS total
            FROM demo_hour AS h JOIN demo_share USING (project_id)
        ) AS shares
    ),
    registered AS (
        SELECT project_id, number,
               date_trunc('second', start_at + interval '1 hour'
                   * (number - floor(before) - pg_temp.u(number, 100 + project_id))
                   / (floor(last) - floor(before))) AS registered_at
        FROM counted, generate_series(floor(before)::bigint + 1, floor(last)::bigint) AS number
    )
    SELECT row_number() OVER (ORDER BY registered_at, project_id, number) AS id, *
    FROM registered
"""

# The accounts with everything that the user row says. A stub (deleted) keeps no identity.
PROFILES = """
    CREATE TEMP TABLE demo_profile ON COMMIT DROP AS
    SELECT d.id, d.project_id, d.number, d.registered_at, w.platform_id, w.kind,
           o.country, o.language, deleted_at,
           CASE WHEN nameless THEN NULL ELSE f.name END AS first_name,
           CASE WHEN nameless OR one_name THEN NULL ELSE l.name END AS last_name,
           f.folded AS first_folded, f.parts AS first_parts,
           l.folded AS last_folded, l.parts AS last_parts,
           CASE WHEN nameless THEN 'viewer' ELSE concat_ws(
                    CASE WHEN pg_temp.u(d.id, 13) < 0.6 THEN '.' ELSE '_' END,
                    f.latin, CASE WHEN NOT one_name THEN l.latin END) END
               || CASE WHEN pg_temp.u(d.id, 14) < 0.03 THEN '+tv' ELSE '' END
               || d.number
               || '@' || (ARRAY['example.com', 'example.org', 'example.net', 'mail.example',
                                'post.example'])[1 + floor(5 * pg_temp.u(d.id, 15))::integer]
               AS email
    FROM (
        SELECT p.*,
               pg_temp.u(p.id, 1) < 0.06 AS nameless, pg_temp.u(p.id, 2) < 0.02 AS one_name,
               CASE WHEN pg_temp.u(p.id, 3) < 0.015 AND p.id > 1
                         AND p.registered_at < %(now)s - interval '20 days'
                    THEN date_trunc('second', p.registered_at + interval '10 days'
                         + (%(now)s - interval '11 days' - p.registered_at)
                           * pg_temp.u(p.id, 4)) END AS deleted_at
        FROM demo_person AS p
    ) AS d
    JOIN demo_origin AS o ON o.project_id = d.project_id
        AND o.slot = floor(1000 * pg_temp.u(d.id, 5))::integer
    JOIN demo_front AS w ON w.project_id = d.project_id
        AND w.slot = floor(100 * pg_temp.u(d.id, 6))::integer
    JOIN demo_first AS f ON f.culture = o.culture
        AND f.number = floor(CASE WHEN pg_temp.u(d.id, 9) < 0.93
            THEN o.first_names * power(pg_temp.u(d.id, 7), 1.7)
            ELSE o.all_first_names * pg_temp.u(d.id, 7) END)::integer
    JOIN demo_last AS l ON l.culture = o.culture
        AND l.number = floor(CASE WHEN pg_temp.u(d.id, 10) < 0.9
            THEN o.last_names * power(pg_temp.u(d.id, 8), 1.4)
            ELSE o.all_last_names * pg_temp.u(d.id, 8) END)::integer
"""

# Values of the sign-up fields, by project; people leave the optional ones empty.
CUSTOM = """
    CASE WHEN p.deleted_at IS NOT NULL THEN '{}'::jsonb
    WHEN j.slug = 'lumiere' THEN jsonb_strip_nulls(jsonb_build_object(
        'birthday', CASE WHEN pg_temp.u(p.id, 21) < 0.6
            THEN date '1940-01-01' + floor(24000 * pg_temp.u(p.id, 22))::integer END,
        'favourite_genre', CASE WHEN pg_temp.u(p.id, 23) < 0.7
            THEN (ARRAY['drama', 'comedy', 'documentary', 'thriller', 'animation', 'classic'])
                 [1 + floor(6 * pg_temp.u(p.id, 24))::integer] END,
        'newsletter', pg_temp.u(p.id, 25) < 0.4,
        'household_size', CASE WHEN pg_temp.u(p.id, 26) < 0.5
            THEN 1 + floor(6 * power(pg_temp.u(p.id, 27), 1.5))::integer END,
        'heard_from', CASE WHEN pg_temp.u(p.id, 28) < 0.3
            THEN (ARRAY['a friend', 'l''affiche du métro', 'press', 'cinéma "Le Rex"',
                        'radio', '=HYPERLINK("http://example.com")'])
                 [1 + floor(6 * power(pg_temp.u(p.id, 29), 2))::integer] END,
        'fax_number', CASE WHEN p.number < 40 THEN '+33 1 99 00 00 ' || 10 + p.number END))
    ELSE jsonb_strip_nulls(jsonb_build_object(
        'age_group', (ARRAY['18-24', '25-34', '35-49', '50-64', '65+'])
            [1 + floor(5 * pg_temp.u(p.id, 21))::integer],
        'kids_profile', CASE WHEN pg_temp.u(p.id, 22) < 0.8 THEN pg_temp.u(p.id, 23) < 0.3 END,
        'referral_code', CASE WHEN pg_temp.u(p.id, 24) < 0.2
            THEN 'AU-' || upper(to_hex(floor(1e6 * pg_temp.u(p.id, 25))::integer)) END,
        'screens', CASE WHEN pg_temp.u(p.id, 26) < 0.4
            THEN 1 + floor(4 * pg_temp.u(p.id, 27))::integer END,
        'member_since', CASE WHEN pg_temp.u(p.id, 28) < 0.1
            THEN (p.registered_at - interval '1 year')::date END))
    END
"""

# Status and its end are derived later, with the spans.
USERS = """
    INSERT INTO users_user
        (id, public_id, project_id, platform_id, email, email_key, first_name, last_name,
         sort_name, language, country, registered_at, modified_at, password,
         password_changed_at, must_change_password, custom, version, status, deleted_at)
    SELECT p.id, pg_temp.id(p.id, 30), p.project_id, p.platform_id,
           CASE WHEN p.deleted_at IS NOT NULL THEN ''
                WHEN pg_temp.u(p.id, 16) < 0.04 THEN initcap(p.email) ELSE p.email END,
           CASE WHEN p.deleted_at IS NOT NULL THEN '' ELSE p.email END,
           CASE WHEN p.deleted_at IS NULL THEN coalesce(p.first_name, '') ELSE '' END,
           CASE WHEN p.deleted_at IS NULL THEN coalesce(p.last_name, '') ELSE '' END,
           CASE WHEN p.deleted_at IS NULL THEN
                CASE WHEN p.last_name IS NULL THEN %(last)s ELSE p.last_folded END || %(between)s
                || CASE WHEN p.first_name IS NULL THEN %(last)s ELSE p.first_folded END
                ELSE '' END,
           CASE WHEN p.deleted_at IS NULL THEN p.language ELSE '' END, p.country,
           p.registered_at,
           CASE WHEN p.deleted_at IS NOT NULL THEN p.deleted_at
                WHEN pg_temp.u(p.id, 17) < 0.62 THEN p.registered_at
                ELSE date_trunc('second', p.registered_at
                     + (%(now)s - p.registered_at) * pg_temp.u(p.id, 18)) END,
           CASE WHEN p.deleted_at IS NULL THEN '!' ELSE '' END,
           CASE WHEN p.deleted_at IS NOT NULL THEN NULL
                WHEN pg_temp.u(p.id, 19) < 0.85 THEN p.registered_at
                ELSE date_trunc('second', p.registered_at
                     + (%(now)s - p.registered_at) * pg_temp.u(p.id, 20)) END,
           false, {custom},
           CASE WHEN pg_temp.u(p.id, 17) < 0.62 THEN 1 ELSE 2 END, 1, p.deleted_at
    FROM demo_profile AS p JOIN projects_project AS j ON j.id = p.project_id
    ORDER BY p.id
"""

# Exactly search_text of backoffice.core.text, from parts that it made. Addresses are plain
# ASCII, so folding them is lowering their case.
SEARCH = """
    INSERT INTO users_usersearch (user_id, project_id, registered_at, text)
    SELECT id, project_id, registered_at,
           ' ' || concat_ws(' ',
               CASE WHEN first_name IS NOT NULL THEN first_folded END,
               CASE WHEN last_name IS NOT NULL THEN last_folded END,
               CASE WHEN first_name IS NOT NULL THEN first_parts END,
               CASE WHEN last_name IS NOT NULL THEN last_parts END,
               email) || ' '
    FROM demo_profile
    WHERE deleted_at IS NULL
    ORDER BY id
"""

REGISTRATION_DAYS = """
    INSERT INTO users_registrationday (project_id, platform_id, day, registered, deleted)
    SELECT u.project_id, u.platform_id, (u.registered_at AT TIME ZONE p.time_zone)::date AS day,
           count(*), count(u.deleted_at)
    FROM users_user AS u JOIN projects_project AS p ON p.id = u.project_id
    GROUP BY u.project_id, u.platform_id, day
    ORDER BY u.project_id, day, u.platform_id
"""


def create_random(seed: int) -> None:
    """Create the two functions that all other statements draw from."""
    run(RANDOM.format(seed=int(seed)))


def create_people(
    projects: Sequence[Project],
    services: Sequence[Service],
    *,
    users: int,
    start: datetime,
    now: datetime,
) -> None:
    """
    Create the users who registered in [start, now), their search words and counts by day.

    The first project has four of five. Leaves the temporary tables demo_hour and demo_profile
    behind for what follows.
    """
    lesser = users // 5
    fill(
        "demo_rhythm (hour integer, signing integer, watching integer)",
        [(hour, *weights) for hour, weights in enumerate(RHYTHM)],
    )
    fill("demo_season (month integer, season integer)", list(enumerate(SEASON, start=1)))
    fill(
        "demo_share (project_id bigint, people bigint)",
        list(zip((p.pk for p in projects), (users - lesser, lesser), strict=True)),
    )
    fill_names()
    fill_origins(projects, services)
    values = {"start": start, "now": now}
    for statement in (HOURS, REGISTRATIONS):
        run(statement, values)
    analyse("demo_hour", "demo_person")
    run(PROFILES, values)
    analyse("demo_profile")
    last, between, _ = name_sort_key("", "").partition("\x01")
    run(USERS.replace("{custom}", CUSTOM), values | {"last": last, "between": between})
    run(SEARCH)
    run(REGISTRATION_DAYS)


def fill_names() -> None:
    """Write the name parts, folded as the product folds them, into temporary tables."""
    for table, names in (
        ("demo_first", {key: culture.all_first for key, culture in CULTURES.items()}),
        ("demo_last", {key: culture.all_last for key, culture in CULTURES.items()}),
    ):
        fill(
            f"{table} (culture text, number integer, name text, latin text, folded text,"
            " parts text)",
            [
                (key, number, name.text, name.latin, fold(name.text), hyphen_parts(name.text))
                for key, of_culture in names.items()
                for number, name in enumerate(of_culture)
            ],
        )


def hyphen_parts(name: str) -> str | None:
    """Return the words that search_text adds for what stands behind hyphens and apostrophes."""
    folded = fold(name)
    return search_text(name, "", "").strip()[len(folded) :].strip() or None


def fill_origins(projects: Sequence[Project], services: Sequence[Service]) -> None:
    """Write where people come from and which front end they register on, by draw."""
    origins, fronts = [], []
    for project, service in zip(projects, services, strict=True):
        people = [
            (
                project.pk,
                culture,
                country,
                language,
                len(names.first),
                len(names.all_first),
                len(names.last),
                len(names.all_last),
            )
            for culture, country, language, share in service.audience
            for names in [CULTURES[culture]]
            for _ in range(share)
        ]
        origins += [(slot, *row) for slot, row in enumerate(people)]
        ids = {platform.slug: platform.pk for platform in project.platforms.all()}
        ends = [
            (project.pk, ids[slug], kind)
            for slug, _, kind, share in service.platforms
            for _ in range(share)
        ]
        fronts += [(slot, *row) for slot, row in enumerate(ends)]
    fill(
        "demo_origin (slot integer, project_id bigint, culture text, country text,"
        " language text, first_names integer, all_first_names integer, last_names integer,"
        " all_last_names integer)",
        origins,
    )
    fill("demo_front (slot integer, project_id bigint, platform_id bigint, kind text)", fronts)


def fill(table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Create a temporary table "name (columns)" and copy the rows into it."""
    name = table.partition(" ")[0]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {table} ON COMMIT DROP")
        with cursor.copy(f"COPY {name} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    analyse(name)


def analyse(*tables: str) -> None:
    """Let the planner know what the tables hold."""
    run(f"ANALYZE {', '.join(tables)}")


def run(statement: str, values: dict[str, Any] | None = None) -> int:
    """Run one statement; return how many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
