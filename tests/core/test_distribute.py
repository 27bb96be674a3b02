"""The command that spreads the schema, on a stand-in for the functions that Citus brings."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from backoffice.core.management.commands.distribute import DISTRIBUTED

pytestmark = pytest.mark.django_db

# What Citus offers of it: two functions, and a view of the tables that were turned.
CITUS = """
    CREATE TABLE citus_tables (
        place serial, table_name regclass, kind text, colocated_with text
    );
    CREATE FUNCTION create_reference_table(named regclass) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO citus_tables (table_name, kind) VALUES (named, 'reference') $$;
    CREATE FUNCTION create_distributed_table(named regclass, by text, colocate_with text)
        RETURNS void LANGUAGE sql AS
        $$ INSERT INTO citus_tables (table_name, kind, colocated_with)
           VALUES (named, by, colocate_with) $$;
"""


def rows(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@pytest.fixture
def citus():
    """Put the stand-in beside the tables; the test's transaction takes it away again."""
    with connection.cursor() as cursor:
        cursor.execute(CITUS)


def turned():
    return rows("SELECT table_name::text, kind, colocated_with FROM citus_tables ORDER BY place")


def test_without_citus_it_says_so_and_changes_nothing():
    with pytest.raises(CommandError, match="has no Citus, nothing was changed"):
        call_command("distribute")


def test_rows_of_a_user_go_together_and_the_rest_is_whole_everywhere(citus, capsys):
    call_command("distribute")

    by_user = [(name, beside) for name, kind, beside in turned() if kind == "user_id"]
    assert by_user == [
        ("analytics_userviewing", "default"),
        ("analytics_viewermonth", "analytics_userviewing"),
        ("analytics_viewing", "analytics_userviewing"),
        ("users_devicesession", "analytics_userviewing"),
        ("users_passwordreset", "analytics_userviewing"),
    ]
    whole = {name for name, kind, _beside in turned() if kind == "reference"}
    assert {"users_user", "analytics_content", "subscriptions_accessspan"} <= whole
    assert not {name for name in whole if name.startswith(("staff_", "audit_", "jobs_"))}
    assert capsys.readouterr().out.endswith("All tables are where they belong.\n")


def test_a_table_is_turned_after_all_that_it_refers_to(citus):
    call_command("distribute")

    place = {name: number for number, (name, *_rest) in enumerate(turned())}
    references = rows(
        "SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid <> confrelid AND conparentid = 0"
    )
    wrong = [
        (table, other)
        for table, other in references
        if table in place and other in place and place[table] < place[other]
    ]
    assert wrong == []
    assert len(place) > len(DISTRIBUTED)


def test_whole_tables_have_no_trigger_which_citus_would_refuse(citus):
    call_command("distribute")

    found = rows(
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
        " JOIN citus_tables ON table_name = tgrelid WHERE NOT tgisinternal"
    )

    assert found == []


def test_what_was_turned_before_stays(citus):
    rows("SELECT create_reference_table('projects_project')::text")
    rows("SELECT create_distributed_table('analytics_userviewing', 'user_id', 'default')::text")

    call_command("distribute")
    call_command("distribute")

    names = [name for name, *_rest in turned()]
    assert len(names) == len(set(names))


def test_rows_that_go_together_are_spread_by_one_type_of_number():
    found = rows(
        "SELECT DISTINCT format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attname = 'user_id' AND attrelid::regclass::text IN {DISTRIBUTED}"
    )

    assert found == [("bigint",)]
