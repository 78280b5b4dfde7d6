"""Records columns: `recorder.record_activities` for activities of one type, as files and uniform calls provide them.

The outcome of every row is the same as with `recorder.record_activities`: rows that are not plainly good are
recorded as rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import compress
from typing import Any

from django.db import transaction

from activities.consent.following import follow_consents
from activities.consent.state import CONSENTS, GIVEN
from activities.recording import column_sql
from activities.recording import sql as recording_sql
from activities.recording.columns import ActivityColumns, content_digests
from activities.recording.counts import ROWS
from activities.recording.quarantine import storing
from activities.recording.recorder import MAX_BATCH, NO_STANDARD_TYPES, ActivityBatch
from activities.recording.rows import NewActivity, RecordOutcome, RecordStatus
from activities.recording.schema import Schema
from activities.recording.sql import ReadyRow
from people import lookup as people_lookup
from people.core.source import Source
from people.datatypes import fast_columns
from people.datatypes import keys as datatype_keys
from people.datatypes.registry import BY_NAME

MANY = 50  # from so many rows on the quicker way is tried first, which works only where all rows are good


@dataclass(slots=True)
class RecordedColumns:
    """The id of every row that was added; the outcomes of the other rows by their places.

    `created`: (field, value) of the people that were created, or would be created in a dry run.
    """

    ids: Sequence[int | None]
    others: dict[int, RecordOutcome]
    created: Sequence[tuple[str, str]] = ()

    def outcomes(self) -> list[RecordOutcome]:
        """One outcome a row, in order; without ids after a dry run."""
        others = self.others
        return [
            others[place] if place in others else RecordOutcome(RecordStatus.ADDED, pk)
            for place, pk in enumerate(self.ids)
        ]


def record_columns(
    columns: ActivityColumns,
    source: Source,
    *,
    zone: tzinfo = UTC,
    may_record: frozenset[int] = NO_STANDARD_TYPES,
    follow_merges: bool = True,
    dry_run: bool = False,
    keep_refused: bool = False,
) -> RecordedColumns:
    """Record up to 10,000 activities in one transaction.

    Zone-less moments are of `zone`. `may_record`: ids of the standard types that are not refused. A merged person's id
    means the winner unless `follow_merges` is false. With `dry_run` everything is checked, nothing kept, and nothing
    has an id. What is reported as added or repeated is committed when the outermost transaction is. Refused rows are
    kept in the quarantine where `keep_refused`; else the caller keeps them. Raises ValueError when there are more than
    10,000 rows; never for bad rows.
    """
    if len(columns) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} activities in one transaction")
    batch = _ColumnBatch(columns, source, zone, may_record, follow_merges)
    try:
        _run(batch, dry_run, keep_refused)
    except column_sql.KnownKeyError:
        # rolled back: once more, with a statement that returns the known external ids
        batch = _ColumnBatch(columns, source, zone, may_record, follow_merges)
        batch.claims_together = False
        _run(batch, dry_run, keep_refused)
    return batch.recorded


def _run(batch: "_ColumnBatch", dry_run: bool, keep_refused: bool) -> None:
    """Record the batch in a transaction or savepoint of its own. Raises KnownKeyError, with nothing kept."""
    columns, source, zone = batch.columns, batch.source, batch.zone
    with transaction.atomic():
        batch.record(dry_run)
        if dry_run:
            transaction.set_rollback(True)
        elif keep_refused and batch.others:
            refused = [columns[place] for place in batch.others]
            outcomes = list(batch.others.values())
            for place in storing.keep_refused_rows(refused, outcomes, source, zone, batch.type_ids):
                outcomes[place].is_left_out = True
        if not dry_run:
            transaction.on_commit(batch.measure)


@dataclass(slots=True)
class _ReadyColumns:
    """Rows that will be written, as columns, with their places in the batch; `ReadyRow` is one such row."""

    schema: Schema
    places: Sequence[int]
    people: Sequence[Any]
    occurred_at: Sequence[Any]
    primary_values: Sequence[Any]
    attributes: Sequence[str]
    external_ids: Sequence[str | None] | None
    ids: Sequence[int] = field(default_factory=list)
    made_digests: Sequence[str] | None = None  # if made beforehand

    def without(self, places: dict[int, Any]) -> "_ReadyColumns":
        is_kept = [place not in places for place in self.places]

        def compressed(column: Any) -> Any:
            return column and list(compress(column, is_kept))

        return _ReadyColumns(
            self.schema,
            compressed(self.places),
            compressed(self.people),
            compressed(self.occurred_at),
            compressed(self.primary_values),
            compressed(self.attributes),
            compressed(self.external_ids),
            compressed(self.ids),
            compressed(self.made_digests),
        )

    def put(self, place: int, row: ReadyRow) -> None:
        """Replace the row at `place` by one that was checked alone; the columns must be lists."""
        self.people[place], self.occurred_at[place] = row.person_id, row.occurred_at  # type: ignore[index]
        self.primary_values[place], self.attributes[place] = row.primary_value, row.attributes  # type: ignore[index]
        if self.external_ids is not None:
            self.external_ids[place] = row.external_id  # type: ignore[index]
        self.made_digests = None

    def digests(self) -> Sequence[str]:
        """The digests of the rows, in hexadecimal; equal to `ReadyRow.digest`."""
        if self.made_digests is not None:
            return self.made_digests
        return content_digests(self.occurred_at, self.primary_values, self.attributes)

    def rows(self) -> list[ReadyRow]:
        type_id, version = self.schema.type_id, self.schema.number
        columns = zip(self.people, self.occurred_at, self.primary_values, self.attributes, strict=True)
        external_ids = self.external_ids or [None] * len(self.people)
        return [
            ReadyRow(person, type_id, version, at, primary, attributes, external_id, pk)
            for (person, at, primary, attributes), external_id, pk in zip(
                columns, external_ids, self.ids or [0] * len(self.people), strict=True
            )
        ]


class _ColumnBatch(ActivityBatch):
    """One call of `record_columns`."""

    recorded: RecordedColumns

    def __init__(
        self, columns: ActivityColumns, source: Source, zone: tzinfo, may_record: frozenset[int], follow_merges: bool
    ) -> None:
        super().__init__([], source, zone, may_record, follow_merges)
        self.columns = columns
        self.by_id: dict[Any, Any] | None = None  # people by id, where rows refer to people by id
        self.others: dict[int, RecordOutcome] = {}
        self.claims_together = True  # all external ids by one COPY, which fails where one is known

    def record(self, dry_run: bool) -> None:
        schemas = self._lock_types([self.columns.activity_type])
        schema = schemas.get(self.columns.activity_type)
        if type(schema) is Schema:
            ready = self._ready(schema)
            if self.pending and dry_run:
                self.created = self._keys_to_create({person for person in ready.people if person < 0})
            elif self.pending:
                ready = self._with_people(ready)
            if ready.places:
                ready = self._write(ready, dry_run)
        else:
            self._check_rows(range(len(self.columns)))
        ids: list[int | None] = [None] * len(self.columns)
        if not dry_run and type(schema) is Schema:
            for place, pk in zip(ready.places, ready.ids, strict=True):
                ids[place] = pk
        self.recorded = RecordedColumns(ids, self.others, self.created)

    def _ready(self, schema: Schema) -> _ReadyColumns:
        columns = self.columns
        checked = columns.check(schema, self.zone)
        one_by_one = checked.others | self._too_late(checked.moments)
        if schema.type_id == GIVEN and not self.source.may_opt_in:
            one_by_one = set(range(len(columns)))  # the purpose decides
        people = self._people()
        one_by_one.update(place for place, person in enumerate(people) if person is None)
        external_ids: Any = columns.external_ids
        if external_ids is not None:
            external_ids = fast_columns.plain_texts(BY_NAME["string"], external_ids, self.zone)
            if None in external_ids:
                one_by_one.update(place for place, text in enumerate(external_ids) if text is None)
            if "" in external_ids:
                external_ids = [text or None for text in external_ids]
        ready = _ReadyColumns(
            schema,
            range(len(columns)),
            people,
            checked.occurred_at,
            checked.primary_values,
            checked.attributes,
            external_ids,
            made_digests=checked.digests,
        )
        if not one_by_one:
            return ready
        ready = ready.without({})  # as lists
        for place, row in self._check_rows(sorted(one_by_one)):
            ready.put(place, row)
        return ready.without(self.others)

    def _with_people(self, ready: _ReadyColumns) -> _ReadyColumns:
        """The rows about people who exist or are created now."""
        person_ids = self._create({person for person in ready.people if person < 0})
        ready.people = [person_ids.get(person, person) for person in ready.people]
        if not self.uncreated:
            return ready
        placed_people = zip(ready.places, ready.people, strict=True)
        lost = {place: self.uncreated[person] for place, person in placed_people if person in self.uncreated}
        self.others |= lost
        return ready.without(lost)

    def _too_late(self, moments: Sequence[Any]) -> set[int]:
        valid_moments = [moment for moment in moments if moment is not None]
        if not valid_moments or max(valid_moments) <= self.latest:
            return set()
        return {place for place, moment in enumerate(moments) if moment is not None and moment > self.latest}

    def _people(self) -> Sequence[int | None]:
        """The person of every row; None where the row has to be checked alone."""
        references, field_name = self.columns.people, self.columns.lookup_field
        if field_name == "id":
            return self._by_id(references)
        keys = self.columns.lookup_keys()
        ids_by_text: dict[Any, Any] = {}
        if field_name == "email":
            ids = people_lookup.person_ids_by_email(set(keys.values()))
            ids_by_text = {text: ids[key] for text, key in keys.items() if key in ids}
        if field_name != "email" or (self.columns.create_people and len(ids_by_text) < len(keys)):
            lookups = [self.columns.reference(text) for text in keys if text not in ids_by_text]
            results = self._look_up(field_name, lookups)
            ids_by_text |= {lookup.value: pk for lookup, pk in results.items() if type(pk) is int}
        return [ids_by_text.get(text) for text in references]

    def _by_id(self, references: Sequence[Any]) -> Sequence[int | None]:
        ids = {person for person in references if type(person) is int and 0 < person <= datatype_keys.MAX_ID}
        is_tried = len(ids) >= MANY and set(map(type, references)) == {int} and len(ids) == len(set(references))
        if is_tried and people_lookup.are_live_people(ids):
            self.by_id = {person: person for person in ids}
            return references
        ids_by_reference = self.by_id = (
            dict(people_lookup.person_ids_by_id(ids, follow_merges=self.follow_merges)) if ids else {}
        )
        return [ids_by_reference.get(person) if type(person) is int else None for person in references]

    def _find_people(self) -> dict[Any, Any]:
        return super()._find_people() if self.by_id is None else self.by_id

    def _check_rows(self, places: Sequence[int]) -> list[tuple[int, ReadyRow]]:
        """Check these rows as `recorder.record_activities` does; note the refused ones, return the others."""
        self.rows = [self.columns[place] for place in places]
        people = self._find_people()
        checked = [(place, self._check(row, people)) for place, row in zip(places, self.rows, strict=True)]
        self.others |= {place: outcome for place, outcome in checked if type(outcome) is RecordOutcome}
        return [(place, row) for place, row in checked if type(row) is ReadyRow]

    def _write(self, ready: _ReadyColumns, dry_run: bool) -> _ReadyColumns:
        if not dry_run:
            ready.ids, self.recorded_at = recording_sql.new_ids(len(ready.places))
        ready = self._without_former(ready)
        if ready.places and ready.external_ids is not None and not self._claim_all(ready):
            rows = ready.rows()
            for place, row in zip(ready.places, rows, strict=True):
                row.place = place
            repeats = self._claim_keys([row for row in rows if row.external_id is not None])
            outcomes = {place: repeats[row] for place, row in zip(ready.places, rows, strict=True) if row in repeats}
            self.others |= outcomes
            ready = ready.without(outcomes)
        if not dry_run and ready.places:
            column_sql.copy_columns(
                ready.schema.type_id,
                ready.schema.number,
                ready.ids,
                ready.people,
                ready.occurred_at,
                ready.primary_values,
                ready.attributes,
                self.source,
                self.recorded_at,
            )
            if ready.schema.type_id in CONSENTS:
                follow_consents(zip(ready.people, ready.primary_values, strict=True), self.source)
        return ready

    def _without_former(self, ready: _ReadyColumns) -> _ReadyColumns:
        """The rows, without those that were recorded under the external ids of an earlier version."""
        keys = self.columns.former_ids
        if keys is None or not any(keys):
            return ready
        rows = dict(zip(ready.places, ready.rows(), strict=True))
        repeats = self._former_repeats([(row, keys[place]) for place, row in rows.items()])
        outcomes = {place: repeats[row] for place, row in rows.items() if row in repeats}
        self.others |= outcomes
        return ready.without(outcomes) if outcomes else ready

    def _source_row(self, row: ReadyRow) -> NewActivity:
        return self.columns[row.place]

    def _claim_all(self, ready: _ReadyColumns) -> bool:
        """Store all external ids; False, and none is stored, where that takes a look at each. Raises KnownKeyError."""
        if not self.claims_together or ready.external_ids is None or len(ready.external_ids) < MANY:
            return False
        external_ids = [external_id for external_id in ready.external_ids if external_id is not None]
        if len(external_ids) < len(ready.external_ids):
            return False
        if min(ready.people) < 0:
            return False
        if len(set(zip(ready.people, external_ids, strict=True))) < len(external_ids):
            return False
        ids = ready.ids or [0] * len(external_ids)
        return column_sql.claim_all_keys(ready.schema.type_id, ready.people, external_ids, ids, ready.digests())

    def measure(self) -> None:
        """Count the rows; rows of an unknown type are counted under no type."""
        type_id = self.type_ids.get(self.columns.activity_type, "")
        client = "" if self.source.user_id is None else self.source.user_id
        counts = {RecordStatus.ADDED: len(self.columns) - len(self.others)}
        for outcome in self.others.values():
            counts[outcome.status] = counts.get(outcome.status, 0) + 1
        for status, number in counts.items():
            if number:
                ROWS.add(type_id, client, status, number=number)
