"""Detaches people from all their static lists and restores them: for delete, merge and their undo.

Lists hold live people only, so that every reader of a list may take it as it is.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from people.core.personal_data import Merging

COLUMNS = "static_list_id, person_id, added_at, door, user_id, origin_id"


def take(person_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Take the people off every list; return the rows as JSON for `put_back`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with gone as (delete from static_list_member where person_id = any(%s) returning *)
            select coalesce(json_agg(gone order by person_id, static_list_id), '[]')::text from gone""",
            [list(person_ids)],
        )
        return json.loads(cursor.fetchone()[0])


def put_back(rows: Sequence[dict[str, Any]]) -> None:
    """Put people back on the lists that are still there, since when and by whom as before; nothing is announced."""
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


def merge(merging: Merging) -> dict[str, Any]:
    """The winner is on every list that a loser was on, since the earliest of them; the losers are on none."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into static_list_member ({COLUMNS})
            select distinct on (static_list_id) static_list_id, %s, added_at, door, user_id, origin_id
            from static_list_member where person_id = any(%s) order by static_list_id, added_at, person_id
            on conflict do nothing returning static_list_id, added_at""",
            [merging.winner_id, merging.loser_ids],
        )
        joined = [[static_list_id, added_at.isoformat()] for static_list_id, added_at in cursor.fetchall()]
    return {"joined": joined, "losers": take(merging.loser_ids)}


def unmerge(merging: Merging, kept: dict[str, Any]) -> None:
    """The losers are on their lists again; the winner leaves those that it joined by nothing but the merge."""
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from static_list_member m
            using unnest(%s::bigint[], %s::timestamptz[]) as j (static_list_id, added_at)
            where m.person_id = %s and m.static_list_id = j.static_list_id and m.added_at = j.added_at""",
            [[one for one, _at in kept["joined"]], [at for _one, at in kept["joined"]], merging.winner_id],
        )
    put_back(kept["losers"])
