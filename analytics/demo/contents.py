"""What can be watched: films, series and live events, with durations that are not always right."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from analytics.demo.agents import AGENTS
from analytics.demo.services import Service, home
from analytics.models import Content, Device
from backoffice.projects.models import Project

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
            url=f"{home(project, 'web')}watch/{content_reference(project, reference)}/",
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
    reference = event_reference(project, event.reference)
    is_running = event.start_at + timedelta(seconds=event.run_seconds) > now
    return Content(
        project=project,
        reference=reference,
        name=f"{draw.choice(LIVE_NAMES)} ({event.start_at:%d/%m/%Y})",
        type=Content.Type.LIVE,
        duration_seconds=None if is_running else event.run_seconds,
        status=Content.Status.AVAILABLE if is_running else Content.Status.UNAVAILABLE,
        url=f"{home(project, 'web')}watch/{reference}/" if is_running else "",
        described_at=now,
    )


def create_contents(
    project: Project,
    service: Service,
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
        for content in title_contents(
            project, title, title_name(service.title_words, number), draw, now
        )
    ]
    rows += [event_content(project, event, now, draw) for event in events]
    # Named by players, never described: kept, shown by its id.
    rows.append(Content(project=project, reference=f"{project.slug}-undescribed"))
    created = Content.objects.bulk_create(rows, batch_size=2_000)
    return {content.reference: content.pk for content in created}


def title_name(words: tuple[tuple[str, ...], tuple[str, ...]], number: int) -> str:
    """Return the name of the title with this number; no two are the same."""
    first, second = words
    volume, rest = divmod(number, len(first) * len(second))
    # Neighbours differ in both words.
    turn, place = divmod(rest, len(first))
    name = f"{first[place]} {second[(turn + place) % len(second)]}"
    return name + (f" {volume + 1}" if volume else "")
