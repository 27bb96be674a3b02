"""Compare all that is kept of Stripe with what Stripe has, and take over what differs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.projects.management.lookups import project_named
from subscriptions.accounts import NotConnected, account_of
from subscriptions.models import Provider, ProviderSync
from subscriptions.providers.reports import ProviderTrouble
from subscriptions.reconciling import sync_stripe
from subscriptions.webhooks import REASONS

# A line for so many objects.
PROGRESS_EVERY = 5_000


class Command(BaseCommand):
    help = "Reconcile a project with Stripe. Cut off, it goes on where it was when run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument(
            "--from-start", action="store_true", help="do not go on where the last run ended"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        self.told = 0
        try:
            sync = sync_stripe(
                account_of(project, Provider.STRIPE),
                clock=timezone.now,
                told=self.say_progress,
                from_start=options["from_start"],
            )
        except NotConnected as error:
            raise CommandError(
                f"{project.slug} is not connected: run manage.py connect_stripe {project.slug}."
            ) from error
        except ProviderTrouble as trouble:
            raise CommandError(
                f"{REASONS[trouble.reason]} What was done is kept; run this again to go on."
            ) from trouble
        self.stdout.write(
            f"{sync.customers} customers, {sync.subscriptions} subscriptions and"
            f" {sync.invoices} paid invoices compared: {sync.changed} taken over,"
            f" {sync.unmatched} of nobody known, {sync.skipped} not understood."
        )

    def say_progress(self, sync: ProviderSync) -> None:
        done = sync.customers + sync.subscriptions + sync.invoices
        if done // PROGRESS_EVERY > self.told:
            self.told = done // PROGRESS_EVERY
            self.stdout.write(f"{sync.get_phase_display()}: {done} objects so far")
