"""Statements that the server plans once for a connection, with arrays as texts."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


def ask(
    cursor: CursorWrapper, statement: str, values: Mapping[str, Any] | None = None
) -> "psycopg.Cursor[Any]":
    """
    Run a statement that the server has planned once for this connection.

    Planning takes it longer than a small batch. Django's own cursor puts the values into the
    text, so that no two statements are the same.
    """
    with connection.wrap_database_errors:
        return psycopg.Cursor(cursor.connection).execute(statement, values, prepare=True)


@contextmanager
def pipeline(cursor: CursorWrapper) -> Iterator[None]:
    """Send statements without waiting for their answers: this side works while the server does."""
    with connection.wrap_database_errors, cursor.connection.pipeline():
        yield


def array(values: Iterable[Any]) -> str:
    """Return numbers or ids as PostgreSQL writes an array: one text, whatever their size."""
    return f"{{{','.join(map(str, values))}}}"
