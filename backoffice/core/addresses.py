"""Addresses with parameters: what a link keeps of the page that it stands on."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.http import QueryDict


def with_parameters(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the path with these parameters; empty values are left out."""
    text = urlencode([(name, value) for name, value in pairs if value != ""])
    return f"{path}?{text}" if text else path


def pairs_of(data: QueryDict, *, without: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Return the parameters as pairs, repeated ones repeated, but those named."""
    left_out = set(without)
    return [
        (name, value) for name, values in data.lists() if name not in left_out for value in values
    ]
