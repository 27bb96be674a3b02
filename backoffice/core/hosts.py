"""Names and addresses of machines: what can be one, and which of them is this machine."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def is_host(text: str) -> bool:
    """Return whether it is a host's name, an IPv4 address, or an IPv6 one in square brackets."""
    if text.startswith("[") and text.endswith("]"):
        return isinstance(_address(text[1:-1]), IPv6Address)
    if text.replace(".", "").isdecimal():
        return isinstance(_address(text), IPv4Address)
    return _NAME.fullmatch(text) is not None


def is_loopback(host: str | None) -> bool:
    """
    Return whether the host is this machine: localhost, 127.0.0.0/8 or ::1.

    :param host: as `urlsplit` gives it, without brackets.
    """
    address = _address(host or "")
    return host == "localhost" or any(address in network for network in _LOOPBACK if address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
