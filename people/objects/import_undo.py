"""Undoes an import of records: deletes those it created, and puts back the values that it changed of others.

Records that another user changed since stay as they are. What is undone is a change of the record's history, too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from people.core.errors import ConflictError
from people.core.source import Channel, Source
from people.datatypes.keys import MAX_BIG_ID
from people.files.imports.undoing import KeptReason, KeptRecord, UndoneRecords
from people.files.models import Import
from people.models import ObjectChange, ObjectRecord, ObjectType
from people.objects import records, removal
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus

PART = 1_000  # records a transaction
SHOWN = 20  # records that stay
TRIES = 5  # for a part of which another user changes a record at the same moment
Kind = ObjectChange.Kind
_MADE = (Kind.ADDED, Kind.CHANGED)  # links that found what they waited for are the change of no user
_TOUCHED = (Kind.CHANGED, Kind.REMOVED, Kind.RESTORED)


@dataclass(slots=True)
class _Part:
    """The effect of undoing on some records, by the record's id.

    `undoes`: the import's last change of each record that is deleted or gets `values` back; `revisions`: as seen.
    """

    undoes: dict[int, int] = field(default_factory=dict)
    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    revisions: dict[int, int] = field(default_factory=dict)
    kept: list[tuple[ObjectRecord, KeptReason]] = field(default_factory=list)


def changes_of_import(job: Import) -> QuerySet[ObjectChange]:
    """The changes that the import made to records of its type, without those of its undo."""
    types = ObjectType.objects.filter(api_name=(job.plan or {}).get("subject", ""))
    changes = ObjectChange.objects.filter(channel=Channel.IMPORT, origin_id=job.pk, undoes_id=None, kind__in=_MADE)
    return changes.filter(object_type_id__in=types.values("pk"))


def preview_undo(job: Import) -> UndoneRecords:
    """The result of `undo_import` if it ran now; nothing is changed."""
    deleted, put_back, kept, shown = 0, 0, Counter[str](), list[KeptRecord]()
    for kind in _MADE:
        for ids in _first_changes(job, kind):
            part = _assess(job, ids)
            deleted += len(part.undoes) if kind == Kind.ADDED else 0
            put_back += len(part.undoes) if kind == Kind.CHANGED else 0
            kept.update(reason for _record, reason in part.kept)
            shown += _shown(part.kept[: SHOWN - len(shown)])
    return UndoneRecords(deleted, put_back, kept, shown)


def undo_import(job: Import, source: Source, track: Callable[[UndoneRecords], None]) -> None:
    """Undo the import part by part, the records it created first: others may get their dedupe values back.

    `track` gets what a part did, in its transaction. Raises `RejectedError` where the type is retired or deleted.
    """
    for kind, undo in ((Kind.ADDED, _delete), (Kind.CHANGED, _put_back)):
        for ids in _first_changes(job, kind):
            _undo_part(job, ids, undo, source, track)


def _undo_part(
    job: Import,
    record_ids: Sequence[int],
    undo: Callable[[int, _Part, Source], UndoneRecords],
    source: Source,
    track: Callable[[UndoneRecords], None],
) -> None:
    for tries_left in reversed(range(TRIES)):
        part = _assess(job, record_ids)
        try:
            with transaction.atomic():
                track(undo(_type_id(job), part, source))
            return
        except ConflictError:
            if not tries_left:
                raise


def _delete(type_id: int, part: _Part, source: Source) -> UndoneRecords:
    outcomes: Sequence[RecordOutcome] = ()
    if part.undoes:
        outcomes = removal.delete_records(
            type_id,
            [{"id": pk} for pk in part.undoes],
            source,
            key=RecordKey.ID,
            undoes=part.undoes,
            expected_revisions=part.revisions,
        )
    number = sum(outcome.status is RecordStatus.DELETED for outcome in outcomes)
    return UndoneRecords(number, 0, Counter(reason for _record, reason in part.kept))


def _put_back(type_id: int, part: _Part, source: Source) -> UndoneRecords:
    outcomes: Sequence[RecordOutcome] = ()
    if part.values:
        outcomes = records.upsert_records(
            type_id,
            [{**values, "id": pk} for pk, values in part.values.items()],
            source,
            key=RecordKey.ID,
            action=RecordAction.UPDATE,
            undoes=part.undoes,
            expected_revisions=part.revisions,
        )
    refused = sum(outcome.status is RecordStatus.REFUSED for outcome in outcomes)
    kept = Counter[str](reason for _record, reason in part.kept)
    kept[KeptReason.REFUSED] += refused
    return UndoneRecords(0, len(outcomes) - refused, +kept)


def _type_id(job: Import) -> int:
    return ObjectType.objects.values_list("pk", flat=True).get(api_name=(job.plan or {})["subject"])


def _first_changes(job: Import, kind: Kind) -> Iterator[list[int]]:
    """Yield the records whose first change by the import is of this kind, PART at a time, the last one first.

    In this order each record gets dedupe values back that the one before has just left.
    """
    changes = changes_of_import(job)
    earlier = changes.filter(record_id=OuterRef("record_id"), pk__lt=OuterRef("pk"))
    firsts = changes.filter(~Exists(earlier), kind=kind).order_by("-pk")
    before = MAX_BIG_ID
    while rows := list(firsts.filter(pk__lt=before).values_list("pk", "record_id")[:PART]):
        yield [record_id for _pk, record_id in rows]
        before = rows[-1][0]


def _assess(job: Import, record_ids: Sequence[int]) -> _Part:
    """The effect of undoing on these records as they are now; those that are undone or erased are left out."""
    existing = ObjectRecord.objects.in_bulk(record_ids)
    own: dict[int, list[ObjectChange]] = defaultdict(list)
    for change in changes_of_import(job).filter(record_id__in=record_ids).order_by("pk"):
        own[change.record_id].append(change)
    later = _later_changes(own)
    part = _Part()
    for pk in record_ids:
        record, changes = existing.get(pk), own[pk]
        if record is None or not changes or any(change.undoes_id == changes[-1].pk for change in later[pk]):
            continue
        if changes[0].kind == Kind.ADDED:
            _assess_added(part, record, changes, later[pk])
        else:
            _assess_changed(part, record, changes)
    return part


def _later_changes(own: Mapping[int, Sequence[ObjectChange]]) -> dict[int, list[ObjectChange]]:
    """The changes of the records after the import's first one that are not the import's."""
    ids = {change.pk for changes in own.values() for change in changes}
    later: dict[int, list[ObjectChange]] = defaultdict(list)
    if ids:
        rows = ObjectChange.objects.filter(record_id__in=own, pk__gt=min(ids), kind__in=_TOUCHED)
        for change in rows.only("record_id", "kind", "undoes_id"):
            if change.pk not in ids and change.pk > own[change.record_id][0].pk:
                later[change.record_id].append(change)
    return later


def _assess_added(
    part: _Part, record: ObjectRecord, changes: Sequence[ObjectChange], later: Sequence[ObjectChange]
) -> None:
    if record.deleted_at is not None:
        return  # another user has done what undoing would do
    if later:
        part.kept.append((record, KeptReason.CHANGED))
    else:
        _note(part, record, changes)


def _assess_changed(part: _Part, record: ObjectRecord, changes: Sequence[ObjectChange]) -> None:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for change in changes:
        for name, (old, new) in change.changes.items():
            before.setdefault(name, old)
            after[name] = new
    values = {name: old for name, old in before.items() if after[name] != old}
    if record.deleted_at is not None:
        part.kept.append((record, KeptReason.DELETED))
    elif any(record.fields.get(name) != after[name] for name in values):
        part.kept.append((record, KeptReason.CHANGED))
    elif values:
        part.values[record.pk] = values
        _note(part, record, changes)


def _note(part: _Part, record: ObjectRecord, changes: Sequence[ObjectChange]) -> None:
    part.undoes[record.pk] = changes[-1].pk
    part.revisions[record.pk] = record.revision


def _shown(kept: Sequence[tuple[ObjectRecord, KeptReason]]) -> list[KeptRecord]:
    return [
        KeptRecord(record.name, reverse("admin:people_objectrecord_change", args=[record.pk]), reason)
        for record, reason in kept
    ]
