"""Bounds of what anybody may send to a form, checked before a body is read."""

from django.conf import settings
from django.http import HttpRequest

from config.access import call_limits
from config.access.sign_in.throttling import network_of_request

MAX_BODY = 64 * 1024  # of a form
MAX_KIOSK_BODY = 256 * 1024  # of what waited in a kiosk


def is_too_large(request: HttpRequest, limit: int = MAX_BODY) -> bool:
    """True for a body that is larger than the limit, or whose length is not written in digits; none at all is 0."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= limit)


def seconds_to_wait(request: HttpRequest, form_id: int, *, per_address: bool = True) -> int:
    """Count submissions; return the seconds until the next one is taken, 0 for now.

    `per_address` is false for a kiosk, whose address is a secret: at a trade show all have one network address.
    """
    callers = [(f"form:{form_id}", settings.FORM_SUBMISSIONS_PER_FORM)]
    if per_address:
        callers.insert(0, (f"form-sender:{network_of_request(request)}", settings.FORM_SUBMISSIONS_PER_ADDRESS))
    for caller, limit in callers:
        allowance = call_limits.count_call(caller, limit)
        if allowance.used > limit:
            return allowance.seconds_left
    return 0
