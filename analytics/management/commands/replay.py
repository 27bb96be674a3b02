"""Store a file of bodies of POST /viewings by the code of the API, for recovery and tests."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from pydantic_core import PydanticCustomError

from analytics.ingest import prepare, store
from analytics.schemas import ViewingsAnswer, load, read_viewings, refuse_unknown
from backoffice.core.wire import ApiError, invalid, parse_instant
from backoffice.projects.models import Platform

# What a line may say besides the body.
BESIDES = ("project", "platform", "arrived_at")


class Command(BaseCommand):
    help = (
        "Store viewings from a file: one body of POST /viewings a line. Beside `viewings` a line"
        " may name its project, platform and arrived_at; without, the options and now apply. A"
        " file may be sent again: what is there already changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--project", default="", help="slug")
        parser.add_argument("--platform", default="", help="slug")

    def handle(self, *args: Any, **options: Any) -> None:
        accepted = rejected = bad_lines = 0
        for number, line in _lines(options["file"]):
            try:
                answer = send(line, options, now=timezone.now())
            except ApiError as error:
                bad_lines += 1
                words = [str(error.body["error"]["message"])]
                words += [f"{name}: {text}" for name, text in error.fields.items()]
                self.stderr.write(f"line {number}: {' '.join(words)}")
                continue
            accepted += answer.accepted
            rejected += len(answer.rejected)
            for one in answer.rejected:
                self.stderr.write(f"line {number}, item {one.index}: {one.message}")
        self.stdout.write(f"{accepted} accepted, {rejected} rejected")
        if bad_lines:
            raise CommandError(f"{bad_lines} lines could not be read.")


def send(line: bytes, options: dict[str, Any], *, now: datetime) -> ViewingsAnswer:
    """
    Store what one line holds; return what the API would answer.

    :raises ApiError: if the line is no such body, or names no platform.
    """
    body = load(line)
    said = dict.fromkeys(BESIDES)
    if isinstance(body, dict):
        said = {name: body.pop(name, None) for name in BESIDES}
    platform = _platform(
        str(said["project"] or options["project"]), str(said["platform"] or options["platform"])
    )
    if said["arrived_at"] is not None:
        now = _instant(said["arrived_at"])
    read = read_viewings(body, now=now)
    batch = prepare([beat for _, beat in read.beats], platform=platform, now=now)
    return refuse_unknown(read, store(batch))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error


def _instant(value: Any) -> datetime:
    try:
        return parse_instant(value)
    except PydanticCustomError as error:
        raise invalid({"arrived_at": error.message()}) from error


def _platform(project: str, slug: str) -> Platform:
    found = Platform.objects.filter(project__slug=project, slug=slug).first()
    if found is None:
        raise invalid({"platform": f"There is no platform {project}/{slug}."})
    return found
