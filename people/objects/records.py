"""Creates and changes object records: whole batches in one transaction, with their history, published as events.

Channels check the right to add or change records once a call. `removal` deletes, restores and undoes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any

from django.db import transaction

from people.core.source import Source
from people.models import ObjectRecord, ObjectType
from people.objects.identity.replacement import rows_of_records_that_stay
from people.objects.matching import lock_type
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome
from people.objects.writing import batch
from people.rights import ADD_OBJECTRECORD, CHANGE_OBJECTRECORD, DELETE_OBJECTRECORD, VIEW_OBJECTRECORD

VIEW, ADD, CHANGE, DELETE = VIEW_OBJECTRECORD, ADD_OBJECTRECORD, CHANGE_OBJECTRECORD, DELETE_OBJECTRECORD
MAX_BATCH = 2_000


def upsert_records(
    object_type: ObjectType | int,
    rows: Sequence[Mapping[str, Any]],
    source: Source,
    *,
    key: RecordKey = RecordKey.DEDUPE,
    action: RecordAction = RecordAction.UPSERT,
    zone: tzinfo = UTC,
    dry_run: bool = False,
    undoes: Mapping[int, int] = MappingProxyType({}),
    expected_revisions: Mapping[int, int] = MappingProxyType({}),
    follows_replaced: bool = False,
) -> list[RecordOutcome]:
    """Create or update records of one type; return one outcome a row, in order. One transaction.

    A row maps API names of fields to raw values; blank is no value, and a field that is not named keeps its value. By
    the dedupe fields, all of them are given; text that differs only in case or Unicode form names the same record,
    which keeps the form it has. By `id` or `guid`, the row has it under that name, records are only updated, and
    dedupe values may change, but never to those of another record. Rows for the same record are applied in order, and
    make one change in its history.
    Concurrent calls with the same new dedupe values create one record. With `dry_run` everything is checked and nothing
    is saved. `undoes` are the changes to undo, by record. Raises `RejectedError` (`unknown_type`,
    `unapproved_type`, `retired_type`), `ConflictError` if a record is no longer at that of `expected_revisions`, which
    are by record, and ValueError over 2,000 rows; never for bad rows. With `follows_replaced`, the id or guid of a
    replaced record means the record that stays.
    """
    if len(rows) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} records in one transaction")
    type_id = object_type if isinstance(object_type, int) else object_type.pk
    with transaction.atomic():
        schema = lock_type(type_id, rows, key, zone)
        if follows_replaced:
            rows = rows_of_records_that_stay(schema, rows, key)
        return batch.RecordBatch(schema, rows, source, key, action, zone, undoes).run(dry_run, expected_revisions)


def update_record(
    record: ObjectRecord,
    values: Mapping[str, Any],
    source: Source,
    expected_revision: int | None = None,
    *,
    zone: tzinfo = UTC,
) -> RecordOutcome:
    """Change one record. Raises `ConflictError` if it is no longer at `expected_revision`."""
    row = {**values, "id": record.pk}
    return upsert_records(
        record.object_type_id,
        [row],
        source,
        key=RecordKey.ID,
        action=RecordAction.UPDATE,
        zone=zone,
        expected_revisions={} if expected_revision is None else {record.pk: expected_revision},
    )[0]
