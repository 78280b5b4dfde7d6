"""What an import reads and how: the columns, the notations, and the result of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from people.core.errors import Problem
from people.datatypes.file_formats import EXCEL_PIVOT, Convention, DateOrder

# what a refused row is called wherever it turns up: in the report, and where it waits to be replayed
KEY_COLUMN = "import_key"
# parts that an earlier version does not know, with what they are by default
_LATER: Mapping[str, Any] = {"pivot": EXCEL_PIVOT, "keep_apostrophes": False, "constants": {}, "starts_campaigns": True}


class Status(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    REPEATED = "repeated"
    REFUSED = "refused"


class Result(NamedTuple):
    """What became of one row. `new_id` is that of an activity that was added."""

    status: Status
    problems: Sequence[Problem] = ()
    new_id: int | None = None


class Hit(NamedTuple):
    """The person whom a row would change: who it is, and (label, old, new) of each value that would be another."""

    person_id: int
    name: str
    changes: Sequence[tuple[str, str, str]] = ()


@dataclass(slots=True)
class Results:
    """What became of a batch: rows were added, under `ids` where they have any, but for `others` by their places.

    `created` names people whom the rows brought besides: each by field and value, also those of a dry run.
    """

    ids: Sequence[int | None]
    others: dict[int, Result]
    created: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(cls, results: Sequence[Result], created: Sequence[tuple[str, str]] = ()) -> "Results":
        others = {place: result for place, result in enumerate(results) if result.status is not Status.ADDED}
        return cls([result.new_id for result in results], others, created)

    def __getitem__(self, place: int) -> Result:
        return self.others.get(place) or Result(Status.ADDED, (), self.ids[place])


@dataclass(frozen=True, slots=True)
class Mappable:
    """Something that a column can be mapped to."""

    name: str
    label: str
    data_type: str = ""
    is_required: bool = False
    aliases: tuple[str, ...] = ()


class ExternalId(StrEnum):
    """Where the key comes from that keeps a row from being recorded twice."""

    NONE = "none"
    COLUMN = "column"
    HASH = "hash"  # of the row, and its ordinal among equal rows


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file is understood. `columns` maps names of `Mappable`s to columns of the file.

    `subject` is what the rows are about (an activity type's API name). `person` is, for activities, a column in
    braces or a text with some ("customer{id}@example.com"); `lookup_field` is what it is looked up by.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    person: str = ""
    lookup_field: str = "email"
    create_people: bool = False
    action: str = "upsert"
    external_id: str = ExternalId.HASH
    zone: str = "UTC"
    date_order: str = DateOrder.YMD
    decimal: str = "."
    static_list: int | None = None
    null_text: str = ""  # a cell of just this is no value
    starts_campaigns: bool = True  # of people: whether what the log says of them makes anybody enter a campaign
    # two-digit years from this on are of the 1900s
    pivot: int = EXCEL_PIVOT
    keep_apostrophes: bool = False  # those that exports put before what a spreadsheet takes for a formula
    constants: Mapping[str, str] = field(default_factory=dict)  # by names of `Mappable`s: the same in every row

    def as_json(self) -> dict[str, Any]:
        # a version beside this one may not know what it can do without
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value != _LATER[name]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Plan":
        return cls(**{name: value for name, value in stored.items() if name in cls.__dataclass_fields__})

    @property
    def convention(self) -> Convention:
        return Convention(DateOrder(self.date_order), self.decimal, self.pivot, self.keep_apostrophes)

    @property
    def time_zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)
