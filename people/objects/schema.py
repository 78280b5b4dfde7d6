"""A compiled version of an object type: checks values of records and brings them into their canonical form."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from difflib import get_close_matches
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

from django.db import connection

from people.core.codes import Code
from people.core.errors import Problem, Problems, RejectedError, bad_value, quoted_value
from people.core.messages import sentence as _
from people.datatypes.canonical import canonical_text
from people.datatypes.keys import MAX_ID, key_of
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME, DataType
from people.models import ObjectRecord, ObjectType, ObjectVersion
from people.models.object_types import PERSON

MAX_NAME = 100  # characters of an unknown field's name that are quoted back
BETWEEN = " · "  # the dedupe values in the name of a record


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field of a version."""

    api_name: str
    name: str
    data_type: DataType
    is_dedupe: bool
    link_to: str
    link_by: str
    description: str = ""

    def from_json(self, stored: Any) -> Any:
        return None if stored is None else self.data_type.from_json(stored)

    def to_json(self, value: Any) -> Any:
        return None if value is None else self.data_type.as_json(value)


class ObjectSchema:
    """The fields of one frozen version, ready to check values."""

    def __init__(self, version: ObjectVersion) -> None:
        self.type_id: int = version.object_type_id
        self.api_name = version.object_type.api_name
        self.number = version.number or 0
        self.fields: dict[str, RecordField] = {
            field.api_name: RecordField(
                field.api_name,
                field.name,
                BY_NAME[field.data_type],
                field.is_dedupe,
                field.link_to,
                field.link_by,
                field.description,
            )
            for field in version.fields.all()
        }
        fields = self.fields.values()
        self.dedupe = [field for field in fields if field.is_dedupe]
        self.person_link = next((field for field in fields if field.link_to == PERSON), None)
        self.object_link = next((field for field in fields if field.link_to not in ("", PERSON)), None)
        self._hashed = sorted(field.api_name for field in self.dedupe)  # positions may change
        self.is_person_in_key = self.person_link is not None and self.person_link.is_dedupe
        self.is_record_in_key = self.object_link is not None and self.object_link.is_dedupe
        self.links_in_key = self.is_person_in_key or self.is_record_in_key

    @cached_property
    def linked_type_id(self) -> int:
        """The id of the type that the link to another object names; both are fixed once this version is approved."""
        assert self.object_link is not None
        return ObjectType.objects.values_list("pk", flat=True).get(api_name=self.object_link.link_to)

    def check(self, row: Mapping[str, Any], zone: tzinfo = UTC) -> tuple[dict[str, Any], Problems]:
        """The canonical values of `row` (API name: raw value) and the problems. Blank is no value, that is None.

        Never raises for bad input. Moments without a zone are of `zone`.
        """
        problems = Problems()
        values: dict[str, Any] = {}
        for name, raw in row.items():
            field = self.fields.get(name)
            if field is None:
                if problems.is_full:  # the search for similar names takes long
                    problems.more += 1
                else:
                    problems.append(self._unknown(name))
            elif is_blank(raw):
                values[name] = None
                if field.is_dedupe:
                    problems.append(self._missing(field))
            else:
                try:
                    values[name] = field.data_type.parse(raw, zone)
                except BadValueError as error:
                    problems.append(bad_value(error.code, error.expected, raw, name, data_type=field.data_type.name))
        return values, problems

    def missing_dedupe(self, row: Container[str]) -> list[Problem]:
        """A problem for each dedupe field that `row` does not name."""
        return [self._missing(field) for field in self.dedupe if field.api_name not in row]

    def dedupe_hash(self, values: Mapping[str, Any]) -> bytes:
        """The hash of the dedupe values among canonical `values`, the same for any case and Unicode form of text."""
        return hash_of_keys(self.dedupe_keys(values))

    def dedupe_keys(self, values: Mapping[str, Any]) -> list[str]:
        """The dedupe values among canonical `values`, as compared, in the order of their hash."""
        return [key_of(canonical_text(values[name])) for name in self._hashed]

    def place_in_key(self, dedupe_field: RecordField) -> int:
        """The place of a field among `dedupe_keys`."""
        return self._hashed.index(dedupe_field.api_name)

    def record_name(self, values: Mapping[str, Any]) -> str:
        return BETWEEN.join(canonical_text(values[field.api_name]) for field in self.dedupe)

    def label(self, api_name: str) -> str:
        """The name of a field; its API name if this version has none."""
        field = self.fields.get(api_name)
        return field.name if field else api_name

    def canonical(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The canonical values of the fields of this version among those of a stored record."""
        return {name: field.from_json(stored[name]) for name, field in self.fields.items() if name in stored}

    def _missing(self, field: RecordField) -> Problem:
        message = _("a value for the dedupe field %(name)s is missing") % {"name": field.name}
        return Problem(Code.MISSING_VALUE, message, (field.api_name,))

    def _unknown(self, name: Any) -> Problem:
        names = list(self.fields)
        shown_name = quoted_value(name, MAX_NAME)
        close = get_close_matches(shown_name, names, n=1)
        if close:
            message = _("is not a field of this type; did you mean %(name)s?") % {"name": close[0]}
        else:
            message = _("is not a field of this type")
        return Problem(Code.UNKNOWN_FIELD, message, (shown_name,), ", ".join(names), shown_name)


def hash_of_keys(keys: Sequence[str]) -> bytes:
    return sha256(json.dumps(keys).encode()).digest()


@lru_cache(maxsize=1024)
def schema_of_version(version_id: int) -> ObjectSchema:
    """The compiled schema of an approved version; cached, because approved versions never change."""
    versions = ObjectVersion.objects.select_related("object_type").prefetch_related("fields")
    return ObjectSchema(versions.get(pk=version_id, number__isnull=False))


@lru_cache(maxsize=1024)
def schema_of_number(type_id: int, number: int) -> ObjectSchema:
    """The compiled schema of an approved version, by its number within its type; cached as `schema_of_version` is."""
    versions = ObjectVersion.objects.filter(object_type=type_id, number=number)
    return schema_of_version(versions.values_list("pk", flat=True).get())


def live_schema(object_type: ObjectType | int) -> ObjectSchema:
    """The schema of the live version of a type, read anew; also of a retired one.

    Raises `RejectedError` (`unknown_type`, `unapproved_type`).
    """
    pk = object_type if isinstance(object_type, int) else object_type.pk
    row = ObjectType.objects.existing().filter(pk=pk).values_list("live_id", flat=True).first()
    if row is None:
        exists = ObjectType.objects.existing().filter(pk=pk).exists()
        raise RejectedError(_unapproved() if exists else _unknown_type())
    return schema_of_version(row)


def writable_schema(type_id: int) -> ObjectSchema:
    """The schema that new values are checked with; the caller holds the lock of the type.

    Raises `RejectedError` (`unknown_type`, `unapproved_type`, `retired_type`).
    """
    with connection.cursor() as cursor:  # twice for each batch: to build a query takes longer than to run it
        cursor.execute(
            "select live_id, retired_at from object_type where id = %s and deleted_at is null", [min(type_id, MAX_ID)]
        )
        row = cursor.fetchone()
    if row is None:
        raise RejectedError(_unknown_type())
    live_id, retired_at = row
    if live_id is None:
        raise RejectedError(_unapproved())
    if retired_at is not None:
        raise RejectedError(
            Problem(
                Code.RETIRED_TYPE, _("This object type is retired: its records no longer change."), ("object_type",)
            )
        )
    return schema_of_version(live_id)


def _unknown_type() -> Problem:
    return Problem(Code.UNKNOWN_TYPE, _("There is no such object type."), ("object_type",))


def _unapproved() -> Problem:
    message = _("This object type is not approved yet, so it has no records.")
    return Problem(Code.UNAPPROVED_TYPE, message, ("object_type",))


def schema_of_record(record: ObjectRecord) -> ObjectSchema:
    """The schema of the version that checked the record's values last."""
    return schema_of_number(record.object_type_id, record.version)
