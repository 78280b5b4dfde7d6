"""Bounds of what any visitor may send to a form, checked before a body is read."""

from django.conf import settings
from django.http import HttpRequest

from config.access import call_limits
from config.access.throttling import network_of_request

MAX_BODY = 64 * 1024  # of a form
MAX_KIOSK_BODY = 256 * 1024  # of what waited in a kiosk


def is_too_large(request: HttpRequest, limit: int = MAX_BODY) -> bool:
    """True for a body that is larger than the limit, or whose length is not written in digits; none at all is 0."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= limit)


MAX_SPAM = 60  # submissions of one form in a minute that are kept as spam


def seconds_of_sender(request: HttpRequest) -> int:
    """Count a request of a network, before its body is read; return the seconds until the next is taken, 0 for now."""
    return _seconds_to_wait(f"form-sender:{network_of_request(request)}", settings.FORM_SUBMISSIONS_PER_ADDRESS)


def seconds_of_form(form_id: int, *, is_spam: bool) -> int:
    """Count a submission of a form; return the seconds until the next is taken, 0 for now.

    Spam has a limit of its own, so that programs, from wherever they send, use up nothing of what people may.
    """
    if is_spam:
        return _seconds_to_wait(f"form-spam:{form_id}", MAX_SPAM)
    return _seconds_to_wait(f"form:{form_id}", settings.FORM_SUBMISSIONS_PER_FORM)


def seconds_of_kiosk(form_id: int) -> int:
    """As `seconds_of_form` for the kiosk, which submissions on the form's page do not use up.

    Its address is a secret, and at a trade show all have one network address: that is not counted.
    """
    return _seconds_to_wait(f"form-kiosk:{form_id}", settings.FORM_SUBMISSIONS_PER_FORM)


def _seconds_to_wait(caller: str, limit: int) -> int:
    allowance = call_limits.count_call(caller, limit)
    return allowance.seconds_left if allowance.used > limit else 0
