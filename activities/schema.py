"""A version, compiled: checks what is recorded and gives it its one stored form."""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from activities.models import ActivityField, ActivityVersion
from people import datatypes
from people.problems import Problem, bad_value

MAX_PRIMARY = 255
MAX_KNOWN, MAX_KNOWN_TEXT = 2_000, 40
MAX_ATTRIBUTES_BYTES = 65_536  # Marketo's limit (error 1049): all attribute values of one activity


class Checked(NamedTuple):
    """Canonical text of the primary value, JSON text of the attributes, and what was wrong."""

    primary_value: str | None
    attributes: str
    problems: list[Problem]


class Schema:
    """The fields of one frozen version, ready to check values.

    JSON is written with the fields in the order of their API names, so that equal content is equal text
    whatever version or order it came in.
    """

    def __init__(self, version: ActivityVersion) -> None:
        fields: list[ActivityField] = sorted(version.fields.all(), key=lambda field: field.api_name)
        self.type_id = version.activity_type_id
        self.number = version.number
        self.primary = next((field for field in fields if field.is_primary), None)
        secondary = [field for field in fields if not field.is_primary]
        self._names = [field.api_name for field in secondary]
        self._types = [datatypes.BY_NAME[field.data_type] for field in secondary]
        # parts made before, by the text they were made of: most columns of a file say the same again and again
        self._known: list[dict[str, str] | None] = [None if kind.name == "datetime" else {} for kind in self._types]
        self._prefixes = [f'"{field.api_name}": ' for field in secondary]
        self._positions = {field.name: position for position, field in enumerate(secondary)}
        # an API name wins over another field's display name
        self._positions.update({name: position for position, name in enumerate(self._names)})

    def check(self, primary_value: Any, attributes: Iterable[tuple[str, Any]], zone: tzinfo = UTC) -> Checked:
        """Check one activity's values; `attributes` are (API name or display name, raw value) pairs.

        Never raises for bad input. Blank values are no values. Zone-less moments are of `zone`.
        """
        problems: list[Problem] = []
        primary = self._check_primary(primary_value, zone, problems)
        parts: list[str | None] = [None] * len(self._names)
        seen = 0
        for name, value in attributes:
            position = self._positions.get(name)
            if position is None:
                problems.append(self._unknown(name))
            elif seen & (1 << position):
                problems.append(Problem("given_twice", _("given twice"), ("attributes", self._names[position])))
            else:
                seen |= 1 << position
                known = self._known[position]
                part = known.get(value) if known and type(value) is str else None
                if part is None and not datatypes.is_blank(value):
                    part = self._part(position, value, zone, problems)
                parts[position] = part
        text = "{" + ", ".join([part for part in parts if part is not None]) + "}"
        if len(text) * 4 > MAX_ATTRIBUTES_BYTES and len(text.encode()) > MAX_ATTRIBUTES_BYTES:
            message = _("the attributes of one activity may take at most 65,536 bytes together")
            problems.append(Problem("too_large", message, ("attributes",)))
        return Checked(primary, text, problems)

    def _part(self, position: int, value: Any, zone: tzinfo, problems: list[Problem]) -> str | None:
        data_type = self._types[position]
        try:
            part = self._prefixes[position] + data_type.to_json(data_type.parse(value, zone))
        except datatypes.BadValue as error:
            problems.append(
                bad_value(
                    error.code, error.expected, value, "attributes", self._names[position], data_type=data_type.name
                )
            )
            return None
        known = self._known[position]  # None for moments: what they mean depends on the zone
        if known is not None and type(value) is str and len(value) <= MAX_KNOWN_TEXT:
            if len(known) >= MAX_KNOWN:
                known.clear()
            known[value] = part
        return part

    def _check_primary(self, value: Any, zone: tzinfo, problems: list[Problem]) -> str | None:
        if self.primary is None:
            if not datatypes.is_blank(value):
                problems.append(Problem("unknown_field", _("this type has no primary field"), ("primary_value",)))
            return None
        if datatypes.is_blank(value):
            message = _("a value for the primary field %(name)s is missing") % {"name": self.primary.name}
            problems.append(Problem("missing_value", message, ("primary_value",)))
            return None
        data_type = datatypes.BY_NAME[self.primary.data_type]
        try:
            text = data_type.to_text(data_type.parse(value, zone))
        except datatypes.BadValue as error:
            problems.append(bad_value(error.code, error.expected, value, "primary_value", data_type=data_type.name))
            return None
        if len(text) > MAX_PRIMARY:
            problems.append(bad_value("too_long", _("at most 255 characters"), value, "primary_value"))
            return None
        return text

    def _unknown(self, name: Any) -> Problem:
        known = self._names
        shown = name if isinstance(name, str) else str(name)
        close = get_close_matches(shown[:100], known, n=1)
        if self.primary and shown in (self.primary.api_name, self.primary.name):
            message = _("is the primary field: give it as the primary value")
        elif close:
            message = _("is not a field of this type; did you mean %(name)s?") % {"name": close[0]}
        else:
            message = _("is not a field of this type")
        return Problem("unknown_field", message, ("attributes", shown[:100]), ", ".join(known), shown[:100])


@lru_cache(maxsize=1024)
def of_version(version_id: int) -> Schema:
    """The compiled schema of an approved version; kept, because approved versions never change."""
    return Schema(ActivityVersion.objects.prefetch_related("fields").get(pk=version_id, number__isnull=False))
