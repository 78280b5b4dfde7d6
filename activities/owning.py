"""What merging, erasing and exporting a person means for the log.

Moved rows keep their ids, and both halves of a move become visible in one commit: whoever reads the log by id
sees each activity once, under its old or its new person. An insert holds the high-water mark back, whatever
ids it brings, so a move delays readers for as long as it takes and no longer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from activities.models import Activity, ActivityType
from activities.standard import CHANGE_DATA_VALUE
from people import owned
from people.owned import Erasing, Merging, Owned

# every activity of the people `moved` as it will be: `target` says under whom
_MOVED = """(select a as old, jsonb_populate_record(a, jsonb_build_object('person_id', t.target,
        'original_person_id', nullif(coalesce(a.original_person_id, a.person_id), t.target))) as new
    from activity a join unnest(%(origins)s::int[], %(targets)s::int[]) as t (origin, target)
        on t.origin = coalesce(a.original_person_id, a.person_id)
    where a.person_id = any(%(from)s) offset 0) m"""
_STEPS = (
    f"""insert into activity_removal (activity_id, person_id, activity_type_id, recorded_at, reason, digest,
        replacement_digest, user_id)
    select (m.old).id, (m.old).person_id, (m.old).activity_type_id, (m.old).recorded_at, 'merge',
        activity_digest(m.old), activity_digest(m.new), %(user)s from {_MOVED}""",
    f"insert into activity overriding system value select (m.new).* from {_MOVED}",
    """delete from activity a using unnest(%(origins)s::int[]) as t (origin)
    where a.person_id = any(%(from)s) and coalesce(a.original_person_id, a.person_id) = t.origin""",
)


def register() -> None:
    """Make the tables known; called when the app starts."""
    owned.register(
        Owned(
            table="activity",
            columns=("person_id", "original_person_id"),
            label=_("activities"),
            merge=_merge_activities,
            undo=_return_activities,
            erase=_erase_activities,
            export=_export_activities,
            count=owned.count_rows("activity", "person_id"),
            texts=_texts,
        ),
        Owned(
            table="activity_key",
            columns=("person_id", "original_person_id"),
            label=_("external ids"),
            merge=_merge_keys,
            undo=_return_keys,
            erase=owned.delete_rows("activity_key", "person_id"),
            export=_export_keys,
            count=owned.count_rows("activity_key", "person_id"),
        ),
        Owned(
            table="activity_removal",
            columns=("person_id",),
            label=_("entries of removed activities"),
            merge=owned.nothing,  # each entry says whose row it was
            undo=owned.nothing,
            erase=owned.nothing,  # a digest and ids: without them nobody could tell an erase from a loss
            export=owned.no_rows,
            count=lambda person_ids: 0,
            keeps_ids=("person_id",),
        ),
    )


def _merge_activities(merging: Merging) -> None:
    origins = [one for family in merging.families.values() for one in family]
    _move(merging, merging.loser_ids, dict.fromkeys(origins, merging.winner_id))


def _return_activities(merging: Merging, _kept: Any) -> None:
    targets = {one: loser_id for loser_id, family in merging.families.items() for one in family}
    _move(merging, [merging.winner_id], targets)


def _move(merging: Merging, sources: Sequence[int], targets: Mapping[int, int]) -> None:
    """Move what first came in under each key of `targets` from `sources` to its value: delete and insert."""
    values = {
        "from": list(sources),
        "origins": list(targets),
        "targets": list(targets.values()),
        "user": merging.source.user_id,
    }
    with connection.cursor() as cursor:
        removal, insertion, deletion = _STEPS
        cursor.execute(removal, values)
        # what is inserted must not be deleted with the rows that it replaces: it lies under other people
        cursor.execute(insertion, values)
        cursor.execute(deletion, values)


def _merge_keys(merging: Merging) -> None:
    """External ids that the winner, or an earlier loser, has used for the same type stay where they are.

    The winner's own activity answers for such an id from then on; the loser's key is out of use until the
    merge is undone. Both activities stay.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """update activity_key k set person_id = %(winner)s, original_person_id =
                coalesce(k.original_person_id, k.person_id)
            from (select distinct on (activity_type_id, external_id) person_id, activity_type_id, external_id
                from activity_key where person_id = any(%(losers)s)
                order by activity_type_id, external_id, array_position(%(losers)s, person_id)) first
            where k.person_id = first.person_id and k.activity_type_id = first.activity_type_id
              and k.external_id = first.external_id
              and not exists (select from activity_key w where w.person_id = %(winner)s
                  and w.activity_type_id = k.activity_type_id and w.external_id = k.external_id)""",
            {"winner": merging.winner_id, "losers": merging.loser_ids},
        )


def _return_keys(merging: Merging, _kept: Any) -> None:
    targets = {one: loser_id for loser_id, family in merging.families.items() for one in family}
    with connection.cursor() as cursor:
        cursor.execute(
            """update activity_key k set person_id = t.target, original_person_id = nullif(t.origin, t.target)
            from unnest(%s::int[], %s::int[]) as t (origin, target)
            where k.person_id = %s and k.original_person_id = t.origin""",
            [list(targets), list(targets.values()), merging.winner_id],
        )


def _erase_activities(erasing: Erasing) -> None:
    values = {"ids": list(erasing.person_ids), "user": erasing.source.user_id}
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into activity_removal
                (activity_id, person_id, activity_type_id, recorded_at, reason, digest, user_id)
            select a.id, a.person_id, a.activity_type_id, a.recorded_at, 'erase', activity_digest(a), %(user)s
            from activity a where a.person_id = any(%(ids)s)""",
            values,
        )
        cursor.execute("delete from activity where person_id = any(%(ids)s)", values)


def _export_activities(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    names = dict(ActivityType.objects.values_list("pk", "api_name"))
    for row in Activity.objects.filter(person_id__in=person_ids).order_by("pk").iterator(chunk_size=1_000):
        yield {
            "id": row.pk, "person_id": row.person_id, "activity_type": names.get(row.activity_type_id),
            "occurred_at": row.occurred_at, "recorded_at": row.recorded_at, "primary_value": row.primary_value,
            "attributes": row.attributes, "door": row.get_door_display(),
            "original_person_id": row.original_person_id,
        }  # fmt: skip


def _export_keys(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """select person_id, activity_type_id, external_id, activity_id from activity_key
            where person_id = any(%s) order by activity_id""",
            [list(person_ids)],
        )
        for person_id, type_id, external_id, activity_id in cursor.fetchall():
            yield {
                "person_id": person_id, "activity_type_id": type_id, "external_id": external_id,
                "activity_id": activity_id,
            }  # fmt: skip


def _texts(person_ids: Sequence[int]) -> Iterator[str]:
    """Addresses that the people once had."""
    rows = Activity.objects.filter(
        person_id__in=person_ids,
        activity_type_id=CHANGE_DATA_VALUE,
        primary_value__in=["email", "phone", "mobile_phone"],
    )
    for attributes in rows.values_list("attributes", flat=True):
        yield from (attributes[name] for name in ("old_value", "new_value") if attributes.get(name))
