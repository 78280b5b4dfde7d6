"""The web addresses that a submission keeps: of this installation's own pages only the public ones.

Addresses of ours can have secrets in their path or query: the link of a kiosk, a code for the entrance, where a
sign-in leads to. Pages of other hosts are kept without the secrets that `parse_address` removes by their names.
"""

from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.urls import Resolver404, resolve

from activities.tracking.addresses import Address, parse_address

PUBLIC = frozenset({"form-page", "form-thanks", "demo-site", "demo-site-page"})  # names of routes


def storable_address(text: str, own_host: str) -> Address | None:
    """The address of a page as a submission keeps it; None for no address, and for a page of ours that is not public.

    `own_host`: host and port by which this installation was called; the one of SITE_URL counts, too.
    """
    address = parse_address(text)
    if address is None or not address.host:
        return address
    own = {_name(f"//{own_host}"), _name(settings.SITE_URL or "")} - {""}
    return address if _name(f"//{address.host}") not in own or _is_public(address.path) else None


def _name(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".").lower()


def _is_public(path: str) -> bool:
    try:
        return resolve(unquote(path)).url_name in PUBLIC
    except Resolver404:
        return False
