"""Bodies of requests that are answered before they were read."""

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase

BLOCK_BYTES: Final = 64 * 1024
# Who sends more finds the connection closed.
MOST_DISCARDED_BYTES: Final = 16 * 1024 * 1024


def read_to_the_end(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """
    Read past what the view left of the body before its answer goes out.

    The web server closes a connection with much of a body unread. Plain clients send all before
    they read: they would find a broken connection in place of the answer.
    """

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        finally:
            discard_rest(request)

    return answered


def discard_rest(request: HttpRequest) -> None:
    """Read what is left of the body, a block at a time, and keep none of it; 16 MiB at most."""
    # Django reads none of a body that does not tell its length. The server's own stream ends
    # with such a body too, where the server promises that.
    is_terminated = request.META.get("wsgi.input_terminated")
    stream = request.META["wsgi.input"] if is_terminated else request
    left = MOST_DISCARDED_BYTES
    # Whoever hung up reads no answer.
    with suppress(OSError):
        while left > 0 and (block := stream.read(BLOCK_BYTES)):
            left -= len(block)
