"""How far back filters look, and whether that is further than the activities they look at are kept."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from people.core.codes import Code
from people.core.errors import Path, Problem
from people.datatypes.registry import BY_NAME
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import Type

MOMENT = BY_NAME["datetime"]


def start_of(constraints: Sequence[rules.Constraint], clock: Clock) -> datetime | None:
    """The earliest moment at which an activity that satisfies all of `constraints` can have occurred; None: ever."""
    starts = []
    for one in constraints:
        if one.field != "@occurred_at" or one.operator not in operators.RANGED:
            continue
        each = [start for start, _end in operators.ranges(MOMENT, one.operator, one.values, clock)]
        if None not in each:
            starts.append(min(each))
    return max(starts, default=None)


def starts_of(steps: Sequence[rules.Step], clock: Clock) -> list[datetime | None]:
    """The same for each step of a sequence: one comes after the step before it, at most so many days later."""
    found = [start_of(step.constraints, clock) for step in steps]
    for at in range(len(steps) - 1, 0, -1):
        later, days = found[at], steps[at].within_days
        if later is not None and days is not None and not steps[at].is_not:
            found[at - 1] = _latest(found[at - 1], later - timedelta(days=days))
    for at in range(1, len(steps)):
        found[at] = _latest(found[at], found[at - 1])
    return found


def _latest(*moments: datetime | None) -> datetime | None:
    return max((one for one in moments if one is not None), default=None)


def problems(of: Type, start: datetime | None, clock: Clock, path: Path) -> Iterator[Problem]:
    """What a filter that looks back to `start` (None: without limit) cannot find, because it is not kept so long."""
    months = of.kept_months
    if months is None or (start is not None and start >= clock.shifted(-months, "month")):
        return
    kept = ngettext("%(count)s month", "%(count)s months", months) % {"count": months}
    if start is None:
        message = _("“%(type)s” is kept for %(kept)s, and this looks back without limit: what is older is gone.")
        shown = {"type": of.shown_name, "kept": kept}
    else:
        message = _("“%(type)s” is kept for %(kept)s, and this looks back to %(day)s: what is older is gone.")
        day = formats.date_format(start.astimezone(clock.zone), "DATE_FORMAT")
        shown = {"type": of.shown_name, "kept": kept, "day": day}
    yield Problem(Code.KEPT_SHORTER, message % shown, path)
