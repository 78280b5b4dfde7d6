"""The saved smart lists that one person is on, worked out when somebody asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from people.core.errors import RejectedError
from people.core.permissions import require
from people.datatypes import keys as datatype_keys
from smartlists.catalog import Catalogue
from smartlists.evaluation.evaluator import Run
from smartlists.evaluation.postgres.snapshot import snapshot
from smartlists.models import SmartList
from smartlists.rules.periods import Clock

VIEW = "smartlists.view_smartlist"
MOST, SECONDS = 200, 5.0  # lists looked at, the ones changed last first; time for all of them


@dataclass(frozen=True, slots=True)
class Belonging:
    """The lists that a person is on as of a moment, by name, and how many lists nobody looked at."""

    lists: Sequence[SmartList]
    looked_at: int
    left_out: int  # too many of them, or no time
    as_of: datetime


def lists_of(person_id: int, by: Any, *, most: int = MOST, seconds: float = SECONDS) -> Belonging:
    """The smart lists, archived ones left out, that find the person now; all in one snapshot.

    Raises `NotAllowedError`.
    """
    require(by, VIEW)
    lists = SmartList.objects.filter(is_archived=False)
    rows = list(lists.only("name", "rules").order_by("-updated_at")[:most])
    clock, found, looked_at = Clock.current(), [], 0
    try:
        with snapshot(seconds) as view:
            run = Run(view, clock, BitMap([person_id] if datatype_keys.is_id(person_id) else []), Catalogue())
            for row in rows:
                if run.evaluate(row.parsed):
                    found.append(row)
                looked_at += 1
    except RejectedError:
        pass  # its time was up; what was found before holds
    every = len(rows) if len(rows) < most else lists.count()
    return Belonging(sorted(found, key=lambda row: row.name.casefold()), looked_at, every - looked_at, clock.now)
