"""The interface between the meaning of rules and the engine that computes it.

An engine serves one evaluation: one snapshot of the data, one moment, and optionally a limited set of people.
It returns a bitmap for one filter at a time; `evaluator.EvaluationRun` combines the bitmaps by the rule logic.
"""

from collections.abc import Mapping
from typing import Protocol

from pyroaring import BitMap

from smartlists.rules.model import Filter


class Engine(Protocol):
    """Evaluates filters within one evaluation; every engine must return the same results, which the oracle tests."""

    @property
    def answered_by(self) -> Mapping[Filter, str]:
        """The engine that answered a filter ("sql" or "columns")."""

    @property
    def live(self) -> BitMap:
        """All people that the evaluation may find: live people, limited to the given ones."""

    def people(self, item: Filter) -> BitMap:
        """The people of `live` for whom the filter holds. Never called for smart lists, which are evaluated separately.

        Raises `RejectedError` (`timeout`, `cancelled`, `unknown_type`, `unknown_field`).
        """
