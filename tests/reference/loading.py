"""Writes a history of plain records into the database, as actions and ingest would leave it."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

from django.db import connection

from analytics.anonymising import fold_viewings, forget_viewer
from analytics.models import Content, Device, Viewing
from analytics.partitions import ensure_partitions, month_of
from analytics.rollups import rebuild_rollups
from backoffice.core.scope import Scope
from backoffice.core.text import email_key, name_sort_key, search_text
from backoffice.projects.models import Platform, Project
from subscriptions import entitlements, models
from subscriptions.spans import rebuild_spans
from tests.reference.history import History
from users.checks import REGISTRATION_DAYS
from users.models import User, UserSearch

_numbers = itertools.count(1)


class Loaded:
    """One history in the database, in a project of its own."""

    def __init__(self, history: History, *, now: datetime) -> None:
        """Store the history; spans and statuses are derived as of `now`."""
        self.history = history
        self.project = Project.objects.create(
            slug=f"history-{next(_numbers)}",
            name="History",
            time_zone=history.zone.key,
            currency="EUR",
            has_trials=True,
            grace_days=history.grace_days,
            free_copies_need_activation=history.needs_activation,
            minimum_view_seconds=history.minimum_view_seconds,
            created_at=now,
        )
        self.platforms = [
            Platform.objects.create(
                project=self.project,
                slug=f"platform-{number}",
                name=f"Platform {number}",
                kind=Platform.Kind.WEB,
                home_url="https://platform.example",
                created_at=now,
            )
            for number in range(history.platforms)
        ]
        self.users = self._store_users()
        self._store_sources()
        self._store_viewings()
        # In two steps, so that the second one has to add to what the first one counted.
        ids = [user.pk for user in self.users]
        rebuild_spans(ids[::2], now=now)
        rebuild_spans(ids, now=now)
        rebuild_rollups([self.project.pk])
        self._delete_users()
        with connection.cursor() as cursor:
            REGISTRATION_DAYS.check({}).compare(cursor)
            REGISTRATION_DAYS.check({}).repair(cursor)

    def _delete_users(self) -> None:
        """Leave of the deleted people what their deletion leaves: stubs, and folded viewings."""
        for user, person in zip(self.users, self.history.people, strict=True):
            if not person.is_deleted:
                continue
            nobody = dict.fromkeys(name(0), "")
            User.objects.filter(pk=user.pk).update(deleted_at=person.registered_at, **nobody)
            with connection.cursor() as cursor:
                forget_viewer(cursor, user.pk, project_id=self.project.pk)
            while fold_viewings(user.pk, project_id=self.project.pk) is not None:
                pass

    def scope(self, platforms: frozenset[int] = frozenset()) -> Scope:
        """Return the scope of the platforms with these numbers; of all if there are none."""
        ids = tuple(sorted(self.platforms[number].pk for number in platforms))
        return Scope(self.project.pk, self.history.zone, ids)

    def numbers(self, users) -> set[int]:
        """Return the numbers of the people who are these users."""
        number_of = {user.pk: number for number, user in enumerate(self.users)}
        return {number_of[user.pk] for user in users}

    def _store_users(self) -> list[User]:
        users = User.objects.bulk_create(
            User(
                project=self.project,
                platform=self.platforms[person.platform],
                registered_at=person.registered_at,
                modified_at=person.registered_at,
                **name(number),
            )
            for number, person in enumerate(self.history.people)
        )
        UserSearch.objects.bulk_create(
            UserSearch(
                user=user,
                project=self.project,
                registered_at=user.registered_at,
                text=search_text(user.first_name, user.last_name, user.email),
            )
            for user, person in zip(users, self.history.people, strict=True)
            if not person.is_deleted
        )
        return users

    def _store_sources(self) -> None:
        self._store_subscriptions()
        self._store_purchases()
        self._store_free_copies()

    def _store_subscriptions(self) -> None:
        rows = [
            models.Subscription(
                project=self.project,
                user=user,
                provider=s.provider,
                reference=uuid.uuid4().hex,
                status=s.status,
                currency="EUR",
                started_at=s.started_at,
                trial_ends_at=s.trial_ends_at,
                cancel_at=s.cancel_at,
                ended_at=s.ended_at,
                past_due_since=s.past_due_since,
                status_since=s.status_since or s.started_at,
            )
            for user, person in zip(self.users, self.history.people, strict=True)
            for s in person.subscriptions
        ]
        for row in rows:
            access = entitlements.subscription_entitlement(row, grace_days=self.project.grace_days)
            row.access_start, row.access_end = access.start, access.end
            row.trial_end = access.trial_end
        models.Subscription.objects.bulk_create(rows)

    def _store_purchases(self) -> None:
        rows = [
            models.Purchase(
                project=self.project,
                user=user,
                provider="other",
                reference=uuid.uuid4().hex,
                type="gift" if bought.is_gift else "pack",
                status=bought.status,
                currency="EUR",
                offer=self._rental(bought.rental_days),
                purchased_at=bought.purchased_at,
                expires_at=bought.expires_at,
                recipient=None if bought.recipient is None else self.users[bought.recipient],
                status_since=bought.status_since or bought.purchased_at,
            )
            for user, person in zip(self.users, self.history.people, strict=True)
            for bought in person.purchases
        ]
        for row in rows:
            access = entitlements.purchase_entitlement(row)
            row.access_start, row.access_end = access.start, access.end
            row.access_user = entitlements.beneficiary_of(row)
        models.Purchase.objects.bulk_create(rows)

    def _rental(self, days: int | None) -> models.Offer | None:
        if days is None:
            return None
        return models.Offer.objects.get_or_create(
            project=self.project,
            reference=f"rental-{days}",
            defaults={"name": "Rental", "kind": "pack", "currency": "EUR", "rental_days": days},
        )[0]

    def _store_free_copies(self) -> None:
        rows = [
            models.FreeCopy(
                project=self.project,
                user=user,
                reference=uuid.uuid4().hex,
                sent_at=copy.sent_at,
                days=copy.days,
                activated_at=copy.activated_at,
                revoked_at=copy.revoked_at,
            )
            for user, person in zip(self.users, self.history.people, strict=True)
            for copy in person.free_copies
        ]
        for row in rows:
            access = entitlements.free_copy_entitlement(
                row, needs_activation=self.project.free_copies_need_activation
            )
            row.access_start, row.access_end = access.start, access.end
        models.FreeCopy.objects.bulk_create(rows)

    def _store_viewings(self) -> None:
        viewings = [
            (user, seen)
            for user, person in zip(self.users, self.history.people, strict=True)
            for seen in person.viewings
        ]
        ensure_partitions(month_of(seen.started_at) for _, seen in viewings)
        contents = [
            Content.objects.create(project=self.project, reference=str(number))
            for number in range(1 + max((seen.content for _, seen in viewings), default=0))
        ]
        person, bot = (
            Device.objects.get_or_create(
                agent_hash=f"{kind:0>32}", defaults={"hardware_type": kind}
            )[0]
            for kind in ("phone", "bot")
        )
        self.contents = [content.pk for content in contents]
        Viewing.objects.bulk_create(
            Viewing(
                user_id=user.pk,
                started_at=seen.started_at,
                id=viewing_id(number),
                project_id=self.project.pk,
                platform_id=self.platforms[seen.platform].pk,
                content_id=contents[seen.content].pk,
                device_id=(bot if seen.by_bot else person).pk,
                watched_seconds=seen.seconds,
                position_seconds=seen.seconds,
            )
            for number, (user, seen) in enumerate(viewings)
        )


def viewing_id(number: int) -> uuid.UUID:
    """Return an id that sorts as the number does: of two viewings at once the later counts."""
    return uuid.UUID(int=number)


def name(number: int) -> dict[str, str]:
    """Return the identity of the person with this number."""
    words = {"first_name": "Ada", "last_name": f"No {number}", "email": f"{number}@mail.example"}
    return words | {
        "email_key": email_key(words["email"]),
        "sort_name": name_sort_key(words["first_name"], words["last_name"]),
    }


def at(text: str) -> datetime:
    """Return the instant that is written as "2026-11-01 12:00" in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
