"""Merging, erasing and exporting the log of a person.

Moved rows keep their ids, and both halves of a move become visible in one commit: a reader of the log by id sees
each activity once, under its old or its new person. An insert holds the high-water mark back, whatever its ids, so
a move delays readers only while it runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from activities.log.digest import COLUMNS, column_values_sql, digest_sql
from activities.models import CONSENT_TYPES, Activity, ActivityKey, ActivityType
from activities.types.standard import CHANGE_DATA_VALUE, CHANGES
from people.core import personal_data
from people.core.personal_data import Erasing, Merging, PersonalData, PersonRows
from people.core.source import CHANNELS_WITH_ORIGIN, Channel
from people.persons.merge import REASON

# every activity that moves, with `target`, the id of its new person
_MOVED = """from activity a join unnest(%(origins)s::int[], %(targets)s::int[]) as t (origin, target)
        on t.origin = coalesce(a.original_person_id, a.person_id)
    where a.person_id = any(%(from)s)"""
_MOVES = {
    "person_id": "t.target",
    "original_person_id": "nullif(coalesce(a.original_person_id, a.person_id), t.target)",
}
_STEPS = (
    f"""insert into activity_removal (activity_id, person_id, activity_type_id, recorded_at, reason, digest,
        replacement_digest, user_id)
    select a.id, a.person_id, a.activity_type_id, a.recorded_at, 'merge', {digest_sql()},
        {digest_sql(**_MOVES)}, %(user)s
    {_MOVED}""",
    f"""insert into activity ({", ".join(COLUMNS)}) overriding system value
    select {", ".join(column_values_sql(**_MOVES))} {_MOVED}""",
    """delete from activity a using unnest(%(origins)s::int[]) as t (origin)
    where a.person_id = any(%(from)s) and coalesce(a.original_person_id, a.person_id) = t.origin""",
)


def register_log_data() -> None:
    """Register the tables as personal data; called when the app starts."""
    personal_data.register_personal_tables(*_TABLES)


def _merge_activities(merging: Merging) -> None:
    origins = [person_id for family in merging.families.values() for person_id in family]
    _move(merging, merging.loser_ids, dict.fromkeys(origins, merging.winner_id))


def _return_activities(merging: Merging, _kept: Any) -> None:
    targets = {person_id: loser_id for loser_id, family in merging.families.items() for person_id in family}
    _move(merging, [merging.winner_id], targets)
    parameters = {
        "winner": merging.winner_id,
        "types": list(CHANGES),
        "merge": merging.merge_id,
        "other_channels": [int(channel) for channel in CHANNELS_WITH_ORIGIN],
        "reason": REASON % merging.merge_id,
        "user": merging.source.user_id,
    }
    with connection.cursor() as cursor:
        _correct_following(cursor, parameters)
        _remove_of_merge(cursor, _OF_MERGE, parameters)
        _remove_of_merge(cursor, _CONSENTS_OF_MERGE, parameters | {"types": list(CONSENT_TYPES)})


# the changes that a merge recorded; `standard.is_of_merge` is the same condition for one activity
_OF_MERGE = """a.person_id = %(winner)s and a.activity_type_id = any(%(types)s) and a.origin_id = %(merge)s
    and a.door <> all(%(other_channels)s) and starts_with(a.attributes ->> 'reason', %(reason)s)"""
_CONSENTS_OF_MERGE = _OF_MERGE.replace("'reason'", "'source'")
# the first later change of the same field, where it replaced the value set by the merge: its old value is that value
_FOLLOWING = f"""from (
        select distinct on (a.activity_type_id, a.primary_value) a.*, m.attributes as merged
        from activity a join (select a.* from activity a where {_OF_MERGE}) m
            using (person_id, activity_type_id, primary_value)
        where a.person_id = %(winner)s and a.id > m.id and a.original_person_id is null
        order by a.activity_type_id, a.primary_value, a.id) a
    where a.attributes -> 'old_value' is not distinct from a.merged -> 'new_value'"""
_CORRECTED = """jsonb_strip_nulls(a.attributes || jsonb_build_object(
    'old_value', a.merged -> 'old_value',
    'change_value', case when a.attributes ? 'change_value' then
        coalesce((a.attributes ->> 'new_value')::numeric, 0) - coalesce((a.merged ->> 'old_value')::numeric, 0) end))"""


def _correct_following(cursor: Any, parameters: Mapping[str, Any]) -> None:
    """Set the old value of the next change of each merged value to the winner's value before the merge.

    Otherwise the losers' values would stay in the log. A row is replaced under its id; the removal entry has both
    digests.
    """
    columns = ", ".join(column_values_sql(attributes=_CORRECTED))
    cursor.execute(f"select {columns}, {digest_sql()}, {digest_sql(attributes=_CORRECTED)} {_FOLLOWING}", parameters)
    rows = [dict(zip((*COLUMNS, "digest", "replacement_digest"), row, strict=True)) for row in cursor.fetchall()]
    if not rows:
        return
    ids = {**parameters, "ids": [row["id"] for row in rows]}
    _forget_values(cursor, "a.person_id = %(winner)s and a.id = any(%(ids)s)", ids)
    cursor.executemany(
        """insert into activity_removal (activity_id, person_id, activity_type_id, recorded_at, reason, digest,
            replacement_digest, user_id)
        values (%(id)s, %(person_id)s, %(activity_type_id)s, %(recorded_at)s, 'merge', %(digest)s,
            %(replacement_digest)s, %(by)s)""",
        [row | {"by": parameters["user"]} for row in rows],
    )
    cursor.execute("delete from activity where person_id = %(winner)s and id = any(%(ids)s)", ids)
    places = ", ".join(f"%({column})s" for column in COLUMNS)
    cursor.executemany(f"insert into activity ({', '.join(COLUMNS)}) overriding system value values ({places})", rows)


def _remove_of_merge(cursor: Any, condition: str, parameters: Mapping[str, Any]) -> None:
    """Remove what an undone merge recorded on the winner: changes contain the losers' values."""
    _forget_values(cursor, condition, parameters)
    cursor.execute(
        f"""insert into activity_removal
            (activity_id, person_id, activity_type_id, recorded_at, reason, digest, user_id)
        select a.id, a.person_id, a.activity_type_id, a.recorded_at, 'undo', {digest_sql()}, %(user)s
        from activity a where {condition}""",
        parameters,
    )
    cursor.execute(f"delete from activity a where {condition}", parameters)


def _move(merging: Merging, sources: Sequence[int], targets: Mapping[int, int]) -> None:
    """Move activities first recorded for a key of `targets` from `sources` to its value, by delete and insert."""
    parameters = {
        "from": list(sources),
        "origins": list(targets),
        "targets": list(targets.values()),
        "user": merging.source.user_id,
    }
    with connection.cursor() as cursor:
        removal, insertion, deletion = _STEPS
        cursor.execute(removal, parameters)
        # the delete must not reach the inserted rows: they belong to other people
        cursor.execute(insertion, parameters)
        cursor.execute(deletion, parameters)


def _merge_keys(merging: Merging) -> None:
    """Move the losers' external ids; those used by the winner or an earlier loser for the same type stay.

    Such an id then identifies the winner's own activity; the loser's key is out of use until the merge is undone.
    Both activities stay.
    """
    place = {loser_id: number for number, loser_id in enumerate(merging.loser_ids)}
    first: dict[tuple[int, str], ActivityKey] = {}
    for row in sorted(ActivityKey.objects.filter(person_id__in=place), key=lambda row: place[row.person_id]):
        first.setdefault((row.activity_type_id, row.external_id), row)
    _move_keys(list(first.values()), dict.fromkeys(place, merging.winner_id))


def _return_keys(merging: Merging, _kept: Any) -> None:
    targets = {person_id: loser_id for loser_id, family in merging.families.items() for person_id in family}
    rows = ActivityKey.objects.filter(person_id=merging.winner_id, original_person_id__in=targets)
    _move_keys(list(rows), targets)


def _move_keys(rows: Sequence[ActivityKey], targets: Mapping[int, int]) -> None:
    """Move the keys to the target of their first person; keys that the target has already stay.

    By insert and delete: a row's person determines its shard, and never changes.
    """
    if not rows:
        return
    moved = []
    for row in rows:
        origin = row.original_person_id or row.person_id
        target = targets.get(origin) or targets[row.person_id]
        moved.append((row, target, origin if origin != target else None))
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into activity_key
                (person_id, activity_type_id, external_id, activity_id, digest, original_person_id)
            select * from unnest(%s::int[], %s::int[], %s::text[], %s::bigint[], %s::bytea[], %s::int[])
            on conflict do nothing returning activity_type_id, external_id""",
            [
                [target for _row, target, _origin in moved],
                [row.activity_type_id for row in rows],
                [row.external_id for row in rows],
                [row.activity_id for row in rows],
                [row.digest for row in rows],
                [origin for _row, _target, origin in moved],
            ],
        )
        moved_keys = set(cursor.fetchall())
        moved_rows = [row for row in rows if (row.activity_type_id, row.external_id) in moved_keys]
        cursor.execute(
            """delete from activity_key k using unnest(%s::int[], %s::int[], %s::text[]) g (person, type, external)
            where k.person_id = g.person and k.activity_type_id = g.type and k.external_id = g.external""",
            [
                [row.person_id for row in moved_rows],
                [row.activity_type_id for row in moved_rows],
                [row.external_id for row in moved_rows],
            ],
        )


def _erase_activities(erasing: Erasing) -> None:
    parameters = {"ids": list(erasing.person_ids), "user": erasing.source.user_id}
    with connection.cursor() as cursor:
        _forget_values(cursor, "a.person_id = any(%(ids)s)", parameters)
        cursor.execute(
            f"""insert into activity_removal
                (activity_id, person_id, activity_type_id, recorded_at, reason, digest, user_id)
            select a.id, a.person_id, a.activity_type_id, a.recorded_at, 'erase', {digest_sql()}, %(user)s
            from activity a where a.person_id = any(%(ids)s)""",
            parameters,
        )
        cursor.execute("delete from activity where person_id = any(%(ids)s)", parameters)


def _forget_values(cursor: Any, condition: str, parameters: Mapping[str, Any]) -> None:
    """Delete the values of activities `a` that satisfy the condition from the suggestions."""
    cursor.execute(
        f"""select a.activity_type_id, a.primary_value from activity a where {condition}
        union select a.activity_type_id, (jsonb_each_text(a.attributes)).value from activity a where {condition}""",
        parameters,
    )
    type_values = [(type_id, value) for type_id, value in cursor.fetchall() if value is not None and len(value) <= 255]
    cursor.execute(
        """delete from seen_value s using unnest(%s::int[], %s::text[]) g (type, value)
        where s.activity_type_id = g.type and s.value = g.value""",
        [[type_id for type_id, _value in type_values], [value for _type_id, value in type_values]],
    )


def _export_activities(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    names = dict(ActivityType.objects.values_list("pk", "api_name"))
    for row in Activity.objects.filter(person_id__in=person_ids).order_by("pk").iterator(chunk_size=1_000):
        yield {
            "id": row.pk,
            "person_id": row.person_id,
            "activity_type": names.get(row.activity_type_id),
            "occurred_at": row.occurred_at,
            "recorded_at": row.recorded_at,
            "primary_value": row.primary_value,
            "attributes": row.attributes,
            "door": row.get_channel_display(),
            "original_person_id": row.original_person_id,
            "is_backfill": row.is_backfill,
        }


def _export_keys(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """select person_id, activity_type_id, external_id, activity_id from activity_key
            where person_id = any(%s) order by activity_id""",
            [list(person_ids)],
        )
        for person_id, type_id, external_id, activity_id in cursor.fetchall():
            yield {
                "person_id": person_id,
                "activity_type_id": type_id,
                "external_id": external_id,
                "activity_id": activity_id,
            }


def _texts(person_ids: Sequence[int]) -> Iterator[str]:
    """Former addresses of the people."""
    rows = Activity.objects.filter(
        person_id__in=person_ids,
        activity_type_id=CHANGE_DATA_VALUE,
        primary_value__in=["email", "phone", "mobile_phone"],
    )
    for attributes in rows.values_list("attributes", flat=True):
        yield from (attributes[name] for name in ("old_value", "new_value") if attributes.get(name))


_TABLES = (
    PersonRows(
        "activity",
        ("person_id", "original_person_id"),
        _("activities"),
        merge=_merge_activities,
        undo=_return_activities,
        erase=_erase_activities,
        export=_export_activities,
        texts=_texts,
        touched=personal_data.touched_by_rows(
            "activity", "person_id", f"door = {Channel.IMPORT:d} and origin_id = %(import_id)s"
        ),
    ),
    PersonRows(
        "activity_key",
        ("person_id", "original_person_id"),
        _("external ids"),
        merge=_merge_keys,
        undo=_return_keys,
        export=_export_keys,
        erase=personal_data.delete_rows("activity_key", "person_id"),  # the other column has no index
        touched=personal_data.touched_by_rows(
            "activity_key", "person_id", "activity_id between %(first_id)s and %(last_id)s"
        ),
    ),
    PersonalData(
        "day_to_recount",
        ("person_id",),
        _("days to recount"),
        erase=personal_data.leave_rows_unchanged,  # an id, for the minutes until the days are counted
        keeps_ids=("person_id",),
    ),
    PersonalData(
        "activity_change",
        ("person_id",),
        _("activities that changed hands"),
        erase=personal_data.leave_rows_unchanged,  # an id, for a week: by it the column index forgets the person
        keeps_ids=("person_id",),
    ),
    PersonalData(
        "activity_removal",
        ("person_id",),
        _("entries of removed activities"),
        erase=personal_data.leave_rows_unchanged,  # a digest and ids: without them an erase would look like a loss
        keeps_ids=("person_id",),
    ),
)
