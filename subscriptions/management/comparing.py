"""What the commands share that compare a project with a payment provider."""

from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.projects.management.lookups import project_named
from subscriptions.accounts import NotConnected, account_of
from subscriptions.models import Provider, ProviderSync
from subscriptions.providers.reports import ProviderTrouble
from subscriptions.reconciling.runs import Sync
from subscriptions.webhooks import REASONS

# A line for so many objects.
PROGRESS_EVERY = 5_000


class CompareCommand(BaseCommand):
    """Compares a project with one provider, and says how far it is and what it did."""

    provider: ClassVar[Provider]

    def sync_with(self) -> Sync:
        """Return the comparison."""
        raise NotImplementedError

    def said(self, sync: ProviderSync) -> str:
        """Return in words what was looked at."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument(
            "--from-start", action="store_true", help="do not go on where the last run ended"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        self.told = 0
        try:
            sync = self.sync_with()(
                account_of(project, self.provider),
                clock=timezone.now,
                told=self.say_progress,
                from_start=options["from_start"],
            )
        except NotConnected as error:
            cure = f"manage.py connect_{self.provider.value} {project.slug}"
            raise CommandError(f"{project.slug} is not connected: run {cure}.") from error
        except ProviderTrouble as trouble:
            raise CommandError(
                f"{REASONS[trouble.reason]} What was done is kept; run this again to go on."
            ) from trouble
        self.stdout.write(
            f"{self.said(sync)} compared: {sync.changed} taken over,"
            f" {sync.unmatched} of nobody known, {sync.skipped} not understood."
        )

    def say_progress(self, sync: ProviderSync) -> None:
        if sync.looked_at // PROGRESS_EVERY > self.told:
            self.told = sync.looked_at // PROGRESS_EVERY
            self.stdout.write(f"{sync.get_phase_display()}: {sync.looked_at} objects so far")
