"""The people of an action on the list: chosen ones, or all that its search and filters find."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from people.directory.orders import ORDERS
from people.directory.pages import PeoplePlan, Position, matching_ids, read_page
from people.models import Person

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Chosen people, or with a `plan` all who match it."""

    chosen: Sequence[int] = ()
    plan: PeoplePlan | None = None

    def ids(self, limit: int) -> list[int]:
        """The ids of the first `limit` live people, ascending."""
        if self.plan is not None:
            return matching_ids(self.plan, limit)
        live = Person.objects.live().filter(pk__in=self.chosen).order_by("pk")
        return list(live.values_list("pk", flat=True)[:limit])

    def count(self) -> tuple[int, bool]:
        """A number of people, and whether it is exact; else there are at least so many. Bounded like a page."""
        if self.plan is None:
            return len(self.ids(len(self.chosen))), True
        if self.plan.candidates is not None and self.plan.is_exact:
            return len(self.plan.candidates), True
        page = read_page(replace(self.plan, order=ORDERS[""]), Position(), MOST_COUNTED)
        return len(page.ids), not page.following
