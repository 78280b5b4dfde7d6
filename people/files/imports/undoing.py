"""The effect of undoing an import on records that are neither people nor activities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _


class KeptReason(StrEnum):
    """The reason that a record stays as it is."""

    CHANGED = "changed"
    DELETED = "deleted"
    REFUSED = "refused"


KEPT_REASONS: Mapping[str, Any] = {
    KeptReason.CHANGED: _("changed again since"),
    KeptReason.DELETED: _("deleted since"),
    KeptReason.REFUSED: _("the values before the import are no longer possible"),
}


class KeptRecord(NamedTuple):
    """A record that stays as it is: its name, the address of its page, and a `KeptReason`."""

    name: str
    address: str
    reason: str

    @property
    def why(self) -> Any:
        return KEPT_REASONS[self.reason]


@dataclass(frozen=True, slots=True)
class UndoneRecords:
    """Numbers of records: `deleted`, `put_back` to their former values, `kept` by reason, and some of these."""

    deleted: int = 0
    put_back: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    kept_records: Sequence[KeptRecord] = ()


def reason_counts(kept: Mapping[str, int]) -> list[tuple[Any, int]]:
    """The reasons why records stay, as text, with their numbers."""
    return [(KEPT_REASONS[name], number) for name, number in sorted(kept.items(), key=lambda pair: -pair[1])]
