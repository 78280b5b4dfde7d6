"""The network address of a request's caller."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def request_address(request: HttpRequest) -> str:
    """Return the caller's network address; behind a trusted proxy the one that this proxy, the last one, reports.

    Other entries of X-Forwarded-For come from untrusted callers. Empty if no address is known (tests, sockets).
    """
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.TRUST_PROXY else ""
    text = forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)  # ::ffff:a.b.c.d is a.b.c.d
