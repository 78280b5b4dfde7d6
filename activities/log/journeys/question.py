"""The question of every report on journeys: two types, a period, and a condition on the first activity."""

from dataclasses import dataclass

from activities.log.reports import ReportScope
from activities.models import ActivityType, ApprovedField


@dataclass(frozen=True, slots=True)
class JourneyQuestion:
    """From a person's first activity of `first_type` in the scope to what they did of `then`.

    With a `field` only activities of the first type with this `value` count, as `value_breakdown` groups.
    """

    first_type: ActivityType
    then: ActivityType
    scope: ReportScope
    field: ApprovedField | None = None
    value: str | None = None

    @property
    def types(self) -> list[ActivityType]:
        return [self.first_type, self.then]

    @property
    def only(self) -> tuple[ApprovedField, str | None] | None:
        """The field and the value that the first activity has to hold; None if every activity counts."""
        return (self.field, self.value) if self.field else None
