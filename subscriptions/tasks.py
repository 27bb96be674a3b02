"""Background work on payments: events are applied as they come, and again in their time."""

from django.utils import timezone
from procrastinate.contrib.django import app

from subscriptions.webhooks import apply_event, due_events

# What one sweep takes on; the next one follows within a minute.
EVENTS_PER_SWEEP = 1000


@app.task(name="subscriptions.apply_event")
def apply_one_event(*, event_id: int) -> None:
    """Apply an event that has just come."""
    apply_event(event_id, now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="subscriptions.apply_due_events", queueing_lock="subscriptions.apply_due_events")
def apply_due_events(timestamp: int) -> None:  # noqa: ARG001  # the queue's own
    """Try the events again whose time has come, those whose task was lost included."""
    for event_id in due_events(now=timezone.now(), most=EVENTS_PER_SWEEP):
        apply_event(event_id, now=timezone.now())
