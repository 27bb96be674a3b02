"""What all filter forms share: nothing unknown, nothing twice, dates within bounds."""

from datetime import date

import pytest
from django import forms
from django.http import QueryDict

from backoffice.core.filters import BoundedDateField, StrictFilterForm, ValuesField


class Sample(StrictFilterForm):
    word = forms.CharField(required=False)
    day = BoundedDateField(required=False)
    several = forms.MultipleChoiceField(required=False, choices=[("a", "A"), ("b", "B")])
    codes = ValuesField(required=False, check=str.isupper)


def errors(query):
    form = Sample(QueryDict(query))
    return [message for messages in form.errors.values() for message in messages]


@pytest.mark.parametrize(
    "query",
    ["", "word=", "word=x&project=north", "several=a&several=b", "codes=A&codes=B", "codes="],
)
def test_what_is_known_is_taken(query):
    assert errors(query) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("wrod=x", "Unknown filter: wrod."),
        ("b=1&a=2", "Unknown filter: a, b."),
        ("a=1&b=1&c=1&d=1&e=1&f=1", "Unknown filter: a, b, c, d, e."),
        ("x" * 50 + "=1", f"Unknown filter: {'x' * 40}."),
        ("word=x&word=x", "word can be given once only."),
        ("project=a&project=a", "project can be given once only."),
        ("day=2026-01-01&day=2026-01-01", "day can be given once only."),
        ("several=c", "Select a valid choice. c is not one of the available choices."),
        ("codes=A&codes=b", "b is no possible value."),
        ("codes=" + "A" * 501, f"{'A' * 40} is no possible value."),
        ("codes=A%00B", "AB is no possible value."),
        ("day=1989-12-31", "Choose a day from 1990 to 2199."),
        ("day=2200-01-01", "Choose a day from 1990 to 2199."),
        ("day=01/02/2026", "Enter a valid date."),
        ("day=2026-1-1", "Enter a valid date."),
        ("day=٢٠٢٦-01-01", "Enter a valid date."),
    ],
)
def test_what_cannot_be_is_said(query, message):
    assert errors(query) == [message]


class Dated(StrictFilterForm):
    locals()["from"] = BoundedDateField(required=False)
    to = BoundedDateField(required=False)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2026-11-01&to=2026-11-01", {}),
        ("from=2026-11-02", {}),
        ("to=2026-11-01", {}),
        ("from=2026-11-02&to=2026-11-01", {"to": ["The last day lies before the first."]}),
    ],
)
def test_days_run_forwards(query, words):
    assert Dated(QueryDict(query)).errors == words


def test_clean_values():
    form = Sample(QueryDict("day=1990-01-01&codes=A&codes=&codes=B"))

    assert form.is_valid()
    assert form.cleaned_data["day"] == date(1990, 1, 1)
    assert form.cleaned_data["codes"] == ["A", "B"]
