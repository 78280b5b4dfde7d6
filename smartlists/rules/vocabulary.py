"""What rules can name: activity types with their fields and moments, person fields and lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from activities.labels import shown
from people.datatypes.registry import BY_NAME, DataType

# moments that every activity has, whatever its type, and what a row calls them; API names cannot begin so
MOMENTS: Mapping[str, str] = {"@occurred_at": "occurred_at", "@recorded_at": "recorded_at"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an activity type that rules can name: of the live version or of an earlier one."""

    id: int  # of its ApprovedField; 0 for the moments that every activity has
    api_name: str
    name: str
    data_type: DataType
    is_primary: bool
    is_live: bool
    is_standard: bool = False  # of a type that the product ships

    @property
    def shown_name(self) -> str:
        """As pages say it, in the reader's language."""
        return shown(self.name, self.is_standard)


@dataclass(frozen=True, slots=True)
class Type:
    """One activity type that filters can name."""

    id: int
    api_name: str
    name: str
    filter_name: str
    trigger_name: str
    is_retired: bool
    kept_months: int | None  # how long its activities are kept; None is for ever
    fields: Mapping[str, Field]
    is_standard: bool  # shipped with the product

    @property
    def shown_name(self) -> str:
        """As pages say it, in the reader's language; text forms keep to the stored names, which every reader has."""
        return shown(self.name, self.is_standard)

    @property
    def shown_filter_name(self) -> str:
        return shown(self.filter_name, self.is_standard)

    @property
    def shown_trigger_name(self) -> str:
        return shown(self.trigger_name, self.is_standard)


MOMENT_FIELDS = {name: Field(0, name, name, BY_NAME["datetime"], is_primary=False, is_live=True) for name in MOMENTS}


class Vocabulary(Protocol):
    """Everything that rules can name, as of one reading; `smartlists.catalog.Catalogue` reads it from the database."""

    @property
    def types(self) -> Mapping[str, Type]:
        """Approved activity types by API name."""

    @property
    def person_fields(self) -> Mapping[str, Any]:
        """Person fields (`people.fields.catalog.FieldInfo`) by API name."""

    @property
    def static_lists(self) -> Mapping[int, str]:
        """Names of static lists by id."""

    @property
    def smart_lists(self) -> Mapping[int, str]:
        """Names of smart lists by id."""
