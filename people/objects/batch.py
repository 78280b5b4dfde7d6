"""One batch of rows that become records: parsed, matched, linked, checked and written together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, NamedTuple
from uuid import uuid4

from people.core.codes import Code
from people.core.errors import ConflictError, Problem
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import dump_json
from people.models import ObjectChange, ObjectRecord
from people.models.object_types import PERSON
from people.objects import links, record_sql
from people.objects.matching import find_records, key_problems, lock_values
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus, refused
from people.objects.schema import ObjectSchema, RecordField

MAX_VALUES_BYTES = 65_536  # of all values of one record, as of one activity


@dataclass(slots=True)
class _Target:
    """A record to be created or changed by the batch."""

    record: ObjectRecord
    before: Mapping[str, Any]  # canonical values
    values: dict[str, Any] = field(default_factory=dict)  # new canonical values; None is no value
    rows: list[int] = field(default_factory=list)
    is_resolved: bool = False  # a link leads to another person or record than before
    person_before: int | None = None

    @property
    def is_new(self) -> bool:
        return self.record.pk is None


class _LinkSide(NamedTuple):
    """The link to a person, or that to another record, with what its values name and its columns of a record."""

    field: RecordField
    found: Mapping[str, links.Target]
    key_name: str
    id_name: str


class RecordBatch:
    """One call of `upsert_records`."""

    def __init__(
        self,
        schema: ObjectSchema,
        rows: Sequence[Mapping[str, Any]],
        source: Source,
        key: RecordKey,
        action: RecordAction,
        zone: tzinfo,
        undoes_id: int | None,
    ) -> None:
        self.schema = schema
        self.rows = rows
        self.source = source
        self.key = key
        self.action = action
        self.zone = zone
        self.undoes_id = undoes_id
        self.outcomes: list[RecordOutcome | None] = [None] * len(rows)

    def run(self, dry_run: bool, expected_revision: int | None = None) -> list[RecordOutcome]:
        values = {index: row for index in range(len(self.rows)) if (row := self._parse(index)) is not None}
        lock_values(self.schema, self.key, list(values.values()))
        records = find_records(self.schema, self.rows, self.key, values)
        if any(record.revision != expected_revision for record in records.values() if expected_revision is not None):
            message = _("Someone else changed this record in the meantime. Look again; nothing was overwritten.")
            raise ConflictError(Problem(Code.CONFLICT, message))
        values = self._without_bad_matches(values, records)
        people, linked = self._resolve(values, records)
        targets = self._targets(values, records, people, linked)
        targets = self._without_taken_keys([target for target in targets if self._is_small_enough(target)])
        new = {id(target) for target in targets if target.is_new}
        if not dry_run:
            self._write(targets)
        self._settle(targets, new)
        return [outcome for outcome in self.outcomes if outcome is not None]

    def _refuse(self, index: int, *problems: Problem) -> None:
        self.outcomes[index] = refused(*problems)

    def _parse(self, index: int) -> dict[str, Any] | None:
        """The row's canonical values, or None if it is refused."""
        row = self.rows[index]
        names = (RecordKey.ID, RecordKey.GUID)
        values, problems = self.schema.check({name: raw for name, raw in row.items() if name not in names}, self.zone)
        problems.extend(key_problems(row, self.key))
        if self.key is RecordKey.DEDUPE:
            problems.extend(self.schema.missing_dedupe(row))
        if problems:
            self._refuse(index, *problems.shown_problems())
            return None
        return values

    def _without_bad_matches(
        self, values: Mapping[int, dict[str, Any]], records: Mapping[int, ObjectRecord]
    ) -> dict[int, dict[str, Any]]:
        """Refuse rows whose record has to exist and does not, or the other way round."""
        good = {}
        for index, row in values.items():
            exists = index in records
            if exists and self.action is RecordAction.CREATE:
                self._refuse(index, _exists())
            elif not exists and (self.action is RecordAction.UPDATE or self.key is not RecordKey.DEDUPE):
                path = () if self.key is RecordKey.DEDUPE else (str(self.key),)
                self._refuse(index, Problem(Code.UNKNOWN_RECORD, _("there is no such record"), path))
            else:
                good[index] = row
        return good

    def _resolve(
        self, values: Mapping[int, Mapping[str, Any]], records: Mapping[int, ObjectRecord]
    ) -> tuple[dict[str, links.Target], dict[str, links.Target]]:
        """What the values of links name, by their keys: people and records; without values that change nothing."""
        person_link, object_link = self.schema.person_link, self.schema.object_link
        people = {
            row[person_link.api_name]
            for index, row in values.items()
            if person_link and not _keeps_link(records.get(index), person_link, row)
        }
        linked = {
            row[object_link.api_name]
            for index, row in values.items()
            if object_link and not _keeps_link(records.get(index), object_link, row)
        }
        return (
            links.find_people(person_link, people) if person_link and people else {},
            links.find_records(self.schema, linked) if linked else {},
        )

    def _targets(
        self,
        values: Mapping[int, dict[str, Any]],
        records: Mapping[int, ObjectRecord],
        people: Mapping[str, links.Target],
        linked: Mapping[str, links.Target],
    ) -> list[_Target]:
        """Combine rows for the same record, in order, and set the links of the records."""
        targets: dict[Any, _Target] = {}
        for index, row in values.items():
            record = records.get(index)
            if problem := self._link_problem(record, row, people, linked):
                self._refuse(index, problem)
                continue
            name: Any = record.pk if record else self.schema.dedupe_hash(row)
            if name not in targets:
                target_record = record or self._new_record()
                before = self.schema.canonical(target_record.fields)
                targets[name] = _Target(target_record, before, person_before=target_record.person_id)
            elif self.action is RecordAction.CREATE:
                self._refuse(index, _exists())
                continue
            target = targets[name]
            self._set_links(target, row, people, linked)
            if self.key is RecordKey.DEDUPE and (record is not None or target.rows):
                row = {field: value for field, value in row.items() if not self.schema.fields[field].is_dedupe}
            target.values.update(row)
            target.rows.append(index)
        return list(targets.values())

    def _new_record(self) -> ObjectRecord:
        return ObjectRecord(object_type_id=self.schema.type_id, guid=uuid4(), revision=1)

    def _links(self, people: Mapping[str, links.Target], linked: Mapping[str, links.Target]) -> Iterator[_LinkSide]:
        if self.schema.person_link is not None:
            yield _LinkSide(self.schema.person_link, people, "person_key", "person_id")
        if self.schema.object_link is not None:
            yield _LinkSide(self.schema.object_link, linked, "linked_key", "linked_id")

    def _link_problem(
        self,
        record: ObjectRecord | None,
        row: Mapping[str, Any],
        people: Mapping[str, links.Target],
        linked: Mapping[str, links.Target],
    ) -> Problem | None:
        """Why a new value of a link is refused; one that the record has already may go on waiting."""
        for side in self._links(people, linked):
            value = row.get(side.field.api_name)
            key = None if value is None else links.link_key(value)
            if key is not None and (record is None or getattr(record, side.key_name) != key):
                target = side.found.get(key)
                if isinstance(target, Problem):
                    return target
        return None

    def _set_links(
        self,
        target: _Target,
        row: Mapping[str, Any],
        people: Mapping[str, links.Target],
        linked: Mapping[str, links.Target],
    ) -> None:
        record = target.record
        for side in self._links(people, linked):
            if side.field.api_name not in row:
                continue
            value = row[side.field.api_name]
            key = None if value is None else links.link_key(value)
            before = getattr(record, side.id_name)
            if key == getattr(record, side.key_name) and before is not None:
                continue  # a link stays with whom it named when it was written
            named = side.found.get(key) if key is not None else None
            setattr(record, side.key_name, key)
            setattr(record, side.id_name, None if isinstance(named, Problem) else named)
            target.is_resolved |= getattr(record, side.id_name) != before

    def _is_small_enough(self, target: _Target) -> bool:
        """Set the record's values to be stored; refuse the rows of one that would take too many bytes."""
        record, fields = target.record, self.schema.fields
        stored = dict(record.fields)
        for name, value in target.values.items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = fields[name].to_json(value)
        text = dump_json(stored)
        if len(text) * 4 > MAX_VALUES_BYTES and len(text.encode()) > MAX_VALUES_BYTES:
            message = _("the values of one record may take at most 65,536 bytes together")
            for index in target.rows:
                self._refuse(index, Problem(Code.TOO_LARGE, message))
            return False
        record.fields, record.version = stored, self.schema.number
        return True

    def _without_taken_keys(self, targets: Sequence[_Target]) -> list[_Target]:
        """Set hashes and names of the records; refuse targets whose dedupe values are those of another record."""
        moved: dict[int, bytes] = {}
        claims: dict[bytes, int] = {}
        for target in targets:
            after = {**target.before, **target.values}
            digest = self.schema.dedupe_hash(after)
            if not target.is_new and digest != bytes(target.record.dedupe_hash):
                moved[id(target)] = digest
            target.record.dedupe_hash, target.record.name = digest, self.schema.record_name(after)
        if not moved:
            return list(targets)
        rows = ObjectRecord.objects.existing().filter(object_type=self.schema.type_id, dedupe_hash__in=moved.values())
        taken = {bytes(digest) for digest in rows.values_list("dedupe_hash", flat=True)}
        kept = []
        for target in targets:
            digest = moved.get(id(target), b"")
            if digest and (digest in taken or claims.setdefault(digest, id(target)) != id(target)):
                names = [field.api_name for field in self.schema.dedupe if field.api_name in target.values]
                problem = Problem(Code.VALUE_TAKEN, _("another record has these dedupe values"), (names[0],))
                for index in target.rows:
                    self._refuse(index, problem)
            else:
                kept.append(target)
        return kept

    def _write(self, targets: Sequence[_Target]) -> None:
        new = [target for target in targets if target.is_new]
        pending = {id(target): self._change(target) for target in targets}
        changed = [
            target for target in targets if not target.is_new and (pending[id(target)].changes or target.is_resolved)
        ]
        if new:
            record_sql.insert_records([target.record for target in new])
        if changed:
            record_sql.update_records([target.record for target in changed])
        written = {id(target) for target in (*new, *changed)}
        record_sql.write_changes([pending[id(target)] for target in targets if id(target) in written], self.source)
        links.join_records(self.schema, [target.record for target in targets if id(target) in written])

    def _change(self, target: _Target) -> record_sql.PendingChange:
        fields, before = self.schema.fields, target.before
        changes = {
            name: [fields[name].to_json(before.get(name)), fields[name].to_json(value)]
            for name, value in target.values.items()
            if before.get(name) != value
        }
        kind = ObjectChange.Kind.ADDED if target.is_new else ObjectChange.Kind.CHANGED
        if target.is_resolved and not changes and not target.is_new:
            kind = ObjectChange.Kind.JOINED
        former = target.person_before if target.person_before != target.record.person_id else None
        return record_sql.PendingChange(target.record, kind, changes, former, self.undoes_id)

    def _settle(self, targets: Sequence[_Target], new: set[int]) -> None:
        """Set the outcomes of the valid rows: the first row of a new record counts as its creation."""
        for target in targets:
            for index in target.rows:
                is_created = id(target) in new and index == target.rows[0]
                status = RecordStatus.CREATED if is_created else RecordStatus.UPDATED
                guid = target.record.guid if target.record.pk else None
                self.outcomes[index] = RecordOutcome(status, target.record.pk, guid)


def _keeps_link(record: ObjectRecord | None, link: RecordField, row: Mapping[str, Any]) -> bool:
    """Return True if the row leaves a link of its record as it is, or has no value for it."""
    value = row.get(link.api_name)
    if value is None or record is None:
        return value is None
    key, target = (
        (record.person_key, record.person_id) if link.link_to == PERSON else (record.linked_key, record.linked_id)
    )
    return target is not None and key == links.link_key(value)


def _exists() -> Problem:
    return Problem(Code.RECORD_EXISTS, _("a record with these dedupe values exists already"))
