"""The saved smart lists that one person is on, computed on request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from people.core.errors import RejectedError
from people.core.permissions import require_permission
from people.datatypes import keys as datatype_keys
from smartlists.catalog import Catalogue
from smartlists.evaluation.evaluator import EvaluationRun
from smartlists.evaluation.postgres.snapshot import open_snapshot
from smartlists.models import SmartList
from smartlists.rights import VIEW_SMARTLIST
from smartlists.rules.periods import Clock

VIEW = VIEW_SMARTLIST
MOST, SECONDS = 200, 5.0  # lists evaluated, the last changed ones first; time limit for all of them


@dataclass(frozen=True, slots=True)
class ListsOfPerson:
    """The lists that a person is on as of a moment, by name, and how many lists were not evaluated."""

    lists: Sequence[SmartList]
    looked_at: int
    left_out: int  # too many lists, or no time left
    as_of: datetime


def smart_lists_of_person(person_id: int, by: Any, *, most: int = MOST, seconds: float = SECONDS) -> ListsOfPerson:
    """The smart lists, except archived ones, that contain the person now; all in one snapshot.

    Raises `NotAllowedError`.
    """
    require_permission(by, VIEW)
    lists = SmartList.objects.filter(is_archived=False)
    rows = list(lists.only("name", "rules").order_by("-updated_at")[:most])
    clock, matching, looked_at = Clock.current(), [], 0
    try:
        with open_snapshot(seconds) as view:
            run = EvaluationRun(view, clock, BitMap([person_id] if datatype_keys.is_id(person_id) else []), Catalogue())
            for row in rows:
                if run.evaluate(row.parsed):
                    matching.append(row)
                looked_at += 1
    except RejectedError:
        pass  # time limit reached; the results so far are valid
    total = len(rows) if len(rows) < most else lists.count()
    return ListsOfPerson(sorted(matching, key=lambda row: row.name.casefold()), looked_at, total - looked_at, clock.now)
