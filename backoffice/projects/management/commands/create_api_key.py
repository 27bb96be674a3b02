"""Make an API key of a platform and print it, this once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.projects.actions import create_api_key
from backoffice.projects.management.lookups import platform_named, project_named


class Command(BaseCommand):
    help = "Make an API key of a platform; the key stands alone on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("platform", help="slug of the platform")

    def handle(self, *args: Any, **options: Any) -> None:
        platform = platform_named(project_named(options["project"]), options["platform"])
        issued = create_api_key(platform=platform, actor=SYSTEM, now=timezone.now())
        self.stdout.write(f"Key of {platform.slug}; it is shown this once, keep it now:")
        self.stdout.write(issued.key)
