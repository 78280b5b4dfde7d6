"""Records activities: the single write path to the log.

One transaction a call. Good rows are written, bad ones come back with their problems, in order.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from activities.recording import quarantine, schema
from activities.recording import sql as recording_sql
from activities.recording.rows import Lookup, NewActivity, Outcome, Status
from activities.recording.sql import Ready
from people import lookup as people_lookup
from people.core import metrics
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, Problems, bad_value
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.datatypes import fast, formulas
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import moment_text
from people.datatypes.parsing import BadValueError, is_blank, parse_moment
from people.datatypes.registry import BY_NAME
from people.definitions import checks
from people.fields.catalog import catalogue
from people.persons import upsert

MAX_BATCH = 10_000  # keeps the transaction, and so the lag of the high-water mark, near a second
ROWS = metrics.counter(
    "rows", "Activities that came in, by type, client and what became of them.", "type", "client", "outcome"
)


def record(
    rows: Sequence[NewActivity],
    source: Source,
    *,
    zone: tzinfo = UTC,
    standard: bool = False,
    follow_merges: bool = True,
    dry_run: bool = False,
    keep_refused: bool = True,
) -> list[Outcome]:
    """Record up to 10,000 activities in one transaction; return one outcome a row, in order.

    Zone-less moments are of `zone`. Standard types are refused unless `standard`. A merged person's id
    means the winner unless `follow_merges` is false. With `dry_run` everything is checked and nothing kept.
    What is reported as added or repeated is committed when the outermost transaction is. Refused rows are kept in
    the quarantine unless `keep_refused` is false.
    Raises ValueError when there are more than 10,000 rows; never for bad rows.
    """
    if not rows:
        return []
    batch = Batch(rows, source, zone, standard, follow_merges)
    record_batch(batch, dry_run=dry_run, keep_refused=keep_refused)
    return batch.outcomes


def record_batch(batch: "Batch", *, dry_run: bool = False, keep_refused: bool = True) -> None:
    """`record` for callers that want to know more of the batch than its outcomes."""
    rows, source, zone = batch.rows, batch.source, batch.zone
    if len(rows) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} activities in one transaction")
    with transaction.atomic():
        batch.run(dry_run)
        if dry_run:
            transaction.set_rollback(True)
        elif keep_refused:
            quarantine.keep(rows, batch.outcomes, source, zone, batch.type_ids)
        if not dry_run:
            transaction.on_commit(batch.measure)


def count_refused(named: Sequence[Any], source: Source) -> None:
    """Count rows that a channel refused for their structure; `named` is what each gave as its type."""
    if not named:
        return
    words = [word for word in named if isinstance(word, str) and checks.API_NAME.fullmatch(word)]
    ids = recording_sql.ids_of_types(words) if words else {}
    client = "" if source.user_id is None else source.user_id
    counted = Counter(ids.get(word, "") if isinstance(word, str) else "" for word in named)
    for type_id, number in counted.items():
        ROWS.add(type_id, client, Status.REFUSED, number=number)


class Batch:
    """One call of `record`: its rows, and what became of each."""

    outcomes: list[Outcome]
    type_ids: dict[Any, int]  # by the reference that rows use
    schemas: dict[Any, Any]
    recorded_at: datetime  # by the database's clock, once ids are taken

    def __init__(
        self,
        rows: Sequence[NewActivity],
        source: Source,
        zone: tzinfo = UTC,
        standard: bool = False,
        follow_merges: bool = True,
    ) -> None:
        self.rows = rows
        self.source = source
        self.zone = zone
        self.standard = standard
        self.follow_merges = follow_merges
        self.texts: dict[tuple[str, str], str] = {}
        self.created: list[tuple[str, str]] = []  # (field, value) of those whom the rows brought
        self.uncreated: dict[int, Outcome] = {}
        self.pending: dict[tuple[str, str], int] = {}  # people to create, under negative ids until they are needed
        self.latest = timezone.now() + timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD)

    def run(self, dry_run: bool = False) -> None:
        named = [row.activity_type for row in self.rows]
        schemas = self._hold_types({name for name in named if type(name) is int or isinstance(name, str)})
        people = self._find_people()
        checked = [self._check(row, schemas, people) for row in self.rows]
        ready = [row for row in checked if type(row) is Ready]
        for place, row in enumerate(checked):
            if type(row) is Ready:
                row.place = place
        if self.pending and dry_run:
            self.created = self._needed({row.person_id for row in ready if row.person_id < 0})
        elif self.pending:
            made = self._create({row.person_id for row in ready if row.person_id < 0})
            for row in ready:
                row.person_id = made.get(row.person_id, row.person_id)
            if self.uncreated:
                checked = [self._created(row) if type(row) is Ready else row for row in checked]
                ready = [row for row in checked if type(row) is Ready]
        if ready and not dry_run:
            ids, self.recorded_at = recording_sql.new_ids(len(ready))
            for row, pk in zip(ready, ids, strict=True):
                row.activity_id = pk
        repeats = self._known_before([(row, self.rows[row.place].former_id) for row in ready])
        repeats |= self._claim_keys([row for row in ready if row.external_id is not None and row not in repeats])
        fresh = [row for row in ready if row not in repeats] if repeats else ready
        if fresh and not dry_run:
            recording_sql.copy(fresh, self.source, self.recorded_at)
        self.outcomes = [
            repeats.get(row) or Outcome(Status.ADDED, row.activity_id) if type(row) is Ready else row for row in checked
        ]

    def measure(self) -> None:
        """Count the rows; those of a type that is not there under no type."""
        types = [_get(self.type_ids, row.activity_type) or "" for row in self.rows]
        client = "" if self.source.user_id is None else self.source.user_id
        counted = Counter(zip(types, [outcome.status for outcome in self.outcomes], strict=True))
        for (type_id, status), number in counted.items():
            ROWS.add(type_id, client, status, number=number)

    def _hold_types(self, references: Collection[int | str]) -> dict[Any, "schema.Schema | Problem"]:
        """Schemas (or what is wrong) by the reference that rows use; held until the transaction ends.

        Approve, retire and delete wait for this transaction, and it for them: a type read as live here is
        live when the rows commit.
        """
        # only what can be an API name is looked up: NUL and lone surrogates never reach the database
        names = [name for name in references if isinstance(name, str) and checks.API_NAME.fullmatch(name)]
        ids = recording_sql.ids_of_types(names) if names else {}
        ids.update({one: one for one in references if type(one) is int and 0 < one <= datatype_keys.MAX_ID})
        locks.share([locks.key(locks.Space.PEOPLE), *(locks.key(locks.Space.TYPE, pk) for pk in ids.values())])
        types = recording_sql.states_of_types(ids.values())
        self.type_ids = {reference: pk for reference, pk in ids.items() if pk in types}
        self.schemas = {reference: self._schema(types.get(pk), reference) for reference, pk in ids.items()}
        return self.schemas

    def _schema(self, state: recording_sql.TypeState | None, reference: Any) -> "schema.Schema | Problem":
        path = ("activity_type",)
        if state is None or state.is_deleted:
            return _unknown_type(reference)
        if state.is_standard != self.standard:
            return Problem(Code.STANDARD_TYPE, _("standard activities are recorded by the product itself"), path)
        if state.live_id is None:
            return Problem(
                Code.UNAPPROVED_TYPE, _("activity type %(name)s is not approved yet") % {"name": state.api_name}, path
            )
        if state.is_retired:
            return Problem(Code.RETIRED_TYPE, _("activity type %(name)s is retired") % {"name": state.api_name}, path)
        return schema.of_version(state.live_id)

    def _find_people(self) -> dict[Any, int | Problem]:
        """People (or what is wrong) by the reference that rows use; who is to be created has a negative id."""
        ids = {row.person for row in self.rows if type(row.person) is int and 0 < row.person <= datatype_keys.MAX_ID}
        found: dict[Any, int | Problem] = (
            dict(people_lookup.by_id(ids, follow_merges=self.follow_merges)) if ids else {}
        )
        lookups = {row.person for row in self.rows if isinstance(row.person, Lookup)}
        for field_name in {lookup.field for lookup in lookups}:
            found.update(self._look_up(field_name, [lookup for lookup in lookups if lookup.field == field_name]))
        return found

    def _look_up(self, field_name: str, lookups: list[Lookup]) -> dict[Any, int | Problem]:
        matches = people_lookup.by_field(field_name, [lookup.value for lookup in lookups])
        missing = [
            lookup for lookup in lookups if lookup.create and not matches.get(datatype_keys.key_of(lookup.value))
        ]
        found: dict[Any, int | Problem] = {}
        if missing:
            info = catalogue()[field_name]
            for lookup in missing:
                try:
                    info.data_type.parse(lookup.value, self.zone)
                except BadValueError as error:
                    problem = bad_value(
                        error.code, error.expected, lookup.value, field_name, data_type=info.data_type.name
                    )
                    found[lookup] = problem.under("person")
                    continue
                key = (field_name, datatype_keys.key_of(lookup.value))
                found[lookup] = self.pending.setdefault(key, -len(self.pending) - 1)
                self.texts.setdefault(key, lookup.value)
        for lookup in lookups:
            if lookup not in found:
                found[lookup] = _one_of(matches.get(datatype_keys.key_of(lookup.value), []), lookup)
        return found

    def _create(self, needed: Collection[int]) -> dict[int, int]:
        """Create the people whose rows are good, and only them; their ids by the negative ones.

        Who cannot be created after all is noted in `uncreated`, with the outcome of the rows about them.
        """
        found: dict[int, int] = {}
        for field_name in {key[0] for key in self.pending}:
            keys = [key for key, number in self.pending.items() if key[0] == field_name and number in needed]
            values = [{field_name: self.texts[key]} for key in keys]
            outcomes = upsert.upsert(values, self.source, field_name) if values else []
            for key, outcome in zip(keys, outcomes, strict=True):
                if outcome.person_id is None:
                    problems = tuple(problem.under("person") for problem in outcome.problems)
                    self.uncreated[self.pending[key]] = Outcome(Status.REFUSED, None, problems)
                    continue
                found[self.pending[key]] = outcome.person_id
                if outcome.status is upsert.Status.CREATED:
                    self.created.append(key)
        return found

    def _needed(self, numbers: Collection[int]) -> list[tuple[str, str]]:
        """The people whom `_create` would create for the rows that are good."""
        return [key for key, number in self.pending.items() if number in numbers]

    def _created(self, row: Ready) -> "Ready | Outcome":
        """The row, or what became of it where its person could not be created."""
        return self.uncreated.get(row.person_id, row)

    def _check(self, row: NewActivity, schemas: dict[Any, Any], people: dict[Any, int | Problem]) -> "Ready | Outcome":
        problems = Problems()
        person = _get(people, row.person) or _unknown_person(row.person)
        if type(person) is not int:
            problems.append(person)
        occurred_at = self._moment(row.occurred_at, problems)
        external_id = None if row.external_id is None else _external_id(row.external_id, problems)
        shape = _get(schemas, row.activity_type) or _unknown_type(row.activity_type)
        if type(shape) is not schema.Schema:
            problems.append(shape)
            return Outcome(Status.REFUSED, None, problems.told())
        primary_value, attributes, faults = shape.check(row.primary_value, row.attributes, self.zone)
        if type(person) is not int or occurred_at is None or problems or faults:
            problems.extend(faults)
            return Outcome(Status.REFUSED, None, problems.told())
        return Ready(person, shape.type_id, shape.number, occurred_at, primary_value, attributes, external_id)

    def _moment(self, value: Any, problems: list[Problem]) -> str | None:
        """The moment as PostgreSQL reads it."""
        moment = fast.moment(value)
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

    def _claim_keys(self, keyed: list[Ready]) -> dict[Ready, Outcome]:
        """Store the external ids; return what becomes of rows whose external id is known.

        It may be known from before, from a concurrent recorder that was first, or from earlier in this batch.
        """
        if not keyed:
            return {}
        first: dict[Any, Ready] = {}
        for row in keyed:
            first.setdefault(row.key, row)
        # of people who are not there yet no key can be known
        stored = [row for row in first.values() if row.person_id > 0]
        claimed = (recording_sql.insert_keys(stored) if stored else set()) | {
            row.key for row in first.values() if row.person_id < 0
        }
        fresh = {row for key, row in first.items() if key in claimed}
        lost = [row for row in first.values() if row not in fresh]
        known = recording_sql.known_keys(lost) if lost else {}
        known.update({row.key: (row.activity_id, row.digest) for row in fresh} if len(first) < len(keyed) else {})
        return {
            row: self._repeat(row, *known[row.key])
            for row in keyed
            if first[row.key] is not row or row.key not in claimed
        }

    def _known_before(self, rows: Collection[tuple[Ready, str | None]]) -> dict[Ready, Outcome]:
        """The rows that were recorded under the external id that a version before gave them.

        That id is made of the content, so whoever has it has the same content.
        """
        former = {row: replace(row, external_id=key) for row, key in rows if key is not None and row.person_id > 0}
        known = recording_sql.known_keys(list(former.values())) if former else {}
        return {row: Outcome(Status.REPEATED, known[old.key][0]) for row, old in former.items() if old.key in known}

    def _repeat(self, row: Ready, activity_id: int, digest: bytes) -> Outcome:
        digest = bytes(digest)
        if digest == row.digest or digest in self._former_digests(row):
            return Outcome(Status.REPEATED, activity_id)
        message = _("external id '%(id)s' was recorded before with other content") % {"id": row.external_id}
        return Outcome(Status.REFUSED, None, (Problem(Code.EXTERNAL_ID_REUSED, message, ("external_id",)),))

    def _given(self, row: Ready) -> NewActivity:
        return self.rows[row.place]

    def _former_digests(self, row: Ready) -> set[bytes]:
        """The digests that versions before would have given the row: they kept blanks around text, and in files
        the ' that guards a text from being taken for a formula; of NDJSON they took a ' off that was the text's own.
        """
        given = self._given(row)
        shape = self.schemas[given.activity_type]
        ways: list[Callable[[str], str]] = [str]
        if self.source.channel is Channel.IMPORT:
            ways += [formulas.guarded, formulas.unguarded]
        found = set()
        for written in ways:
            primary, attributes = shape.check_untrimmed(given.primary_value, given.attributes, self.zone, written)
            found.add(replace(row, primary_value=primary, attributes=attributes).digest)
        return found


def _get(found: dict[Any, Any], reference: Any) -> Any:
    """Like found.get(reference), for references that may be anything JSON has."""
    if type(reference) is int or isinstance(reference, str | Lookup):
        return found.get(reference)
    return None


def _unknown_person(reference: Any) -> Problem:
    if is_blank(reference):
        return Problem(Code.MISSING_VALUE, _("the person is missing"), ("person",))
    if type(reference) is not int and not isinstance(reference, Lookup):
        # 1.5 and "abc" are nobody's ids, whoever there is
        return bad_value(Code.WRONG_TYPE, _("the id of a person"), reference, "person", data_type="integer")
    value = reference.value if isinstance(reference, Lookup) else reference
    problem = bad_value(Code.UNKNOWN_PERSON, _("somebody we know"), value, "person")
    return replace(problem, message=_("there is no person '%(person)s'") % {"person": problem.got})


def _one_of(ids: list[int], lookup: Lookup) -> int | Problem:
    if len(ids) == 1:
        return ids[0]
    if not ids:
        return _unknown_person(lookup)
    message = _("%(count)s people share the value '%(value)s'") % {"count": len(ids), "value": lookup.value}
    return Problem(Code.AMBIGUOUS_PERSON, message, ("person",))


def _unknown_type(reference: Any) -> Problem:
    if is_blank(reference):
        return Problem(Code.MISSING_VALUE, _("the activity type is missing"), ("activity_type",))
    problem = bad_value(Code.UNKNOWN_TYPE, _("an approved activity type"), reference, "activity_type")
    return replace(problem, message=_("there is no activity type '%(name)s'") % {"name": problem.got})


def _external_id(value: Any, problems: list[Problem]) -> str | None:
    if is_blank(value):
        return None
    try:
        return BY_NAME["string"].parse(value, UTC)
    except BadValueError as error:
        problems.append(bad_value(error.code, error.expected, value, "external_id"))
        return None
