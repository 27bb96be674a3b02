"""What the derived text of users and their counts by day should hold, for `check_figures`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.backends.utils import CursorWrapper

from backoffice.core.derived import Check, DerivedTable, Differences
from backoffice.core.text import email_key, name_sort_key, search_text
from users.models import User, UserSearch

# So many rows are in memory at a time.
CHUNK = 2_000
LONGEST_SORT_NAME = User._meta.get_field("sort_name").max_length

# Stubs of deleted users still count: the day they registered does not shrink.
REGISTRATIONS = """
    SELECT u.project_id, u.platform_id, (u.registered_at AT TIME ZONE p.time_zone)::date AS day,
           count(*)::int AS registered, count(u.deleted_at)::int AS deleted
    FROM users_user AS u
    JOIN projects_project AS p ON p.id = u.project_id
    GROUP BY u.project_id, u.platform_id, day
"""

REGISTRATION_DAYS = DerivedTable(
    name="registration days",
    table="users_registrationday",
    key=("project_id", "platform_id", "day"),
    values=("registered", "deleted"),
    expected=REGISTRATIONS,
    are_counters=True,
)


@dataclass(frozen=True, slots=True)
class Words:
    """The text derived from one user's names and address, and the row that search reads."""

    email_key: str
    sort_name: str
    search: tuple[int, datetime, str] | None
    """Project, registration and words; none for the stub of a deleted user."""


def checks() -> list[Check]:
    """Return the comparisons of the users' derived text and day counts."""
    return [
        Check("words of users", compare_words, repair_words),
        REGISTRATION_DAYS.check({}),
    ]


def compare_words(_cursor: CursorWrapper) -> Differences:
    """Find users with wrong words; what they are is personal and stays unsaid."""
    found = Differences()
    for pk, stored, expected in wrong_words():
        wrong = [
            name
            for name in ("email_key", "sort_name", "search")
            if getattr(stored, name) != getattr(expected, name)
        ]
        found.add(f"user {pk}: {', '.join(wrong)}")
    return found


def repair_words(_cursor: CursorWrapper) -> None:
    wrong = wrong_words()
    while chunk := list(islice(wrong, CHUNK)):
        User.objects.bulk_update(
            [User(pk=pk, email_key=w.email_key, sort_name=w.sort_name) for pk, _, w in chunk],
            ["email_key", "sort_name"],
            batch_size=CHUNK,
        )
        UserSearch.objects.filter(pk__in=[pk for pk, _, w in chunk if w.search is None]).delete()
        UserSearch.objects.bulk_create(
            [
                UserSearch(
                    pk=pk, project_id=w.search[0], registered_at=w.search[1], text=w.search[2]
                )
                for pk, _, w in chunk
                if w.search
            ],
            update_conflicts=True,
            unique_fields=["user"],
            update_fields=["project_id", "registered_at", "text"],
        )


def wrong_words() -> Iterator[tuple[int, Words, Words]]:
    """Yield id, stored and expected words of each user whose stored ones differ."""
    users = User.objects.order_by("pk").values_list(
        "pk", "email", "email_key", "first_name", "last_name", "sort_name", "project_id",
        "registered_at", "deleted_at", "search__project_id", "search__registered_at",
        "search__text",
    )  # fmt: skip
    rows: Iterator[tuple[Any, ...]] = users.iterator(chunk_size=CHUNK)
    for row in rows:
        pk, email, key, first, last, sort, project_id, registered, deleted, *search = row
        stored = Words(key, sort, (search[0], search[1], search[2]) if search[0] else None)
        expected = Words("", "", None)
        if deleted is None:
            text = search_text(first, last, email)
            expected = Words(
                email_key(email),
                name_sort_key(first, last)[:LONGEST_SORT_NAME],
                (project_id, registered, text),
            )
        if stored != expected:
            yield pk, stored, expected
