"""What can be a host, and which hosts are this machine."""

import pytest

from backoffice.core.hosts import is_host, is_loopback


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.0.0.0", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"],
)
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "126.255.255.255",
        "128.0.0.0",
        "0.0.0.0",
        "::",
        "::2",
        "127.1",
        "127.0.0.1.example",
        "127.0.0.example",
        "localhost.example",
    ],
)
def test_another_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "text", ["a", "a-1.Example", "localhost", "10.0.0.7", "[::1]", "[2001:db8::7]", "1.example"]
)
def test_a_host(text):
    assert is_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a b",
        "a_b",
        "a:1",
        "a/b",
        "é.example",
        "1.2.3",
        "256.1.1.1",
        "٣.1.1.1",
        "::1",
        "[::1",
        "[]",
        "[10.0.0.7]",
        "[a]",
        "a\n",
    ],
)
def test_no_host(text):
    assert not is_host(text)
