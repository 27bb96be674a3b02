"""Make a project."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.projects.actions import ProjectRefused, create_project


class Command(BaseCommand):
    help = "Make a project: one streaming service with its time zone and currency."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="short name in addresses, like north")
        parser.add_argument("--name", required=True)
        parser.add_argument("--time-zone", required=True, help="like Europe/Paris")
        parser.add_argument("--currency", required=True, help="ISO 4217, like EUR")
        parser.add_argument(
            "--device-limit", type=int, default=3, choices=(3, 5), help="devices of one user"
        )
        parser.add_argument("--trial", action="store_true", help="the project offers trials")
        parser.add_argument(
            "--minimum-view", type=int, default=5, help="seconds that make a view, 0 to 60"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            project = create_project(
                slug=options["slug"],
                name=options["name"],
                time_zone=options["time_zone"],
                currency=options["currency"],
                device_limit=options["device_limit"],
                has_trials=options["trial"],
                minimum_view_seconds=options["minimum_view"],
                actor=SYSTEM,
                now=timezone.now(),
            )
        except ProjectRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Project {project.slug} was created.")
