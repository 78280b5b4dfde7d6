"""The ranges of dates and of changes of records that a campaign has not looked through yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from smartlists.models import DateWatch

CAUGHT_UP = timedelta(days=3)
MOMENTS = ("after", "read_at", "until")
NEVER = 2**63 - 1  # greater than the id of any change


@dataclass(frozen=True, slots=True)
class Look:
    """The dates that are reached after `read_at` up to `until`; of records changed since, also those after `after`.

    Changed records are those with changes after `last_id` up to `upto_id`. `is_of_pause`: the campaign was paused at
    `until`, and records received since do not count.
    """

    after: datetime
    read_at: datetime
    until: datetime
    last_id: int
    upto_id: int
    is_of_pause: bool = False

    @property
    def greatest_id(self) -> int:
        """The greatest id that counts of a change by which a record was received."""
        return self.upto_id if self.is_of_pause else NEVER

    def dump(self) -> Mapping[str, Any]:
        """The JSON form of what a pause leaves; `of_pause` returns an equal look."""
        moments = {name: getattr(self, name).isoformat() for name in MOMENTS}
        return {**moments, "last_id": self.last_id, "upto_id": self.upto_id}

    @classmethod
    def of_pause(cls, form: Mapping[str, Any]) -> Self:
        moments = {name: datetime.fromisoformat(form[name]) for name in MOMENTS}
        return cls(**moments, last_id=form["last_id"], upto_id=form["upto_id"], is_of_pause=True)

    def advanced(self, last_id: int) -> Self:
        """The same look, with the changes up to `last_id` read."""
        return replace(self, last_id=last_id)


def look_up_to(watch: DateWatch, now: datetime, mark: int) -> Look:
    """The look of an active campaign that is due at `now`, when the changes up to id `mark` are visible."""
    after = max(watch.watch.active_since, now - CAUGHT_UP)
    read_at = max(after, watch.read_at or after)
    return Look(after, read_at, max(now, read_at), mark if watch.last_id is None else watch.last_id, mark)
