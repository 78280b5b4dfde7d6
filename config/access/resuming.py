"""Data sent from a session that had to be confirmed first: kept sealed in the session, and offered once afterwards.

Nothing is sent automatically: the user who confirmed reads the data and sends it. A stolen session may have entered it.
"""

import re
import time
from typing import Any

from django.http import HttpRequest, QueryDict

from activities.sources import sealing
from people.core.errors import RejectedError

KEPT = "kept_post"  # in the session
KEPT_FOR = 900  # seconds
MAX_KEPT = 32 * 1024  # bytes; a session is one row, which each request reads
TOKEN = "csrfmiddlewaretoken"
SECRET = re.compile("password|secret|token|key", re.IGNORECASE)
SHOWN = 200  # characters of a value


def keep_post(request: HttpRequest, back: str) -> bool:
    """Keep the values of a POST; false for one with files or more than `MAX_KEPT`. `back`: where it is given up."""
    request.session.pop(KEPT, None)
    values = request.POST.copy()
    values.pop(TOKEN, None)
    text = values.urlencode()
    if request.FILES or not values or len(text) > MAX_KEPT:
        return False
    name, sealed = sealing.seal_secret(text.encode())
    request.session[KEPT] = {
        "user": request.user.pk,
        "at": int(time.time()),
        "path": request.get_full_path(),
        "back": back,
        "key": name,
        "sealed": sealed.decode(),
    }
    return True


def take_post(request: HttpRequest) -> dict[str, Any] | None:
    """Remove and return the kept data: `path`, `back`, `fields` (pairs), and `shown`, the pairs without secrets."""
    kept = request.session.pop(KEPT, None)
    if kept is None or kept["user"] != request.user.pk or not 0 <= time.time() - kept["at"] < KEPT_FOR:
        return None
    try:
        text = sealing.unseal_secret(kept["key"], kept["sealed"].encode()).decode()
    except RejectedError:  # the key has been changed meanwhile
        return None
    fields = [(name, value) for name, values in QueryDict(text).lists() for value in values]
    shown = [
        (name, "••••" if SECRET.search(name) else str(value)[:SHOWN]) for name, value in fields if str(value).strip()
    ]
    return {"path": kept["path"], "back": kept["back"], "fields": fields, "shown": shown}
