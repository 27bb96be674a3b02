"""
Payments: 5,000 waiting events applied, 100,000 subscriptions compared, against a local Stripe.

Run with a DATABASE_URL of its own, migrated: `python bench/payments.py [SUBSCRIPTIONS]`. The
local Stripe is a process of its own, so that the memory measured is that of the product.
"""

import multiprocessing
import os
import resource
import sys
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")

EVENTS = 5_000
# Customers, subscriptions and invoices: one of each per person.
LISTS = 3
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def email(number: int) -> str:
    return f"bench.{number}@example.com"


def serve(people: int, pipe: Connection) -> None:
    """Fill a world and answer for it until killed; tell its address and its first events."""
    from tests.local_stripe import shapes
    from tests.local_stripe.server import LocalStripe
    from tests.local_stripe.world import World

    world = World(keeps_events=False)
    price = world.make_price()
    for number in range(people):
        world.subscribe(world.make_customer(email(number)), price)
    with LocalStripe(world) as local:
        ids = list(world.subscriptions)[:EVENTS]
        pipe.send((local.url, ids, shapes.API_VERSION))
        pipe.recv()


def megabytes() -> int:
    """Return what the process holds now, not the most that it ever held."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 2**20


def main(people: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(people, theirs))
    server.start()
    import django

    django.setup()
    from django.conf import settings

    from backoffice.audit.recording import SYSTEM
    from backoffice.projects.models import Platform, Project
    from subscriptions.accounts import connect_stripe
    from subscriptions.models import ProviderSync, Subscription
    from subscriptions.providers.reports import EventReport
    from subscriptions.reconciling.stripe import sync_stripe
    from subscriptions.webhooks import apply_event, due_events, store_event
    from tests.local_stripe.server import KEY
    from users.actions import set_comparable_columns
    from users.models import User

    project = Project.objects.create(
        slug=f"bench-{int(time.time())}",
        name="Bench",
        time_zone="Europe/Paris",
        currency="EUR",
        created_at=NOW,
    )
    web = Platform.objects.create(
        project=project, slug="web", name="Web", kind="web", home_url="https://x/", created_at=NOW
    )
    users = []
    for number in range(people):
        user = User(
            project=project, platform=web, email=email(number), registered_at=NOW, modified_at=NOW
        )
        set_comparable_columns(user)
        users.append(user)
    User.objects.bulk_create(users, batch_size=5_000)
    del users
    settings.STRIPE_API_BASE, ids, _version = ours.recv()
    account = connect_stripe(
        project=project, secret_key=KEY, webhook_secrets=["whsec_bench"], actor=SYSTEM, now=NOW
    )

    for number, subscription in enumerate(ids):
        report = EventReport(
            f"evt_{number}", "customer.subscription.created", "subscription", subscription, NOW
        )
        store_event(account, report, now=NOW)
    began, worked = time.monotonic(), time.process_time()
    for event_id in due_events(now=NOW, most=EVENTS):
        apply_event(event_id, now=NOW)
    seconds, own = time.monotonic() - began, time.process_time() - worked
    held = Subscription.objects.filter(project=project).count()
    print(
        f"{len(ids)} events applied in {seconds:.0f} s ({own:.0f} s of them ours):"
        f" {held} subscriptions, {megabytes()} MB"
    )

    tenths: list[str] = []
    looked = people * LISTS

    def told(sync: ProviderSync) -> None:
        done = sync.customers + sync.subscriptions + sync.invoices
        if done * 10 >= looked * (len(tenths) + 1):
            tenths.append(f"{megabytes()} MB, {time.monotonic() - began:.0f} s")
            print(f"{len(tenths)} tenths: {tenths[-1]}", flush=True)

    began, worked = time.monotonic(), time.process_time()
    sync = sync_stripe(account, clock=lambda: NOW, told=told)
    seconds, own = time.monotonic() - began, time.process_time() - worked
    held = Subscription.objects.filter(project=project).count()
    print(
        f"{sync.subscriptions} subscriptions compared in {seconds:.0f} s ({own:.0f} s of them"
        f" ours): {sync.changed} taken over, {held} held, {megabytes()} MB in the end"
    )
    ours.send("end")
    server.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
