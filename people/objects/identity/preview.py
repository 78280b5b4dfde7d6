"""The records that a merge of people to come would replace."""

from collections.abc import Sequence

from people.objects.identity import doubles

_PERSON = "case when r.person_id = any(%(people)s) then %(winner)s else r.person_id end"
# a link to a record that is replaced goes to the one that stays
_LINKED = """coalesce((select m.stays from unnest(%(replaced)s::bigint[], %(stays)s::bigint[]) as m (replaced, stays)
    where m.replaced = r.linked_id), r.linked_id)"""


def count_meeting(winner_id: int, loser_ids: Sequence[int]) -> int:
    """The number of records that others replace when the people are merged into the winner.

    Where they link to records that are replaced, records of other types meet, too: round by round, as links never go
    in a circle.
    """
    stays: dict[int, int] = {}  # by replaced record
    keys = doubles.linked_keys()
    is_first = True
    while True:
        replaced = _replaced(keys, winner_id, loser_ids, stays, is_first=is_first)
        if not replaced:
            return len(stays)
        stays |= replaced
        stays = {pk: replaced.get(other, other) for pk, other in stays.items()}
        is_first = False


def _replaced(
    keys: Sequence[doubles.LinkedKey],
    winner_id: int,
    loser_ids: Sequence[int],
    stays: dict[int, int],
    *,
    is_first: bool,
) -> dict[int, int]:
    """The records that others replace when those of `stays` are replaced; with those that do."""
    values = {
        "people": [winner_id, *loser_ids],
        "losers": list(loser_ids),
        "winner": winner_id,
        "replaced": list(stays),
        "stays": list(stays.values()),
        "records": [*stays, *stays.values()],
    }
    found: dict[int, int] = {}
    for key in keys:
        near = ["r.person_id = any(%(people)s)"] if key.has_person else []
        meant = ["coalesce(r.person_id = any(%(losers)s), false)"] if key.has_person else []
        if key.has_record:
            near.append("r.linked_id = any(%(records)s)")
            meant.append("coalesce(r.linked_id = any(%(replaced)s), false)")
        if not key.has_record and not is_first:
            continue
        groups = doubles.groups_of(key, f"({' or '.join(near)})", " or ".join(meant), _PERSON, _LINKED, **values)
        left = [[member for member in group if member.pk not in stays] for group in groups]
        found |= doubles.decide_groups(left).replaced
    return found
