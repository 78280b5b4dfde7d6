"""Pairs of people whom a program called the same: what a merge, its undo and a user's decision mean for them."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from people.core.personal_data import Merging


def merge_suggested_pairs(merging: Merging) -> dict[str, Any] | None:
    """Give the losers' pairs to the winner; those among the merged people are settled and go. For `undo`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with taken as (delete from suggested_pair where person_id = any(%(losers)s) or other_id = any(%(losers)s)
                returning person_id, other_id, suggested_at),
            others as (select distinct on (id) case when person_id = any(%(losers)s) then other_id else person_id end
                as id, suggested_at from taken order by id, suggested_at),
            made as (insert into suggested_pair (person_id, other_id, suggested_at)
                select least(id, %(winner)s), greatest(id, %(winner)s), suggested_at from others
                where id <> %(winner)s and id <> all(%(losers)s) and not exists (select from different_people d
                    where d.person_id = least(id, %(winner)s) and d.other_id = greatest(id, %(winner)s))
                on conflict do nothing returning person_id, other_id)
            select (select json_agg(json_build_array(person_id, other_id, suggested_at)) from taken),
                (select json_agg(json_build_array(person_id, other_id)) from made)""",
            {"losers": merging.loser_ids, "winner": merging.winner_id},
        )
        taken, made = cursor.fetchone()
    return {"taken": taken, "made": made or []} if taken else None


def unmerge_suggested_pairs(merging: Merging, kept: dict[str, Any] | None) -> None:
    """Restore the pairs as they were before the merge, without those marked as different since."""
    if kept is None:
        return
    taken = kept["taken"]
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from suggested_pair s using unnest(%s::int[], %s::int[]) as m (person_id, other_id)
            where s.person_id = m.person_id and s.other_id = m.other_id""",
            [[pair[0] for pair in kept["made"]], [pair[1] for pair in kept["made"]]],
        )
        cursor.execute(
            """insert into suggested_pair (person_id, other_id, suggested_at)
            select t.* from unnest(%s::int[], %s::int[], %s::timestamptz[]) as t (person_id, other_id, suggested_at)
            where not exists (select from different_people d
                where d.person_id = t.person_id and d.other_id = t.other_id)
            on conflict do nothing""",
            [[pair[0] for pair in taken], [pair[1] for pair in taken], [pair[2] for pair in taken]],
        )


def forget_pairs_among(person_ids: Sequence[int]) -> None:
    """Delete the pairs whose people are both among these: a user has decided."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from suggested_pair where person_id = any(%(ids)s) and other_id = any(%(ids)s)",
            {"ids": list(person_ids)},
        )


def forget_settled_pairs() -> int:
    """Delete the pairs that were decided before decisions deleted them; return the number.

    Settled are people marked as different, and those merged or erased.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from suggested_pair s where exists (select from different_people d
                where d.person_id = s.person_id and d.other_id = s.other_id)
            or exists (select from person p where p.id in (s.person_id, s.other_id)
                and p.state not in ('live', 'deleted'))"""
        )
        return cursor.rowcount
