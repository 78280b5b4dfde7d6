"""The network address of a request's caller."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "0.0.0.0"


def request_address(request: HttpRequest) -> str:
    """Return the caller's network address; behind a trusted proxy the one that this proxy, the last one, reports.

    Other entries of X-Forwarded-For come from untrusted callers. Empty if no address is known (tests, sockets).
    """
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.TRUST_PROXY else ""
    text = forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
    return canonical_address(text)


def canonical_address(text: str) -> str:
    """A network address in its usual spelling, an IPv4 address also where it came as IPv6; empty for anything else."""
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)  # ::ffff:a.b.c.d is a.b.c.d


def network_of(text: str) -> str:
    """Key of counted attempts: an IPv4 address, or the /64 of an IPv6 one (one line); unknown addresses share one."""
    canonical = canonical_address(text)
    if not canonical:
        return UNKNOWN
    address = ip_address(canonical)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), 64), strict=False).network_address)
    return canonical
