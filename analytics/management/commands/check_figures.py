"""Prove the stored figures: recompute all of them from raw rows and print what differs."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from analytics import checks as viewing_checks
from analytics.rollups import ROOM_FOR_LARGE_SORTS
from backoffice.core.derived import Check, Differences
from subscriptions import checks as access_checks
from users import checks as user_checks

# Whatever the checks read and mend, in the order in which it is locked: nobody writes between
# a comparison and its repair.
LOCKED_FOR_REPAIR = """
    LOCK TABLE users_user, users_usersearch, users_registrationday,
        subscriptions_subscription, subscriptions_purchase, subscriptions_freecopy,
        subscriptions_accessspan, subscriptions_spanday,
        analytics_userviewing, analytics_viewing,
        analytics_viewermonth, analytics_anonymousviewerday, analytics_anonymousviewing,
        analytics_viewerday, analytics_viewingday
    IN SHARE ROW EXCLUSIVE MODE
"""


class Command(BaseCommand):
    help = "Recompute roll-ups, spans and statuses from raw rows; exit 1 if any differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="write what should be there; changes wait meanwhile, pages go on",
        )

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        wrong = self.compare_all(repair=repair)
        if wrong and repair:
            self.stdout.write("Once more, after the repair:")
            wrong = self.compare_all(repair=False)
        if wrong:
            raise CommandError(f"{wrong} rows differ from what they should be.")
        self.stdout.write("All figures are right.")

    def compare_all(self, *, repair: bool) -> int:
        """Run all comparisons on one state of the database; return how many rows differ."""
        with transaction.atomic(), connection.cursor() as cursor:
            if repair:
                cursor.execute(LOCKED_FOR_REPAIR)
            elif not connection.savepoint_ids:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(ROOM_FOR_LARGE_SORTS)
            # The first query fixes the state that is compared; the clock is read after it, so
            # that no status in it was written for a later instant.
            cursor.execute("SELECT")
            wrong = 0
            for check in all_checks(now=timezone.now()):
                found = check.compare(cursor)
                self.report(check, found)
                if repair and found.count:
                    check.repair(cursor)
                wrong += found.count
        return wrong

    def report(self, check: Check, found: Differences) -> None:
        if not found.count:
            self.stdout.write(f"{check.name}: right")
            return
        self.stdout.write(f"{check.name}: {found.count} wrong")
        for words in found.examples:
            self.stdout.write(f"  {words}")
        if found.count > len(found.examples):
            self.stdout.write(f"  … and {found.count - len(found.examples)} more")


def all_checks(*, now: datetime) -> list[Check]:
    """Return every comparison, each after those that it builds upon."""
    return [
        *user_checks.checks(),
        *access_checks.checks(now=now),
        *viewing_checks.checks(),
    ]
