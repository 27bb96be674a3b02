"""Background work on payments: events are applied as they come, and again in their time."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from backoffice.audit.models import AuditEvent
from backoffice.core.permissions import Permission
from backoffice.jobs.making import build_export, page_of_file, rows_in_words
from backoffice.jobs.running import JobFailed, Running, job
from subscriptions.accounts import NotConnected, account_of
from subscriptions.exports import EXPORT_JOB, plan_of_order
from subscriptions.models import Provider, ProviderSync
from subscriptions.providers.reports import ProviderTrouble
from subscriptions.reconciling.runs import Sync
from subscriptions.reconciling.stores import sync_store
from subscriptions.reconciling.stripe import sync_stripe
from subscriptions.webhooks import apply_event, due_events, take_over_customer

NO_ACCOUNT = gettext_noop("The project is not connected to the provider. Connect it first.")
NO_ANSWER = gettext_noop("The provider does not answer. Start it again: it goes on where it was.")
# What a comparison says that it looked at, and what came of it.
COUNTED = (
    "customers",
    "subscriptions",
    "invoices",
    "payments",
    "changed",
    "unmatched",
    "skipped",
)

# What one sweep takes on; the next one follows within a minute.
EVENTS_PER_SWEEP = 1000


@app.task(name="subscriptions.apply_event")
def apply_one_event(*, event_id: int) -> None:
    """Apply an event that has just come."""
    apply_event(event_id, now=timezone.now())


@app.task(
    name="subscriptions.take_over_customer",
    retry=RetryStrategy(max_attempts=10, exponential_wait=5, retry_exceptions={ProviderTrouble}),
)
def take_over_one_customer(*, customer_id: int) -> None:
    """Bring in what was paid before somebody said who the customer is."""
    take_over_customer(customer_id, now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="subscriptions.apply_due_events", queueing_lock="subscriptions.apply_due_events")
def apply_due_events(timestamp: int) -> None:  # noqa: ARG001  # the queue's own
    """Try the events again whose time has come, those whose task was lost included."""
    for event_id in due_events(now=timezone.now(), most=EVENTS_PER_SWEEP):
        apply_event(event_id, now=timezone.now())


@job(
    "subscriptions.sync_stripe",
    label=_("Compare with Stripe"),
    permission=Permission.SETTINGS_EDIT,
)
def compare_with_stripe(running: Running) -> dict[str, Any]:
    """Take over from Stripe what differs, page by page."""
    return _compare(running, Provider.STRIPE, sync_stripe)


@job(
    "subscriptions.sync_google",
    label=_("Compare with Google Play"),
    permission=Permission.SETTINGS_EDIT,
)
def compare_with_google(running: Running) -> dict[str, Any]:
    """Take over from Google Play what differs of all that it ever told of."""
    return _compare(running, Provider.GOOGLE, sync_store)


@job(
    "subscriptions.sync_apple",
    label=_("Compare with the App Store"),
    permission=Permission.SETTINGS_EDIT,
)
def compare_with_apple(running: Running) -> dict[str, Any]:
    """Take over from the App Store what differs of all that it ever told of."""
    return _compare(running, Provider.APPLE, sync_store)


def _compare(running: Running, provider: Provider, sync_with: Sync) -> dict[str, Any]:
    def told(sync: ProviderSync) -> None:
        running.progress(done=sync.looked_at)

    try:
        account = account_of(running.project, provider)
        sync = sync_with(account, clock=running.now, told=told)
    except NotConnected as error:
        raise JobFailed(NO_ACCOUNT) from error
    except ProviderTrouble as trouble:
        raise JobFailed(NO_ANSWER) from trouble
    return {name: getattr(sync, name) for name in COUNTED}


@job(
    EXPORT_JOB,
    label=_("Make a file of payments"),
    permission=Permission.ANALYTICS_EXPORT,
    also=Permission.SUBSCRIPTIONS_VIEW,
    address=page_of_file,
    outcome=rows_in_words,
)
def export(running: Running) -> dict[str, Any]:
    return build_export(running, plan_of_order, audit_kind=AuditEvent.Kind.PAYMENTS_EXPORTED)
