"""The two services: their platforms, offers, sign-up fields, audiences and contents."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from analytics.demo.agents import AGENTS
from analytics.models import Content, Device
from backoffice.projects.models import Platform, Project
from subscriptions.models import Offer
from users.models import CustomField

UTC_ZONE = ZoneInfo("UTC")
HOME = "http://127.0.0.1:8000/demo-platform"

SUBSCRIPTION = Offer.Kind.SUBSCRIPTION
PACK = Offer.Kind.PACK
Type = CustomField.Type


@dataclass(frozen=True, slots=True)
class Service:
    """One project as it is made, and who its people are."""

    project: dict[str, Any]
    # (slug, name, kind, share of the accounts in percent)
    platforms: tuple[tuple[str, str, str, int], ...]
    offers: tuple[dict[str, Any], ...]
    fields: tuple[dict[str, Any], ...]
    # (culture, country, language, share of the people in thousandths)
    audience: tuple[tuple[str, str, str, int], ...]


LUMIERE = Service(
    project={
        "slug": "lumiere",
        "name": "Lumière",
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "languages": ["en", "fr"],
        "device_limit": 3,
        "has_trials": True,
        "impersonation_reason": Project.ReasonRule.OFF,
    },
    platforms=(
        ("web", "Lumière web", "web", 44),
        ("ios", "Lumière for iPhone and iPad", "ios", 20),
        ("android", "Lumière for Android", "android", 24),
        ("tv", "Lumière TV", "tv", 9),
        ("box", "Lumière on set-top boxes", "other", 3),
    ),
    offers=(
        {
            "reference": "svod-monthly",
            "name": "Lumière monthly",
            "kind": SUBSCRIPTION,
            "price_minor": 999,
            "interval_months": 1,
            "trial_days": 14,
            "stripe_price_id": "price_1LumiereMonthly",
            "google_product_id": "lumiere.monthly",
            "apple_product_id": "example.lumiere.monthly",
        },
        {
            "reference": "svod-family",
            "name": "Lumière family",
            "kind": SUBSCRIPTION,
            "price_minor": 1499,
            "interval_months": 1,
            "stripe_price_id": "price_1LumiereFamily",
            "google_product_id": "lumiere.family",
            "apple_product_id": "example.lumiere.family",
        },
        {
            "reference": "svod-yearly",
            "name": "Lumière yearly",
            "kind": SUBSCRIPTION,
            "price_minor": 9990,
            "interval_months": 12,
            "trial_days": 14,
            "stripe_price_id": "price_1LumiereYearly",
            "google_product_id": "lumiere.yearly",
            "apple_product_id": "example.lumiere.yearly",
        },
        {
            "reference": "rent-48h",
            "name": "Rental, 48 hours",
            "kind": PACK,
            "price_minor": 399,
            "rental_days": 2,
        },
        {
            "reference": "pack-festival",
            "name": "Festival pack, 30 days",
            "kind": PACK,
            "price_minor": 1290,
            "rental_days": 30,
        },
        {
            "reference": "pack-forever",
            "name": "Classics for ever",
            "kind": PACK,
            "price_minor": 4900,
        },
    ),
    fields=(
        {
            "key": "birthday",
            "type": Type.DATE,
            "labels": {"en": "Birthday", "fr": "Anniversaire"},
        },
        {
            "key": "favourite_genre",
            "type": Type.CHOICE,
            "labels": {"en": "Favourite genre", "fr": "Genre préféré"},
            "choices": ["drama", "comedy", "documentary", "thriller", "animation", "classic"],
        },
        {
            "key": "newsletter",
            "type": Type.BOOLEAN,
            "is_required": True,
            "labels": {"en": "Newsletter", "fr": "Lettre d'information"},
        },
        {
            "key": "household_size",
            "type": Type.NUMBER,
            "labels": {"en": "People in the household", "fr": "Personnes dans le foyer"},
        },
        {
            "key": "heard_from",
            "type": Type.TEXT,
            "labels": {"en": "How did you hear of us?", "fr": "Comment nous avez-vous connus ?"},
        },
        {
            "key": "fax_number",
            "type": Type.TEXT,
            "is_archived": True,
            "labels": {"en": "Fax number", "fr": "Numéro de fax"},
        },
    ),
    audience=(
        ("french", "FR", "fr", 560),
        ("french", "BE", "fr", 70),
        ("french", "CH", "fr", 50),
        ("french", "CA", "fr", 40),
        ("arabic", "MA", "fr", 40),
        ("arabic", "DZ", "fr", 25),
        ("arabic", "TN", "fr", 15),
        ("french", "SN", "fr", 20),
        ("portuguese", "PT", "fr", 30),
        ("spanish", "ES", "en", 30),
        ("german", "DE", "en", 25),
        ("english", "GB", "en", 25),
        ("greek", "GR", "en", 15),
        ("russian", "FR", "fr", 12),
        ("hebrew", "IL", "en", 10),
        ("chinese", "FR", "fr", 10),
        ("vietnamese", "FR", "fr", 10),
        ("hindi", "RE", "fr", 5),
        ("korean", "FR", "en", 3),
        ("english", "", "", 5),
    ),
)

AURORA = Service(
    project={
        "slug": "aurora",
        "name": "Aurora",
        "time_zone": "America/New_York",
        "currency": "USD",
        "languages": ["en"],
        "device_limit": 5,
        "has_trials": False,
        "minimum_view_seconds": 30,
        "free_copies_need_activation": True,
        "impersonation_reason": Project.ReasonRule.REQUIRED,
    },
    platforms=(
        ("web", "Aurora web", "web", 38),
        ("ios", "Aurora for iOS", "ios", 30),
        ("android", "Aurora for Android", "android", 18),
        ("tv", "Aurora TV", "tv", 14),
    ),
    offers=(
        {
            "reference": "monthly",
            "name": "Aurora monthly",
            "kind": SUBSCRIPTION,
            "price_minor": 1299,
            "interval_months": 1,
            "stripe_price_id": "price_1AuroraMonthly",
            "google_product_id": "aurora.monthly",
            "apple_product_id": "example.aurora.monthly",
        },
        {
            "reference": "monthly-sports",
            "name": "Aurora sports",
            "kind": SUBSCRIPTION,
            "price_minor": 1999,
            "interval_months": 1,
            "stripe_price_id": "price_1AuroraSports",
            "google_product_id": "aurora.sports",
            "apple_product_id": "example.aurora.sports",
        },
        {
            "reference": "yearly",
            "name": "Aurora yearly",
            "kind": SUBSCRIPTION,
            "price_minor": 11900,
            "interval_months": 12,
            "stripe_price_id": "price_1AuroraYearly",
            "google_product_id": "aurora.yearly",
            "apple_product_id": "example.aurora.yearly",
        },
        {
            "reference": "rent-2d",
            "name": "48-hour rental",
            "kind": PACK,
            "price_minor": 499,
            "rental_days": 2,
        },
        {
            "reference": "season-pass",
            "name": "Season pass, 90 days",
            "kind": PACK,
            "price_minor": 2999,
            "rental_days": 90,
        },
        {
            "reference": "own-it",
            "name": "Own it",
            "kind": PACK,
            "price_minor": 1999,
        },
    ),
    fields=(
        {
            "key": "age_group",
            "type": Type.CHOICE,
            "is_required": True,
            "labels": {"en": "Age group"},
            "choices": ["18-24", "25-34", "35-49", "50-64", "65+"],
        },
        {"key": "kids_profile", "type": Type.BOOLEAN, "labels": {"en": "Kids profile"}},
        {"key": "referral_code", "type": Type.TEXT, "labels": {"en": "Referral code"}},
        {"key": "screens", "type": Type.NUMBER, "labels": {"en": "Screens at home"}},
        {"key": "member_since", "type": Type.DATE, "labels": {"en": "Member of the club since"}},
    ),
    audience=(
        ("english", "US", "en", 640),
        ("spanish", "US", "en", 110),
        ("spanish", "MX", "en", 40),
        ("english", "CA", "en", 60),
        ("chinese", "US", "en", 30),
        ("korean", "US", "en", 25),
        ("hindi", "IN", "en", 25),
        ("vietnamese", "US", "en", 15),
        ("japanese", "JP", "en", 15),
        ("portuguese", "BR", "en", 15),
        ("russian", "US", "en", 10),
        ("hebrew", "US", "en", 8),
        ("greek", "US", "en", 5),
        ("english", "", "", 2),
    ),
)

SERVICES = (LUMIERE, AURORA)

# The half of a title's words; both together name more films than anybody will scroll through.
ADJECTIVES = (
    "Silent", "Last", "Golden", "Distant", "Hidden", "Broken", "Winter", "Crimson", "Paper",
    "Electric", "Lost", "Second", "Northern", "Endless", "Little", "Secret", "Borrowed", "Blue",
)  # fmt: skip
NOUNS = (
    "Harbour", "Letters", "Summer", "Orchard", "Signal", "Garden", "Voyage", "Kingdom", "Mirror",
    "Station", "Island", "Promise", "Lantern", "Archive", "River", "Parade", "Witness", "Hotel",
    "Été à l'ombre", "Forêt", "Ville sans nuit", "Cœur battant", "Train de 8 h 47",
)  # fmt: skip
LIVE_NAMES = ("Cup match", "Concert night", "Opera, live", "Gala", "Derby", "Festival opening")

# One content for each so many viewings, within sensible bounds.
VIEWINGS_PER_CONTENT = 150
FEWEST_CONTENTS = 240
MOST_CONTENTS = 20_000

SERIES_SHARE = 0.35
WRONG_DURATION_SHARE = 0.035
GONE_SHARE = 0.06
SATURDAY = 6


@dataclass(frozen=True, slots=True)
class Title:
    """A film, or the episodes of a series, whose contents follow each other."""

    first_reference: int
    episodes: int
    run_seconds: int
    """How long one episode really runs; the content's own duration may be wrong."""


@dataclass(frozen=True, slots=True)
class Event:
    """One live event."""

    reference: int
    start_at: datetime
    run_seconds: int


def create_project(service: Service, *, created_at: datetime) -> Project:
    """Create the project with its platforms, offers and sign-up fields."""
    project = Project.objects.create(**service.project, created_at=created_at)
    Platform.objects.bulk_create(
        Platform(
            project=project,
            slug=slug,
            name=name,
            kind=kind,
            home_url=f"{HOME}/{project.slug}/{slug}/",
            password_reset_url=f"{HOME}/{project.slug}/{slug}/reset/",
            created_at=created_at,
        )
        for slug, name, kind, _ in service.platforms
    )
    Offer.objects.bulk_create(
        Offer(project=project, currency=project.currency, **offer) for offer in service.offers
    )
    for position, field in enumerate(service.fields):
        values = {k: v for k, v in field.items() if k != "is_archived"}
        archived_at = created_at + timedelta(days=30) if "is_archived" in field else None
        CustomField.objects.create(
            project=project, position=position, archived_at=archived_at, **values
        )
    return project


def create_devices() -> None:
    """Create one device for each user agent."""
    Device.objects.bulk_create(
        Device(
            agent_hash=agent.hash,
            hardware_type=agent.hardware_type,
            hardware=agent.hardware,
            os=agent.os,
            browser=agent.browser,
        )
        for agent in AGENTS
    )


def make_titles(count: int, draw: random.Random) -> list[Title]:
    """Return titles, films and series, that have `count` contents together."""
    titles, reference = [], 1
    while reference <= count:
        is_series = draw.random() < SERIES_SHARE
        episodes = min(draw.choice((6, 8, 10, 12, 24)) if is_series else 1, count - reference + 1)
        minutes = draw.choice((22, 42, 52)) if is_series else draw.randint(74, 168)
        titles.append(Title(reference, episodes, minutes * 60 + draw.randint(0, 59)))
        reference += episodes
    return titles


def content_reference(project: Project, number: int) -> str:
    return f"{project.slug}-{number:06}"


def event_reference(project: Project, number: int) -> str:
    return f"{project.slug}-live-{number:06}"


def event_evenings(
    project: Project, start: datetime, now: datetime, draw: random.Random
) -> list[datetime]:
    """Return when the live events began: on one evening of twelve, at 20:45 of the project."""
    first = start.astimezone(project.zone).date() + timedelta(days=1)
    days = [first + timedelta(days=n) for n in range((now - start).days - 1)]
    return [
        datetime.combine(day, time(20, 45), tzinfo=project.zone)
        for day in days
        if draw.random() < (0.2 if day.isoweekday() >= SATURDAY else 0.04)
    ]


def make_events(
    first_reference: int, zone_evenings: Sequence[datetime], now: datetime, draw: random.Random
) -> list[Event]:
    """Return one live event on each of the evenings, and one that runs now."""
    starts = [*zone_evenings, now - timedelta(minutes=50)]
    return [
        Event(first_reference + number, start, draw.randint(80, 150) * 60)
        for number, start in enumerate(starts)
    ]


def title_contents(
    project: Project, title: Title, name: str, draw: random.Random, now: datetime
) -> Iterator[Content]:
    """Yield the contents of one title."""
    for episode in range(title.episodes):
        reference = title.first_reference + episode
        words = f"{name}, episode {episode + 1}" if title.episodes > 1 else name
        yield Content(
            project=project,
            reference=content_reference(project, reference),
            name=words,
            type=Content.Type.HOSTED,
            duration_seconds=noted_duration(title.run_seconds, draw),
            status=availability(draw),
            url=f"{HOME}/{project.slug}/web/watch/{reference}/",
            described_at=now,
        )


def noted_duration(run_seconds: int, draw: random.Random) -> int:
    """Return the duration in the metadata: in one content of thirty much too short."""
    return run_seconds * 2 // 5 if draw.random() < WRONG_DURATION_SHARE else run_seconds


def availability(draw: random.Random) -> str:
    is_gone = draw.random() < GONE_SHARE
    return Content.Status.UNAVAILABLE if is_gone else Content.Status.AVAILABLE


def event_content(project: Project, event: Event, now: datetime, draw: random.Random) -> Content:
    """Return the content of one live event; it has no duration while it runs."""
    is_running = event.start_at + timedelta(seconds=event.run_seconds) > now
    return Content(
        project=project,
        reference=event_reference(project, event.reference),
        name=f"{draw.choice(LIVE_NAMES)} ({event.start_at:%d/%m/%Y})",
        type=Content.Type.LIVE,
        duration_seconds=None if is_running else event.run_seconds,
        status=Content.Status.AVAILABLE if is_running else Content.Status.UNAVAILABLE,
        url=f"{HOME}/{project.slug}/web/live/{event.reference}/" if is_running else "",
        described_at=now,
    )


def create_contents(
    project: Project,
    titles: Sequence[Title],
    events: Sequence[Event],
    *,
    draw: random.Random,
    now: datetime,
) -> dict[str, int]:
    """Create the contents of the titles and events; return their ids by reference."""
    rows = [
        content
        for number, title in enumerate(titles)
        for content in title_contents(project, title, title_name(number), draw, now)
    ]
    rows += [event_content(project, event, now, draw) for event in events]
    # Named by players, never described: kept, shown by its id.
    rows.append(Content(project=project, reference=f"{project.slug}-undescribed"))
    created = Content.objects.bulk_create(rows, batch_size=2_000)
    return {content.reference: content.pk for content in created}


def title_name(number: int) -> str:
    """Return the name of the title with this number; no two are the same."""
    noun, rest = NOUNS[number % len(NOUNS)], number // len(NOUNS)
    adjective, volume = ADJECTIVES[rest % len(ADJECTIVES)], rest // len(ADJECTIVES)
    return f"{adjective} {noun}" + (f" {volume + 1}" if volume else "")
