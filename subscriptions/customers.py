"""Whom a payment concerns: customers of providers, and the users they are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from backoffice.audit.models import AuditEvent
from backoffice.audit.recording import Actor, record
from backoffice.core.text import email_key
from subscriptions.actions import UserIsDeleted, forgotten_reference
from subscriptions.models import ProviderAccount, ProviderCustomer, ProviderEvent
from subscriptions.providers.reports import (
    CustomerReport,
    Gateway,
    PurchaseReport,
    SubscriptionReport,
)
from users.models import User
from users.selectors import deleted_among


class AlreadyAssigned(Exception):
    """The customer is somebody already, or was deleted."""


def customer_of(
    account: ProviderAccount,
    gateway: Gateway,
    paid: SubscriptionReport | PurchaseReport,
    *,
    now: datetime,
) -> ProviderCustomer:
    """Return the customer with the user it is; the provider is asked who it is if need be."""
    known = known_customers(account, [paid.customer]).get(paid.customer)
    if known is not None:
        check_not_deleted(known)
        if known.user_id is not None:
            return known
    if paid.customer == paid.reference:
        told = CustomerReport(paid.customer)
    else:
        told = gateway.customer(paid.customer)
    whom = replace(told, user=told.user or paid.user, email=told.email or paid.email)
    return _matched(account, whom, now=now)


def match(account: ProviderAccount, report: CustomerReport, *, now: datetime) -> ProviderCustomer:
    """
    Return the customer with the user it was matched with, or, if nobody fits, without.

    By the id kept here, then by the id that the platform left with the provider, then by the
    address, which one user of a project has at most.

    :raises UserIsDeleted: if it is somebody who was deleted.
    """
    known = known_customers(account, [report.reference]).get(report.reference)
    if known is not None:
        check_not_deleted(known)
        if known.user_id is not None:
            return known
    return _matched(account, report, now=now)


def _matched(
    account: ProviderAccount, report: CustomerReport, *, now: datetime
) -> ProviderCustomer:
    """Return the customer, who is nobody yet, with whoever fits."""
    user, matched_by = find_user(account.project_id, report)
    customer, _is_new = ProviderCustomer.objects.get_or_create(
        project_id=account.project_id,
        provider=account.provider,
        reference=report.reference,
        defaults={"user": user, "matched_by": matched_by, "first_seen_at": now},
    )
    if customer.user_id is None and user is not None:
        customer.user, customer.matched_by = user, matched_by
        customer.save(update_fields=["user", "matched_by"])
    return customer


def find_user(project_id: int, report: CustomerReport) -> tuple[User | None, str]:
    """
    Return the user of the project who fits, and by what.

    :raises UserIsDeleted: if the id that the platform left there is somebody's who was deleted.
    """
    if deleted_customers(project_id, [report]):
        raise UserIsDeleted
    return find_users(project_id, [report]).get(report.reference, (None, ""))


def find_users(project_id: int, reports: Sequence[CustomerReport]) -> dict[str, tuple[User, str]]:
    """
    Return for each customer whom somebody fits the user and by what it fits.

    By the id that the platform left there, else by the address; somebody deleted fits nobody.
    """
    ids = {report.reference: _uuid(report.user) for report in reports if report.user}
    keys = {one.reference: email_key(one.email) for one in reports if email_key(one.email)}
    present = User.objects.filter(project_id=project_id, deleted_at=None)
    wanted = [one for one in ids.values() if one]
    by_id = {user.public_id: user for user in present.filter(public_id__in=wanted)}
    by_email = {user.email_key: user for user in present.filter(email_key__in=keys.values())}
    found = {}
    for report in reports:
        public_id, key = ids.get(report.reference), keys.get(report.reference)
        if public_id in by_id:
            found[report.reference] = (by_id[public_id], ProviderCustomer.MatchedBy.USER_ID.value)
        elif key in by_email:
            found[report.reference] = (by_email[key], ProviderCustomer.MatchedBy.EMAIL.value)
    return found


def deleted_customers(project_id: int, reports: Sequence[CustomerReport]) -> set[str]:
    """Return the customers that the platform left the id of a deleted user with."""
    ids = {one.reference: str(public_id) for one in reports if (public_id := _uuid(one.user))}
    gone = deleted_among(ids.values(), project_id=project_id) if ids else set()
    return {reference for reference, public_id in ids.items() if public_id in gone}


def known_customers(
    account: ProviderAccount, references: Sequence[str]
) -> dict[str, ProviderCustomer]:
    """Return the customers known by these ids, forgotten ones included."""
    by_stored = {name: name for name in references}
    by_stored |= {forgotten_reference(account.project_id, name): name for name in references}
    rows = ProviderCustomer.objects.filter(
        project_id=account.project_id, provider=account.provider, reference__in=by_stored
    ).select_related("user")
    return {by_stored[row.reference]: row for row in rows}


def is_deleted(customer: ProviderCustomer) -> bool:
    """Return whether the customer was a user who was deleted."""
    is_stub = customer.user is not None and customer.user.deleted_at is not None
    return customer.is_forgotten or is_stub


def check_not_deleted(customer: ProviderCustomer) -> None:
    """
    Let pass whoever is still there.

    :raises UserIsDeleted: if the customer was a user who was deleted.
    """
    if is_deleted(customer):
        raise UserIsDeleted


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@transaction.atomic
def assign_customer(
    customer: ProviderCustomer, user: User, *, actor: Actor, now: datetime
) -> list[int]:
    """
    Say which user a customer is; return the ids of the events that wait for it, due now.

    What the provider has of the customer is taken over by `take_over_customer`.

    :raises AlreadyAssigned: if somebody was faster, or the customer was deleted.
    """
    locked = ProviderCustomer.objects.select_for_update().get(pk=customer.pk)
    if locked.user_id is not None or locked.is_forgotten:
        raise AlreadyAssigned
    locked.user, locked.matched_by = user, ProviderCustomer.MatchedBy.STAFF
    locked.save(update_fields=["user", "matched_by"])
    waiting = ProviderEvent.objects.filter(customer=locked, state=ProviderEvent.State.UNMATCHED)
    waiting.update(state=ProviderEvent.State.WAITING, reason="", attempts=0, next_try_at=now)
    record(
        AuditEvent.Kind.CUSTOMER_ASSIGNED,
        actor=actor,
        now=now,
        project=user.project,
        target=user,
        data={"provider": locked.get_provider_display()},
    )
    due = ProviderEvent.objects.filter(customer=locked, next_try_at__isnull=False)
    return list(due.order_by("pk").values_list("pk", flat=True))
