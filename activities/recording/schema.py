"""A compiled version: checks values before they are recorded and brings them into their one stored form."""

from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize

from activities.models import ActivityField, ActivityVersion
from people.core.codes import Code
from people.core.errors import Problem, Problems, bad_value, quoted_value
from people.core.messages import sentence as _
from people.datatypes import fast
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME, DataType

MAX_PRIMARY = 255
MAX_ATTRIBUTES_BYTES = 65_536  # Marketo's limit (error 1049): all attribute values of one activity
_UNTRIMMED = frozenset({"string", "phone", "text"})  # data types whose values kept the blanks around them


class CheckedValues(NamedTuple):
    """Canonical text of the primary value, JSON text of the attributes, and the problems."""

    primary_value: str | None
    attributes: str
    problems: Problems


class Schema:
    """The fields of one frozen version, ready to check values.

    JSON is written with the fields in the order of their API names, so that equal content is equal text
    in whatever version or order it was received.
    """

    def __init__(self, version: ActivityVersion) -> None:
        self.fields: list[ActivityField] = sorted(version.fields.all(), key=lambda field: field.api_name)
        fields = self.fields
        self.type_id = version.activity_type_id
        self.number = version.number or 0  # 0: a draft, which checks but records nothing
        self.primary = next((field for field in fields if field.is_primary), None)
        secondary = [field for field in fields if not field.is_primary]
        self._names = [field.api_name for field in secondary]
        self._types = [BY_NAME[field.data_type] for field in secondary]
        self._types_by_name = dict(zip(self._names, self._types, strict=True))
        prefixes = [f'"{field.api_name}": ' for field in secondary]
        quick = [fast.QUICK[field.data_type] for field in secondary]
        places = list(zip(range(len(secondary)), prefixes, quick, strict=True))
        self._places = dict(zip([field.name for field in secondary], places, strict=True))
        # an API name wins over another field's display name
        self._places.update(zip(self._names, places, strict=True))
        self._takes_text = self.primary is not None and self.primary.data_type in fast.STORED_AS_THEY_ARE
        self._empty: list[str | None] = [None] * len(secondary)

    def check(self, primary_value: Any, attributes: Iterable[tuple[str, Any]], zone: tzinfo = UTC) -> CheckedValues:
        """Check one activity's values; `attributes` are (API name or display name, raw value) pairs.

        Never raises for bad input. Blank values are no values. Zone-less moments are of `zone`.
        """
        problems = Problems()
        if self._takes_text and fast.is_plain_text(primary_value):
            primary = primary_value
        else:
            primary = self._check_primary(primary_value, zone, problems)
        parts, places = self._empty.copy(), self._places
        for name, value in attributes:
            place = places.get(name)
            if place is None:
                if problems.is_full:  # the search for similar names takes long
                    problems.more += 1
                else:
                    problems.append(self._unknown(name))
                continue
            position, prefix, quick = place
            if parts[position] is not None:
                problems.append(Problem(Code.GIVEN_TWICE, _("given twice"), ("attributes", self._names[position])))
                continue
            text = quick(value)
            if text is None:
                text = "" if is_blank(value) else self._text(position, value, zone, problems)
            parts[position] = prefix + text if text else ""
        text = "{" + ", ".join(filter(None, parts)) + "}"
        if len(text) * 4 > MAX_ATTRIBUTES_BYTES and len(text.encode()) > MAX_ATTRIBUTES_BYTES:
            message = _("the attributes of one activity may take at most 65,536 bytes together")
            problems.append(Problem(Code.TOO_LARGE, message, ("attributes",)))
        return CheckedValues(primary, text, problems)

    def check_untrimmed(
        self,
        primary_value: Any,
        attributes: Iterable[tuple[str, Any]],
        zone: tzinfo = UTC,
        written: Callable[[str], str] = str,
    ) -> tuple[str | None, str]:
        """Primary value and attributes of a good row as they were stored before text was trimmed.

        `written` restores the text of a cell as it stood in the file, and was stored, from the value read today.
        """

        def untrimmed(data_type: DataType, value: Any) -> str | None:
            is_text = data_type.name in _UNTRIMMED and type(value) is str and value and not value.isspace()
            return normalize("NFC", written(value)) if is_text else None

        problems = Problems()
        primary = self._check_primary(primary_value, zone, problems)
        if self.primary is not None:
            primary = untrimmed(BY_NAME[self.primary.data_type], primary_value) or primary
        parts = self._empty.copy()
        for name, value in attributes:
            position, prefix, _quick = self._places[name]
            data_type = self._types[position]
            if (text := untrimmed(data_type, value)) is not None:
                parts[position] = prefix + data_type.to_json(text)
            elif not is_blank(value):
                parts[position] = prefix + self._text(position, value, zone, problems)
        return primary, "{" + ", ".join(filter(None, parts)) + "}"

    @property
    def takes_plain_primary(self) -> bool:
        """True where a primary value that is plain text (`fast.is_plain_text`) is stored as it is."""
        return self._takes_text

    def place_of(self, api_name: str) -> tuple[int, str, Callable[[Any], str | None]]:
        """Of a secondary field: its place in the JSON text, what stands before its value, and its `fast.QUICK`."""
        return self._places[api_name]

    def type_of(self, name: str) -> DataType | None:
        """The data type of the secondary field with this API name."""
        return self._types_by_name.get(name)

    def _text(self, position: int, value: Any, zone: tzinfo, problems: list[Problem]) -> str:
        """JSON text of a value that is not in the commonest form of its type; empty for a bad one."""
        data_type = self._types[position]
        try:
            return data_type.to_json(data_type.parse(value, zone))
        except BadValueError as error:
            name = self._names[position]
            problems.append(bad_value(error.code, error.expected, value, "attributes", name, data_type=data_type.name))
            return ""

    def _check_primary(self, value: Any, zone: tzinfo, problems: list[Problem]) -> str | None:
        if self.primary is None:
            if not is_blank(value):
                problems.append(Problem(Code.UNKNOWN_FIELD, _("this type has no primary field"), ("primary_value",)))
            return None
        if is_blank(value):
            message = _("a value for the primary field %(name)s is missing") % {"name": self.primary.name}
            problems.append(Problem(Code.MISSING_VALUE, message, ("primary_value",)))
            return None
        data_type = BY_NAME[self.primary.data_type]
        try:
            text = data_type.to_text(data_type.parse(value, zone))
        except BadValueError as error:
            problems.append(bad_value(error.code, error.expected, value, "primary_value", data_type=data_type.name))
            return None
        if len(text) > MAX_PRIMARY:
            problems.append(bad_value(Code.TOO_LONG, _("at most 255 characters"), value, "primary_value"))
            return None
        return text

    def _unknown(self, name: Any) -> Problem:
        names = self._names
        shown_name = quoted_value(name, 100)
        close = get_close_matches(shown_name, names, n=1)
        if self.primary and shown_name in (self.primary.api_name, self.primary.name):
            message = _("is the primary field: give it as the primary value")
        elif close:
            message = _("is not a field of this type; did you mean %(name)s?") % {"name": close[0]}
        else:
            message = _("is not a field of this type")
        return Problem(Code.UNKNOWN_FIELD, message, ("attributes", shown_name), ", ".join(names), shown_name)


@lru_cache(maxsize=1024)
def schema_of_version(version_id: int) -> Schema:
    """The compiled schema of an approved version; cached, because approved versions never change."""
    return Schema(ActivityVersion.objects.prefetch_related("fields").get(pk=version_id, number__isnull=False))
