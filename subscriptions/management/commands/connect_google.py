"""Connect a project to its app in Google Play."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.env import env, env_secret
from backoffice.projects.management.lookups import project_named
from subscriptions.accounts import SecretsRefused, connect_google


class Command(BaseCommand):
    help = (
        "Keep what opens a project's app in Google Play, encrypted: GOOGLE_PACKAGE_NAME,"
        " GOOGLE_PUSH_AUDIENCE, GOOGLE_PUSH_SENDER and GOOGLE_SERVICE_ACCOUNT_FILE."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            connect_google(
                project=project,
                package_name=env("GOOGLE_PACKAGE_NAME", ""),
                audience=env("GOOGLE_PUSH_AUDIENCE", ""),
                sender=env("GOOGLE_PUSH_SENDER", ""),
                service_account_json=env_secret("GOOGLE_SERVICE_ACCOUNT", ""),
                actor=SYSTEM,
                now=timezone.now(),
            )
        except SecretsRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{project.slug} is connected to Google Play. Push its notices to"
            f" /webhooks/google/{project.slug}/"
        )
