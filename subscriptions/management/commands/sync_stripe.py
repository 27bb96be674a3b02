"""Compare all that is kept of Stripe with what Stripe has, and take over what differs."""

from subscriptions.management.comparing import CompareCommand
from subscriptions.models import Provider, ProviderSync
from subscriptions.reconciling.runs import Sync
from subscriptions.reconciling.stripe import sync_stripe


class Command(CompareCommand):
    help = "Reconcile a project with Stripe. Cut off, it goes on where it was when run again."
    provider = Provider.STRIPE

    def sync_with(self) -> Sync:
        return sync_stripe

    def said(self, sync: ProviderSync) -> str:
        return (
            f"{sync.customers} customers, {sync.subscriptions} subscriptions,"
            f" {sync.invoices} paid invoices and {sync.payments} other payments"
        )
