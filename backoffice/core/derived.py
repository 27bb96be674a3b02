"""
Tables whose rows follow from other tables: filled, compared and mended in sets.

A derived table is described by one SELECT of the rows that it should hold. `check_figures`
runs the comparisons of all apps.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

# A check names so many differing rows; the count is of all of them.
EXAMPLES = 20
# So much of a value is shown.
LONGEST_VALUE = 60

Values = Mapping[str, Any]


@dataclass(slots=True)
class Differences:
    """How many rows are not what they should be, and the first of them in words."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, words: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(words)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of stored with recomputed rows, and how to mend what differs."""

    name: str
    compare: Callable[[CursorWrapper], Differences]
    repair: Callable[[CursorWrapper], None]
    """Called after `compare`, in the same transaction."""


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """One table, and the SELECT of the rows that it should hold."""

    name: str
    table: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    expected: str
    """Gives the columns of `key` and `values` by these names."""
    are_counters: bool = False
    """A row with nothing but zeros is as good as no row."""

    @property
    def columns(self) -> tuple[str, ...]:
        return self.key + self.values

    def lock(self, cursor: CursorWrapper) -> None:
        """Keep other writers out until the transaction ends; readers go on."""
        cursor.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(self.table))
        )

    def fill(self, cursor: CursorWrapper, values: Values) -> None:
        """Insert all expected rows into the table, which must have none of them yet."""
        insert = sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM ({expected}) AS e")
        cursor.execute(insert.format(**self._names()), values)

    def check(self, values: Values) -> Check:
        """Return the comparison of the table with the SELECT run with these values."""

        def compare(cursor: CursorWrapper) -> Differences:
            self._find(cursor, values)
            return self._describe(cursor)

        return Check(self.name, compare, self._repair)

    def _find(self, cursor: CursorWrapper, values: Values) -> None:
        """Put the keys that differ, with both versions of the row, into a temporary table."""
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {differing}").format(**self._names()))
        cursor.execute(
            sql.SQL(
                """
                CREATE TEMPORARY TABLE {differing} ON COMMIT DROP AS
                SELECT {keys}, e.is_expected, s.is_stored, {pairs}
                FROM (SELECT *, true AS is_expected FROM ({expected}) AS e) AS e
                FULL JOIN (SELECT *, true AS is_stored FROM {table} WHERE {matters}) AS s
                    ON {same_key}
                WHERE e.is_expected IS NULL OR s.is_stored IS NULL
                   OR ({expected_values}) IS DISTINCT FROM ({stored_values})
                """
            ).format(**self._names(), **self._comparison()),
            values,
        )

    def _describe(self, cursor: CursorWrapper) -> Differences:
        cursor.execute(sql.SQL("SELECT count(*) FROM {differing}").format(**self._names()))
        (count,) = cursor.fetchone() or (0,)
        cursor.execute(
            sql.SQL("SELECT * FROM {differing} ORDER BY {key} LIMIT %s").format(**self._names()),
            [EXAMPLES],
        )
        return Differences(count, [self._words(row) for row in cursor.fetchall()])

    def _words(self, row: tuple[Any, ...]) -> str:
        """Say what differs in one row of the temporary table."""
        keys, rest = row[: len(self.key)], row[len(self.key) :]
        (is_expected, is_stored), pairs = rest[:2], rest[2:]
        name = ", ".join(f"{k} {v}" for k, v in zip(self.key, keys, strict=True))
        if not is_stored:
            return f"{name}: missing"
        if not is_expected:
            return f"{name}: should not exist"
        both = zip(self.values, pairs[::2], pairs[1::2], strict=True)
        return f"{name}: " + ", ".join(
            f"{column} is {shown(stored)}, should be {shown(expected)}"
            for column, expected, stored in both
            if expected != stored
        )

    def _repair(self, cursor: CursorWrapper) -> None:
        """Replace the rows found differing by the expected ones."""
        cursor.execute(
            sql.SQL("DELETE FROM {table} AS s USING {differing} AS e WHERE {same_key}").format(
                **self._names(), same_key=self._comparison()["same_key"]
            )
        )
        cursor.execute(
            sql.SQL(
                "INSERT INTO {table} ({columns}) SELECT {key}, {wanted} FROM {differing}"
                " WHERE is_expected"
            ).format(**self._names(), wanted=listed(f"expected_{c}" for c in self.values))
        )

    def _names(self) -> dict[str, sql.Composable]:
        return {
            "table": sql.Identifier(self.table),
            "differing": sql.Identifier(f"differing_{self.table}"),
            "key": listed(self.key),
            "columns": listed(self.columns),
            "expected": sql.SQL(self.expected),
        }

    def _comparison(self) -> dict[str, sql.Composable]:
        same = sql.SQL("e.{c} = s.{c}")
        either = sql.SQL("coalesce(e.{c}, s.{c}) AS {c}")
        both = sql.SQL("e.{c} AS {expected}, s.{c} AS {stored}")
        counts = sql.SQL(" OR ").join(sql.SQL("{} <> 0").format(c) for c in names(self.values))
        return {
            "same_key": sql.SQL(" AND ").join(same.format(c=c) for c in names(self.key)),
            "keys": sql.SQL(", ").join(either.format(c=c) for c in names(self.key)),
            "pairs": sql.SQL(", ").join(
                both.format(
                    c=sql.Identifier(c),
                    expected=sql.Identifier(f"expected_{c}"),
                    stored=sql.Identifier(f"stored_{c}"),
                )
                for c in self.values
            ),
            "expected_values": sql.SQL(", ").join(
                sql.SQL("e.{}").format(c) for c in names(self.values)
            ),
            "stored_values": sql.SQL(", ").join(
                sql.SQL("s.{}").format(c) for c in names(self.values)
            ),
            "matters": counts if self.are_counters else sql.SQL("true"),
        }


def names(columns: tuple[str, ...]) -> Iterator[sql.Identifier]:
    return (sql.Identifier(column) for column in columns)


def listed(columns: "tuple[str, ...] | Iterator[str]") -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)


def shown(value: object) -> str:
    """Return the value as a person reads it, cut to a line."""
    words = "none" if value is None else str(value)
    return words if len(words) <= LONGEST_VALUE else f"{words[: LONGEST_VALUE - 1]}…"
