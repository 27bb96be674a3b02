"""Where a request comes from, told by nobody but the proxies that the operator trusts."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """
    Return the address of the client, or "unknown" (a socket without addresses, a broken header).

    X-Forwarded-For is read only behind TRUSTED_PROXY_HOPS proxies, and there only the entry
    that the outermost of them wrote: everything before it is the client's own invention.
    """
    hops: int = settings.TRUSTED_PROXY_HOPS
    address = request.META.get("REMOTE_ADDR", "")
    if hops:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = entries[-hops].strip() if len(entries) >= hops else ""
    try:
        return str(ip_address(address))
    except ValueError:
        return "unknown"
