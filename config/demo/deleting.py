"""Deletes what the demo made where the team does not use it."""

from collections.abc import Callable
from typing import Any

from django.db import transaction

from people.core.errors import RejectedError


def try_delete(thing: Any, delete: Callable[[Any, Any], Any], by: Any) -> str:
    """Delete `thing` by `delete(thing, by)`; return the reason why it stays, or "". A refusal changes nothing."""
    try:
        with transaction.atomic():
            delete(thing, by)
    except RejectedError as refusal:
        return f"{thing}: {refusal}"
    return ""
