"""Limits of attempts with passwords and secrets, and of simultaneous hashing, which is slow on purpose."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.access import call_limits
from config.client_address import network_of, request_address

SLOTS = max(1, (os.cpu_count() or 2) // 2)
WAIT_SECONDS = 1.0
RETRY_SECONDS = 5


class HashingBusyError(Exception):
    """No slot for hashing passwords became free while the request waited."""


def network_of_request(request: HttpRequest) -> str:
    """Key of counted attempts: an IPv4 address, or the /64 of an IPv6 one (one line); unknown addresses share one."""
    return network_of(request_address(request))


def seconds_until_next_attempt(request: HttpRequest) -> int:
    """Seconds until the caller's network may try again; 0: now. Callers check it before any secret."""
    return call_limits.seconds_until_allowed(_caller(request), settings.LOGIN_FAILURES_PER_ADDRESS)


def count_failed_attempt(request: HttpRequest) -> None:
    """Count a wrong password or secret."""
    call_limits.count_call(_caller(request))


@contextlib.contextmanager
def hashing_slot(folder: Path | None = None) -> Iterator[None]:
    """Hold one of this machine's slots for hashing: half of its processors, for all processes together.

    Slots are file locks, which end with their process. Raises `HashingBusyError` if none becomes free in time.
    """
    folder = folder or Path(settings.DATA_DIR)
    deadline = time.monotonic() + WAIT_SECONDS
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(open(folder / f"hashing.{number}.lock", "ab")) for number in range(SLOTS)]
        while not any(_try_lock(file.fileno()) for file in files):
            if time.monotonic() > deadline:
                raise HashingBusyError
            time.sleep(0.02)
        yield


class BoundedPBKDF2(PBKDF2PasswordHasher):
    """PBKDF2 within a slot: for setting and checking secrets of users and API clients."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with hashing_slot():
            return super().encode(password, salt, iterations)


class HashingMiddleware:
    """Returns 503 for a request without a hashing slot that no view has handled."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        return hashing_busy_response() if isinstance(error, HashingBusyError) else None


def hashing_busy_response() -> HttpResponse:
    text = _("Too many people are signing in at this moment. Try again in a few seconds.")
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return HttpResponse(f"{text}\n", status=503, content_type="text/plain; charset=utf-8", headers=headers)


def _caller(request: HttpRequest) -> str:
    return f"secret:{network_of_request(request)}"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
