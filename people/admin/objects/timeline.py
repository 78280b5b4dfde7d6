"""Changes of a person's object records, as the timeline shows them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from people.admin.objects.forms import changed_fields
from people.datatypes.display import localized_value
from people.models import ObjectChange, ObjectType
from people.objects.schema import schema_of_number


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """One change of one record, with its fields' names and values in the active language and zone."""

    change: ObjectChange
    record_name: str | None
    object_type: ObjectType
    changed: Sequence[tuple[str, str | None, str | None]]  # (field, old, new)
    is_record: bool = True

    @property
    def occurred_at(self) -> datetime:
        return timezone.localtime(self.change.changed_at)


def record_entries(changes: Iterable[Any], types: Mapping[int, ObjectType]) -> list[RecordEntry]:
    """The entries of `changes`, as `queries.changes_of_person` returns them; `types` are their types, by id.

    No statements but for versions that this process has not seen yet.
    """
    entries = []
    for change in changes:
        rows = changed_fields(change.changes, schema_of_number(change.object_type_id, change.version))
        changed = [(name, localized_value(old, name), localized_value(new, name)) for name, old, new in rows]
        entries.append(RecordEntry(change, change.record_name, types[change.object_type_id], changed))
    return entries
