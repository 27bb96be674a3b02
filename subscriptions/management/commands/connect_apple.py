"""Connect a project to its app in the App Store."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.env import env, env_bool, env_int, env_list, env_secret
from backoffice.projects.management.lookups import project_named
from subscriptions.accounts import SecretsRefused, connect_apple, root_certificates
from subscriptions.providers.apple import AppleSecrets


class Command(BaseCommand):
    help = (
        "Keep what opens a project's app in the App Store, encrypted: APPLE_BUNDLE_ID,"
        " APPLE_APP_ID, APPLE_ISSUER_ID, APPLE_KEY_ID, APPLE_PRIVATE_KEY_FILE and"
        " APPLE_ROOT_CERTIFICATES (files, comma-separated); APPLE_SANDBOX=1 for the sandbox."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            secrets = self._secrets()
            connect_apple(project=project, secrets=secrets, actor=SYSTEM, now=timezone.now())
        except SecretsRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{project.slug} is connected to the App Store. Send its notifications (version 2) to"
            f" /webhooks/apple/{project.slug}/"
        )

    def _secrets(self) -> AppleSecrets:
        return AppleSecrets(
            bundle_id=env("APPLE_BUNDLE_ID", ""),
            app_id=env_int("APPLE_APP_ID", 0),
            is_live=not env_bool("APPLE_SANDBOX"),
            issuer_id=env("APPLE_ISSUER_ID", ""),
            key_id=env("APPLE_KEY_ID", ""),
            private_key=env_secret("APPLE_PRIVATE_KEY", ""),
            root_certificates=root_certificates(env_list("APPLE_ROOT_CERTIFICATES")),
        )
