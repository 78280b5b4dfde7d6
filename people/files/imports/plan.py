"""The plan of an import, its columns and notations, and the results of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from people.core.errors import Problem
from people.datatypes.file_formats import EXCEL_PIVOT, DateOrder, ValueFormat

# column with the key of a refused row, the same in the report and in the quarantine
KEY_COLUMN = "import_key"
# parts that an earlier version does not support, with their defaults
_LATER: Mapping[str, Any] = {
    "pivot": EXCEL_PIVOT,
    "keep_apostrophes": False,
    "constants": {},
    "starts_campaigns": True,
    "only_rows": {},
    "ends_at": "",
}


class ImportStatus(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    REPEATED = "repeated"
    REFUSED = "refused"


class RowResult(NamedTuple):
    """The result of one row. `new_id` is the id of an added activity."""

    status: ImportStatus
    problems: Sequence[Problem] = ()
    new_id: int | None = None


class RowHit(NamedTuple):
    """The existing person or record that a row names: its kind as text, the address of its page, and its name.

    `changes` are (label, old, new) of each value that the row would change.
    """

    label: str
    address: str
    name: str
    changes: Sequence[tuple[str, str, str]] = ()


@dataclass(slots=True)
class BatchResults:
    """The results of a batch: rows were added, with `ids` where they have any, except `others` by their places.

    `created`: (field, value) of people created for rows about something else, also in a dry run.
    """

    ids: Sequence[int | None]
    others: dict[int, RowResult]
    created: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(cls, results: Sequence[RowResult], created: Sequence[tuple[str, str]] = ()) -> "BatchResults":
        others = {place: result for place, result in enumerate(results) if result.status is not ImportStatus.ADDED}
        return cls([result.new_id for result in results], others, created)

    def __getitem__(self, place: int) -> RowResult:
        return self.others.get(place) or RowResult(ImportStatus.ADDED, (), self.ids[place])


@dataclass(frozen=True, slots=True)
class Mappable:
    """A target to which a column can be mapped."""

    name: str
    label: str
    data_type: str = ""
    is_required: bool = False  # unless the plan makes it optional: ImportTarget.optional
    aliases: tuple[str, ...] = ()
    is_key: bool = False  # identifies the subject of a row: a user chooses where several columns can be it
    is_guessed: bool = True  # False: mapped only when a user chooses it
    contrary: tuple[str, ...] = ()  # names of columns with the opposite meaning: a page warns where one is mapped to it


def column_key(name: str) -> str:
    """The name of a column or field as compared: letters and digits alone, in lower case."""
    return "".join(character for character in name.lower() if character.isalnum())


class ExternalId(StrEnum):
    """The source of the key that keeps a row from being recorded twice."""

    NONE = "none"
    COLUMN = "column"
    HASH = "hash"  # of the row, and its ordinal among equal rows


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The meanings of a file's columns. `columns` maps names of `Mappable`s to columns of the file.

    `subject` is the subject of the rows (the API name of an activity type or object type). `person` is, for activities,
    a column in braces or a text with columns ("customer{id}@example.com"); `lookup_field` is the field to look it up
    by. For records of objects `lookup_field` is a `RecordKey`.
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
    null_text: str = ""  # a cell with exactly this text is no value
    starts_campaigns: bool = True  # False: everything that the file records is back-fill
    # two-digit years from this on are of the 1900s
    pivot: int = EXCEL_PIVOT
    keep_apostrophes: bool = False  # apostrophes that exports put before text that looks like a formula
    constants: Mapping[str, str] = field(default_factory=dict)  # by names of `Mappable`s: the same in every row
    # the values of rows that are imported, by their columns; rows with others are left out
    only_rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ends_at: str = ""  # the table ends above the row of which this text is the only filled cell

    def as_json(self) -> dict[str, Any]:
        # parts with default values are left out: a neighbouring version may lack them
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value != _LATER[name]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ImportPlan":
        return cls(**{name: value for name, value in stored.items() if name in cls.__dataclass_fields__})

    @property
    def convention(self) -> ValueFormat:
        return ValueFormat(DateOrder(self.date_order), self.decimal, self.pivot, self.keep_apostrophes)

    @property
    def time_zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)
