"""Lookback of filters, compared with the retention period of the activities they read."""

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
from smartlists.rules.vocabulary import VocabularyType

MOMENT = BY_NAME["datetime"]


def earliest_start(constraints: Sequence[rules.Constraint], clock: Clock) -> datetime | None:
    """The earliest possible moment of an activity that satisfies all of `constraints`; None: no limit."""
    starts = []
    for constraint in constraints:
        if constraint.field != "@occurred_at" or constraint.operator not in operators.RANGED:
            continue
        range_starts = [
            start for start, _end in operators.time_ranges(MOMENT, constraint.operator, constraint.values, clock)
        ]
        if None not in range_starts:
            starts.append(min(range_starts))
    return max(starts, default=None)


def earliest_starts(steps: Sequence[rules.Step], clock: Clock) -> list[datetime | None]:
    """The earliest moment for each step of a sequence: after the step before it, at most `within_days` later."""
    starts = [earliest_start(step.constraints, clock) for step in steps]
    for at in range(len(steps) - 1, 0, -1):
        later, days = starts[at], steps[at].within_days
        if later is not None and days is not None and not steps[at].is_not:
            starts[at - 1] = _latest(starts[at - 1], later - timedelta(days=days))
    for at in range(1, len(steps)):
        starts[at] = _latest(starts[at], starts[at - 1])
    return starts


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def lookback_problems(
    activity_type: VocabularyType, start: datetime | None, clock: Clock, path: Path
) -> Iterator[Problem]:
    """Yield a problem if a filter looks back to `start` (None: without limit), further than activities are kept."""
    months = activity_type.kept_months
    if months is None or (start is not None and start >= clock.shifted(-months, "month")):
        return
    retention = ngettext("%(count)s month", "%(count)s months", months) % {"count": months}
    if start is None:
        message = _("“%(type)s” is kept for %(kept)s, and this looks back without limit: anything older is gone.")
        parameters = {"type": activity_type.shown_name, "kept": retention}
    else:
        message = _("“%(type)s” is kept for %(kept)s, and this looks back to %(day)s: anything older is gone.")
        day = formats.date_format(start.astimezone(clock.zone), "DATE_FORMAT")
        parameters = {"type": activity_type.shown_name, "kept": retention, "day": day}
    yield Problem(Code.KEPT_SHORTER, message % parameters, path)
