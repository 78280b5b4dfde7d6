"""One batch of rows that become records: parsed, matched, linked, checked and written together.

Records, links and outcomes are those of the same rows written one by one. The history has one change a record: what
the rows changed together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from people.core.codes import Code
from people.core.errors import ConflictError, Problem
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import dump_json
from people.models import ObjectChange, ObjectRecord
from people.objects import links
from people.objects.identity import doubles, siblings
from people.objects.matching import find_records, key_problems, lock_values
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus, refused_outcome
from people.objects.schema import ObjectSchema
from people.objects.writing import record_sql
from people.objects.writing.rows import NewRecord, RecordRow
from people.objects.writing.targets import LinkSide, Target

MAX_VALUES_BYTES = 65_536  # of all values of one record, as of one activity
Kind = ObjectChange.Kind


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
        undoes: Mapping[int, int],
    ) -> None:
        self.schema = schema
        self.rows = rows
        self.source = source
        self.key = key
        self.action = action
        self.zone = zone
        self.undoes = undoes
        self.outcomes: list[RecordOutcome | None] = [None] * len(rows)
        self.sides: list[LinkSide] = []
        self.hashes: dict[int, bytes] = {}  # of the dedupe values of rows that name their records by these
        self.moved: set[int] = set()  # records with new dedupe values
        self.identities: dict[int, tuple[str | int, ...]] = {}  # those whose dedupe values have links: of the new ones
        self.holders: dict[bytes, int | None] = {}  # the record with these dedupe values after the rows so far

    def run(self, dry_run: bool, expected_revisions: Mapping[int, int]) -> list[RecordOutcome]:
        values = {index: row for index in range(len(self.rows)) if (row := self._parse(index)) is not None}
        if self.key is RecordKey.DEDUPE:
            self.hashes = {index: self.schema.dedupe_hash(row) for index, row in values.items()}
        lock_values(self.schema, list(values.values()), self.hashes.values())
        records = find_records(self.schema, self.rows, self.key, values, self.hashes)
        refuse_if_changed(records.values(), expected_revisions)
        values = self._without_bad_matches(values, records)
        self.sides = list(self._links(values, records))
        self.holders = self._find_holders(values, records)
        targets = self._apply_rows(values, records)
        new = {id(target) for target in targets if target.is_new}
        if not dry_run:
            self._write(targets)
        self._set_outcomes(targets, new)
        return [outcome for outcome in self.outcomes if outcome is not None]

    def _refuse(self, index: int, *problems: Problem) -> None:
        self.outcomes[index] = refused_outcome(*problems)

    def _parse(self, index: int) -> dict[str, Any] | None:
        """The row's canonical values, or None if it is refused."""
        row = self.rows[index]
        names = {RecordKey.ID, RecordKey.GUID}
        named = row if names.isdisjoint(row) else {name: raw for name, raw in row.items() if name not in names}
        values, problems = self.schema.check(named, self.zone)
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

    def _links(
        self, values: Mapping[int, Mapping[str, Any]], records: Mapping[int, ObjectRecord]
    ) -> Iterator[LinkSide]:
        """The links of the type, with what their values in the rows name."""
        if (link := self.schema.person_link) is not None:
            named = self._new_link_values(link.api_name, "person_key", "person_id", values, records)
            yield LinkSide(link, links.find_people(link, named) if named else {}, "person_key", "person_id")
        if (link := self.schema.object_link) is not None:
            named = self._new_link_values(link.api_name, "linked_key", "linked_id", values, records)
            yield LinkSide(link, links.find_records(self.schema, named) if named else {}, "linked_key", "linked_id")

    def _new_link_values(
        self,
        name: str,
        key_name: str,
        id_name: str,
        values: Mapping[int, Mapping[str, Any]],
        records: Mapping[int, ObjectRecord],
    ) -> set[Any]:
        """The values of a link, without those of records whose link is resolved and stays the same in all rows."""
        new: set[Any] = set()
        kept: dict[int, Any] = {}  # by record
        changed: set[int] = set()
        for index, row in values.items():
            if name not in row:
                continue
            value, record = row[name], records.get(index)
            if record is None or getattr(record, id_name) is None:
                new.add(value)
            elif value is not None and links.link_key(value) == getattr(record, key_name):
                kept[record.pk] = value
            else:
                new.add(value)
                changed.add(record.pk)
        # a link that is removed and set again is resolved anew
        return (new | {value for pk, value in kept.items() if pk in changed}) - {None}

    def _find_holders(
        self, values: Mapping[int, Mapping[str, Any]], records: Mapping[int, ObjectRecord]
    ) -> dict[bytes, int | None]:
        """The records with the dedupe values that rows give to others; by id only, where dedupe values may change."""
        names = {field.api_name for field in self.schema.dedupe}
        if self.key is RecordKey.DEDUPE or not any(names & row.keys() for row in values.values()):
            return {}
        stored: dict[int, dict[str, Any]] = {}
        hashes = set()
        for index, row in values.items():
            record = records[index]
            after = stored.setdefault(record.pk, self.schema.canonical(record.fields))
            after.update(row)
            hashes.add(self.schema.dedupe_hash(after))
        return {**dict.fromkeys(hashes), **self._holders_of(hashes)}

    def _holders_of(self, hashes: set[bytes]) -> dict[bytes, int | None]:
        rows = ObjectRecord.objects.existing().filter(object_type=self.schema.type_id, dedupe_hash__in=hashes)
        return {bytes(digest): pk for digest, pk in rows.values_list("dedupe_hash", "pk")}

    def _apply_rows(self, values: Mapping[int, dict[str, Any]], records: Mapping[int, ObjectRecord]) -> list[Target]:
        """Apply the rows in order, each to the record as the rows before left it; a refused row changes nothing."""
        targets: dict[Any, Target] = {}
        for index, row in values.items():
            record = records.get(index)
            name: Any = record.pk if record else self.hashes[index]
            target = targets.get(name)
            if target is not None and self.action is RecordAction.CREATE:
                self._refuse(index, _exists())
                continue
            if target is None:
                target = self._new_target(record)
            is_changing = self._apply_row(target, row, self.hashes.get(index))
            if isinstance(is_changing, Problem):
                self._refuse(index, is_changing)
            else:
                if is_changing:
                    target.changing.add(index)
                target.rows.append(index)
                targets[name] = target
        return list(targets.values())

    def _new_target(self, record: ObjectRecord | None) -> Target:
        row: RecordRow = NewRecord(self.schema.type_id) if record is None else record
        before = self.schema.canonical(row.fields) if record else {}
        return Target(row, before, row.person_id, row.linked_id, bytes(row.dedupe_hash), row.fields, record is None)

    def _apply_row(self, target: Target, row: dict[str, Any], row_hash: bytes | None) -> Problem | bool:
        """Set the values and links of `row`: whether that changes anything, or why it is refused.

        `row_hash`: of the dedupe values, where rows name their records by these, which then stay as they are.
        """
        record = target.record
        named = self._link_columns(target, row)
        if isinstance(named, Problem):
            return named
        if self.key is RecordKey.DEDUPE and (not target.is_new or target.rows):
            row = {name: value for name, value in row.items() if not self.schema.fields[name].is_dedupe}
        stored = self._stored(record, row)
        text = dump_json(stored)
        if len(text) * 4 > MAX_VALUES_BYTES and len(text.encode()) > MAX_VALUES_BYTES:
            message = _("the values of one record may take at most 65,536 bytes together")
            return Problem(Code.TOO_LARGE, message)
        before = target.current()
        after = {**before, **row}
        digest = self._hash_after(record, row_hash, after)
        if problem := self._named_alike(record, digest, after, named) or self._move_key(record, digest, row):
            return problem
        record.dedupe_hash, record.name = digest, self.schema.record_name(after)
        record.fields, record.version, target.text = stored, self.schema.number, text
        is_changing = any(before.get(name) != value for name, value in row.items())
        for name, value in named.items():
            is_changing = is_changing or getattr(record, name) != value
            setattr(record, name, value)
        target.values.update(row)
        return is_changing

    def _link_columns(self, target: Target, row: Mapping[str, Any]) -> dict[str, Any] | Problem:
        """The new values of a record's columns of links, or why a value is refused.

        A link stays with whom it named when it was written. A value that the record has already may keep waiting, and
        so does the dedupe value of a record that a row names by another value.
        """
        record = target.record
        is_named = self.key is RecordKey.DEDUPE and (not target.is_new or bool(target.rows))
        columns: dict[str, Any] = {}
        for side in self.sides:
            if side.field.api_name not in row:
                continue
            value = row[side.field.api_name]
            key = None if value is None else links.link_key(value)
            is_same = key == getattr(record, side.key_name)
            if (is_same and getattr(record, side.id_name) is not None) or (
                is_named and side.field.is_dedupe and not is_same
            ):
                continue
            named = side.found.get(key) if key is not None else None
            if isinstance(named, Problem):
                if not is_same:
                    return named
                named = None
            columns |= {side.key_name: key, side.id_name: named}
        return columns

    def _hash_after(self, record: RecordRow, row_hash: bytes | None, values: Mapping[str, Any]) -> bytes:
        """The hash of the dedupe values among `values`, those of a record after a row."""
        if row_hash is None:
            return self.schema.dedupe_hash(values)
        return bytes(record.dedupe_hash) or row_hash

    def _stored(self, record: RecordRow, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a record after `row`, as stored."""
        stored = dict(record.fields)
        for name, value in row.items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = self.schema.fields[name].to_json(value)
        return stored

    def _move_key(self, record: RecordRow, digest: bytes, row: Mapping[str, Any]) -> Problem | None:
        """Note the new dedupe values of an existing record, or return that another record has them."""
        before = bytes(record.dedupe_hash)
        if record.pk is None or digest == before:
            return None
        if digest not in self.holders:  # a row before was refused, so that this one leads elsewhere than expected
            self.holders |= {digest: None, **self._holders_of({digest})}
        if self.holders[digest] is not None:
            names = [field.api_name for field in self.schema.dedupe if field.api_name in row]
            return Problem(Code.VALUE_TAKEN, _("another record has these dedupe values"), (names[0],))
        self.holders |= {before: None, digest: record.pk}
        self.moved.add(record.pk)
        return None

    def _named_alike(
        self, record: RecordRow, digest: bytes, values: Mapping[str, Any], columns: Mapping[str, Any]
    ) -> Problem | None:
        """Return that another record names whom and what an existing one will name with its new dedupe values."""
        before = bytes(record.dedupe_hash)
        if not self.schema.links_in_key or record.pk is None or digest == before:
            return None
        targets = (columns.get(name, getattr(record, name)) for name in ("person_id", "linked_id"))
        named = siblings.NamedRecord(tuple(self.schema.dedupe_keys(values)), *targets)
        alike = siblings.named_alike(self.schema, {0: named}).get(0, record.pk)
        identity, others = siblings.identity_of(self.schema, named), {**self.identities, record.pk: None}.values()
        if alike in {record.pk, *self.moved} and identity not in others:  # those moved before are no longer there
            self.identities[record.pk] = identity
            return None
        return Problem(Code.VALUE_TAKEN, _("another record has these dedupe values"), (self.schema.dedupe[0].api_name,))

    def _write(self, targets: Sequence[Target]) -> None:
        new = [target for target in targets if target.is_new]
        pending = {id(target): change for target in targets if (change := self._change(target)) is not None}
        changed = [target for target in targets if not target.is_new and id(target) in pending]
        moved = [target for target in changed if bytes(target.record.dedupe_hash) != target.hash_before]
        if new:
            record_sql.insert_records([target.record for target in new], [target.text for target in new])
        if len(moved) > 1:
            record_sql.free_keys([target.record for target in moved])
        if changed:
            record_sql.update_records([target.record for target in changed], [target.text for target in changed])
        record_sql.write_changes([pending[id(target)] for target in targets if id(target) in pending], self.source)
        links.join_records(self.schema, [target.record for target in (*new, *moved)], self.source)
        meeting = (*new, *(target for target in changed if target.leads_elsewhere()))
        if self.schema.links_in_key and meeting:  # find_records has locked whom these name
            doubles.settle_records([target.record.pk for target in meeting], self.source)

    def _change(self, target: Target) -> record_sql.PendingChange | None:
        """The change of a record by all its rows; None if they change nothing."""
        before, record = target.before, target.record
        changes = {
            name: [target.stored_before.get(name), record.fields.get(name)]
            for name, value in target.values.items()
            if before.get(name) != value
        }
        is_moved, is_relinked = record.person_id != target.person_before, record.linked_id != target.linked_before
        if target.is_new:
            kind = Kind.ADDED
        elif changes or (is_moved and target.person_before) or (is_relinked and target.linked_before):
            kind = Kind.CHANGED
        elif is_moved or is_relinked:
            kind = Kind.JOINED if is_moved else Kind.LINKED
        else:
            return None
        former_id = target.person_before if is_moved else None
        return record_sql.PendingChange(
            record, kind, changes, former_id, self.undoes.get(record.pk), self._link_keys(target, changes)
        )

    def _link_keys(self, target: Target, changes: Mapping[str, Any]) -> list[str] | None:
        names = [side.field.api_name for side in self.sides if side.field.api_name in changes]
        values = [value for name in names for value in (target.before.get(name), target.values[name])]
        return sorted({links.link_key(value) for value in values if value is not None}) or None

    def _set_outcomes(self, targets: Sequence[Target], new: set[int]) -> None:
        """Set the outcomes of the valid rows: the first row of a new record counts as its creation."""
        for target in targets:
            for index in target.rows:
                is_created = id(target) in new and index == target.rows[0]
                status = RecordStatus.CREATED if is_created else RecordStatus.UPDATED
                guid = target.record.guid if target.record.pk else None
                is_changed = is_created or index in target.changing
                self.outcomes[index] = RecordOutcome(status, target.record.pk, guid, is_changed=is_changed)


def refuse_if_changed(records: Iterable[ObjectRecord], expected_revisions: Mapping[int, int]) -> None:
    """Raise `ConflictError` if a record is no longer at its expected revision, where one is."""
    if all(expected_revisions.get(record.pk, record.revision) == record.revision for record in records):
        return
    message = _("Someone else changed this record in the meantime. Look again; nothing was overwritten.")
    raise ConflictError(Problem(Code.CONFLICT, message))


def _exists() -> Problem:
    return Problem(Code.RECORD_EXISTS, _("a record with these dedupe values exists already"))
