"""Keyset pages: cursors that cannot be made elsewhere, and rows in a fixed order."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.core.pagination import Cursor, CursorRefused, Ordering, keyset_page
from backoffice.projects.models import Project
from tests.factories.projects import ProjectFactory

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
BY_NAME = Ordering("name", ("name", "pk"))
BY_DATE = Ordering("-created", ("created_at", "pk"), is_descending=True)

values = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.integers(0, 2**40).map(lambda n: AT + timedelta(milliseconds=n)),
)


@given(st.tuples(values, st.integers(0, 2**63 - 1)), st.integers(0, 10**9))
def test_a_cursor_comes_back_as_it_was(pair, offset):
    cursor = Cursor("name", AT, offset, pair)

    assert Cursor.decode(cursor.encode(of="x"), BY_NAME, of="x") == cursor


def test_an_instant_of_another_zone_is_the_same_instant():
    there = AT.astimezone(timezone(timedelta(hours=9)))
    cursor = Cursor.decode(
        Cursor("-created", there, 0, (there, 1)).encode(of="x"), BY_DATE, of="x"
    )

    assert cursor.values == (AT, 1)


def test_a_cursor_is_text_for_an_address_and_tells_nothing():
    text = Cursor("name", AT, 0, ("lovelace", 1)).encode(of="x")

    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert "lovelace" not in text


@given(st.text(max_size=200))
def test_text_that_is_no_cursor_is_refused(text):
    with pytest.raises(CursorRefused):
        Cursor.decode(text, BY_NAME, of="x")


# What is drawn may not hang on the text, which sealing makes another each time.
@given(st.floats(0, 1, exclude_max=True), st.sampled_from(["AB", "ab", "01", "-_"]))
def test_an_altered_cursor_is_refused(share, pair):
    text = Cursor("name", AT, 3, ("x", 1)).encode(of="x")
    place = int(share * (len(text) - 1))
    other = pair[text[place] == pair[0]]

    with pytest.raises(CursorRefused):
        Cursor.decode(text[:place] + other + text[place + 1 :], BY_NAME, of="x")


def test_a_cursor_of_another_list_order_key_or_length_is_refused(settings):
    text = Cursor("name", AT, 0, ("x", 1)).encode(of="x")

    for ordering in (BY_DATE, Ordering("-name", BY_NAME.fields), Ordering("name", ("pk",))):
        with pytest.raises(CursorRefused):
            Cursor.decode(text, ordering, of="x")
    with pytest.raises(CursorRefused):
        Cursor.decode(text * 100, BY_NAME, of="x")
    with pytest.raises(CursorRefused):
        Cursor.decode(text, BY_NAME, of="y")
    settings.SECRET_KEY = "another"
    with pytest.raises(CursorRefused):
        Cursor.decode(text, BY_NAME, of="x")


# As many and as unlike letters as a name can have: each of its own, four bytes long in UTF-8.
UNLIKE = "".join(chr(0x20000 + (number * 7919) % 40000) for number in range(301))


@pytest.mark.parametrize(
    "name",
    [
        "😀" * 100 + "\x01" + "😀" * 100,
        "صلى الله عليه وسلم" * 55,
        "\N{HANGUL SYLLABLE GAG}" * 1000,
        UNLIKE,
    ],
    ids=["emoji", "ligatures", "syllables", "ideographs"],
)
def test_the_longest_names_fit_into_an_address(name):
    cursor = Cursor("-name", AT, 10**6, (name, 2**63 - 1))
    text = cursor.encode(of="users 1000000")

    # gunicorn takes 4,094 bytes of a request line; the filter needs some of them.
    assert len(text) < 2100
    assert Cursor.decode(text, Ordering("-name", BY_NAME.fields), of="users 1000000") == cursor


@pytest.fixture
def projects(db):
    for name in ("B", "A", "B", "A", "C"):
        ProjectFactory(name=name)


def page(ordering, **place):
    return keyset_page(Project.objects.all(), ordering, of="x", per_page=2, at=AT, **place)


def decoded(text, ordering):
    return Cursor.decode(text, ordering, of="x")


@pytest.mark.parametrize(("is_descending", "names"), [(False, "AABBC"), (True, "CBBAA")])
def test_pages_there_and_back(projects, is_descending, names):
    ordering = Ordering("n", BY_NAME.fields, is_descending=is_descending)

    first = page(ordering)
    second = page(ordering, after=decoded(first.after, ordering))
    third = page(ordering, after=decoded(second.after, ordering))
    again = page(ordering, before=decoded(third.before, ordering))
    start = page(ordering, before=decoded(again.before, ordering))

    assert "".join(row.name for p in (first, second, third) for row in p.rows) == names
    assert len({row.pk for p in (first, second, third) for row in p.rows}) == 5
    assert [p.offset for p in (first, second, third, again, start)] == [0, 2, 4, 2, 0]
    assert (again.rows, start.rows) == (second.rows, first.rows)
    assert first.before is third.after is start.before is None


def test_no_rows_have_no_neighbours(db):
    empty = page(BY_NAME)

    assert (empty.rows, empty.after, empty.before) == ([], None, None)


def test_a_page_whose_rows_are_gone_leads_nowhere(projects):
    first = page(BY_NAME)
    Project.objects.all().delete()

    behind = page(BY_NAME, after=decoded(first.after, BY_NAME))

    assert (behind.rows, behind.after, behind.before) == ([], None, None)


def test_one_query_that_reads_one_row_more_than_it_shows(projects, django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        page(BY_NAME)

    assert "LIMIT 3" in captured[0]["sql"]
    assert "OFFSET" not in captured[0]["sql"]
