"""Detaches people from all their static lists and restores them: for delete, merge and their undo.

Lists hold live people only, so that no reader of a list needs to filter its members.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from people.core.personal_data import Merging

COLUMNS = "static_list_id, person_id, added_at, door, user_id, origin_id"


def detach_people(person_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Remove the people from every list; return the rows as JSON for `restore_memberships`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with removed as (delete from static_list_member where person_id = any(%s) returning *)
            select coalesce(json_agg(removed order by person_id, static_list_id), '[]')::text from removed""",
            [list(person_ids)],
        )
        return json.loads(cursor.fetchone()[0])


def restore_memberships(rows: Sequence[dict[str, Any]]) -> None:
    """Restore memberships of lists that still exist, with their date and source; no event is published."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into static_list_member ({COLUMNS})
            select m.static_list_id, m.person_id, m.added_at, m.door, m.user_id, m.origin_id
            from json_to_recordset(%s) as m (static_list_id bigint, person_id int, added_at timestamptz,
                door smallint, user_id int, origin_id bigint)
            join static_list l on l.id = m.static_list_id
            order by m.static_list_id, m.person_id on conflict do nothing""",
            [json.dumps(rows)],
        )


def merge_memberships(merging: Merging) -> dict[str, Any]:
    """Move the losers' memberships to the winner, with the earliest date of each list."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into static_list_member ({COLUMNS})
            select distinct on (static_list_id) static_list_id, %s, added_at, door, user_id, origin_id
            from static_list_member where person_id = any(%s) order by static_list_id, added_at, person_id
            on conflict do nothing returning static_list_id, added_at""",
            [merging.winner_id, merging.loser_ids],
        )
        joined = [[static_list_id, added_at.isoformat()] for static_list_id, added_at in cursor.fetchall()]
    return {"joined": joined, "losers": detach_people(merging.loser_ids)}


def unmerge_memberships(merging: Merging, merge_data: dict[str, Any]) -> None:
    """Restore the losers' memberships, and remove the winner from the lists that it joined by the merge alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from static_list_member m
            using unnest(%s::bigint[], %s::timestamptz[]) as j (static_list_id, added_at)
            where m.person_id = %s and m.static_list_id = j.static_list_id and m.added_at = j.added_at""",
            [
                [list_id for list_id, _added_at in merge_data["joined"]],
                [added_at for _list_id, added_at in merge_data["joined"]],
                merging.winner_id,
            ],
        )
    restore_memberships(merge_data["losers"])
