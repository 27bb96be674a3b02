"""The wire format of contents and viewings."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from django.core.exceptions import ValidationError
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from analytics.ingest import Beat
from backoffice.core.validation import clean_country
from backoffice.core.wire import (
    ApiError,
    Body,
    CleanText,
    Instant,
    WebAddress,
    WholeNumber,
    invalid,
    parse_instant,
)


class ContentPut(Body):
    """A content: what can be watched. A live event has no duration while it runs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "The Night Train",
                    "type": "hosted",
                    "duration_seconds": 5400,
                    "status": "available",
                    "url": "https://watch.example.com/night-train",
                    "image_url": "https://watch.example.com/night-train.jpg",
                }
            ]
        }
    )

    name: Annotated[CleanText, Field(min_length=1, max_length=300)]
    type: Literal["hosted", "live"] = "hosted"
    # Nothing lasts no time at all: zero says that the duration is not known.
    duration_seconds: Annotated[WholeNumber, Field(ge=0, le=2_147_483_647)] | None = None
    status: Literal["available", "unavailable"] = "unavailable"
    url: WebAddress = ""
    image_url: WebAddress = ""


class ContentAnswer(BaseModel):
    """A content as it is kept."""

    id: str
    name: str
    type: str
    duration_seconds: int | None
    status: str
    url: str
    image_url: str


# --- Viewings --------------------------------------------------------------------------------

MOST_VIEWINGS = 1000
LARGEST_SECONDS = 2_147_483_647
LONGEST_CONTENT = 64
LONGEST_AGENT = 1000
FIRST_START = datetime(2000, 1, 1, tzinfo=UTC)
# How far a player's clock may run ahead.
AHEAD = timedelta(minutes=5)
LONGEST_NUMBER = 30

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
# Controls, and halves of characters.
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks an object in which a name stood twice. No JSON can hold this name.
_REPEATED = object()
_FIELDS = frozenset(
    [
        *("id", "user", "content", "started_at", "watched_seconds", "position_seconds"),
        *("country", "user_agent", "ended", "impersonation"),
    ]
)

Identifier = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Seconds = Annotated[WholeNumber, Field(ge=0, le=LARGEST_SECONDS)]


class ViewingPost(Body):
    """
    What a player reports about one viewing; `id`, `user` and `started_at` are its identity.

    It describes an item. Items are read by `read_beat`, ten times as fast and one by one.
    """

    id: Identifier
    user: Identifier
    content: Annotated[str, Field(min_length=1, max_length=LONGEST_CONTENT)]
    started_at: Instant
    watched_seconds: Seconds
    position_seconds: Seconds = 0
    country: Annotated[str, Field(max_length=2)] = ""
    user_agent: str = ""
    ended: bool = False
    impersonation: str = ""


class ViewingsPost(Body):
    """Viewings, each as it stands by now; sent again and again while they play."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "viewings": [
                        {
                            "id": "5f0c9c1e-6a53-4b8e-9d0e-3f1c2b7a9e10",
                            "user": "0b7a3c0e-4c1f-4a8e-9a3e-2f6f4c1d8e55",
                            "content": "night-train",
                            "started_at": "2026-03-10T20:15:00+01:00",
                            "watched_seconds": 1260,
                            "position_seconds": 1395,
                            "country": "FR",
                            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"
                            " Gecko/20100101 Firefox/140.0",
                            "ended": False,
                        }
                    ]
                }
            ]
        }
    )

    viewings: Annotated[list[ViewingPost], Field(min_length=1, max_length=MOST_VIEWINGS)]


class Refused(BaseModel):
    """One item that was not accepted, by its place in the list, from 0."""

    index: int
    id: str | None
    code: Literal["invalid", "unknown_user"]
    message: str


class ViewingsAnswer(BaseModel):
    """How many items were accepted, repeats included, and which were not."""

    accepted: int
    rejected: list[Refused]


class Read(NamedTuple):
    """The items of one body: those that can be stored, with their places, and the others."""

    beats: list[tuple[int, Beat]]
    refused: list[Refused]


class BadItemError(Exception):
    """The item cannot be stored; the message says why."""


def load(body: bytes) -> Any:
    """
    Return the value of a JSON text, with what strict JSON refuses still in it.

    NaN, halves of characters and names that stand twice are told of their item later.

    :raises ApiError: if it cannot be read.
    """
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "malformed", "The body is no JSON in UTF-8.") from error


def read_viewings(body: Any, *, now: datetime) -> Read:
    """
    Return the viewings of a loaded body, each with what is wrong with it.

    :raises ApiError: if the body is no object with a list of 1 to 1,000 items.
    """
    items = _items(body)
    beats: list[tuple[int, Beat]] = []
    refused: list[Refused] = []
    latest = now + AHEAD
    for index, item in enumerate(items):
        try:
            beats.append((index, read_beat(item, latest=latest)))
        except BadItemError as error:
            refused.append(
                Refused(index=index, id=_id_of(item), code="invalid", message=str(error))
            )
    return Read(beats, refused)


def refuse_unknown(read: Read, unknown: set[str]) -> ViewingsAnswer:
    """Return the answer to the items, of which those of unknown users are refused."""
    refused = [
        Refused(
            index=index,
            id=beat.id,
            code="unknown_user",
            message="user: This project has no such user.",
        )
        for index, beat in read.beats
        if beat.user in unknown
    ]
    return ViewingsAnswer(
        accepted=len(read.beats) - len(refused),
        rejected=sorted(read.refused + refused, key=lambda one: one.index),
    )


def _object(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        value[_REPEATED] = True
    return value


def _whole(digits: str) -> int:
    # Python refuses to read thousands of digits; thirty are too many already.
    return int(digits[:LONGEST_NUMBER])


def _items(value: Any) -> Sequence[Any]:
    if not isinstance(value, dict):
        raise ApiError(400, "malformed", "The body is no object.")
    if _REPEATED in value:
        raise ApiError(400, "malformed", "The body is no JSON: a name stands twice.")
    unknown = [name for name in value if name != "viewings"]
    if unknown:
        name = unknown[0] if not _UNSPEAKABLE.search(unknown[0]) else "body"
        raise invalid({name: "There is no such field."})
    items = value.get("viewings")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_VIEWINGS:
        raise invalid({"viewings": f"Send a list of 1 to {MOST_VIEWINGS:,} viewings."})
    return items


def read_beat(item: Any, *, latest: datetime) -> Beat:
    """
    Return one item of the list as what is stored.

    Written out because it runs a thousand times a request.

    :param latest: the last instant at which a viewing may have started.
    :raises BadItemError: if it is not valid.
    """
    if type(item) is not dict:
        raise BadItemError("An item is an object.")
    if not item.keys() <= _FIELDS:
        _refuse_names(item)
    get = item.get
    return Beat(
        _uuid("id", get("id")),
        _uuid("user", get("user")),
        _content(get("content")),
        _start(get("started_at"), latest),
        _seconds("watched_seconds", get("watched_seconds")),
        _seconds("position_seconds", _given(get("position_seconds"), 0)),
        _country(_given(get("country"), "")),
        _text("user_agent", _given(get("user_agent"), ""))[:LONGEST_AGENT],
        _flag("ended", get("ended")),
        _text("impersonation", _given(get("impersonation"), "")) != "",
    )


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value


def _refuse_names(item: dict[Any, Any]) -> None:
    if _REPEATED in item:
        raise BadItemError("A name stands twice.")
    name = min(item.keys() - _FIELDS)
    if _UNSPEAKABLE.search(name):
        raise BadItemError("There is no field with such a name.")
    raise BadItemError(f"{name[:LONGEST_CONTENT]}: There is no such field.")


def _uuid(name: str, value: Any) -> str:
    if isinstance(value, str):
        lower = value.lower()
        if _UUID.fullmatch(lower):
            return lower
    raise BadItemError(f"{name}: Write a UUID.")


def _content(value: Any) -> str:
    text = _text("content", value).strip()
    if not 0 < len(text) <= LONGEST_CONTENT:
        raise BadItemError(f"content: An id has 1 to {LONGEST_CONTENT} characters.")
    return text


def _start(value: Any, latest: datetime) -> datetime:
    try:
        start = parse_instant(value)
    except PydanticCustomError as error:
        raise BadItemError(f"started_at: {error.message()}") from error
    if not FIRST_START <= start <= latest:
        raise BadItemError("started_at: A viewing starts in 2000 at the earliest, and not later.")
    return start


def _seconds(name: str, value: Any) -> int:
    # A bool is an int to Python.
    if type(value) is int and 0 <= value <= LARGEST_SECONDS:
        return value
    raise BadItemError(f"{name}: Write whole seconds from 0 to {LARGEST_SECONDS}.")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadItemError(f"{name}: Write this as text.")
    if _UNSPEAKABLE.search(value):
        raise BadItemError(f"{name}: The text contains control characters.")
    return value


def _flag(name: str, value: Any) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise BadItemError(f"{name}: Answer true or false.")
    return value


def _country(value: Any) -> str:
    try:
        return _known_country(_text("country", value))
    except ValidationError as error:
        raise BadItemError(f"country: {error.messages[0]}") from error


@lru_cache(maxsize=1024)
def _known_country(code: str) -> str:
    return clean_country(code)


def _id_of(item: Any) -> str | None:
    """Return the item's id as it was sent, if it can be told again."""
    value = item.get("id") if isinstance(item, dict) else None
    is_speakable = isinstance(value, str) and not _UNSPEAKABLE.search(value)
    return str(value)[:LONGEST_CONTENT] if is_speakable else None
