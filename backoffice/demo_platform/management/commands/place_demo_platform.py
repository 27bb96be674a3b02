"""Tell the demo's platforms and contents at which port the demo platform is served."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

LARGEST_PORT = 65_535

# Addresses of the demo platform on this machine, whatever the port; no other is touched.
ADDRESS = r"^http://(127\.0\.0\.1|localhost)(:[0-9]+)?/demo-platform/"
COLUMNS = (
    ("projects_platform", "home_url"),
    ("projects_platform", "password_reset_url"),
    ("projects_platform", "impersonation_url"),
    ("analytics_content", "url"),
)
PLACE = """
    UPDATE {table} SET {column} = regexp_replace({column}, %(address)s, %(place)s)
    WHERE {column} ~ %(address)s AND NOT starts_with({column}, %(place)s)
"""


class Command(BaseCommand):
    help = "Tell the demo's platforms and contents at which port the demo platform is served."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("port", type=int, metavar="PORT")

    def handle(self, *args: Any, **options: Any) -> None:
        port: int = options["port"]
        if settings.PRODUCTION:
            raise CommandError("There is no demo platform in production.")
        if not 0 < port <= LARGEST_PORT:
            raise CommandError(f"{port}: use a port from 1 to {LARGEST_PORT}.")
        values = {"address": ADDRESS, "place": f"http://127.0.0.1:{port}/demo-platform/"}
        with transaction.atomic(), connection.cursor() as cursor:
            for table, column in COLUMNS:
                cursor.execute(PLACE.format(table=table, column=column), values)
