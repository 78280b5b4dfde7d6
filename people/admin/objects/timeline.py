"""Changes of a person's object records, as the timeline shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from people.admin.forms import localized_value
from people.admin.objects.forms import changed_fields
from people.models import ObjectChange, ObjectRecord, ObjectType, ObjectVersion
from people.objects.schema import schema_of_version


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """One change of one record, with its fields' names and values in the active language and zone."""

    change: ObjectChange
    record: ObjectRecord | None
    type_name: str
    changed: Sequence[tuple[str, str | None, str | None]]  # (field, old, new)
    is_record: bool = True

    @property
    def occurred_at(self) -> datetime:
        return timezone.localtime(self.change.changed_at)


def record_entries(changes: Sequence[ObjectChange]) -> list[RecordEntry]:
    """The entries of `changes`; three statements for any number of them."""
    if not changes:
        return []
    type_ids = {change.object_type_id for change in changes}
    records = ObjectRecord.objects.in_bulk({change.record_id for change in changes})
    types = ObjectType.objects.select_related("live").in_bulk(type_ids)
    versions = ObjectVersion.objects.filter(object_type__in=type_ids, number__isnull=False)
    ids = {(type_id, number): pk for type_id, number, pk in versions.values_list("object_type", "number", "pk")}
    entries = []
    for change in changes:
        rows = changed_fields(change.changes, schema_of_version(ids[change.object_type_id, change.version]))
        changed = [(name, localized_value(old), localized_value(new)) for name, old, new in rows]
        record = records.get(change.record_id)
        entries.append(RecordEntry(change, record, str(types[change.object_type_id]), changed))
    return entries
