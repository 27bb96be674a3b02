"""Connect a project to its account with Stripe."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.env import env_list, env_secret
from backoffice.projects.management.lookups import project_named
from subscriptions.accounts import SecretsRefused, connect_stripe


class Command(BaseCommand):
    help = (
        "Keep the secrets of a project's account with Stripe, encrypted: STRIPE_SECRET_KEY, and"
        " STRIPE_WEBHOOK_SECRETS (comma-separated: the old and the new one while rotating)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        secret_key = env_secret("STRIPE_SECRET_KEY", "")
        webhook_secrets = env_list("STRIPE_WEBHOOK_SECRETS")
        if not secret_key:
            raise CommandError("STRIPE_SECRET_KEY is missing: set it in the environment.")
        if not webhook_secrets:
            raise CommandError("STRIPE_WEBHOOK_SECRETS is missing: set it in the environment.")
        try:
            account = connect_stripe(
                project=project,
                secret_key=secret_key,
                webhook_secrets=webhook_secrets,
                actor=SYSTEM,
                now=timezone.now(),
            )
        except SecretsRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{project.slug} is connected to Stripe (key …{account.hint}). Send its events to"
            f" /webhooks/stripe/{project.slug}/, then run: manage.py sync_stripe {project.slug}"
        )
