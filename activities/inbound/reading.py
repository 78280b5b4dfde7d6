"""Reads the body of a call, JSON or a form, within bounds that are checked before anything is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from activities.inbound.paths import value_at
from activities.models import InboundWebhook
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.messages import storable_text
from people.datatypes import exact_json

MAX_BODY = 512 * 1024
MAX_DEPTH = 30
MAX_VALUES = 5_000  # members of objects and entries of lists, together
MAX_FIELDS = 500  # of a form
MAX_TYPE = 100
MAX_ID = 500
_BYTES_OF_ONE = 4_096
FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class ReceivedCall:
    """One call that was read and not kept yet. `digest`: of its id, else of its body; the sender's retries repeat it.

    The other members are the collector's `Committable`.
    """

    source_id: int
    size: int
    body: str
    content_type: str
    digest: bytes
    has_id: bool
    is_handshake: bool = False
    is_repeat: bool = False  # known once it is committed
    items: tuple[Any, ...] = field(default=())
    is_busy: bool = False
    is_unavailable: bool = False

    @property
    def number_of_hits(self) -> int:
        """The weight in the writer's queue: what waits there takes a bounded number of bytes."""
        return 1 + self.size // _BYTES_OF_ONE


def parse_body(body: bytes, content_type: str) -> tuple[Any, str]:
    """The content of a call, and the JSON text that is kept of it.

    Raises `RejectedError` (`invalid_json`, `too_deep`, `too_many_values`): nothing is kept.
    """
    if content_type.partition(";")[0].strip().lower() == FORM:
        content = _parse_form(body)
        return content, json.dumps(content)
    try:
        text = body.decode("utf-8-sig")
        content = exact_json.load_exact_json(text.encode())
    except (UnicodeDecodeError, exact_json.InvalidJSONError):
        raise RejectedError(Problem(Code.INVALID_JSON, _("the body is neither JSON nor a form"))) from None
    if not isinstance(content, dict | list):
        raise RejectedError(Problem(Code.INVALID_JSON, _("the body has to be an object or a list")))
    if exact_json.is_deep(content, MAX_DEPTH):
        raise RejectedError(Problem(Code.TOO_DEEP, _("lists and objects are nested too deeply")))
    if _count_values(content) > MAX_VALUES:
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, _("at most 5,000 values in one call")))
    return content, text


def make_call(webhook: InboundWebhook, headers: Mapping[str, str], content: Any, text: str, size: int) -> ReceivedCall:
    """The call with the digest by which its repeats are known."""
    call_id = _id_of(webhook, headers, content)
    identity = f"id:{call_id}" if call_id else f"body:{text}"
    return ReceivedCall(
        source_id=webhook.source_id,
        size=size,
        body=text,
        content_type=storable_text(headers.get("content-type", ""))[:MAX_TYPE],
        digest=sha256(identity.encode("utf-8", "replace")).digest(),
        has_id=bool(call_id),
    )


def load_call(body: str) -> Any:
    """The content of a kept call, with exact numbers."""
    return exact_json.load_exact_json(body.encode("utf-8", "replace"))


def _id_of(webhook: InboundWebhook, headers: Mapping[str, str], content: Any) -> str:
    """The sender's own id of the call; empty where it sent none."""
    value: Any = headers.get(webhook.id_header.lower()) if webhook.id_header else None
    if value is None and webhook.id_path:
        value = value_at(content, webhook.id_path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = exact_json.dump_exact_json(value, str).decode().strip('"').strip()
    return text if len(text) <= MAX_ID else ""


def _parse_form(body: bytes) -> dict[str, Any]:
    """The fields of a form; one that is given several times is a list."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace")
    except UnicodeDecodeError:
        raise RejectedError(Problem(Code.INVALID_JSON, _("the body is neither JSON nor a form"))) from None
    except ValueError:
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, _("at most 500 fields in a form"))) from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _count_values(content: Any) -> int:
    """The number of values in all lists and objects; counting ends beyond `MAX_VALUES`."""
    count, level = 0, [content]
    while level and count <= MAX_VALUES:
        holder = level.pop()
        count += len(holder)
        values = holder.values() if isinstance(holder, dict) else holder
        level += [value for value in values if isinstance(value, dict | list)]
    return count
