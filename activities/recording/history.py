"""Marketo's history of standard activities: a team that moves here brings its past, as back-fill and with a right."""

from typing import Any

from activities.recording.recorder import NO_STANDARD_TYPES
from activities.rights import RECORD_STANDARD_ACTIVITY
from activities.types.marketo_history import HISTORY_TYPES
from people.files.imports.plan import ImportPlan

RIGHT = RECORD_STANDARD_ACTIVITY


def history_types(plan: ImportPlan, user: Any) -> frozenset[int]:
    """The ids of the standard types that an import of `user` (None: a command's) may record by this plan."""
    return HISTORY_TYPES if is_history(plan) and is_allowed(user) else NO_STANDARD_TYPES


def is_history(plan: ImportPlan) -> bool:
    """Return True if an import by this plan may include standard types: as back-fill, with types from a column."""
    return not plan.starts_campaigns and not plan.subject


def is_allowed(user: Any) -> bool:
    """Return True if `user` (None: an operator) may record the history of standard activities."""
    return user is None or (user.is_active and user.has_perm(RIGHT))
