"""Names and addresses made comparable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.core.text import email_key, fold, is_invisible, name_sort_key, search_text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Éa  O’Neil", "ea o'neil"),
        ("  Zoë\tÅström\n", "zoe astrom"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Łukasz Øster", "lukasz oster"),
        ("Æther Œuvre", "aether oeuvre"),
        ("İstanbul", "istanbul"),
        ("Kadır", "kadir"),
        ("Μαΐου Σοφός", "μαιου σοφοσ"),
        ("Ёлка", "елка"),
        ("ｆｕｌｌ width", "full width"),
        ("ﬁnn", "finn"),
        ("김민준", "김민준"),
        ("a\u200bd\u00ada", "ada"),
        ("Nguye\u0302\u0303n", "nguyen"),
        ("Nguyễn", "nguyen"),
        ("\u0000\u202e", ""),
        ("", ""),
        # Letters that turn out to be capitals only when they are taken apart.
        ("ᴬda™", "adatm"),
    ],
)
def test_folding(text, folded):
    assert fold(text) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_upper_case_folds_as_lower_case_does(text):
    assert fold(text.lower().upper()) == fold(text.upper())


@given(st.text())
def test_folded_text_shows_all_it_holds(text):
    folded = fold(text)

    assert folded == folded.strip()
    assert "  " not in folded
    assert not any(is_invisible(character) for character in folded)


@pytest.mark.parametrize(
    "character",
    [
        "\u200b",  # zero-width space
        "\u200e",  # left-to-right mark
        "\u00ad",  # soft hyphen
        "\ufeff",  # byte-order mark
        "\x00",
        "\x7f",
        "\ud800",  # half of a pair
        "\U000e0041",  # tag
        "\ufe0f",  # variation selector
        "\u034f",  # joiner of graphemes
        "\u3164",  # filler of Hangul, a letter by name
    ],
)
def test_characters_that_show_nothing(character):
    assert is_invisible(character)


@pytest.mark.parametrize("character", ["a", " ", "\t", "\n", "\r", "é", "\u0301", "م", "😀"])
def test_characters_that_show_or_separate(character):
    assert not is_invisible(character)


@pytest.mark.parametrize(
    "spelling",
    [
        "zoé@mail.example",
        "ZOÉ@Mail.Example",
        "  zoé@mail.example\r\n",
        "zoe\u0301@mail.example",
        "\ufeffzoé@mail\u200b.example",
        "\u200b zoé@mail.example",
    ],
)
def test_spellings_of_one_address(spelling):
    assert email_key(spelling) == "zoé@mail.example"


def test_accents_tell_addresses_apart():
    assert email_key("zoé@mail.example") != email_key("zoe@mail.example")


@given(st.text())
def test_the_key_of_a_key_is_the_key(email):
    assert email_key(email_key(email)) == email_key(email)


def test_people_are_sorted_by_last_then_first_name_and_nameless_ones_last():
    people = [
        ("Wei", "Li"),
        ("An", "Lin"),
        ("zoé", "ÅSTRÖM"),
        ("", "Lin"),
        ("", ""),
        ("Zoe", ""),
        ("Bo", "Łuk"),
        ("中", "村"),
    ]

    ordered = sorted(people, key=lambda person: name_sort_key(*person))

    assert ordered == [
        ("zoé", "ÅSTRÖM"),
        ("Wei", "Li"),
        ("An", "Lin"),
        ("", "Lin"),
        ("Bo", "Łuk"),
        ("中", "村"),
        ("Zoe", ""),
        ("", ""),
    ]


def test_words_are_found_whole_and_by_their_parts():
    words = search_text("Jean-Marc", "O’Neil", "JM@Mail.example")

    assert words == " jean-marc o'neil marc neil jm@mail.example "


def test_somebody_without_a_name_is_found_by_the_address():
    assert search_text("", "", "jm@mail.example") == " jm@mail.example "


def test_parts_that_are_nothing_leave_no_gap():
    assert search_text("Ann-", "--", "") == " ann- --  "
