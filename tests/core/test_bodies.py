"""What is left of a body is read past, not kept, and not for ever."""

from django.test import RequestFactory

from backoffice.core.bodies import discard_rest

MIB = 1024 * 1024


class Endless:
    """A body without end, that notes how much was asked for at once."""

    def __init__(self):
        self.asked = []

    def read(self, size):
        self.asked.append(size)
        return b"x" * size


class Broken:
    def read(self, _size):
        raise ConnectionResetError


def request_with(stream, **meta):
    request = RequestFactory().post("/", b"", content_type="text/plain")
    request.META |= {"wsgi.input": stream, "wsgi.input_terminated": True, **meta}
    return request


def test_reads_sixteen_megabytes_at_most_in_small_blocks():
    body = Endless()

    discard_rest(request_with(body))

    assert sum(body.asked) == 16 * MIB
    assert set(body.asked) == {64 * 1024}


def test_a_server_that_does_not_end_bodies_is_asked_for_the_told_length_only():
    request = RequestFactory().post("/", b"x" * 100_000, content_type="text/plain")

    discard_rest(request)

    assert request.read() == b""


def test_whoever_hung_up_is_no_error():
    discard_rest(request_with(Broken()))
