"""Tables without their indexes while they are filled; built once afterwards, exactly as before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction
from psycopg import sql

# Foreign keys go first and come last: they need the unique indexes of what they point at.
# Those of other tables that point here go too. Checks stay: they cost little, and a row that
# breaks one is told at once.
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE contype = 'f' AND conparentid = 0
      AND (conrelid = ANY (%(tables)s::regclass[]) OR confrelid = ANY (%(tables)s::regclass[]))
    ORDER BY conrelid::regclass::text, conname
"""
KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE contype IN ('p', 'u', 'x') AND conrelid = ANY (%(tables)s::regclass[])
    ORDER BY contype, conrelid::regclass::text, conname
"""
INDEXES = """
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text,
           pg_get_indexdef(i.indexrelid)
    FROM pg_index AS i
    WHERE i.indrelid = ANY (%(tables)s::regclass[])
      AND NOT EXISTS (SELECT FROM pg_constraint AS c
                      WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
    ORDER BY i.indrelid::regclass::text, i.indexrelid::regclass::text
"""


@dataclass(frozen=True, slots=True)
class Definitions:
    """What was taken away, each as (table, name, definition)."""

    foreign_keys: list[tuple[str, str, str]]
    keys: list[tuple[str, str, str]]
    indexes: list[tuple[str, str, str]]


@contextmanager
def without_indexes(tables: Sequence[str]) -> Iterator[None]:
    """
    Fill the tables inside this block: without indexes, unique keys and foreign keys.

    All come back as the catalog defined them, checked against the rows. One transaction holds
    both ends, so a load that dies leaves everything as it was. Nobody else can use the tables
    meanwhile.
    """
    with transaction.atomic():
        # Foreign keys that wait for the commit would forbid every ALTER TABLE.
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        taken = Definitions(
            foreign_keys=catalog(FOREIGN_KEYS, tables),
            keys=catalog(KEYS, tables),
            indexes=catalog(INDEXES, tables),
        )
        for table, name, _ in [*taken.foreign_keys, *taken.keys]:
            execute(f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}")
        for _, name, _ in taken.indexes:
            execute(f"DROP INDEX {name}")
        yield
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        restore(taken)


def restore(taken: Definitions) -> None:
    """Build everything that was taken away."""
    for table, name, definition in taken.keys:
        execute(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}")
    for _, _, definition in taken.indexes:
        execute(definition)
    for table, name, definition in taken.foreign_keys:
        execute(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}")


def catalog(query: str, tables: Sequence[str]) -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"tables": list(tables)})
        return [(table, name, definition) for table, name, definition in cursor.fetchall()]


def quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def execute(statement: str) -> None:
    """Run one statement; names come quoted from the catalog, definitions are its own text."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
