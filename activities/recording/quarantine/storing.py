"""Refused rows, stored as received with the reasons, so that nothing that was sent is lost.

A row is identified by its external id, or else by its content: sent again, it is counted in the same stored row,
which has the last version sent, back-fill or not, unless a user has corrected it. Their room is bounded
(`room`); further rows are counted by the metrics, and marked in the replies.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Protocol

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.models import RefusedActivity
from activities.recording.quarantine import room
from activities.recording.rows import NewActivity, PersonLookup
from people.core import personal_data
from people.core.errors import Problem, quoted_value, serialize_problem
from people.core.source import Channel, Source
from people.datatypes import exact_json
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import canonical_text, plain_decimal
from people.datatypes.parsing import is_blank
from people.fields import catalog
from people.models import Person

# a form shows its errors itself
KEPT_FROM = frozenset({Channel.API, Channel.MARKETO, Channel.IMPORT, Channel.COMMAND, Channel.EVENTS})
MAX_RAW = 262_144
NONE_LEFT_OUT: frozenset[int] = frozenset()
_KEY_OF_ROW = re.compile(r"row:[0-9a-f]{32}:[0-9]{1,12}|import:[0-9]{1,12}:[0-9]{1,12}")
_COLUMNS = (
    ("door", "smallint"),
    ("user_id", "bigint"),
    ("origin_id", "bigint"),
    ("key", "text"),
    ("raw", "text"),
    ("zone", "text"),
    ("activity_type_id", "bigint"),
    ("person_id", "int"),
    ("code", "text"),
    ("field", "text"),
    ("problems", "jsonb"),
    ("event_source_id", "bigint"),
)
_RAW = [name for name, _type in _COLUMNS].index("raw")


# columns of the stored row that a row sent again replaces; a text too large to be kept replaces nothing
_RESENT = ", ".join(
    f"""{column} = case when excluded.raw = '' or strpos(r.raw, '"corrected_by": ') > 0
        then r.{column} else excluded.{column} end"""
    for column in ("raw", "zone", "activity_type_id", "person_id")
)


class CheckedRow(Protocol):
    """The outcome of a row; refused where there are problems."""

    @property
    def problems(self) -> Sequence[Problem]:
        """The reasons of the refusal."""


def keep_refused_rows(
    rows: Sequence[NewActivity], outcomes: Sequence[CheckedRow], source: Source, zone: tzinfo, types: Mapping[Any, int]
) -> frozenset[int]:
    """Keep the rows whose outcome is refused; within the transaction that refused them. One statement.

    `types`: ids of the existing types by the reference that rows use. Returns the places of the refused rows that were
    left out, as there is no room for them; none for channels that keep no refused rows.
    """
    places = [place for place, outcome in enumerate(outcomes) if outcome.problems]
    if not places or source.channel not in KEPT_FROM:
        return NONE_LEFT_OUT
    columns_by_key, keys = {}, []
    for place in places:
        columns = _column_values(rows[place], outcomes[place].problems, source, zone, types)
        columns_by_key[columns[3]] = columns  # a row that comes twice in a batch is one row
        keys.append(columns[3])
    # one order in all transactions: no deadlock
    fitting, left_out = _fitting([columns_by_key[key] for key in sorted(columns_by_key)], source)
    if fitting:
        _store(fitting)
    return frozenset(place for place, key in zip(places, keys, strict=True) if key in left_out)


def _store(ordered: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(name for name, _type in _COLUMNS)
    arrays = ", ".join(f"%s::{data_type}[]" for _name, data_type in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into refused_activity as r ({names}, times, first_at, last_at, state)
            select {names}, 1, %s, %s, 'waiting' from unnest({arrays}) as v ({names})
            on conflict (door, user_id, key) do update set times = r.times + 1, last_at = excluded.last_at,
                problems = excluded.problems, code = excluded.code, field = excluded.field, {_RESENT}
            where r.state <> 'replayed'""",
            [timezone.now(), timezone.now(), *(list(column) for column in zip(*ordered, strict=True))],
        )


def _fitting(rows: list[tuple[Any, ...]], source: Source) -> tuple[list[tuple[Any, ...]], set[str]]:
    """The rows for which there is room, and those that are stored already; the keys of the others."""
    fitting: list[tuple[Any, ...]] = []
    others: dict[str, tuple[Any, ...]] = {}
    bounds: dict[str, room.Bound] = {}
    free = room.RoomForRows(source)
    for row in rows:
        key, raw, problems = row[3], row[4], row[10]
        if bound := free.take(room.ROW_BYTES + len(raw) + len(problems)):
            others[key], bounds[key] = row, bound
        else:
            fitting.append(row)
    free.note_taken()
    if others:
        where, parameters = room.sender_condition(source)
        with connection.cursor() as cursor:
            cursor.execute(
                f"select key from refused_activity where {where} and key = any(%s)", [*parameters, list(others)]
            )
            # counted, but with the text that is stored: the new one may be much longer
            fitting += [_without_text(others.pop(key)) for (key,) in cursor.fetchall()]
        fitting.sort(key=lambda row: row[3])
    left_out = Counter(bounds[key] for key in others)
    transaction.on_commit(lambda: _count_left_out(left_out))
    return fitting, set(others)


def _without_text(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:_RAW], "", *row[_RAW + 1 :])


def _count_left_out(rows: Mapping[room.Bound, int]) -> None:
    for bound, number in rows.items():
        room.LEFT_OUT.add(bound, number=number)


def _column_values(
    row: NewActivity, problems: Sequence[Problem], source: Source, zone: tzinfo, types: Mapping[Any, int]
) -> tuple[Any, ...]:
    raw = encode_row(row, source.is_backfill)
    person_id = row.person if type(row.person) is int and 0 < row.person <= datatype_keys.MAX_ID else None
    first = problems[0]
    type_id = types.get(row.activity_type) if type(row.activity_type) in (int, str) else None
    return (
        int(source.channel),
        source.user_id,
        source.origin_id,
        _key(row, source.event_source_id),
        raw if len(raw) <= MAX_RAW else "",
        str(zone),
        type_id,
        person_id,
        first.code,
        quoted_value(first.path[-1] if first.path else ""),
        json.dumps([problem_as_json(problem) for problem in problems]),
        source.event_source_id,
    )


def _key(row: NewActivity, event_source_id: int | None) -> str:
    if is_row_key(row.external_id):
        return _digest(row.external_id)
    if is_blank(row.external_id):
        content = encode_row(row)  # as back-fill it is the same row
    else:
        content = json.dumps([_plain(row.activity_type), _person(row.person), str(row.external_id)], default=_plain)
    # the same content from two event sources is two rows
    return _digest(content if event_source_id is None else f"{event_source_id}:{content}")


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def is_row_key(external_id: Any) -> bool:
    """True for a key made by an import: it identifies one row of a file, whatever is corrected in the row."""
    return type(external_id) is str and _KEY_OF_ROW.fullmatch(external_id) is not None


def replayed_keys(keys: Collection[str]) -> set[str]:
    """The keys of rows that were recorded after they had been refused; the waiting rows are locked."""
    by_digest = {_digest(key): key for key in keys if is_row_key(key)}
    rows = RefusedActivity.objects.filter(key__in=by_digest).exclude(state=RefusedActivity.State.DISMISSED)
    locked_rows = rows.order_by("pk").select_for_update(of=("self",)).values_list("key", "state")
    return {by_digest[digest] for digest, state in locked_rows if state == RefusedActivity.State.REPLAYED}


def settled_keys(keys: Collection[str]) -> dict[str, tuple[str, int | None]]:
    """State, and id in the log, of the refused rows with these keys that a user has settled; all are locked."""
    by_digest = {_digest(key): key for key in keys if is_row_key(key)}
    rows = RefusedActivity.objects.filter(key__in=by_digest).order_by("pk").select_for_update(of=("self",))
    return {
        by_digest[row.key]: (row.state, row.activity_id) for row in rows if row.state != RefusedActivity.State.WAITING
    }


def dismiss_keys(keys: Collection[str]) -> None:
    """Mark the waiting rows with these keys as dismissed: nothing makes an activity of them any more."""
    digests = [_digest(key) for key in keys if is_row_key(key)]
    RefusedActivity.objects.filter(key__in=digests, state=RefusedActivity.State.WAITING).update(
        state=RefusedActivity.State.DISMISSED, settled_at=timezone.now()
    )


def settle_rows(recorded: Mapping[str, int | None]) -> None:
    """Mark the waiting rows with these keys as recorded by an import, under these ids where they are known."""
    ids = {_digest(key): activity_id for key, activity_id in recorded.items() if is_row_key(key)}
    waiting = list(RefusedActivity.objects.filter(key__in=ids, state=RefusedActivity.State.WAITING))
    for row in waiting:
        row.state, row.activity_id, row.settled_at = RefusedActivity.State.REPLAYED, ids[row.key], timezone.now()
    RefusedActivity.objects.bulk_update(waiting, ["state", "activity_id", "settled_at"], batch_size=1000)


def encode_row(row: NewActivity, is_backfill: bool = False) -> str:
    """The complete row as JSON text in ASCII; empty for a row nested too deeply to be read again."""
    values = {
        "person": _person(row.person),
        "activity_type": row.activity_type,
        "occurred_at": row.occurred_at,
        "primary_value": row.primary_value,
        "attributes": [[name, value] for name, value in row.attributes],
        "external_id": row.external_id,
    }
    return dump_row(values | {"backfill": True} if is_backfill else values)


def dump_row(values: Mapping[str, Any]) -> str:
    """The values as JSON text for `load_row`; empty for values that cannot be stored."""
    if exact_json.is_deep(values):
        return ""
    try:
        return _ENCODER.encode(values)
    except ValueError:  # an integer of thousands of digits
        return ""


def load_row(raw: str) -> dict[str, Any] | None:
    """The row of a stored text; None where the text is empty or cannot be read any more."""
    return exact_json.load_stored_json(raw) if raw else None


def _person(person: Any) -> Any:
    lookup = getattr(person, "field", None)
    return {"value": person.value, "field": lookup, "create": person.create} if lookup else person


def _plain(value: Any) -> Any:
    """Text with the same meaning in every channel."""
    if isinstance(value, Decimal):
        return plain_decimal(value) if value.is_finite() and abs(value.adjusted()) < 40 else str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value if isinstance(value, int | str) else str(value)


_ENCODER = json.JSONEncoder(default=_plain)  # made once: `json.dumps` with a default makes one for each row


def problem_as_json(problem: Problem) -> dict[str, Any]:
    """A problem as JSON of texts that PostgreSQL can store."""
    values = serialize_problem(problem, lambda text: quoted_value(text, 1000))
    return {**values, "path": [part if isinstance(part, int) else quoted_value(part) for part in problem.path]}


def remove_old_rows() -> int:
    """Delete rows last refused more than QUARANTINE_DAYS ago; return their number."""
    before = timezone.now() - timedelta(days=settings.QUARANTINE_DAYS)
    removed, _counts = RefusedActivity.objects.filter(last_at__lt=before).delete()
    return removed


def register_refused_rows() -> None:
    """Register the refused rows as personal data; called when the app starts."""
    # a replay follows merges
    personal_data.register_personal_tables(
        personal_data.PersonRows(
            "refused_activity",
            ("person_id",),
            _("rejected activities"),
            erase=_erase,
            export=_export,
            touched=personal_data.touched_by_rows(
                "refused_activity", "person_id", f"door = {Channel.IMPORT:d} and origin_id = %(import_id)s"
            ),
        )
    )


def _erase(erasing: personal_data.Erasing) -> None:
    texts = [*personal_data.stored_text_forms(erasing.texts), *_references(erasing.person_ids)]
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from refused_activity r where r.person_id = any(%s)
            or exists (select from unnest(%s::text[]) t where strpos(lower(r.raw), t) > 0
                or strpos(lower(r.problems::text), t) > 0)""",
            [list(erasing.person_ids), texts],
        )


def _references(person_ids: Sequence[int]) -> list[str]:
    """References to these people by their unique fields, as `encode_row` writes them, in lower case: texts of an
    erase leave out short values, which occur in those of other people."""
    unique = {name: info for name, info in catalog.field_catalogue().items() if info.is_unique}
    lookups = [
        PersonLookup(canonical_text(value), name)
        for person in Person.objects.filter(pk__in=person_ids)
        for name, info in unique.items()
        if (value := catalog.person_value(person, info)) is not None
    ]
    references = [json.dumps(_person(lookup)).partition(', "create": ')[0] for lookup in lookups]
    return [f'"person": {reference}'.lower() for reference in references]


def _export(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    for row in RefusedActivity.objects.filter(person_id__in=person_ids).order_by("pk"):
        yield {"id": row.pk, "last_at": row.last_at, "row": row.raw, "problems": row.problems}
