"""The parameters of a report, and their stored form."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from people.core import installation

NARROWED = frozenset({"people", "retention", "returned", "wait", "waited"})  # reports on activities with one value
# the stored name of a report on people with a value: a worker of the version before, which ignores values,
# fails on it instead of storing figures of all people
PEOPLE_WITH_VALUE = "people_with_value"
# the people of a group of a split funnel, for the same reason: not "reached", which such a worker answers for all
SPLIT_REACHED = "split_reached"
WITHOUT_BOTS = "@without_bots"  # the end of the stored name of a report without bots, for the same reason
# the stored names of the reports whose rows begin with the id of a person
_LISTS_OF_PEOPLE = ("people", PEOPLE_WITH_VALUE, "reached", SPLIT_REACHED, "returned", "waited")
STORED_LISTS_OF_PEOPLE = [f"{name}{ending}" for name in _LISTS_OF_PEOPLE for ending in ("", WITHOUT_BOTS)]


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """The parameters of a report. `people` is "", "smart:7" or "static:7"; fields are ids of approved fields."""

    report: str  # a key of `report_answers.ANSWERS`
    types: tuple[int, ...]
    since: date
    until: date
    field: int | None = None
    total: int | None = None
    people: str = ""
    value: str | None = None  # of `field`, in a report that is NARROWED by one, and of the group of SPLIT_REACHED
    without_bots: bool = False
    interval: str = ""  # of cohorts
    person_field: str = ""  # the API name of the person field that a funnel is split by
    number: int | None = None  # the periods of cohorts, or which one; the bucket of a time
    others: bool = False  # of SPLIT_REACHED: the group of all values but the most frequent

    def dump(self) -> dict[str, Any]:
        """The JSON form; days are in the installation's zone, so the zone is included."""
        is_narrowed = (self.report in NARROWED and self.field is not None) or self.report == SPLIT_REACHED
        name = PEOPLE_WITH_VALUE if is_narrowed and self.report == "people" else self.report
        added = {"interval": self.interval or None, "person_field": self.person_field or None, "number": self.number}
        added["others"] = self.others or None
        added = {name: value for name, value in added.items() if value is not None}
        return (
            added
            | ({"value": self.value} if is_narrowed else {})
            | {
                "report": f"{name}{WITHOUT_BOTS}" if self.without_bots else name,
                "types": list(self.types),
                "since": self.since.isoformat(),
                "until": self.until.isoformat(),
                "field": self.field,
                "total": self.total,
                "people": self.people,
                "zone": installation.current_installation().time_zone,
            }
        )

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Self:
        since, until = date.fromisoformat(stored["since"]), date.fromisoformat(stored["until"])
        values = {name: stored[name] for name in ("report", "field", "total", "people")}
        name = values["report"].removesuffix(WITHOUT_BOTS)
        without_bots = name != values["report"]
        values |= {"report": "people" if name == PEOPLE_WITH_VALUE else name, "without_bots": without_bots}
        values |= {name: stored.get(name) for name in ("value", "number")}
        values |= {name: stored.get(name, "") for name in ("interval", "person_field")}
        values["others"] = stored.get("others", False)
        return cls(types=tuple(stored["types"]), since=since, until=until, **values)
