"""Hosts that a form may lead to afterwards: those of the team's web sites, and no others."""

from collections.abc import Iterator

from django.conf import settings

from activities.models import EventSource, Form
from activities.sources.origins import is_allowed_origin, origin_of_address

MAX_ADDRESS = 2_000


def allowed_origins() -> list[str]:
    """The origins of all web sites that are on, and of this installation."""
    sites = EventSource.objects.filter(kind=EventSource.Kind.BROWSER, is_on=True).values_list("origins", flat=True)
    own = origin_of_address(settings.SITE_URL) if settings.SITE_URL else None
    return [*(origin for origins in sites for origin in origins), *([own] if own else [])]


def is_allowed_address(address: str) -> bool:
    """True for a web address on one of the allowed hosts; nothing in it can lead a browser elsewhere."""
    if not address or len(address) > MAX_ADDRESS or not address.isprintable() or "\\" in address:
        return False
    if address != address.strip() or any(character.isspace() for character in address):
        return False
    if not address.startswith(("https://", "http://")) or "@" in address.split("/", 3)[2]:
        return False
    origin = origin_of_address(address)
    return origin is not None and is_allowed_origin(origin, allowed_origins())


def next_address(form: Form, page_address: str = "") -> str:
    """The address to go to after a submission: the page's if it is allowed, else the form's; empty for ours.

    Both are checked now: a web site may have been turned off since the form was saved.
    """
    return next((address for address in (page_address, form.next_url) if is_allowed_address(address)), "")


def form_action_origins(form: Form) -> Iterator[str]:
    """The origins that a page of the form may be redirected to, for its content security policy."""
    address = next_address(form)
    origin = origin_of_address(address) if address else None
    if origin:
        yield origin
