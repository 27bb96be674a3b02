"""Make a platform of a project."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.projects.actions import ProjectRefused, create_platform
from backoffice.projects.management.lookups import project_named
from backoffice.projects.models import Platform


class Command(BaseCommand):
    help = "Make a platform: one front end of a project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("slug", help="short name within the project, like web")
        parser.add_argument("--name", required=True)
        parser.add_argument("--kind", required=True, choices=Platform.Kind.values)
        parser.add_argument("--home-url", required=True, help="https, or http on this machine")
        parser.add_argument(
            "--password-reset-url", default="", help="its page where users choose a new password"
        )
        parser.add_argument(
            "--impersonation-url", default="", help="where tickets are posted; else the home URL"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            platform = create_platform(
                project=project,
                slug=options["slug"],
                name=options["name"],
                kind=options["kind"],
                home_url=options["home_url"],
                password_reset_url=options["password_reset_url"],
                impersonation_url=options["impersonation_url"],
                actor=SYSTEM,
                now=timezone.now(),
            )
        except ProjectRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Platform {platform.slug} of {project.slug} was created.")
