"""The records that a batch creates or changes, and the links of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from people.objects import links
from people.objects.schema import RecordField
from people.objects.writing.rows import RecordRow


@dataclass(slots=True)
class Target:
    """A record to be created or changed by the batch; it has the values and links after the rows so far."""

    record: RecordRow
    before: Mapping[str, Any]  # canonical values before the batch
    person_before: int | None
    linked_before: int | None
    hash_before: bytes
    stored_before: Mapping[str, Any]
    is_new: bool
    text: str = ""  # the JSON of the values after the batch
    values: dict[str, Any] = field(default_factory=dict)  # new canonical values; None is no value
    rows: list[int] = field(default_factory=list)
    changing: set[int] = field(default_factory=set)  # those of its rows that change something

    def leads_elsewhere(self) -> bool:
        """Return True if its dedupe values or links changed: with any other change it meets no other record."""
        record = self.record
        now = (bytes(record.dedupe_hash), record.person_id, record.linked_id)
        return now != (self.hash_before, self.person_before, self.linked_before)

    def current(self) -> Mapping[str, Any]:
        """The canonical values of the record after the rows so far."""
        return {**self.before, **self.values} if self.values else self.before


class LinkSide(NamedTuple):
    """The link to a person, or that to another record, with what its values name and its columns of a record."""

    field: RecordField
    found: Mapping[str, links.Target]
    key_name: str
    id_name: str
