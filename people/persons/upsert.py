"""Creates and changes people: whole batches in one transaction, published to the apps above."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from django.db import transaction

from people import events
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import ConflictError, Problem, Problems, RejectedError, bad_value, quoted_value
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import BadValueError, is_blank
from people.fields import unique_values
from people.fields.catalog import FieldInfo, field_catalogue, person_value
from people.models import Person, PersonKey
from people.persons import objections, person_sql

MAX_BATCH = 10_000
MAX_NAME = 100  # characters of an unknown field's name that are quoted back


class UpsertAction(StrEnum):
    UPSERT = "upsert"  # update existing people, create the others
    CREATE = "create"  # refuse existing people
    UPDATE = "update"  # refuse unknown people
    DUPLICATE = "duplicate"  # create in any case: an e-mail address may be shared


class UpsertStatus(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class UpsertOutcome:
    """The outcome of one row. An update without a change counts as an update."""

    status: UpsertStatus
    person_id: int | None = None
    problems: Sequence[Problem] = field(default=())


@dataclass(slots=True)
class _Target:
    """A person to be created or changed by the batch, with the new values."""

    person: Person
    values: dict[str, Any] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    objected_at: datetime | None = None  # of the objection that came with the address

    @property
    def is_new(self) -> bool:
        return self.person.pk is None


def upsert_people(
    rows: Sequence[Mapping[str, Any]],
    source: Source,
    lookup_field: str = "email",
    action: UpsertAction = UpsertAction.UPSERT,
    *,
    zone: tzinfo = UTC,
    dry_run: bool = False,
    announces: bool = True,
    expected_revision: int | None = None,
    came_at: Mapping[int, datetime] | None = None,
) -> list[UpsertOutcome]:
    """Create or update people; return one outcome a row, in order. One transaction.

    A row maps API names of person fields to raw values; blank is no value. `lookup_field` is "id" (update
    only), "email" or a unique field. Several matches are an error; none of them is changed. Concurrent calls with
    one new e-mail create one person. Each changed value writes an entry to the log, so pass no more rows at once
    than `split_rows` does. Without `announces` there are no entries; only the undo of a merge uses this. With `dry_run`
    everything is checked and nothing is saved: no id is consumed, and people to be created have none.
    `came_at`: by the place of a row, when its person came, where that was before; their `created_at`, and the time of
    their first entry in the log. People who exist keep theirs.
    Raises `RejectedError` (`unknown_lookup_field`), `ConflictError` if a person is not at `expected_revision`, and
    ValueError over 10,000 rows; never for bad rows.
    """
    if len(rows) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} people in one transaction")
    with transaction.atomic():
        # locked before the fields are read, so that no field is deleted or made unique meanwhile
        locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
        fields = field_catalogue()
        _check_lookup(lookup_field, fields)
        batch = _Batch(rows, source, fields, lookup_field, action, zone, announces, expected_revision, came_at or {})
        return batch.run(dry_run)


def split_rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Split the rows into parts with at most `MAX_BATCH` entries in the log, by `objections.log_entries`.

    A larger transaction would delay readers of the log by more than about a second.
    """
    first = entries = 0
    for place, row in enumerate(rows):
        own = objections.log_entries(row)
        if entries + own > MAX_BATCH and place > first:
            yield rows[first:place]
            first, entries = place, 0
        entries += own
    if first < len(rows):
        yield rows[first:]


def update_person(
    person: Person,
    values: Mapping[str, Any],
    source: Source,
    expected_revision: int | None = None,
    *,
    zone: tzinfo = UTC,
) -> UpsertOutcome:
    """Change one person's fields. Raises `ConflictError` if the person is no longer at `expected_revision`."""
    row = {**values, "id": person.pk}
    return upsert_people([row], source, "id", UpsertAction.UPDATE, zone=zone, expected_revision=expected_revision)[0]


def add_to_values(amounts: Mapping[int, Any], field: str, source: Source) -> dict[int, UpsertOutcome]:
    """Add a number to `field` of each person (id → amount), no value counting as 0; one outcome an id.

    The people are locked between reading and writing. Amounts that are invalid for the field's type are refused,
    and so are sums outside its range.
    """
    with transaction.atomic():
        locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
        info = field_catalogue()[field]
        locks.acquire_exclusive(people_lookup.value_locks(("id", datatype_keys.key_of(pk)) for pk in amounts))
        people = Person.objects.live().filter(pk__in=list(amounts)).order_by("pk").select_for_update()
        current_values = {person.pk: person_value(person, info) or 0 for person in people}
        rows, refused = [], {}
        for pk, amount in amounts.items():
            try:
                rows.append({"id": pk, field: current_values.get(pk, 0) + info.data_type.parse(amount, UTC)})
            except BadValueError as error:
                problem = bad_value(error.code, error.expected, amount, field, data_type=info.data_type.name)
                refused[pk] = UpsertOutcome(UpsertStatus.REFUSED, None, (problem,))
        outcomes = upsert_people(rows, source, "id", UpsertAction.UPDATE) if rows else []
        return refused | {row["id"]: outcome for row, outcome in zip(rows, outcomes, strict=True)}


def _check_lookup(lookup_field: str, fields: Mapping[str, FieldInfo]) -> None:
    lookup_fields = {"id", *people_lookup.LOOKUP_FIELDS, *(name for name, info in fields.items() if info.is_unique)}
    if lookup_field not in lookup_fields:
        message = _("People can't be found by “%(field)s”.") % {"field": lookup_field}
        raise RejectedError(
            Problem(Code.UNKNOWN_LOOKUP_FIELD, message, ("lookup_field",), ", ".join(sorted(lookup_fields)))
        )


@dataclass(slots=True)
class _Batch:
    """One call of `upsert_people`."""

    rows: Sequence[Mapping[str, Any]]
    source: Source
    fields: Mapping[str, FieldInfo]
    lookup_field: str
    action: UpsertAction
    zone: tzinfo
    announces: bool
    expected_revision: int | None
    came_at: Mapping[int, datetime]
    outcomes: list[UpsertOutcome | None] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [None] * len(self.rows)

    def run(self, dry_run: bool = False) -> list[UpsertOutcome]:
        parsed = {index: values for index in range(len(self.rows)) if (values := self._parse(index)) is not None}
        self._lock_values(parsed)
        targets = self._targets(parsed)
        targets = self._without_shared_keys(self._without_opt_ins(targets))
        objected = objections.keep_objections([(target.person, target.values) for target in targets], self.source)
        for place, moment in objected.items():
            targets[place].objected_at = moment
        new = [target for target in targets if target.is_new]
        changes = [] if dry_run else self._write(targets)
        self._settle(targets, new)
        if self.announces and not dry_run:
            self._announce(targets, changes)
        return [outcome for outcome in self.outcomes if outcome is not None]

    def _refuse(self, index: int, *problems: Problem) -> None:
        self.outcomes[index] = UpsertOutcome(UpsertStatus.REFUSED, None, problems)

    def _parse(self, index: int) -> dict[str, Any] | None:
        """The row's canonical values, or None if it is refused."""
        problems = Problems()
        values: dict[str, Any] = {}
        for name, raw in self.rows[index].items():
            if name == "id":
                continue
            info = self.fields.get(name)
            if info is None:
                message = _("there is no person field “%(name)s”") % {"name": quoted_value(name, MAX_NAME)}
                problems.append(Problem(Code.UNKNOWN_FIELD, message, (quoted_value(name, MAX_NAME),)))
            elif info.is_read_only:
                problems.append(Problem(Code.READ_ONLY_FIELD, _("is maintained by the product"), (name,)))
            elif is_blank(raw):
                values[name] = None
            else:
                try:
                    values[name] = info.data_type.parse(raw, self.zone)
                except BadValueError as error:
                    problems.append(bad_value(error.code, error.expected, raw, name, data_type=info.data_type.name))
        problems.extend(self._lookup_problems(self.rows[index], values, bool(problems)))
        if problems:
            self._refuse(index, *problems.shown_problems())
            return None
        return values

    def _lookup_problems(self, row: Mapping[str, Any], values: Mapping[str, Any], has_problems: bool) -> list[Problem]:
        if self.lookup_field == "id":
            number = row.get("id")
            if is_blank(number):
                return [Problem(Code.MISSING_VALUE, _("the id is missing"), ("id",))]
            if not datatype_keys.is_id(number):
                return [bad_value(Code.WRONG_TYPE, _("the id of a person"), number, "id")]
        elif "id" in row:
            return [Problem(Code.UNEXPECTED_ID, _("an id can only be given to update by id"), ("id",))]
        elif self.action is not UpsertAction.DUPLICATE and not has_problems and values.get(self.lookup_field) is None:
            message = _("a value to look people up by is missing")
            return [Problem(Code.MISSING_VALUE, message, (self.lookup_field,))]
        return []

    def _lock_values(self, parsed: Mapping[int, Mapping[str, Any]]) -> None:
        """Lock the values of fields by which people are found, but no ids, in one order in all transactions."""
        names = {*people_lookup.LOOKUP_FIELDS, *(name for name, info in self.fields.items() if info.is_unique)}
        keys = (
            (name, datatype_keys.key_of(values[name]))
            for values in parsed.values()
            for name in names
            if values.get(name) is not None
        )
        locks.acquire_exclusive(people_lookup.value_locks(keys))

    def _targets(self, parsed: Mapping[int, dict[str, Any]]) -> list[_Target]:
        """Match each row to a person; rows for the same person are combined, in order, into one target."""
        matches = self._matches(parsed)
        people = self._load({ids[0] for ids in matches.values() if len(ids) == 1})
        targets: dict[Any, _Target] = {}
        for index, values in parsed.items():
            ids = matches.get(index, [])
            problem = self._match_problem(index, ids, people)
            if problem:
                self._refuse(index, problem)
                continue
            key = self._target_key(index, ids, values)
            if key not in targets:
                targets[key] = _Target(
                    people[ids[0]] if ids and self.action is not UpsertAction.DUPLICATE else Person()
                )
            elif self.action is UpsertAction.CREATE:
                self._refuse(index, Problem(Code.PERSON_EXISTS, _("this person exists already")))
                continue
            if objections.withdraws_opt_out(targets[key].values, values, self.source):
                self._refuse(index, objections.opt_in_problem())
                continue
            targets[key].values.update(values)
            targets[key].rows.append(index)
        return list(targets.values())

    def _target_key(self, index: int, ids: list[int], values: Mapping[str, Any]) -> Any:
        if self.action is UpsertAction.DUPLICATE:
            return ("row", index)
        if ids:
            return ids[0]
        return ("new", datatype_keys.key_of(values[self.lookup_field]))

    def _matches(self, parsed: Mapping[int, Mapping[str, Any]]) -> dict[int, list[int]]:
        if self.action is UpsertAction.DUPLICATE:
            return {}
        if self.lookup_field == "id":
            ids_by_row = {index: int(self.rows[index]["id"]) for index in parsed}
            live_ids = people_lookup.person_ids_by_id(ids_by_row.values(), follow_merges=False)
            return {index: [pk] for index, pk in ids_by_row.items() if pk in live_ids}
        keys = {index: datatype_keys.key_of(values[self.lookup_field]) for index, values in parsed.items()}
        by_key = people_lookup.person_ids_by_field(self.lookup_field, keys.values())
        return {index: by_key[key] for index, key in keys.items() if key in by_key}

    def _load(self, ids: set[int]) -> dict[int, Person]:
        people = Person.objects.live().filter(pk__in=ids).order_by("pk").select_for_update()
        if self.expected_revision is not None and any(row.revision != self.expected_revision for row in people):
            message = _("Someone else changed this person in the meantime. Look again; nothing was overwritten.")
            raise ConflictError(Problem(Code.CONFLICT, message))
        return {person.pk: person for person in people}

    def _match_problem(self, index: int, ids: list[int], people: Mapping[int, Person]) -> Problem | None:
        if len(ids) > 1:
            message = _("%(count)s people match; none of them was changed") % {"count": len(ids)}
            return Problem(Code.AMBIGUOUS_PERSON, message, (self.lookup_field,))
        exists = bool(ids) and ids[0] in people
        if self.action is UpsertAction.CREATE and exists:
            return Problem(Code.PERSON_EXISTS, _("this person exists already"), (self.lookup_field,))
        if not exists and (self.action is UpsertAction.UPDATE or self.lookup_field == "id"):
            return Problem(Code.UNKNOWN_PERSON, _("there is no such person"), (self.lookup_field,))
        return None

    def _without_opt_ins(self, targets: list[_Target]) -> list[_Target]:
        """Refuse targets that subscribe a person again."""
        for target in targets:
            if objections.is_refused_opt_in(target.person, target.values, self.source):
                for index in target.rows:
                    self._refuse(index, objections.opt_in_problem())
        return [target for target in targets if self.outcomes[target.rows[0]] is None]

    def _without_shared_keys(self, targets: list[_Target]) -> list[_Target]:
        """Refuse targets that would share a value of a unique field with another person."""
        unique = {name: info for name, info in self.fields.items() if info.is_unique}
        claims = [
            (target, unique[name], datatype_keys.key_of(value))
            for target in targets
            for name, value in target.values.items()
            if name in unique and value is not None
        ]
        if not claims:
            return targets
        owners: dict[tuple[int, str], Any] = {
            (row.field_id, row.value): row.person_id
            for row in PersonKey.objects.filter(
                field__in={info.id for _target, info, _key in claims}, value__in={key for _target, _info, key in claims}
            )
        }
        refused: set[int] = set()
        for target, info, key in claims:
            me = target.person.pk or id(target)
            if owners.setdefault((info.id, key), me) != me:
                refused.add(id(target))
                problem = Problem(Code.VALUE_TAKEN, _("someone else has this value already"), (info.api_name,))
                for index in target.rows:
                    self._refuse(index, problem)
        return [target for target in targets if id(target) not in refused]

    def _write(self, targets: list[_Target]) -> list[events.FieldChange]:
        new = [target for target in targets if target.is_new]
        existing = [target for target in targets if not target.is_new]
        for target in new:
            for name, value in target.values.items():
                person_sql.set_person_value(target.person, self.fields[name], value)
            if moment := self.came_at.get(target.rows[0]):
                target.person.created_at = moment
        Person.objects.bulk_create([target.person for target in new], batch_size=1000)
        changes = [
            events.FieldChange(target.person.pk, name, old, value, self.fields[name].is_score)
            for target in existing
            for name, value in target.values.items()
            if (old := person_value(target.person, self.fields[name])) != value
        ]
        changed_fields = {change.field for change in changes}
        changed = {change.person_id for change in changes}
        to_write = [(target.person, target.values) for target in existing if target.person.pk in changed]
        person_sql.write_values(to_write, changed_fields, self.fields)
        self._keep_keys(targets)
        return changes

    def _settle(self, targets: list[_Target], new: list[_Target]) -> None:
        """Set the outcomes of the valid rows: the first row of a new person counts as its creation."""
        created = {id(target) for target in new}
        for target in targets:
            for index in target.rows:
                is_created = id(target) in created and index == target.rows[0]
                self.outcomes[index] = UpsertOutcome(
                    UpsertStatus.CREATED if is_created else UpsertStatus.UPDATED, target.person.pk
                )

    def _keep_keys(self, targets: list[_Target]) -> None:
        unique = {name: info for name, info in self.fields.items() if info.is_unique}
        unique_values.replace_unique_values(
            [
                (target.person.pk, unique[name].id, value)
                for target in targets
                for name, value in target.values.items()
                if name in unique
            ]
        )

    def _announce(self, targets: list[_Target], changes: list[events.FieldChange]) -> None:
        outcomes = [(target, self.outcomes[target.rows[0]]) for target in targets]
        created = [target for target, outcome in outcomes if outcome and outcome.status is UpsertStatus.CREATED]
        created_ids = [target.person.pk for target in created]
        if created:
            unsubscribed = {target.person.pk: target.objected_at for target in created if target.person.unsubscribed}
            dated = [target for target in created if target.rows[0] in self.came_at]
            came_at = {target.person.pk: self.came_at[target.rows[0]] for target in dated}
            events.publish_event(events.PeopleCreated(created_ids, unsubscribed, came_at), self.source)
        if changes:
            events.publish_event(events.PeopleChanged(changes), self.source)
        events.publish_event(events.PeopleUpserted(created_ids, changes), self.source)
