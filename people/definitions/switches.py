"""Boolean columns that a user sets by a verb: an object is on or off, open or archived."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Model

from people.core import audit
from people.core.permissions import require_permission

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Switch(Generic[Row]):
    """One boolean column of a model with `updated_at`.

    `right`: the right to set it. `lock`: returns the locked current row, or refuses one that was deleted. `entries`:
    the actions of the audit when the column becomes true and false. `column`: its name. `is_revised`: whether a change
    is a new revision of the row.
    """

    right: str
    lock: Callable[[Row], Row]
    entries: tuple[str, str]
    column: str = "is_on"
    is_revised: bool = True

    @transaction.atomic
    def set_to(self, row: Row, by: Any, is_on: bool) -> Row:
        """Set the column of `row`, and write an entry unless it had this value. Returns the locked row."""
        require_permission(by, self.right)
        changed = self.lock(row)
        if getattr(changed, self.column) != is_on:
            setattr(changed, self.column, is_on)
            if self.is_revised:
                changed.revision += 1  # type: ignore[attr-defined]
            changed.save(update_fields=[self.column, "updated_at", *(["revision"] if self.is_revised else [])])
            audit.write_audit_entry(by, changed, self.entries[0 if is_on else 1])
        return changed
