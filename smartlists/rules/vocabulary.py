"""The vocabulary of rules: activity types and object types with their fields, person fields and lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from activities.labels import localized_name
from activities.querysets import IS_BACKFILL
from activities.types.standard_shapes import IS_BOT
from people.datatypes.registry import BY_NAME, DataType

# fields of every activity, whatever its type, with SQL for both engines; API names cannot begin with @
MOMENTS: Mapping[str, str] = {"@occurred_at": "occurred_at", "@recorded_at": "recorded_at"}
BACKFILL = "@backfill"  # true for what was recorded as back-fill
COMMON: Mapping[str, str] = {**MOMENTS, BACKFILL: f"({IS_BACKFILL})"}
# fields of every object record, with SQL over `object_record`
RECORD_MOMENTS: Mapping[str, str] = {"@created_at": "created_at", "@updated_at": "updated_at"}


@dataclass(frozen=True, slots=True)
class VocabularyField:
    """One field of an activity type or object type that rules can use: of the live version or of an earlier one."""

    id: int  # id of the ApprovedField or ApprovedObjectField; 0 for what every activity or record has
    api_name: str
    name: str
    data_type: DataType
    is_primary: bool
    is_live: bool
    is_standard: bool = False  # field of a type shipped with the product

    @property
    def shown_name(self) -> str:
        """The name on pages, in the reader's language."""
        return localized_name(self.name, self.is_standard)


@dataclass(frozen=True, slots=True)
class VocabularyType:
    """One activity type that filters can use."""

    id: int
    api_name: str
    name: str
    filter_name: str
    trigger_name: str
    is_retired: bool
    kept_months: int | None  # retention of its activities in months; None: unlimited
    fields: Mapping[str, VocabularyField]
    is_standard: bool  # shipped with the product

    @property
    def marks_bots(self) -> bool:
        """True if a field of the live version or an earlier one marks activities caused by bots."""
        field = self.fields.get(IS_BOT)
        return field is not None and field.data_type.name == "boolean" and not field.is_primary

    @property
    def shown_name(self) -> str:
        """The name on pages, in the reader's language; text forms use the stored names, the same for all readers."""
        return localized_name(self.name, self.is_standard)

    @property
    def shown_filter_name(self) -> str:
        return localized_name(self.filter_name, self.is_standard)

    @property
    def shown_trigger_name(self) -> str:
        return localized_name(self.trigger_name, self.is_standard)


@dataclass(frozen=True, slots=True)
class VocabularyObject:
    """One object type that filters can use: approved, with records that belong to people."""

    id: int
    api_name: str
    name: str
    is_retired: bool
    fields: Mapping[str, VocabularyField]

    @property
    def filter_name(self) -> str:
        """The name in text forms."""
        return self.name

    @property
    def shown_name(self) -> str:
        return self.name


FieldOwner = VocabularyType | VocabularyObject

COMMON_FIELDS, RECORD_FIELDS = (
    {
        name: VocabularyField(
            0, name, name, BY_NAME["boolean" if name == BACKFILL else "datetime"], is_primary=False, is_live=True
        )
        for name in names
    }
    for names in (COMMON, RECORD_MOMENTS)
)


class Vocabulary(Protocol):
    """All names that rules can use, at one moment; `smartlists.catalog.Catalogue` reads them from the database."""

    @property
    def types(self) -> Mapping[str, VocabularyType]:
        """Approved activity types by API name."""

    @property
    def objects(self) -> Mapping[str, VocabularyObject]:
        """Approved object types whose records belong to people, by API name."""

    @property
    def person_fields(self) -> Mapping[str, Any]:
        """Person fields (`people.fields.catalog.FieldInfo`) by API name."""

    @property
    def static_lists(self) -> Mapping[int, str]:
        """Names of static lists by id."""

    @property
    def smart_lists(self) -> Mapping[int, str]:
        """Names of smart lists by id."""
