"""SQL of a page of the log in the order of ids, for `reader.read_activities`, which has the values of its parameters.

A row is "select … from activity a".
"""

from collections.abc import Sequence

from people.core.db import citus

Range = tuple[str, bool]  # a condition on ids and whatever else; True where `SINCE` has to hold besides

SINCE = "a.occurred_at >= %(since)s"


def of_types(row: str, types: Sequence[int], ranges: Sequence[Range]) -> str:
    """A branch for each type, each in the order of its index, which the planner merges and stops early.

    For `= any(types) order by id` it would sort the rest of the log.
    """
    branches = [
        (_since if is_since and not citus.is_distributed() else _in_order)(row, type_id, condition, is_since)
        for type_id in types
        for condition, is_since in ranges
    ]
    if len(branches) == 1:  # on a cluster its parts need no second sort of copied rows
        return branches[0]
    union = " union all ".join(branches or [f"({row} where false)"])
    return f"select * from ({union}) as found order by id limit %(limit)s"


def _in_order(row: str, type_id: int, condition: str, is_since: bool) -> str:
    since = f" and {SINCE}" if is_since else ""
    return f"({row} where a.activity_type_id = {type_id} and {condition}{since} order by a.id limit %(limit)s)"


def _since(row: str, type_id: int, condition: str, _is_since: bool) -> str:
    """The branch of a range in which nearly all rows occurred late enough, as after a new token.

    The planner takes id and moment for independent, expects few rows, and would read an index up to the mark. So the
    next rows are read first, and only if too few of them are late enough, all that are.
    """
    of_type = f"{row} where a.activity_type_id = {type_id} and {condition}"
    return f"""(with passed as materialized ({of_type} order by a.id limit %(passed)s)
        select * from (select * from passed a where {SINCE}
            union all ({of_type} and {SINCE} and a.id > (select max(id) from passed)
                and (select count(*) = %(passed)s and count(*) filter (where {SINCE}) < %(limit)s from passed a)
                order by a.id limit %(limit)s)) as late_enough
        order by id limit %(limit)s)"""


def of_people(row: str, ranges: Sequence[Range]) -> str:
    """SQL of all rows of these people, then sorted: a few people have few rows among millions."""
    conditions = [f"{condition} and {SINCE}" if is_since else condition for condition, is_since in ranges]
    mine = f"{row} where a.person_id = any(%(people)s) and a.activity_type_id = any(%(types)s)"
    return f"""with mine as materialized ({mine} and ({" or ".join(conditions)}))
        select * from mine order by id limit %(limit)s"""
