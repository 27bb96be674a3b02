"""
The people that the browser looks at: two projects, and one user of each kind.

It is Sunday, 22 November 2026, 13:00 in Paris. North, on two platforms, has registered this month
48 members (three a day at 9, 12 and 18 o'clock on the 1st to the 16th), the persons of `NAMED`
and one deleted since; in October Gone and Early.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from analytics.models import Device, Viewing
from analytics.partitions import ensure_partitions, month_of
from analytics.rollups import rebuild_rollups
from backoffice.core.permissions import Role
from backoffice.projects.models import Platform, Project
from backoffice.staff.models import StaffMember, StaffRole
from tests.conftest import NOW, PASSWORD
from tests.factories.analytics import ContentFactory
from tests.factories.projects import PlatformFactory, ProjectFactory
from tests.factories.subscriptions import FreeCopyFactory, OfferFactory, SubscriptionFactory
from tests.factories.users import CustomFieldFactory, UserFactory
from users.models import User

DAY = timedelta(days=1)

_numbers = count(1)

LONG = "Wolfeschlegelsteinhausenbergerdorff" * 4
# In the order of their registration, a minute apart, up to yesterday noon.
NAMED = {
    "arabic": ("محمد", "الأحمد"),
    "han": ("小明", "王"),
    "long": ("Hubert Blaine", LONG),
    "script": ("<script>alert(1)</script>", "O'Neil & Söhne"),
    "formula": ("=1+2", "Sheet"),
    "nameless": ("", ""),
}
THIS_MONTH = 48 + len(NAMED)


@dataclass
class World:
    """What tests need to name."""

    north: Project
    south: Project
    web: Platform
    tv: Platform
    people: dict[str, User]


def make_world() -> World:
    north = ProjectFactory(slug="north", name="North", created_at=NOW)
    south = ProjectFactory(
        slug="south", name="South", time_zone="Asia/Tokyo", currency="JPY", created_at=NOW
    )
    ProjectFactory(slug="empty", name="Empty", created_at=NOW)
    web = PlatformFactory(project=north, slug="web", name="Web")
    tv = PlatformFactory(project=north, slug="tv", name="TV")
    CustomFieldFactory(project=north, key="city", labels={"en": "City", "fr": "Ville"})
    world = World(north, south, web, tv, {})
    _add_members(world)
    _add_named(world)
    _add_lives(world)
    _add_viewing(world)
    UserFactory(
        platform=PlatformFactory(project=south, slug="app", name="App"),
        first_name="Hanako",
        last_name="Sato",
        registered_at=NOW - DAY,
    )
    return world


def _add_members(world: World) -> None:
    for number in range(48):
        day, hour = 1 + number // 3, (9, 12, 18)[number % 3]
        world.people[f"member {number}"] = UserFactory(
            platform=world.tv if number % 4 == 0 else world.web,
            first_name="Member",
            last_name=f"No{number:02}",
            email=f"member{number:02}@example.com",
            registered_at=datetime(2026, 11, day, hour, tzinfo=world.north.zone),
        )


def _add_named(world: World) -> None:
    for number, (key, (first_name, last_name)) in enumerate(NAMED.items()):
        world.people[key] = UserFactory(
            platform=world.web,
            first_name=first_name,
            last_name=last_name,
            email=f"{key}@example.com",
            registered_at=NOW - DAY + timedelta(minutes=number),
        )
    UserFactory(platform=world.web, registered_at=NOW - 2 * DAY, deleted_at=NOW - DAY)


def _add_lives(world: World) -> None:
    """
    Give some of them access.

    Active in November: members 0–11, the Arabic name (on trial), the nameless one (free copy),
    Gone. Active now: all of these but Gone. At the start of the month: Gone alone.
    """
    monthly = OfferFactory(project=world.north, name="Monthly")
    for number in range(12):
        SubscriptionFactory(
            user=world.people[f"member {number}"],
            offer=monthly,
            started_at=NOW - 5 * DAY,
            cancel_at=NOW + 8 * DAY if number == 0 else None,
            now=NOW,
        )
    SubscriptionFactory(
        user=world.people["arabic"],
        offer=monthly,
        status="trialing",
        started_at=NOW - timedelta(hours=12),
        trial_ends_at=NOW + 2 * DAY,
        now=NOW,
    )
    FreeCopyFactory(
        user=world.people["nameless"],
        offer=monthly,
        sent_at=NOW - timedelta(hours=6),
        days=30,
        now=NOW,
    )
    for name, ends in (("Gone", NOW - 2 * DAY), ("Early", datetime(2026, 10, 20, tzinfo=UTC))):
        world.people[name.lower()] = UserFactory(
            platform=world.web,
            last_name=name,
            registered_at=datetime(2026, 10, 10, 12, tzinfo=UTC),
        )
        SubscriptionFactory(
            user=world.people[name.lower()],
            offer=monthly,
            started_at=datetime(2026, 10, 10, 13, tzinfo=UTC),
            ended_at=ends,
            now=NOW,
        )


def _add_viewing(world: World) -> None:
    """Let member 0 watch one film on the web for ten minutes, yesterday at noon UTC."""
    film = ContentFactory(project=world.north, name="Le Voyage, première partie")
    ensure_partitions([month_of(NOW - DAY)])
    phone = Device.objects.create(agent_hash="0" * 32, hardware_type="phone")
    Viewing.objects.create(
        user_id=world.people["member 0"].pk,
        started_at=NOW - DAY,
        id=uuid.UUID(int=1),
        project_id=world.north.pk,
        platform_id=world.web.pk,
        content_id=film.pk,
        device_id=phone.pk,
        watched_seconds=600,
        position_seconds=600,
    )
    rebuild_rollups([world.north.pk])


def new_staff(role: Role = Role.ADMIN, project: Project | None = None) -> StaffMember:
    """Hire somebody for one project, or for all."""
    staff = StaffMember(email=f"{role}-{next(_numbers)}@staff.example", created_at=NOW)
    staff.set_password(PASSWORD)
    staff.save()
    StaffRole.objects.create(staff_member=staff, project=project, role=role)
    return staff
