"""The load from end to end: one transaction, so that there is all of it or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.core.management.color import no_style
from django.db import connection, transaction

from analytics.demo.indexes import without_indexes
from analytics.demo.named import create_demo_staff, name_users
from analytics.demo.payments import create_payments
from analytics.demo.people import analyse, create_people, create_random, run
from analytics.demo.services import SERVICES, create_project
from analytics.demo.viewings import create_viewings
from analytics.models import Content, Device, ViewerDay, ViewingDay
from analytics.rollups import rebuild_rollups
from backoffice.core.periods import Month
from backoffice.projects.models import Platform, Project
from subscriptions.models import (
    AccessSpan,
    FreeCopy,
    Offer,
    Purchase,
    SpanDay,
    Subscription,
)
from subscriptions.spans import rebuild_all_spans
from users.models import CustomField, RegistrationDay, User

# Large enough to be filled without their indexes.
TABLES = (
    "users_user",
    "users_usersearch",
    "subscriptions_subscription",
    "subscriptions_purchase",
    "subscriptions_freecopy",
    "subscriptions_accessspan",
    "analytics_viewing",
)
# All that have new rows, for the planner and for scans of the index alone.
FILLED = (
    *TABLES,
    "users_registrationday",
    "subscriptions_spanday",
    "analytics_content",
    "analytics_userviewing",
    "analytics_viewermonth",
    "analytics_viewerday",
    "analytics_viewingday",
)

# The ids of users are given, so that they follow the registration; the next follows the last.
CONTINUE_USER_IDS = """
    SELECT setval(pg_get_serial_sequence('users_user', 'id'), (SELECT max(id) FROM users_user))
"""

# Empty as long as there is no project, and numbered.
NUMBERED = (
    Project,
    Platform,
    Offer,
    CustomField,
    Device,
    Content,
    User,
    RegistrationDay,
    Subscription,
    Purchase,
    FreeCopy,
    AccessSpan,
    SpanDay,
    ViewerDay,
    ViewingDay,
)

# Writing each status left as many dead rows as there are users: the table is written anew.
REWRITE_USERS = """
    CREATE TEMP TABLE demo_users ON COMMIT DROP AS SELECT * FROM users_user ORDER BY id;
    TRUNCATE users_user;
    INSERT INTO users_user SELECT * FROM demo_users;
    DROP TABLE demo_users;
"""

LEAST_USERS = 1
MOST_USERS = 50_000_000
MOST_VIEWINGS = 2_000_000_000
MOST_MONTHS = 120
MOST_SEED = 2**31 - 1

# Two loads at once: the second waits, and then sees that there is data. The lock's name.
DEMO_LOCK = 7_281_002


class BadSize(Exception):
    """The data set asked for cannot be made; the message says why."""


class NotEmpty(Exception):
    """The database has projects already."""


@dataclass(frozen=True, slots=True)
class Size:
    """What is asked for. The same size, with the same `now`, gives the same rows."""

    users: int
    viewings: int
    months: int
    seed: int

    def __post_init__(self) -> None:
        """
        Check the bounds.

        :raises BadSize: if a number is outside them.
        """
        for name, least, most in (
            ("users", LEAST_USERS, MOST_USERS),
            ("viewings", 0, MOST_VIEWINGS),
            ("months", 1, MOST_MONTHS),
            ("seed", 0, MOST_SEED),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise BadSize(f"--{name} {value}: use a whole number from {least} to {most}.")


def load(size: Size, *, now: datetime, progress: Callable[[str], None]) -> None:
    """
    Fill an empty database with demo data that ends at `now`, rounded down to the hour.

    A load that is stopped leaves nothing behind. `tidy` comes afterwards.

    :raises NotEmpty: if there is a project.
    """
    now = now.replace(minute=0, second=0, microsecond=0)
    start = months_before(now, size.months)
    with transaction.atomic():
        take_room()
        run("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": DEMO_LOCK})
        if Project.objects.exists():
            raise NotEmpty
        restart_ids()
        projects = [create_project(service, created_at=start) for service in SERVICES]
        create_demo_staff(now=start)
        create_random(size.seed)
        with without_indexes(TABLES):
            create_people(projects, SERVICES, users=size.users, start=start, now=now)
            progress(f"users: {size.users:,}")
            create_payments(projects, start=start, now=now)
            progress("subscriptions, purchases, free copies")
            analyse(
                "users_user",
                "subscriptions_subscription",
                "subscriptions_purchase",
                "subscriptions_freecopy",
            )
            rebuild_all_spans(now=now)
            run(REWRITE_USERS)
            analyse("subscriptions_accessspan")
            progress("access spans")
            if size.viewings:
                create_viewings(
                    projects,
                    SERVICES,
                    viewings=size.viewings,
                    start=start,
                    now=now,
                    seed=size.seed,
                    progress=progress,
                )
            run(CONTINUE_USER_IDS)
        progress("indexes")
        for project in projects:
            name_users(project, now=now, seed=size.seed)
        analyse("analytics_viewing")
        rebuild_rollups()
        progress("roll-ups")


def tidy() -> None:
    """Vacuum what was filled: scans of an index alone need it. Not inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET maintenance_work_mem = '256MB'")
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(FILLED)}")
        cursor.execute("RESET statement_timeout")
        cursor.execute("RESET maintenance_work_mem")


def restart_ids() -> None:
    """Count from 1 again: a load that was stopped has used up numbers, and the next repeats it."""
    names = [{"table": model._meta.db_table, "column": "id"} for model in NUMBERED]
    for statement in connection.ops.sequence_reset_by_name_sql(no_style(), names):
        run(statement)


def take_room() -> None:
    """Let this transaction take its time and memory, and not wait for the disk."""
    run("SET LOCAL statement_timeout = 0")
    run("SET LOCAL synchronous_commit = off")
    run("SET LOCAL work_mem = '256MB'")
    run("SET LOCAL maintenance_work_mem = '512MB'")
    run("SET LOCAL jit = off")


def months_before(now: datetime, months: int) -> datetime:
    """Return the same hour that many months ago, on the month's last day where it is shorter."""
    month = Month.of(now.date()).shifted(-months)
    day = min(now.day, month.last_day.day)
    return now.replace(year=month.year, month=month.number, day=day)
