"""Tables with a row per user and more can be spread over machines by user (architecture D5)."""

import pytest
from django.db import connection

from backoffice.core.management.commands.distribute import DISTRIBUTED

pytestmark = pytest.mark.django_db

# One row per user and more.
SPREAD = set(DISTRIBUTED)

# Small enough to be whole on every machine.
WHOLE = {
    # One row a time that staff looked, which is rare.
    "users_impersonation",
    "subscriptions_accessspan",
    "subscriptions_freecopy",
    "subscriptions_providercustomer",
    "subscriptions_purchase",
    "subscriptions_subscription",
    "users_resetrequest",
    "users_usersearch",
}


def rows(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"spread": sorted(SPREAD), "whole": sorted(WHOLE)})
        return cursor.fetchall()


def test_every_table_about_users_is_known_here():
    found = rows(
        """
        SELECT c.relname FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id'
        JOIN pg_attribute AS other ON other.attrelid = c.oid AND other.attname = 'project_id'
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relnamespace = current_schema()::regnamespace
        """
    )

    assert {name for (name,) in found} == SPREAD | WHOLE


def test_the_user_leads_every_unique_key():
    found = rows(
        """
        SELECT c.relname, i.relname, a.attname
        FROM pg_index AS x
        JOIN pg_class AS c ON c.oid = x.indrelid
        JOIN pg_class AS i ON i.oid = x.indexrelid
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
        WHERE x.indisunique AND c.relname = ANY (%(spread)s)
        """
    )

    assert {table for table, _index, _column in found} == SPREAD
    assert [key for key in found if key[2] != "user_id"] == []


def test_nothing_but_unique_keys_needs_to_look_at_all_machines():
    exclusions = rows(
        """
        SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE contype = 'x' AND conrelid = ANY (%(spread)s::text[]::regclass[])
        """
    )

    assert exclusions == []


def test_no_trigger():
    found = rows(
        """
        SELECT tgrelid::regclass::text, tgname FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid = ANY (%(spread)s::text[]::regclass[])
        """
    )

    assert found == []


def test_no_sequence_and_no_generated_number():
    found = rows(
        """
        SELECT c.relname, a.attname
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relname = ANY (%(spread)s)
          AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval%%')
        """
    )

    assert found == []


def test_references_lead_along_the_user_or_to_small_tables():
    found = rows(
        """
        SELECT f.conrelid::regclass::text, f.confrelid::regclass::text, a.attname
        FROM pg_constraint AS f
        JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
        WHERE f.contype = 'f' AND f.conrelid = ANY (%(spread)s::text[]::regclass[])
        """
    )
    small = {"projects_project", "projects_platform", "analytics_content", "analytics_device"}

    assert [f for f in found if f[2] != "user_id" and f[1] not in small] == []


def test_nothing_refers_to_them_from_outside():
    found = rows(
        """
        SELECT conrelid::regclass::text FROM pg_constraint
        WHERE contype = 'f' AND confrelid = ANY (%(spread)s::text[]::regclass[])
          AND conrelid <> ALL (%(spread)s::text[]::regclass[])
        """
    )

    assert found == []
