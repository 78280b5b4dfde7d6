"""The names that rules can use: activity types and their fields, person fields, lists; read when first needed."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from django.utils.translation import gettext as _

from activities.models import ActivityType, ApprovedField
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.datatypes.registry import BY_NAME
from people.fields import catalog
from people.models import StaticList
from smartlists.models import SmartList
from smartlists.rules.vocabulary import COMMON_FIELDS, VocabularyField, VocabularyType


class Catalogue:
    """The names at one moment; later changes do not appear in it."""

    @cached_property
    def types(self) -> Mapping[str, VocabularyType]:
        """Approved types by API name, retired ones included, with the fields of all their approved versions."""
        fields_of: dict[int, list[ApprovedField]] = {}
        for field in ApprovedField.objects.order_by("-is_primary", "id"):
            fields_of.setdefault(field.activity_type_id, []).append(field)
        rows = ActivityType.objects.approved().select_related("live", "retention").prefetch_related("live__fields")
        return {row.api_name: _type(row, fields_of.get(row.pk, [])) for row in rows}

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

    def field(self, activity_type: VocabularyType, api_name: str) -> VocabularyField:
        """The field of this name of an activity type. Raises `RejectedError` (`unknown_field`)."""
        if api_name not in activity_type.fields:
            raise _unknown_name(Code.UNKNOWN_FIELD, f"{activity_type.api_name}.{api_name}")
        return activity_type.fields[api_name]

    def person_field(self, api_name: str) -> catalog.FieldInfo:
        """The person field of this name. Raises `RejectedError` (`unknown_field`)."""
        if api_name not in self.person_fields:
            raise _unknown_name(Code.UNKNOWN_FIELD, api_name)
        return self.person_fields[api_name]


def _unknown_name(code: str, name: str) -> RejectedError:
    message = _("The rules name “%(name)s”, which no longer exists.") % {"name": name}
    return RejectedError(Problem(code, message, ("filters",), "", name))


def _type(row: ActivityType, approved: Iterable[ApprovedField]) -> VocabularyType:
    live = {field.api_name: field.name for field in row.live.fields.all()} if row.live else {}
    fields = {
        field.api_name: VocabularyField(
            field.pk,
            field.api_name,
            live.get(field.api_name, field.api_name),
            BY_NAME[field.data_type],
            field.is_primary,
            field.api_name in live,
            row.is_standard,
        )
        for field in approved
    }
    version = row.live
    names = (version.name, version.filter_name, version.trigger_name) if version else (row.api_name,) * 3
    retention = getattr(row, "retention", None)
    return VocabularyType(
        row.pk,
        row.api_name,
        *names,
        row.retired_at is not None,
        retention.months if retention else None,
        {**fields, **COMMON_FIELDS},
        row.is_standard,
    )
