"""Deletes and restores records, and takes single changes back. A deleted record keeps its values and its history."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from people.core.codes import Code
from people.core.errors import Problem, RejectedError, refuse_if
from people.core.messages import sentence as _
from people.core.source import Source
from people.models import ObjectChange, ObjectRecord, ObjectType
from people.objects import links
from people.objects.identity import siblings
from people.objects.matching import find_records, key_problems, lock_keys, lock_type
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus, refused_outcome
from people.objects.records import MAX_BATCH, upsert_records
from people.objects.schema import ObjectSchema, schema_of_record
from people.objects.writing import record_sql
from people.objects.writing.batch import refuse_if_changed

Kind = ObjectChange.Kind


@transaction.atomic
def delete_records(
    object_type: ObjectType | int,
    rows: Sequence[Mapping[str, Any]],
    source: Source,
    *,
    key: RecordKey = RecordKey.DEDUPE,
    undoes: Mapping[int, int] = MappingProxyType({}),
    expected_revisions: Mapping[int, int] = MappingProxyType({}),
) -> list[RecordOutcome]:
    """Delete the records that the rows name; one outcome a row, in order. `restore_records` restores them.

    Their dedupe values are free for new records. `undoes` and `expected_revisions` as in `upsert_records`. Raises
    `RejectedError` (`unknown_type`, `unapproved_type`, `retired_type`), `ConflictError` if a record is no longer at its
    expected revision, and ValueError over 2,000 rows; never for bad rows.
    """
    schema = _lock(object_type, rows)
    values, outcomes = _named_values(schema, rows, key)
    is_by_values = key is RecordKey.DEDUPE
    hashes = {place: schema.dedupe_hash(row) for place, row in values.items()} if is_by_values else {}
    lock_keys(schema.type_id, hashes.values())
    records = find_records(schema, rows, key, values, hashes)
    refuse_if_changed(records.values(), expected_revisions)
    deleted: dict[int, ObjectRecord] = {}
    for place in values:
        record = records.get(place)
        if record is None or record.pk in deleted:
            outcomes[place] = refused_outcome(Problem(Code.UNKNOWN_RECORD, _("there is no such record")))
        else:
            deleted[record.pk] = record
            outcomes[place] = RecordOutcome(RecordStatus.DELETED, record.pk, record.guid)
    _mark(list(deleted.values()), Kind.REMOVED, source, undoes)
    return [outcomes[place] for place in range(len(rows))]


def _named_values(
    schema: ObjectSchema, rows: Sequence[Mapping[str, Any]], key: RecordKey
) -> tuple[dict[int, dict[str, Any]], dict[int, RecordOutcome]]:
    """The canonical dedupe values of the good rows, none by id; and the outcomes of the bad ones; both by place."""
    outcomes: dict[int, RecordOutcome] = {}
    values: dict[int, dict[str, Any]] = {}
    for place, row in enumerate(rows):
        problems = key_problems(row, key)
        named: dict[str, Any] = {}
        if key is RecordKey.DEDUPE:
            named, faults = schema.check(row)
            problems += [*schema.missing_dedupe(row), *faults.shown_problems()]
        if problems:
            outcomes[place] = refused_outcome(*problems)
        else:
            values[place] = named
    return values, outcomes


@transaction.atomic
def restore_records(
    object_type: ObjectType | int,
    ids: Sequence[Any],
    source: Source,
    *,
    undoes: Mapping[int, int] = MappingProxyType({}),
) -> list[RecordOutcome]:
    """Restore deleted records by their ids; one outcome an id, in order.

    Refused are records that are not deleted (`not_deleted`), and those whose dedupe values another record has by now
    (`value_taken`). Links that wait are resolved, and records that wait for one of these are linked. Raises as
    `delete_records`.
    """
    rows = [{"id": raw} for raw in ids]
    numbers = {place: int(row["id"]) for place, row in enumerate(rows) if not key_problems(row, RecordKey.ID)}
    schema, locked, taken = _lock_deleted(object_type, rows, set(numbers.values()))
    restored: dict[int, ObjectRecord] = {}
    outcomes = []
    for place in range(len(rows)):
        record = locked.get(numbers.get(place, 0))
        if record is None:
            outcomes.append(refused_outcome(Problem(Code.UNKNOWN_RECORD, _("there is no such record"))))
        elif record.deleted_at is None:
            outcomes.append(refused_outcome(Problem(Code.NOT_DELETED, _("the record is not deleted"))))
        elif bytes(record.dedupe_hash) in taken:
            outcomes.append(refused_outcome(_taken()))
        else:
            taken.add(bytes(record.dedupe_hash))
            restored[record.pk] = record
            outcomes.append(RecordOutcome(RecordStatus.RESTORED, record.pk, record.guid))
    links.resolve_waiting(schema, list(restored.values()))
    _leave_out_named_alike(schema, restored, outcomes)
    _mark(list(restored.values()), Kind.RESTORED, source, undoes)
    links.join_records(schema, list(restored.values()), source)
    return outcomes


def _leave_out_named_alike(
    schema: ObjectSchema, restored: dict[int, ObjectRecord], outcomes: list[RecordOutcome]
) -> None:
    """Refuse records whose dedupe values name the same person or record as those of another record by now.

    The other record exists already, or comes before in `restored`.
    """
    if not schema.links_in_key or not restored:
        return
    named = {pk: siblings.named_by_record(schema, record) for pk, record in restored.items()}
    alike = siblings.named_alike(schema, named)
    identities: set[tuple[str | int, ...]] = set()
    for pk, row in named.items():
        identity = siblings.identity_of(schema, row)
        if pk not in alike and identity not in identities:
            identities.add(identity)
            continue
        place = next(place for place, outcome in enumerate(outcomes) if outcome.record_id == pk)
        outcomes[place] = refused_outcome(_taken())
        del restored[pk]


def _taken() -> Problem:
    return Problem(Code.VALUE_TAKEN, _("another record has these dedupe values by now"))


def _lock_deleted(
    object_type: ObjectType | int, rows: Sequence[Mapping[str, Any]], ids: set[int]
) -> tuple[ObjectSchema, dict[int, ObjectRecord], set[bytes]]:
    """Lock deleted records with all that their values name: the schema, the records by id, and hashes that are taken.

    A record that another transaction restored, changed and deleted again before it was locked is left out.
    """
    type_id = object_type if isinstance(object_type, int) else object_type.pk
    records = ObjectRecord.objects.filter(object_type=type_id)
    seen = {record.pk: record for record in records.filter(pk__in=ids)}
    schema = _lock(object_type, rows, [record.fields for record in seen.values()])
    hashes = {bytes(record.dedupe_hash) for record in seen.values()}
    lock_keys(type_id, hashes)
    links.lock_links(schema, [schema.canonical(record.fields) for record in seen.values()])
    before = {pk: (record.fields, record.person_id, record.linked_id) for pk, record in seen.items()}
    if schema.links_in_key:
        links.resolve_waiting(schema, list(seen.values()))
        siblings.lock_named(schema, [siblings.named_by_record(schema, record) for record in seen.values()])
    locked = {
        row.pk: row
        for row in records.filter(pk__in=seen).order_by("pk").select_for_update(no_key=True)
        if (row.fields, row.person_id, row.linked_id) == before[row.pk]
    }
    taken = records.existing().filter(dedupe_hash__in=hashes).values_list("dedupe_hash", flat=True)
    return schema, locked, {bytes(digest) for digest in taken}


@transaction.atomic
def undo_change(change: ObjectChange, source: Source) -> RecordOutcome:
    """Take one change of a record back: its fields get their former values, or it is deleted or restored again.

    Raises `RejectedError`: `changed_meanwhile`, naming the fields that have other values by now, `wrong_kind` for a
    change by which a link that had been waiting was resolved, and what the verbs refuse. The undo is a change, too.
    """
    undo: Callable[[ObjectChange, Source], RecordOutcome] | None = _UNDO.get(Kind(change.kind))
    if undo is None:
        message = gettext("The link found what it had been waiting for: change the link instead.")
        raise RejectedError(Problem(Code.WRONG_KIND, message))
    outcome = undo(change, source)
    refuse_if(outcome.problems)
    return outcome


def _undo_values(change: ObjectChange, source: Source) -> RecordOutcome:
    values = {name: old for name, (old, _new) in change.changes.items()}
    lock_type(change.object_type_id, [values], RecordKey.ID)
    record = ObjectRecord.objects.filter(pk=change.record_id).first()
    if record is not None:
        differing = [name for name, (_old, new) in change.changes.items() if record.fields.get(name) != new]
        if differing:
            message = gettext("%(fields)s changed again since. Take the later change back first.")
            names = ", ".join(schema_of_record(record).label(name) for name in differing)
            raise RejectedError(Problem(Code.CHANGED_MEANWHILE, message % {"fields": names}, ("fields", differing[0])))
    return upsert_records(
        change.object_type_id,
        [{**values, "id": change.record_id}],
        source,
        key=RecordKey.ID,
        action=RecordAction.UPDATE,
        undoes={change.record_id: change.pk},
        expected_revisions={record.pk: record.revision} if record else {},
    )[0]


def _undo_by_deletion(change: ObjectChange, source: Source) -> RecordOutcome:
    rows = [{"id": change.record_id}]
    undoes = {change.record_id: change.pk}
    return delete_records(change.object_type_id, rows, source, key=RecordKey.ID, undoes=undoes)[0]


def _undo_by_restoring(change: ObjectChange, source: Source) -> RecordOutcome:
    undoes = {change.record_id: change.pk}
    return restore_records(change.object_type_id, [change.record_id], source, undoes=undoes)[0]


_UNDO = {
    Kind.CHANGED: _undo_values,
    Kind.ADDED: _undo_by_deletion,
    Kind.RESTORED: _undo_by_deletion,
    Kind.REMOVED: _undo_by_restoring,
}


def _lock(
    object_type: ObjectType | int, rows: Sequence[Mapping[str, Any]], values: Sequence[Mapping[str, Any]] = ()
) -> ObjectSchema:
    if len(rows) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} records in one transaction")
    type_id = object_type if isinstance(object_type, int) else object_type.pk
    return lock_type(type_id, values, RecordKey.DEDUPE)


def _mark(records: Sequence[ObjectRecord], kind: int, source: Source, undoes: Mapping[int, int]) -> None:
    if records:
        if replaced := [record for record in records if record.replaced_by_id is not None]:
            for record in replaced:
                record.replaced_by_id = None
            record_sql.set_replaced(replaced)
        record_sql.mark_deleted(records, kind == Kind.REMOVED)
        record_sql.write_changes(
            [record_sql.PendingChange(record, kind, undoes_id=undoes.get(record.pk)) for record in records], source
        )
