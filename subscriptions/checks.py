"""What sources, spans, their day counts and statuses should hold, for `check_figures`."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from backoffice.core.derived import EXAMPLES, Check, DerivedTable, Differences, shown
from subscriptions.entitlements import (
    beneficiary_of,
    free_copy_entitlement,
    purchase_entitlement,
    subscription_entitlement,
)
from subscriptions.models import FreeCopy, Purchase, Subscription
from subscriptions.spans import EXPECTED_SPANS, EXPECTED_STATUS, SPAN_DAYS, WRITE_STATUS

# So many rows are in memory at a time.
CHUNK = 2_000

SPANS = DerivedTable(
    name="access spans",
    table="subscriptions_accessspan",
    key=("user_id", "kind", "start_at"),
    values=("project_id", "platform_id", "end_at", "previous_end", "next_start"),
    expected=EXPECTED_SPANS,
)

STORED_SPAN_DAYS = DerivedTable(
    name="span days",
    table="subscriptions_spanday",
    key=("project_id", "platform_id", "kind", "day"),
    values=("started", "started_first", "ended"),
    expected=f"WITH spans AS (SELECT *, 1 AS n FROM subscriptions_accessspan) {SPAN_DAYS}",
    are_counters=True,
)

# A row that is due is derived anew before it is read: it may say anything until then.
WRONG_STATUSES = f"""
    SELECT u.id, u.status, u.status_until, e.status, e.status_until, count(*) OVER () AS total
    FROM users_user AS u
    JOIN ({EXPECTED_STATUS}) AS e ON e.id = u.id
    WHERE (u.status_until IS NULL OR u.status_until > %(now)s)
      AND (u.status, u.status_until) IS DISTINCT FROM (e.status, e.status_until)
    ORDER BY u.id
    LIMIT %(limit)s
"""


def checks(*, now: datetime) -> list[Check]:
    """
    Return the comparisons of all that is derived from sources, in the order of repair.

    The spans are compared with the stored access of the sources, the day counts and statuses
    with the stored spans: each with the step before it.
    """
    return [
        source_check("subscriptions", subscriptions_with_access),
        source_check("purchases", purchases_with_access),
        source_check("free copies", free_copies_with_access),
        SPANS.check({"users": None}),
        STORED_SPAN_DAYS.check({}),
        status_check(now=now),
    ]


Row = TypeVar("Row", bound=Model)
Derived = dict[str, object]


def subscriptions_with_access() -> Iterator[tuple[Subscription, Derived]]:
    """Yield each subscription with the values that its derived columns should have."""
    rows = Subscription.objects.select_related("project").order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        access = subscription_entitlement(row, grace_days=row.project.grace_days)
        yield (
            row,
            {
                "access_start": access.start,
                "access_end": access.end,
                "trial_end": access.trial_end,
            },
        )


def purchases_with_access() -> Iterator[tuple[Purchase, Derived]]:
    """Yield each purchase with the values that its derived columns should have."""
    rows = Purchase.objects.select_related("offer", "user", "recipient", "access_user").order_by(
        "pk"
    )
    for row in rows.iterator(chunk_size=CHUNK):
        access, beneficiary = purchase_entitlement(row), beneficiary_of(row)
        yield (
            row,
            {
                "access_start": access.start,
                "access_end": access.end,
                "access_user": beneficiary,
            },
        )


def free_copies_with_access() -> Iterator[tuple[FreeCopy, Derived]]:
    """Yield each free copy with the values that its derived columns should have."""
    rows = FreeCopy.objects.select_related("project", "user").order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        access = free_copy_entitlement(
            row, needs_activation=row.project.free_copies_need_activation
        )
        yield row, {"access_start": access.start, "access_end": access.end}


def source_check(name: str, rows: Callable[[], Iterator[tuple[Row, Derived]]]) -> Check:
    """Return the comparison of the derived columns of one kind of source with its rules."""

    def wrong() -> Iterator[tuple[Row, Derived]]:
        for row, derived in rows():
            if any(getattr(row, column) != value for column, value in derived.items()):
                yield row, derived

    def compare(_cursor: CursorWrapper) -> Differences:
        found = Differences()
        for row, derived in wrong():
            found.add(
                f"id {row.pk}: "
                + ", ".join(
                    f"{column} is {shown(getattr(row, column))}, should be {shown(value)}"
                    for column, value in derived.items()
                    if getattr(row, column) != value
                )
            )
        return found

    def repair(_cursor: CursorWrapper) -> None:
        for row, derived in wrong():
            for column, value in derived.items():
                setattr(row, column, value)
            row.save(update_fields=list(derived))

    return Check(name, compare, repair)


def status_check(*, now: datetime) -> Check:
    """Return the comparison of the users' statuses at the instant with their spans."""
    values: dict[str, Any] = {"users": None, "now": now, "limit": EXAMPLES}

    def compare(cursor: CursorWrapper) -> Differences:
        cursor.execute(WRONG_STATUSES, values)
        rows = cursor.fetchall()
        return Differences(
            rows[0][-1] if rows else 0,
            [
                f"user {pk}: status is {status} until {shown(until)},"
                f" should be {wanted} until {shown(wanted_until)}"
                for pk, status, until, wanted, wanted_until, _total in rows
            ],
        )

    def repair(cursor: CursorWrapper) -> None:
        cursor.execute(WRITE_STATUS, values)

    return Check("statuses", compare, repair)
