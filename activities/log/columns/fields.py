"""The storage of values in columns: the text that PostgreSQL sends, and the type in DuckDB.

PostgreSQL applies its own rules of comparison: lower case, numbers, days, moments. Columns store the result as integers
(moments in microseconds of UTC, days since 1970, amounts in ten-thousandths), doubles and text, so that nothing is
parsed, rounded or folded a second time. A value without an exact form is marked, and its field left to SQL.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.models import ApprovedField
from people.core.db import value_sql

_WORD_X = re.compile(r"\bx\b")
EPOCH = "1970-01-01"
UNFIT = -(2**63)  # marks a number that the column cannot hold
AMOUNT_SCALE = 4  # decimal places of amounts


@dataclass(frozen=True, slots=True)
class StorageForm:
    """One storage form of values: `sent` is SQL of PostgreSQL over `x`, for comparisons; `held` a type of DuckDB."""

    sent: str
    held: str
    is_unfit: str = ""  # SQL of DuckDB over {x}, true for a value that was marked


def _whole(scaled: str) -> StorageForm:
    fits = f"{scaled} = trunc({scaled}) and abs({scaled}) < 9e18"
    return StorageForm(
        f"case when x is null then null when {fits} then ({scaled})::bigint else {UNFIT} end",
        "BIGINT",
        f"{{x}} = ({UNFIT})",
    )


_MICROSECONDS = "(extract(epoch from x) * 1000000)::bigint"
_TEXT = StorageForm("x", "VARCHAR")
STORAGES: Mapping[str, StorageForm] = {
    **dict.fromkeys(("string", "text", "email", "phone", "link"), _TEXT),
    "integer": _whole("x"),
    "currency": _whole("x * 10000"),
    # the log has a double's shortest decimal text; any other number could compare differently
    "float": StorageForm(
        "case when x is null then null when x::float8::text::numeric = x then x::float8 else 'NaN' end",
        "DOUBLE",
        "isnan({x})",
    ),
    "boolean": StorageForm("x::int", "TINYINT"),
    "date": StorageForm(f"x - date '{EPOCH}'", "INTEGER"),
    "datetime": StorageForm(_MICROSECONDS, "BIGINT"),
}


@dataclass(frozen=True, slots=True)
class StoredField:
    """One field of a type, as in `approved_field`; it never changes."""

    id: int
    api_name: str
    data_type: str
    is_primary: bool

    @property
    def column(self) -> str:
        return f"f{self.id}"

    @property
    def storage(self) -> StorageForm:
        return STORAGES[self.data_type]

    @property
    def raw(self) -> str:
        """SQL of PostgreSQL for the text of the value as it was recorded, over a row of `activity`."""
        return "primary_value" if self.is_primary else value_sql.json_member_sql("attributes", self.api_name)

    @property
    def compared(self) -> str:
        """SQL of PostgreSQL for the compared form, over a row of `activity`."""
        return value_sql.comparison_sql(self.data_type, self.raw)

    @property
    def grouped(self) -> str:
        """SQL of DuckDB that is equal for two rows if and only if their values are; upper and lower case differ."""
        return f"coalesce(r{self.id}, {self.column})" if value_sql.is_compared_as_text(self.data_type) else self.column


def stored_fields_of_type(type_id: int) -> list[StoredField]:
    """Every field that any approved version of the type has had; those of unknown data types are left out."""
    rows = ApprovedField.objects.filter(activity_type_id=type_id, data_type__in=STORAGES).order_by("pk")
    return [StoredField(row.pk, row.api_name, row.data_type, row.is_primary) for row in rows]


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of every file: its name, SQL of PostgreSQL for it over a row of `activity`, its type in DuckDB."""

    name: str
    compared: str
    storage: StorageForm


_MOMENT = StorageForm(_MICROSECONDS, "BIGINT")
_ALWAYS = (
    StoredColumn("id", "id", StorageForm("x", "BIGINT")),
    StoredColumn("person", "person_id", StorageForm("x", "INTEGER")),
    StoredColumn("occurred_at", "occurred_at", _MOMENT),
    StoredColumn("recorded_at", "recorded_at", _MOMENT),
    StoredColumn("flags", "flags", StorageForm("x", "SMALLINT")),
)


def stored_columns(fields: Iterable[StoredField], as_stored: Iterable[StoredField] = ()) -> list[StoredColumn]:
    """The columns of rows with these fields; `as_stored`: fields whose text is needed in its own case, too."""
    compared = [StoredColumn(field.column, field.compared, field.storage) for field in fields]
    # empty where the text is in lower case already: most addresses and links are
    own_case = [
        StoredColumn(f"r{field.id}", f"nullif({field.raw}, {field.compared})", _TEXT)
        for field in as_stored
        if value_sql.is_compared_as_text(field.data_type)
    ]
    return [*_ALWAYS, *compared, *own_case]


def rows_sql(type_id: int, columns: Sequence[StoredColumn], where: str, limit: int | None = None) -> str:
    """The statement with which PostgreSQL sends the columns of the type's rows that satisfy `where`.

    Each value is looked up once: `offset 0` keeps the planner from repeating the expression wherever it is used.
    """
    inner = ", ".join(f"{column.compared} as x{number}" for number, column in enumerate(columns))
    sent = ", ".join(_of(column.storage.sent, f"x{number}") for number, column in enumerate(columns))
    ending = f"limit {int(limit)}" if limit is not None else "offset 0"
    return (
        f"select {sent} from (select {inner} from activity where activity_type_id = {int(type_id)} and {where}"
        f" {ending}) as sent"
    )


def _of(expression: str, name: str) -> str:
    return _WORD_X.sub(name, expression)


def unfit_sql(fields: Iterable[StoredField]) -> dict[int, str]:
    """SQL of DuckDB by the id of the field, true for a row whose value was marked."""
    return {field.id: field.storage.is_unfit.format(x=field.column) for field in fields if field.storage.is_unfit}


def dump_fields(fields: Iterable[StoredField]) -> list[list[Any]]:
    return [[field.id, field.api_name, field.data_type, field.is_primary] for field in fields]


def load_fields(stored: Iterable[Sequence[Any]]) -> list[StoredField]:
    return [StoredField(*row) for row in stored]
