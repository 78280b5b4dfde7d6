"""Rows to be recorded in the log, and their outcomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from people.core.errors import Problem


@dataclass(frozen=True, slots=True)
class PersonLookup:
    """A person by another field than the id: "email" or the API name of a unique person field."""

    value: str
    field: str = "email"
    create: bool = False


class Acceptance(NamedTuple):
    """The version that checked a row when it was accepted, and the moment of it.

    The row is recorded with this version, also where another one is live by now or the type was retired later.
    """

    version: int
    at: datetime


# not frozen: that would take longer to make than to check
@dataclass(slots=True)
class NewActivity:
    """One activity as a channel received it; only its structure has been checked.

    `person`: an id or a `PersonLookup`. `activity_type`: id or API name. `occurred_at`: ISO 8601 text or datetime.
    `attributes`: (API name or display name, raw value) pairs of the secondary fields.
    `former_id`: the external id that an earlier version would have given the row.
    `acceptance`: of a row that was accepted earlier and waited.
    """

    person: Any
    activity_type: Any
    occurred_at: Any
    primary_value: Any = None
    attributes: Iterable[tuple[str, Any]] = ()
    external_id: Any = None
    former_id: str | None = None
    acceptance: Acceptance | None = None


class RecordStatus(StrEnum):
    ADDED = "added"
    REPEATED = "repeated"  # the same external id with the same content was recorded before
    REFUSED = "refused"


@dataclass(slots=True)
class RecordOutcome:
    """The outcome of one row: its id (also when it was recorded before), or the reasons of the refusal.

    `is_left_out`: of a refused row that was not kept to be corrected, as there is no room for it.
    """

    status: RecordStatus
    activity_id: int | None = None
    problems: Sequence[Problem] = field(default=())
    is_left_out: bool = False
