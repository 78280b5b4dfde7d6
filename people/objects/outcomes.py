"""The arguments and results of the verbs on records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from people.core.errors import Problem


class RecordKey(StrEnum):
    """The key by which rows name their records."""

    DEDUPE = "dedupe_fields"
    ID = "id"
    GUID = "guid"


class RecordAction(StrEnum):
    UPSERT = "upsert"  # update existing records, create the others
    CREATE = "create"  # refuse existing records
    UPDATE = "update"  # refuse unknown records


class RecordStatus(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    REFUSED = "refused"


RECORD_KEYS, RECORD_ACTIONS, RECORD_STATUSES = (
    [str(word) for word in words] for words in (RecordKey, RecordAction, RecordStatus)
)


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """The outcome of one row. An update without a change counts as an update, and is not `is_changed`."""

    status: RecordStatus
    record_id: int | None = None
    guid: UUID | None = None
    problems: Sequence[Problem] = field(default=())
    is_changed: bool = True


def refused_outcome(*problems: Problem) -> RecordOutcome:
    return RecordOutcome(RecordStatus.REFUSED, None, None, problems)
