"""The seam between the meaning of rules and what computes it.

An engine is made for one evaluation: it sees one snapshot of the data, one moment, and perhaps only some people.
It answers one filter at a time with a bitmap; `evaluator.Run` combines the bitmaps by the rule logic.
"""

from collections.abc import Mapping
from typing import Protocol

from pyroaring import BitMap

from smartlists.rules.model import Filter


class Engine(Protocol):
    """Answers filters within one evaluation; equal answers from every engine are the law that the oracle tests."""

    @property
    def answered_by(self) -> Mapping[Filter, str]:
        """Which engine answered a filter ("sql", "columns"), where there are several."""

    @property
    def live(self) -> BitMap:
        """Everybody whom the evaluation may find: live people, and of those it is among."""

    def people(self, item: Filter) -> BitMap:
        """The people of `live` for whom the filter holds. Smart lists are evaluations of their own, never asked here.

        Raises `RejectedError` (`timeout`, `cancelled`, `unknown_type`, `unknown_field`).
        """
