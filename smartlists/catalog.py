"""The names that rules can use: activity and object types with their fields, person fields, lists.

They are read when first needed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from activities.models import ActivityField, ActivityType, ApprovedField
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.datatypes.registry import BY_NAME
from people.fields import catalog
from people.models import ApprovedObjectField, ObjectField, ObjectType, StaticList
from people.models.object_types import PERSON
from smartlists.models import SmartList
from smartlists.rules.vocabulary import (
    COMMON_FIELDS,
    RECORD_FIELDS,
    FieldOwner,
    VocabularyField,
    VocabularyObject,
    VocabularyType,
)

_TYPE_COLUMNS = (
    *("id", "live_id", "api_name", "retired_at", "retention__months", "is_standard"),
    *("live__name", "live__filter_name", "live__trigger_name"),
)


class Catalogue:
    """The names at one moment; later changes do not appear in it."""

    @cached_property
    def types(self) -> Mapping[str, VocabularyType]:
        """Approved types by API name, retired ones included, with the fields of all their approved versions."""
        live_names: dict[int, dict[str, str]] = defaultdict(dict)
        live_fields = ActivityField.objects.filter(version__live_of__isnull=False)
        for version_id, field_name, name in live_fields.values_list("version_id", "api_name", "name"):
            live_names[version_id][field_name] = name
        approved: dict[int, list[list[Any]]] = defaultdict(list)
        fields = ApprovedField.objects.order_by("-is_primary", "id")
        for type_id, *field in fields.values_list("activity_type_id", "id", "api_name", "data_type", "is_primary"):
            approved[type_id].append(field)
        types = {}
        rows = ActivityType.objects.approved().values_list(*_TYPE_COLUMNS)
        for type_id, version_id, api_name, retired_at, months, is_standard, name, filter_name, trigger_name in rows:
            own = _fields(approved[type_id], live_names[version_id], is_standard)
            types[api_name] = VocabularyType(
                id=type_id,
                api_name=api_name,
                name=name,
                filter_name=filter_name,
                trigger_name=trigger_name,
                is_retired=retired_at is not None,
                kept_months=months,
                fields={**own, **COMMON_FIELDS},
                is_standard=is_standard,
            )
        return types

    @cached_property
    def objects(self) -> Mapping[str, VocabularyObject]:
        """Approved object types whose records link to people by API name, retired ones included; fields as of types."""
        live_names: dict[int, dict[str, str]] = defaultdict(dict)
        live_fields = ObjectField.objects.filter(version__live_of__isnull=False)
        for type_id, field_name, name in live_fields.values_list("version__object_type_id", "api_name", "name"):
            live_names[type_id][field_name] = name
        approved: dict[int, list[list[Any]]] = defaultdict(list)
        fields = ApprovedObjectField.objects.order_by("-is_dedupe", "id")
        for type_id, *field in fields.values_list("object_type_id", "id", "api_name", "data_type"):
            approved[type_id].append([*field, False])
        rows = ObjectType.objects.approved().filter(approved_fields__link_to=PERSON).distinct()
        return {
            api_name: VocabularyObject(
                type_id,
                api_name,
                name,
                retired_at is not None,
                {**_fields(approved[type_id], live_names[type_id], False), **RECORD_FIELDS},
            )
            for type_id, api_name, retired_at, name in rows.values_list("id", "api_name", "retired_at", "live__name")
        }

    @cached_property
    def person_fields(self) -> Mapping[str, catalog.FieldInfo]:
        return catalog.field_catalogue()

    @cached_property
    def static_lists(self) -> Mapping[int, str]:
        return {pk: name for pk, name, _is_archived in self._static_lists}

    @cached_property
    def smart_lists(self) -> Mapping[int, str]:
        return {pk: name for pk, name, _is_archived in self._smart_lists}

    @cached_property
    def archived_static_lists(self) -> frozenset[int]:
        return frozenset(pk for pk, _name, is_archived in self._static_lists if is_archived)

    @cached_property
    def archived_smart_lists(self) -> frozenset[int]:
        return frozenset(pk for pk, _name, is_archived in self._smart_lists if is_archived)

    @cached_property
    def _static_lists(self) -> list[tuple[int, str, bool]]:
        return list(StaticList.objects.values_list("pk", "name", "is_archived"))

    @cached_property
    def _smart_lists(self) -> list[tuple[int, str, bool]]:
        return list(SmartList.objects.values_list("pk", "name", "is_archived"))

    def type(self, api_name: str) -> VocabularyType:
        """The activity type of this name. Raises `RejectedError` (`unknown_type`) when it no longer exists."""
        if api_name not in self.types:
            raise _unknown_name(Code.UNKNOWN_TYPE, api_name)
        return self.types[api_name]

    def object(self, api_name: str) -> VocabularyObject:
        """The object type of this name. Raises `RejectedError` (`unknown_type`) when it no longer exists."""
        if api_name not in self.objects:
            raise _unknown_name(Code.UNKNOWN_TYPE, api_name)
        return self.objects[api_name]

    def field(self, owner: FieldOwner, api_name: str) -> VocabularyField:
        """The field of this name of an activity type or object type. Raises `RejectedError` (`unknown_field`)."""
        if api_name not in owner.fields:
            raise _unknown_name(Code.UNKNOWN_FIELD, f"{owner.api_name}.{api_name}")
        return owner.fields[api_name]

    def person_field(self, api_name: str) -> catalog.FieldInfo:
        """The person field of this name. Raises `RejectedError` (`unknown_field`)."""
        if api_name not in self.person_fields:
            raise _unknown_name(Code.UNKNOWN_FIELD, api_name)
        return self.person_fields[api_name]


def _unknown_name(code: str, name: str) -> RejectedError:
    message = _("The rules name “%(name)s”, which no longer exists.") % {"name": name}
    return RejectedError(Problem(code, message, ("filters",), "", name))


def _fields(
    approved: Iterable[Iterable[Any]], live_names: Mapping[str, str], is_standard: bool
) -> dict[str, VocabularyField]:
    """Fields by API name, of rows (id, API name, data type, is primary); those not live are named by their API name."""
    return {
        api_name: VocabularyField(
            field_id,
            api_name,
            live_names.get(api_name, api_name),
            BY_NAME[data_type],
            is_primary,
            api_name in live_names,
            is_standard,
        )
        for field_id, api_name, data_type, is_primary in approved
    }
