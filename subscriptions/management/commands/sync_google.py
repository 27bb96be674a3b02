"""Compare all that Google Play ever told of with what it has now, and take over what differs."""

from subscriptions.management.comparing import CompareCommand
from subscriptions.models import Provider, ProviderSync
from subscriptions.reconciling.runs import Sync
from subscriptions.reconciling.stores import sync_store


class Command(CompareCommand):
    help = "Reconcile a project with Google Play. Cut off, it goes on when run again."
    provider = Provider.GOOGLE

    def sync_with(self) -> Sync:
        return sync_store

    def said(self, sync: ProviderSync) -> str:
        return f"{sync.subscriptions} subscriptions and {sync.payments} purchases"
