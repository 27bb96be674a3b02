"""The guard against formulas: the rule itself, its way back, and its twin in SQL."""

import re

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.core.csv_guard import GUARDED_SQL, guarded, unguarded

# product.md §6, word for word.
PROMISED = re.compile(r"^'*\s*[=+\-@\t\r\n]")

texts = st.text(
    st.one_of(
        st.sampled_from("'=+-@\t\r\n \u00a0\u3000\u2028\x1c\x85\u200b1aZ{[\"｝=＋\x0b"),
        st.characters(exclude_characters="\x00", exclude_categories=["Cs"]),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1@ex.com", "'=1+1@ex.com"),
        ("+33 1 23", "'+33 1 23"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\ttab", "'\ttab"),
        ("\rreturn", "'\rreturn"),
        ("\nline", "'\nline"),
        ("  =x", "'  =x"),
        ("\u00a0=x", "'\u00a0=x"),
        ("'=x", "''=x"),
        ("''' -x", "'''' -x"),
        ("'plain", "'plain"),
        ("O'Neil", "O'Neil"),
        ("a=b", "a=b"),
        ("", ""),
        (" plain", " plain"),
        ("{=x", "{=x"),
    ],
)
def test_cells_that_a_spreadsheet_would_run_get_one_more_apostrophe(text, cell):
    assert guarded(text) == cell
    assert unguarded(cell) == text


@given(texts)
def test_the_rule_is_the_promised_one(text):
    assert guarded(text) == (f"'{text}" if PROMISED.match(text) else text)


@given(texts)
def test_what_is_guarded_comes_back(text):
    cell = guarded(text)

    # Any other text that looks like a guarded cell is one: the file would have guarded it.
    assert unguarded(cell) == text


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(texts, min_size=1, max_size=20))
def test_the_database_guards_alike(several):
    statement = GUARDED_SQL.replace("{text}", "text")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {statement} FROM unnest(%s::text[]) WITH ORDINALITY AS t (text, n)"
            " ORDER BY n",
            [several],
        )
        cells = [cell for (cell,) in cursor]

    assert cells == [guarded(text) or None for text in several]
