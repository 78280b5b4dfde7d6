"""To record: the only door through which activities get in.

One transaction a call. Good rows are written, bad ones come back with their problems, in order.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities import draft_checks, quarantine, schema
from activities.models import ActivityType
from people import changing, datatypes, finding, locks, measuring
from people.problems import Problem, bad_value
from people.sources import Source

MAX_BATCH = 10_000  # keeps the transaction, and so the lag of the high-water mark, near a second
MAX_EXTERNAL_ID = 255
ROWS = measuring.counter(
    "rows", "Activities that came in, by type, client and what became of them.", "type", "client", "outcome"
)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A person by another field than the id: "email" or the API name of a unique person field."""

    value: str
    field: str = "email"
    create: bool = False


@dataclass(frozen=True, slots=True)
class NewActivity:
    """One activity as a door received it; nothing but its structure has been looked at.

    `person`: an id or a `Lookup`. `activity_type`: id or API name. `occurred_at`: ISO 8601 text or datetime.
    `attributes`: (API name or display name, raw value) pairs of the secondary fields.
    """

    person: Any
    activity_type: Any
    occurred_at: Any
    primary_value: Any = None
    attributes: Iterable[tuple[str, Any]] = ()
    external_id: Any = None


class Status(StrEnum):
    ADDED = "added"
    REPEATED = "repeated"  # the same external id with the same content was recorded before
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: the id it has (also when it was there before), or why it was refused."""

    status: Status
    activity_id: int | None = None
    problems: Sequence[Problem] = field(default=())


@dataclass(slots=True)
class _Ready:
    """A row that will be written, in the form in which it is stored."""

    index: int
    person_id: int
    type_id: int
    version: int
    occurred_at: datetime
    primary_value: str | None
    attributes: str
    external_id: str | None
    activity_id: int = 0

    @property
    def key(self) -> tuple[int, int, str | None]:
        return self.person_id, self.type_id, self.external_id

    @property
    def digest(self) -> bytes:
        """Of the content that must not differ when an external id is sent again (DESIGN.md §4.4)."""
        content = f"{datatypes.moment_text(self.occurred_at)}\0{self.primary_value}\0{self.attributes}"
        return blake2b(content.encode(), digest_size=16).digest()


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
    if len(rows) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} activities in one transaction")
    if not rows:
        return []
    batch = _Batch(rows, source, zone, standard, follow_merges)
    with transaction.atomic():
        batch.run()
        if dry_run:
            transaction.set_rollback(True)
        elif keep_refused:
            quarantine.keep(rows, batch.finished(), source, zone)
        if not dry_run:
            transaction.on_commit(batch.measure)
    return batch.finished()


class _Batch:
    """One call of `record`: its rows, and what is known of each so far."""

    def __init__(
        self, rows: Sequence[NewActivity], source: Source, zone: tzinfo, standard: bool, follow_merges: bool
    ) -> None:
        self.rows = rows
        self.source = source
        self.zone = zone
        self.standard = standard
        self.follow_merges = follow_merges
        self.latest = timezone.now() + timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD)
        self.outcomes: list[Outcome | None] = [None] * len(rows)
        self.types: dict[Any, int] = {}  # ids by what rows name them by

    def run(self) -> None:
        schemas = self._hold_types()
        people = self._find_people()
        ready = [row for index in range(len(self.rows)) if (row := self._check(index, schemas, people))]
        ready = self._drop_repeats(ready)
        ready = self._claim_keys(_with_ids(ready))
        _copy(ready, self.source)
        for row in ready:
            self.outcomes[row.index] = Outcome(Status.ADDED, row.activity_id)

    def measure(self) -> None:
        """Count the rows; those of a type that is not there under no type."""
        types = (self.types.get(row.activity_type, "") if _is_name(row.activity_type) else "" for row in self.rows)
        client = "" if self.source.user_id is None else self.source.user_id
        for (type_id, status), number in Counter(
            zip(types, (one.status for one in self.finished()), strict=True)
        ).items():
            ROWS.add(type_id, client, status, number=number)

    def finished(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome is not None]

    def _hold_types(self) -> dict[Any, "schema.Schema | Problem"]:
        """Schemas (or what is wrong) by the reference that rows use; held until the transaction ends.

        Approve, retire and delete wait for this transaction, and it for them: a type read as live here is
        live when the rows commit.
        """
        wanted = {row.activity_type for row in self.rows if isinstance(row.activity_type, int | str)}
        # only what can be an API name is looked up: NUL and lone surrogates never reach the database
        names = [name for name in wanted if isinstance(name, str) and draft_checks.API_NAME.fullmatch(name)]
        ids = dict(ActivityType.objects.filter(api_name__in=names).values_list("api_name", "pk"))
        ids.update({number: number for number in wanted if isinstance(number, int) and 0 < number <= finding.MAX_ID})
        locks.share(
            [
                locks.key(locks.Space.PEOPLE),
                *(locks.key(locks.Space.TYPE, pk) for pk in ids.values()),
            ]
        )
        types = {
            activity_type.pk: activity_type for activity_type in ActivityType.objects.filter(pk__in=set(ids.values()))
        }
        self.types = {reference: pk for reference, pk in ids.items() if pk in types}
        return {reference: self._schema(types.get(pk), reference) for reference, pk in ids.items()}

    def _schema(self, activity_type: ActivityType | None, reference: Any) -> "schema.Schema | Problem":
        path = ("activity_type",)
        if activity_type is None or activity_type.deleted_at:
            return _unknown_type(reference)
        if activity_type.is_standard != self.standard:
            return Problem("standard_type", _("standard activities are recorded by the product itself"), path)
        if activity_type.live_id is None:
            return Problem(
                "unapproved_type",
                _("activity type %(name)s is not approved yet") % {"name": activity_type.api_name},
                path,
            )
        if activity_type.retired_at:
            return Problem(
                "retired_type", _("activity type %(name)s is retired") % {"name": activity_type.api_name}, path
            )
        return schema.of_version(activity_type.live_id)

    def _find_people(self) -> dict[Any, int | Problem]:
        """People (or what is wrong) by the reference that rows use; new ones are created where asked."""
        ids = {
            row.person for row in self.rows
            if type(row.person) is int and 0 < row.person <= finding.MAX_ID
        }  # fmt: skip
        found: dict[Any, int | Problem] = dict(finding.by_id(ids, follow_merges=self.follow_merges)) if ids else {}
        lookups = {row.person for row in self.rows if isinstance(row.person, Lookup)}
        for field_name in {lookup.field for lookup in lookups}:
            found.update(self._look_up(field_name, [lookup for lookup in lookups if lookup.field == field_name]))
        return found

    def _look_up(self, field_name: str, lookups: list[Lookup]) -> dict[Any, int | Problem]:
        matches = finding.by_field(field_name, [lookup.value for lookup in lookups])
        missing = [lookup for lookup in lookups if lookup.create and not matches.get(finding.key_of(lookup.value))]
        found: dict[Any, int | Problem] = {}
        if missing:
            values = [{field_name: lookup.value} for lookup in missing]
            for lookup, outcome in zip(missing, changing.upsert(values, self.source, field_name), strict=True):
                found[lookup] = outcome.person_id or outcome.problems[0].under("person")
        for lookup in lookups:
            if lookup not in found:
                found[lookup] = _one_of(matches.get(finding.key_of(lookup.value), []), lookup)
        return found

    def _check(self, index: int, schemas: dict[Any, Any], people: dict[Any, int | Problem]) -> _Ready | None:
        row = self.rows[index]
        problems: list[Problem] = []
        person = _get(people, row.person) or _unknown_person(row.person)
        if isinstance(person, Problem):
            problems.append(person)
        occurred_at = self._moment(row.occurred_at, problems)
        external_id = _external_id(row.external_id, problems)
        shape = _get(schemas, row.activity_type) or _unknown_type(row.activity_type)
        if isinstance(shape, Problem):
            problems.append(shape)
            checked = schema.Checked(None, "{}", [])
        else:
            checked = shape.check(row.primary_value, row.attributes, self.zone)
        if problems or checked.problems:
            self.outcomes[index] = Outcome(Status.REFUSED, None, (*problems, *checked.problems))
            return None
        return _Ready(
            index, person, shape.type_id, shape.number, occurred_at,  # type: ignore[arg-type]
            checked.primary_value, checked.attributes, external_id,
        )  # fmt: skip

    def _moment(self, value: Any, problems: list[Problem]) -> datetime | None:
        if datatypes.is_blank(value):
            problems.append(Problem("missing_value", _("the moment when it happened is missing"), ("occurred_at",)))
            return None
        try:
            moment = datatypes.parse_moment(value, self.zone)
        except datatypes.BadValue as error:
            problems.append(bad_value(error.code, error.expected, value, "occurred_at", data_type="datetime"))
            return None
        if moment > self.latest:
            latest = _("a moment no later than %(latest)s") % {
                "latest": datatypes.moment_text(self.latest.replace(microsecond=0))
            }
            problems.append(bad_value("out_of_range", latest, value, "occurred_at"))
        return moment

    def _drop_repeats(self, ready: list[_Ready]) -> list[_Ready]:
        """Take out rows whose external id is known, from before or from earlier in this batch."""
        keyed = [row for row in ready if row.external_id is not None]
        if not keyed:
            return ready
        known = _known_keys(keyed)
        first: dict[Any, _Ready] = {}
        fresh = []
        for row in ready:
            if row.external_id is None:
                fresh.append(row)
            elif row.key in known:
                self.outcomes[row.index] = _repeat(row, *known[row.key])
            elif row.key in first:
                # its id is known only once the first is written: see _claim_keys
                self.outcomes[row.index] = _repeat(row, first[row.key].index, first[row.key].digest)
            else:
                first[row.key] = row
                fresh.append(row)
        self.later = {row.index: first[row.key] for row in keyed if row.key in first and first[row.key] is not row}
        return fresh

    def _claim_keys(self, ready: list[_Ready]) -> list[_Ready]:
        """Store the external ids; rows that a concurrent recorder was first with are taken out."""
        keyed = [row for row in ready if row.external_id is not None]
        claimed = _insert_keys(keyed) if keyed else set()
        lost = [row for row in keyed if row.key not in claimed]
        known = _known_keys(lost) if lost else {}
        for row in lost:
            self.outcomes[row.index] = _repeat(row, *known[row.key])
        ids = {row.key: row.activity_id for row in keyed} | {key: pk for key, (pk, _digest) in known.items()}
        self._finish_later(ids)
        return [row for row in ready if row.external_id is None or row.key in claimed]

    def _finish_later(self, ids: dict[Any, int]) -> None:
        for index, first in getattr(self, "later", {}).items():
            outcome = self.outcomes[index]
            if outcome and outcome.status is Status.REPEATED:
                self.outcomes[index] = replace(outcome, activity_id=ids[first.key])


def _get(found: dict[Any, Any], reference: Any) -> Any:
    """Like found.get(reference), for references that may be anything JSON has."""
    if isinstance(reference, bool) or not isinstance(reference, int | str | Lookup):
        return None
    return found.get(reference)


def _is_name(reference: Any) -> bool:
    return type(reference) in (int, str)


def _unknown_person(reference: Any) -> Problem:
    if datatypes.is_blank(reference):
        return Problem("missing_value", _("the person is missing"), ("person",))
    value = reference.value if isinstance(reference, Lookup) else reference
    problem = bad_value("unknown_person", _("somebody we know"), value, "person")
    return replace(problem, message=_("there is no person '%(person)s'") % {"person": problem.got})


def _one_of(ids: list[int], lookup: Lookup) -> int | Problem:
    if len(ids) == 1:
        return ids[0]
    if not ids:
        return _unknown_person(lookup)
    message = _("%(count)s people share the value '%(value)s'") % {"count": len(ids), "value": lookup.value}
    return Problem("ambiguous_person", message, ("person",))


def _unknown_type(reference: Any) -> Problem:
    if datatypes.is_blank(reference):
        return Problem("missing_value", _("the activity type is missing"), ("activity_type",))
    problem = bad_value("unknown_type", _("an approved activity type"), reference, "activity_type")
    return replace(problem, message=_("there is no activity type '%(name)s'") % {"name": problem.got})


def _external_id(value: Any, problems: list[Problem]) -> str | None:
    if datatypes.is_blank(value):
        return None
    try:
        return datatypes.BY_NAME["string"].parse(value, UTC)
    except datatypes.BadValue as error:
        problems.append(bad_value(error.code, error.expected, value, "external_id"))
        return None


def _repeat(row: _Ready, activity_id: int, digest: bytes) -> Outcome:
    if bytes(digest) == row.digest:
        return Outcome(Status.REPEATED, activity_id)
    message = _("external id '%(id)s' was recorded before with other content") % {"id": row.external_id}
    return Outcome(Status.REFUSED, None, (Problem("external_id_reused", message, ("external_id",)),))


def _known_keys(rows: list[_Ready]) -> dict[tuple[int, int, str], tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """select k.person_id, k.activity_type_id, k.external_id, k.activity_id, k.digest
            from unnest(%s::int[], %s::int[], %s::text[]) as w (person_id, activity_type_id, external_id)
            join activity_key k using (person_id, activity_type_id, external_id)""",
            [
                [row.person_id for row in rows],
                [row.type_id for row in rows],
                [row.external_id for row in rows],
            ],
        )
        return {(person, type_id, key): (pk, digest) for person, type_id, key, pk, digest in cursor.fetchall()}


def _insert_keys(rows: list[_Ready]) -> set[tuple[int, int, str]]:
    """Insert the keys nobody has; waits for a concurrent transaction that inserts one of them."""
    rows = sorted(rows, key=lambda row: row.key)  # one order for everybody: no deadlock
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into activity_key (person_id, activity_type_id, external_id, activity_id, digest)
            select * from unnest(%s::int[], %s::int[], %s::text[], %s::bigint[], %s::bytea[])
            on conflict do nothing returning person_id, activity_type_id, external_id""",
            [
                [row.person_id for row in rows],
                [row.type_id for row in rows],
                [row.external_id for row in rows],
                [row.activity_id for row in rows],
                [row.digest for row in rows],
            ],
        )
        return set(cursor.fetchall())


def _with_ids(rows: list[_Ready]) -> list[_Ready]:
    """Give every row its id, under the lock that readers of the log look for (reading.high_water_mark)."""
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """select pg_advisory_xact_lock_shared(%s | case when is_called then last_value else 0 end)
            from activity_id_seq""",
            [locks.key(locks.Space.HIGH_WATER)],
        )
        # a statement of its own: no id may be taken before the lock is held
        cursor.execute("select nextval('activity_id_seq') from generate_series(1, %s)", [len(rows)])
        ids = sorted(pk for (pk,) in cursor.fetchall())
    for row, pk in zip(rows, ids, strict=True):
        row.activity_id = pk
    return rows


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]")


def _copy(rows: list[_Ready], source: Source) -> None:
    if not rows:
        return
    recorded_at = timezone.now().isoformat()
    user = source.user_id if source.user_id is not None else r"\N"
    origin = source.origin_id if source.origin_id is not None else r"\N"
    tail = f"{int(source.door)}\t{user}\t{origin}\n"
    lines = [
        f"{row.activity_id}\t{row.person_id}\t{row.type_id}\t{row.version}\t{row.occurred_at.isoformat()}\t{recorded_at}"
        f"\t{_escaped(row.primary_value)}\t{_escaped(row.attributes)}\t{tail}"
        for row in rows
    ]
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """copy activity (id, person_id, activity_type_id, version, occurred_at, recorded_at,
            primary_value, attributes, door, user_id, origin_id) from stdin"""
        ) as copy,
    ):
        copy.write("".join(lines))


def _escaped(text: str | None) -> str:
    if text is None:
        return r"\N"
    # hardly any text has one of them, and to look is quicker than to translate
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text
