"""Fill an empty database with demo data."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics.demo.load import BadSize, NotEmpty, Size, load, tidy

# So early that the longest past still lies within the bounds of stored instants.
FIRST_END = datetime(2005, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    help = "Fill an empty database with two made-up services: users, payments and viewings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--users", type=int, default=5_000, help="accounts in all")
        parser.add_argument("--viewings", type=int, default=200_000, help="viewings in all")
        parser.add_argument("--months", type=int, default=24, help="how far the past goes back")
        parser.add_argument("--seed", type=int, default=1, help="another seed, other people")
        parser.add_argument(
            "--now",
            type=instant,
            help="the hour at which the data ends (ISO 8601 with offset), to make it once more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Demo data has known passwords: it is not made in production.")
        begun = monotonic()

        def progress(done: str) -> None:
            self.stdout.write(f"{monotonic() - begun:7.1f} s  {done}")
            self.stdout.flush()

        clock = timezone.now()
        now = options["now"] or clock
        if not FIRST_END <= now <= clock:
            raise CommandError(f"--now {now:%Y-%m-%d %H:%M}: use an instant from 2005 until now.")
        try:
            size = Size(
                users=options["users"],
                viewings=options["viewings"],
                months=options["months"],
                seed=options["seed"],
            )
            load(size, now=now, progress=progress)
        except BadSize as error:
            raise CommandError(str(error)) from error
        except NotEmpty as error:
            raise CommandError(
                "This database has projects already: demo data goes into an empty one."
            ) from error
        tidy()
        progress("done; sign-ins: manage.py demo_sign_ins")


def instant(text: str) -> datetime:
    """
    Return the instant that the text names.

    :raises ValueError: if it is none, or has no offset.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(text)
    return parsed.astimezone(UTC)
