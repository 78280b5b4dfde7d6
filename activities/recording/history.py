"""Marketo's history of standard activities: a team that moves here brings its past, as back-fill and with a right."""

from typing import Any

from activities.types.marketo_history import HISTORY_TYPES
from people.files.imports.plan import ImportPlan

RIGHT = "activities.record_standard_activity"
NONE: frozenset[int] = frozenset()


def history_types(plan: ImportPlan, user: Any) -> frozenset[int]:
    """The ids of the standard types that an import of `user` (None: a command's) may record by this plan."""
    is_history = not plan.starts_campaigns and not plan.subject
    return HISTORY_TYPES if is_history and is_allowed(user) else NONE


def is_allowed(user: Any) -> bool:
    """Whether `user` (None: an operator) may record the history of standard activities."""
    return user is None or (user.is_active and user.has_perm(RIGHT))
