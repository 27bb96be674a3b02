"""Keyset pages: the deepest page of a list costs what the first does."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import models
from django.db.models import BooleanField, F, Func, QuerySet, Value

from backoffice.core.sealing import fernet

Row = TypeVar("Row", bound=models.Model)

DEFAULT_PER_PAGE = 50
LONGEST_CURSOR = 3000
PURPOSE = "backoffice.core.pagination"


class CursorRefused(Exception):
    """The cursor was not made here, or for another list or order."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order by non-null columns, all in one direction; the last one makes it unique."""

    name: str
    """As the address names it, a minus sign in front included."""
    fields: tuple[str, ...]
    is_descending: bool = False

    def order_by(self, *, backwards: bool = False) -> list[str]:
        sign = "-" if self.is_descending != backwards else ""
        return [f"{sign}{field}" for field in self.fields]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended, when the list was first read, and how many rows stood before."""

    ordering: str
    at: datetime
    offset: int
    values: tuple[Any, ...]

    def encode(self, *, of: str) -> str:
        """
        Return the cursor as text without meaning: keys may be names, addresses tell none.

        :param of: the list, and whose it is: sealed with this, the cursor opens in no other.
        """
        plain = json.dumps(
            [self.ordering, self.at.isoformat(), self.offset, [_pack(v) for v in self.values]],
            ensure_ascii=False,
        )
        # Compressed, as the longest names must fit into an address.
        sealed = fernet(PURPOSE, of.encode()).encrypt(zlib.compress(plain.encode()))
        return sealed.decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, ordering: Ordering, *, of: str) -> "Cursor":
        """
        Return the cursor that the text holds.

        :raises CursorRefused: if it was not made here, or for another list or order.
        """
        if len(text) > LONGEST_CURSOR or not text.isascii():
            raise CursorRefused
        try:
            packed = fernet(PURPOSE, of.encode()).decrypt(text + "=" * (-len(text) % 4))
        except InvalidToken as error:
            raise CursorRefused from error
        name, at, offset, values = json.loads(zlib.decompress(packed))
        if name != ordering.name or len(values) != len(ordering.fields):
            raise CursorRefused
        return cls(name, datetime.fromisoformat(at), offset, tuple(_unpack(v) for v in values))


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of one page in the list's order, and the cursors of its neighbours."""

    rows: list[Row]
    offset: int
    """How many rows stand before the page, as counted from where the reader began."""
    after: str | None
    """The cursor of the next page; none on the last."""
    before: str | None


def _pack(value: Any) -> Any:
    if isinstance(value, UUID):
        return {"u": value.hex}
    return {"t": value.astimezone(UTC).isoformat()} if isinstance(value, datetime) else value


def _unpack(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return UUID(value["u"]) if "u" in value else datetime.fromisoformat(value["t"])


def keyset_page(
    rows: QuerySet[Row],
    ordering: Ordering,
    *,
    of: str,
    per_page: int,
    at: datetime,
    after: Cursor | None = None,
    before: Cursor | None = None,
    keys: QuerySet[Any] | None = None,
) -> Page[Row]:
    """
    Return the page behind one cursor, before the other, or the first.

    One query, which reads as many rows as the page shows and one more.

    :param of: the list, and whose it is: a cursor of one list means nothing in another.
    :param keys: the rows of the list in another table that has the same keys and the order's
        columns, where they are put in order with less reading; `rows` need not be narrowed then.
    """
    cursor = after or before
    order = ordering.order_by(backwards=before is not None)
    places: QuerySet[Any] = rows if keys is None else keys
    if cursor:
        places = places.filter(_beyond(ordering, cursor.values, backwards=before is not None))
    places = places.order_by(*order)[: per_page + 1]
    if keys is not None:
        places = rows.filter(pk__in=places.values("pk")).order_by(*order)
    found: list[Row] = list(places)
    has_more = len(found) > per_page
    shown = found[:per_page]
    offset = after.offset if after else 0
    if before:
        shown.reverse()
        offset = max(0, before.offset - len(shown))
    has_next = has_more if not before else True
    has_previous = has_more if before else after is not None
    return Page(
        rows=shown,
        offset=offset,
        after=_cursor(ordering, shown[-1:], at, offset + len(shown), of) if has_next else None,
        before=_cursor(ordering, shown[:1], at, offset, of) if has_previous else None,
    )


def _cursor(
    ordering: Ordering, edge: Sequence[Row], at: datetime, offset: int, of: str
) -> str | None:
    if not edge:
        return None
    values = tuple(_value(edge[0], field) for field in ordering.fields)
    return Cursor(ordering.name, at, offset, values).encode(of=of)


def _value(row: models.Model, field: str) -> Any:
    return getattr(row, "pk" if field == "pk" else field)


def _beyond(ordering: Ordering, values: Sequence[Any], *, backwards: bool) -> Func:
    """
    Return the condition of lying behind the values in the order.

    A comparison of rows, which one range of an index answers; the ORM has no word for it.
    """
    sign = " < " if ordering.is_descending != backwards else " > "
    left = Func(*[F(field) for field in ordering.fields], function="ROW")
    right = Func(
        *[Value(value, output_field=_plain_field(value)) for value in values],
        function="ROW",
    )
    return Func(
        left, right, template="(%(expressions)s)", arg_joiner=sign, output_field=BooleanField()
    )


def _plain_field(value: Any) -> models.Field[Any, Any]:
    if isinstance(value, datetime):
        return models.DateTimeField()
    if isinstance(value, UUID):
        return models.UUIDField()
    return models.BigIntegerField() if isinstance(value, int) else models.TextField()
