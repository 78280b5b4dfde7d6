"""A record that is not written yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import urandom
from time import time_ns
from typing import Any
from uuid import UUID

from people.models import ObjectRecord


def new_guid() -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): those of one batch lie together in the index, so that few pages change."""
    chance = int.from_bytes(urandom(10), "big")
    number = (time_ns() // 1_000_000) << 80 | 7 << 76 | (chance >> 68) << 64 | 0b10 << 62 | chance & (1 << 62) - 1
    return UUID(int=number)


@dataclass(slots=True)
class NewRecord:
    """The columns of a new record under the names of `ObjectRecord`, which takes several times as long to make."""

    object_type_id: int
    pk: Any = None  # its id, once it is inserted
    guid: UUID = field(default_factory=new_guid)
    version: int = 0
    revision: int = 1
    person_id: int | None = None
    person_key: str | None = None
    linked_id: int | None = None
    linked_key: str | None = None
    dedupe_hash: bytes = b""
    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None  # set by the database


RecordRow = ObjectRecord | NewRecord
