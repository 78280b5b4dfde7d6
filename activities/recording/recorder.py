"""Records activities: the single write path to the log.

One transaction a call. Good rows are written, bad ones are returned with their problems, in order.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from activities.consent.following import follow_consents
from activities.consent.opting_in import opt_in_problem
from activities.consent.state import CONSENTS, GIVEN
from activities.recording import reference_problems, schema
from activities.recording import sql as recording_sql
from activities.recording.counts import ROWS
from activities.recording.quarantine import storing
from activities.recording.rows import NewActivity, PersonLookup, RecordOutcome, RecordStatus
from activities.recording.sql import ReadyRow
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, Problems, bad_value
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.datatypes import fast, formulas
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import moment_text
from people.datatypes.parsing import BadValueError, is_blank, parse_moment
from people.definitions import checks
from people.fields.catalog import field_catalogue
from people.persons import upsert

NO_STANDARD_TYPES: frozenset[int] = frozenset()
MAX_BATCH = 10_000  # keeps the transaction, and so the lag of the high-water mark, near a second


def record_activities(
    rows: Sequence[NewActivity],
    source: Source,
    *,
    zone: tzinfo = UTC,
    may_record: frozenset[int] = NO_STANDARD_TYPES,
    follow_merges: bool = True,
    dry_run: bool = False,
    keep_refused: bool = True,
) -> list[RecordOutcome]:
    """Record up to 10,000 activities in one transaction; return one outcome a row, in order.

    Zone-less moments are of `zone`. Standard types are refused except those of `may_record`, by id. A merged person's
    id means the winner unless `follow_merges` is false. With `dry_run` everything is checked and nothing kept.
    What is reported as added or repeated is committed when the outermost transaction is. Refused rows are kept in
    the quarantine unless `keep_refused` is false, or there is no room.
    Raises ValueError when there are more than 10,000 rows; never for bad rows.
    """
    if not rows:
        return []
    batch = ActivityBatch(rows, source, zone, may_record, follow_merges)
    record_batch(batch, dry_run=dry_run, keep_refused=keep_refused)
    return batch.outcomes


def record_batch(batch: "ActivityBatch", *, dry_run: bool = False, keep_refused: bool = True) -> None:
    """Record a batch, for callers that need more of it than its outcomes."""
    rows, source, zone = batch.rows, batch.source, batch.zone
    if len(rows) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} activities in one transaction")
    with transaction.atomic():
        batch.run(dry_run)
        if dry_run:
            transaction.set_rollback(True)
        elif keep_refused:
            for place in storing.keep_refused_rows(rows, batch.outcomes, source, zone, batch.type_ids):
                batch.outcomes[place].is_left_out = True
        if not dry_run:
            transaction.on_commit(batch.measure)


class ActivityBatch:
    """One call of `record_activities`: its rows and their outcomes."""

    outcomes: list[RecordOutcome]
    type_ids: dict[Any, int]  # by the reference that rows use
    schemas: dict[Any, Any]
    states: dict[int, recording_sql.TypeState]
    recorded_at: datetime  # by the database's clock, once ids are taken

    def __init__(
        self,
        rows: Sequence[NewActivity],
        source: Source,
        zone: tzinfo = UTC,
        may_record: frozenset[int] = NO_STANDARD_TYPES,
        follow_merges: bool = True,
    ) -> None:
        self.rows = rows
        self.source = source
        self.zone = zone
        self.may_record = may_record
        self.follow_merges = follow_merges
        self.texts: dict[tuple[str, str], str] = {}
        self.created: list[tuple[str, str]] = []  # (field, value) of the people created for the rows
        self.uncreated: dict[int, RecordOutcome] = {}
        self.pending: dict[tuple[str, str], int] = {}  # people to create, under negative ids until they are needed
        self.latest = timezone.now() + timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD)

    def run(self, dry_run: bool = False) -> None:
        references = [row.activity_type for row in self.rows]
        self._lock_types({name for name in references if type(name) is int or isinstance(name, str)})
        self._find_versions()
        people = self._find_people()
        checked = [self._check(row, people) for row in self.rows]
        ready = [row for row in checked if type(row) is ReadyRow]
        for place, row in enumerate(checked):
            if type(row) is ReadyRow:
                row.place = place
        if self.pending and dry_run:
            self.created = self._keys_to_create({row.person_id for row in ready if row.person_id < 0})
        elif self.pending:
            person_ids = self._create({row.person_id for row in ready if row.person_id < 0})
            for row in ready:
                row.person_id = person_ids.get(row.person_id, row.person_id)
            if self.uncreated:
                checked = [self._row_or_outcome(row) if type(row) is ReadyRow else row for row in checked]
                ready = [row for row in checked if type(row) is ReadyRow]
        if ready and not dry_run:
            ids, self.recorded_at = recording_sql.new_ids(len(ready))
            for row, pk in zip(ready, ids, strict=True):
                row.activity_id = pk
        repeats = self._former_repeats([(row, self.rows[row.place].former_id) for row in ready])
        repeats |= self._claim_keys([row for row in ready if row.external_id is not None and row not in repeats])
        fresh = [row for row in ready if row not in repeats] if repeats else ready
        if fresh and not dry_run:
            recording_sql.copy_activities(fresh, self.source, self.recorded_at)
            if not CONSENTS.isdisjoint(self.type_ids.values()):
                follow_consents(
                    ((row.person_id, row.primary_value) for row in fresh if row.type_id in CONSENTS), self.source
                )
        self.outcomes = [
            repeats.get(row) or RecordOutcome(RecordStatus.ADDED, row.activity_id) if type(row) is ReadyRow else row
            for row in checked
        ]

    def measure(self) -> None:
        """Count the rows; rows of an unknown type are counted under no type."""
        types = [_get(self.type_ids, row.activity_type) or "" for row in self.rows]
        client = "" if self.source.user_id is None else self.source.user_id
        counted = Counter(zip(types, [outcome.status for outcome in self.outcomes], strict=True))
        for (type_id, status), number in counted.items():
            ROWS.add(type_id, client, status, number=number)

    def _lock_types(self, references: Collection[int | str]) -> dict[Any, "schema.Schema | Problem"]:
        """Schemas, or problems, by the reference that rows use; locked until the transaction ends.

        Approve, retire and delete wait for this transaction, and it for them: a type read as live here is
        live when the rows commit.
        """
        # only possible API names are looked up: NUL and lone surrogates never reach the database
        names = [name for name in references if isinstance(name, str) and checks.API_NAME.fullmatch(name)]
        ids = recording_sql.ids_of_types(names) if names else {}
        ids.update(
            {type_id: type_id for type_id in references if type(type_id) is int and 0 < type_id <= datatype_keys.MAX_ID}
        )
        locks.acquire_shared(
            [locks.lock_key(locks.LockSpace.PEOPLE), *(locks.lock_key(locks.LockSpace.TYPE, pk) for pk in ids.values())]
        )
        types = self.states = recording_sql.states_of_types(ids.values())
        self.type_ids = {reference: pk for reference, pk in ids.items() if pk in types}
        self.schemas = {reference: self._schema(pk, types.get(pk), reference) for reference, pk in ids.items()}
        return self.schemas

    def _schema(self, pk: int, state: recording_sql.TypeState | None, reference: Any) -> "schema.Schema | Problem":
        path = ("activity_type",)
        if state is None or state.is_deleted:
            return reference_problems.unknown_type_problem(reference)
        if state.is_standard and pk not in self.may_record:
            return Problem(Code.STANDARD_TYPE, _("standard activities are recorded by the product itself"), path)
        if state.live_id is None:
            return Problem(
                Code.UNAPPROVED_TYPE, _("activity type %(name)s is not approved yet") % {"name": state.api_name}, path
            )
        if state.is_retired:
            return Problem(Code.RETIRED_TYPE, _("activity type %(name)s is retired") % {"name": state.api_name}, path)
        return schema.schema_of_version(state.live_id)

    def _find_versions(self) -> None:
        """Find the versions that checked rows earlier, under the locks of their types."""
        versions = {
            (self.type_ids[row.activity_type], row.acceptance.version)
            for row in self.rows
            if row.acceptance is not None and _get(self.type_ids, row.activity_type) is not None
        }
        self.versions = recording_sql.ids_of_versions(versions) if versions else {}

    def _shape(self, row: NewActivity) -> "schema.Schema | Problem":
        """The schema that checks the row, or the problem of its type."""
        shape = _get(self.schemas, row.activity_type) or reference_problems.unknown_type_problem(row.activity_type)
        if row.acceptance is None:
            return shape
        type_id = _get(self.type_ids, row.activity_type)
        version_id = self.versions.get((type_id, row.acceptance.version))
        if version_id is None or type_id is None:
            return shape
        if isinstance(shape, Problem):
            retired_at = self.states[type_id].retired_at
            if shape.code != Code.RETIRED_TYPE or retired_at is None or retired_at <= row.acceptance.at:
                return shape
        return schema.schema_of_version(version_id)

    def _find_people(self) -> dict[Any, int | Problem]:
        """People, or problems, by the reference that rows use; people still to be created have negative ids."""
        ids = {row.person for row in self.rows if type(row.person) is int and 0 < row.person <= datatype_keys.MAX_ID}
        people: dict[Any, int | Problem] = (
            dict(people_lookup.person_ids_by_id(ids, follow_merges=self.follow_merges)) if ids else {}
        )
        lookups = {row.person for row in self.rows if isinstance(row.person, PersonLookup)}
        for field_name in {lookup.field for lookup in lookups}:
            people.update(self._look_up(field_name, [lookup for lookup in lookups if lookup.field == field_name]))
        return people

    def _look_up(self, field_name: str, lookups: list[PersonLookup]) -> dict[Any, int | Problem]:
        matches = people_lookup.person_ids_by_field(field_name, [lookup.value for lookup in lookups])
        missing = [
            lookup for lookup in lookups if lookup.create and not matches.get(datatype_keys.key_of(lookup.value))
        ]
        results: dict[Any, int | Problem] = {}
        if missing:
            info = field_catalogue()[field_name]
            for lookup in missing:
                try:
                    info.data_type.parse(lookup.value, self.zone)
                except BadValueError as error:
                    problem = bad_value(
                        error.code, error.expected, lookup.value, field_name, data_type=info.data_type.name
                    )
                    results[lookup] = problem.under("person")
                    continue
                key = (field_name, datatype_keys.key_of(lookup.value))
                results[lookup] = self.pending.setdefault(key, -len(self.pending) - 1)
                self.texts.setdefault(key, lookup.value)
        for lookup in lookups:
            if lookup not in results:
                results[lookup] = reference_problems.single_person(
                    matches.get(datatype_keys.key_of(lookup.value), []), lookup
                )
        return results

    def _create(self, needed: Collection[int]) -> dict[int, int]:
        """Create the people whose rows are good, and only them; return their ids by the negative ones.

        People who could not be created are noted in `uncreated`, with the outcome of the rows about them.
        """
        person_ids: dict[int, int] = {}
        for field_name in {key[0] for key in self.pending}:
            keys = [key for key, number in self.pending.items() if key[0] == field_name and number in needed]
            values = [{field_name: self.texts[key]} for key in keys]
            outcomes = upsert.upsert_people(values, self.source, field_name) if values else []
            for key, outcome in zip(keys, outcomes, strict=True):
                if outcome.person_id is None:
                    problems = tuple(problem.under("person") for problem in outcome.problems)
                    self.uncreated[self.pending[key]] = RecordOutcome(RecordStatus.REFUSED, None, problems)
                    continue
                person_ids[self.pending[key]] = outcome.person_id
                if outcome.status is upsert.UpsertStatus.CREATED:
                    self.created.append(key)
        return person_ids

    def _keys_to_create(self, numbers: Collection[int]) -> list[tuple[str, str]]:
        """(field, value) of the people that `_create` would create for the good rows."""
        return [key for key, number in self.pending.items() if number in numbers]

    def _row_or_outcome(self, row: ReadyRow) -> "ReadyRow | RecordOutcome":
        """The row, or its outcome where its person could not be created."""
        return self.uncreated.get(row.person_id, row)

    def _check(self, row: NewActivity, people: dict[Any, int | Problem]) -> "ReadyRow | RecordOutcome":
        problems = Problems()
        person = _get(people, row.person) or reference_problems.unknown_person_problem(row.person)
        if type(person) is not int:
            problems.append(person)
        occurred_at = self._moment(row.occurred_at, problems)
        external_id = (
            None if row.external_id is None else reference_problems.parse_external_id(row.external_id, problems)
        )
        shape = self._shape(row)
        if isinstance(shape, Problem):
            problems.append(shape)
            return RecordOutcome(RecordStatus.REFUSED, None, problems.shown_problems())
        primary_value, attributes, faults = shape.check(row.primary_value, row.attributes, self.zone)
        if shape.type_id == GIVEN and (refused_opt_in := opt_in_problem(primary_value, self.source)):
            problems.append(refused_opt_in)
        if type(person) is not int or occurred_at is None or problems or faults:
            problems.extend(faults)
            return RecordOutcome(RecordStatus.REFUSED, None, problems.shown_problems())
        return ReadyRow(person, shape.type_id, shape.number, occurred_at, primary_value, attributes, external_id)

    def _moment(self, value: Any, problems: list[Problem]) -> str | None:
        """The moment as PostgreSQL reads it."""
        moment = fast.parse_utc_moment(value)
        if moment is not None and moment <= self.latest:
            return value
        if is_blank(value):
            problems.append(Problem(Code.MISSING_VALUE, _("the moment when it happened is missing"), ("occurred_at",)))
            return None
        try:
            moment = parse_moment(value, self.zone)
        except BadValueError as error:
            problems.append(bad_value(error.code, error.expected, value, "occurred_at", data_type="datetime"))
            return None
        if moment > self.latest:
            latest = _("a moment no later than %(latest)s") % {
                "latest": moment_text(self.latest.replace(microsecond=0))
            }
            problems.append(bad_value(Code.OUT_OF_RANGE, latest, value, "occurred_at"))
        return moment.isoformat()

    def _claim_keys(self, keyed: list[ReadyRow]) -> dict[ReadyRow, RecordOutcome]:
        """Store the external ids; return the outcomes of rows whose external id is known.

        It may be known from before, from a concurrent recorder that was first, or from earlier in this batch.
        """
        if not keyed:
            return {}
        first: dict[Any, ReadyRow] = {}
        for row in keyed:
            first.setdefault(row.key, row)
        # no key can be stored for people who do not exist yet
        stored = [row for row in first.values() if row.person_id > 0]
        claimed = (recording_sql.insert_keys(stored) if stored else set()) | {
            row.key for row in first.values() if row.person_id < 0
        }
        fresh = {row for key, row in first.items() if key in claimed}
        lost = [row for row in first.values() if row not in fresh]
        stored_keys = recording_sql.find_stored_keys(lost) if lost else {}
        stored_keys.update({row.key: (row.activity_id, row.digest) for row in fresh} if len(first) < len(keyed) else {})
        return {
            row: self._repeat(row, *stored_keys[row.key])
            for row in keyed
            if first[row.key] is not row or row.key not in claimed
        }

    def _former_repeats(self, rows: Collection[tuple[ReadyRow, str | None]]) -> dict[ReadyRow, RecordOutcome]:
        """Outcomes of the rows that were recorded under the external id that an earlier version gave them.

        That id is derived from the content, so a row with the same id has the same content.
        """
        former = {row: replace(row, external_id=key) for row, key in rows if key is not None and row.person_id > 0}
        stored_keys = recording_sql.find_stored_keys(list(former.values())) if former else {}
        return {
            row: RecordOutcome(RecordStatus.REPEATED, stored_keys[former_row.key][0])
            for row, former_row in former.items()
            if former_row.key in stored_keys
        }

    def _repeat(self, row: ReadyRow, activity_id: int, digest: bytes) -> RecordOutcome:
        digest = bytes(digest)
        if digest == row.digest or digest in self._former_digests(row):
            return RecordOutcome(RecordStatus.REPEATED, activity_id)
        message = _("external id “%(id)s” was recorded before with other content") % {"id": row.external_id}
        return RecordOutcome(RecordStatus.REFUSED, None, (Problem(Code.EXTERNAL_ID_REUSED, message, ("external_id",)),))

    def _source_row(self, row: ReadyRow) -> NewActivity:
        return self.rows[row.place]

    def _former_digests(self, row: ReadyRow) -> set[bytes]:
        """The digests that earlier versions would have given the row.

        They kept blanks around text, and in files the ' that guards a text from being taken for a formula; in NDJSON
        they removed a ' that belonged to the text.
        """
        source_row = self._source_row(row)
        shape = self._shape(source_row)
        assert not isinstance(shape, Problem)  # it was checked
        ways: list[Callable[[str], str]] = [str]
        if self.source.channel is Channel.IMPORT:
            ways += [formulas.guard_formula, formulas.unguard_formula]
        digests = set()
        for written in ways:
            primary, attributes = shape.check_untrimmed(
                source_row.primary_value, source_row.attributes, self.zone, written
            )
            digests.add(replace(row, primary_value=primary, attributes=attributes).digest)
        return digests


def _get(mapping: dict[Any, Any], reference: Any) -> Any:
    """Like mapping.get(reference), for references that may be any JSON value."""
    if type(reference) is int or isinstance(reference, str | PersonLookup):
        return mapping.get(reference)
    return None
