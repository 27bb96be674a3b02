"""Spread the schema over the machines of a Citus cluster."""

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models

# One row per user and more: spread by user, each user's rows of all of them on one machine.
DISTRIBUTED: Final = (
    "analytics_userviewing",
    "analytics_viewermonth",
    "analytics_viewing",
    "users_devicesession",
    "users_passwordreset",
)
# The rest of these apps is small enough to be whole on every machine, where the rows of a user
# are joined with it. Staff, sessions, jobs and the audit trail stay on the coordinator.
WHOLE_APPS: Final = ("projects", "users", "subscriptions", "analytics")

DISTRIBUTE: Final = "SELECT create_distributed_table(%s::regclass, 'user_id', colocate_with => %s)"


class Command(BaseCommand):
    help = (
        "On the coordinator of a Citus cluster: turn the schema into distributed and reference"
        " tables. What is turned already stays; an interrupted run goes on where it was."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not _has_citus():
            raise CommandError(
                "This database has no Citus, nothing was changed. DATABASE_URL must name the"
                " coordinator of a cluster, with CREATE EXTENSION citus done."
            )
        done = _turned_already()
        for table in _reference_tables():
            if table not in done:
                self._turn(table, "SELECT create_reference_table(%s::regclass)", [table])
        for table in DISTRIBUTED:
            if table not in done:
                together = "default" if table == DISTRIBUTED[0] else DISTRIBUTED[0]
                self._turn(table, DISTRIBUTE, [table, together])
        self.stdout.write("All tables are where they belong.")

    def _turn(self, table: str, statement: str, values: list[str]) -> None:
        """Move one table, in a transaction of its own: it may take long."""
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
        self.stdout.write(table)


def _has_citus() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regproc('create_distributed_table') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def _turned_already() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name::text FROM citus_tables")
        return {table for (table,) in cursor.fetchall()}


def _reference_tables() -> list[str]:
    """Return the tables that are whole everywhere, each after those that it refers to."""
    found: dict[str, None] = {}

    def add(model: type[models.Model]) -> None:
        table = model._meta.db_table
        if table in found or table in DISTRIBUTED:
            return
        for other in _referred_to(model):
            if other is not model:
                add(other)
        found[table] = None

    for label in WHOLE_APPS:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            add(model)
    return list(found)


def _referred_to(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for field in model._meta.local_fields:
        other = field.related_model
        if isinstance(other, type) and other._meta.app_label in WHOLE_APPS:
            yield other
