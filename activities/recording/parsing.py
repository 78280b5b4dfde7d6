"""Parsing of activities of the native API: from JSON to `NewActivity`, checked for structure only."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.utils.translation import gettext as _

from activities.recording.columns import ActivityColumns
from activities.recording.rows import NewActivity, PersonLookup
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, bad_value, quoted_value
from people.datatypes import fast_columns
from people.datatypes.exact_json import RepeatedKeys
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME
from people.rights import ADD_PERSON

MEMBERS = ("activity_type", "person", "occurred_at", "primary_value", "attributes", "external_id", "create_person")
CREATE = ADD_PERSON
_KNOWN = frozenset(MEMBERS)
MOST_EMPTY = 100  # cells of columns, beyond as many as there are attributes


class ActivityParser:
    """Translates the rows of one request, with the fields by which people can be looked up."""

    def __init__(self, user: Any) -> None:
        self.may_create = user.has_perm(CREATE)
        self.lookup_fields = ("id", *people_lookup.lookup_fields())

    def translate(self, row: Any) -> NewActivity | list[Problem]:
        """The row as `recorder.record_activities` accepts it, or the problems of its structure."""
        if not isinstance(row, dict):
            return [bad_value(Code.WRONG_TYPE, _("an object"), row)]
        problems = [] if row.keys() <= _KNOWN else _unknown_members(row)
        if isinstance(row, RepeatedKeys):
            problems.append(Problem(Code.GIVEN_TWICE, _("A name is given twice.")))
        attributes = self._attributes(row.get("attributes"), problems)
        person = self._person(row.get("person"), self._create(row.get("create_person"), problems), problems)
        activity_type = row.get("activity_type")
        if isinstance(activity_type, bool) or not isinstance(activity_type, str | int | None):
            problems.append(
                bad_value(Code.WRONG_TYPE, _("an activity type's API name"), activity_type, "activity_type")
            )
        if problems:
            return problems
        return NewActivity(
            person, activity_type, row.get("occurred_at"), row.get("primary_value"), attributes, row.get("external_id")
        )

    def columns(self, rows: Sequence[Any]) -> ActivityColumns | None:
        """The rows as columns if `translate` takes each of them and they are alike, else None.

        Alike are rows of one type, about people given in one way, with about the same attributes, as programs send
        them. Recording columns takes half as long as recording row by row.
        """
        if set(map(type, rows)) != {dict} or not set().union(*rows) <= _KNOWN:
            return None
        cells = _columns(rows, MEMBERS)
        types = cells["activity_type"]
        if set(map(type, types)) not in ({str}, {int}) or len(set(types)) > 1:
            return None
        is_creating = cells["create_person"]
        creates = self.may_create and all(value is True for value in is_creating)
        if not creates and any(value is not None and value is not False for value in is_creating):
            return None
        fields = _fields(cells["attributes"])
        lookup_field, people = self._people(cells["person"])
        if fields is None or people is None:
            return None
        return ActivityColumns(
            types[0],
            people,
            lookup_field,
            creates,
            cells["occurred_at"],
            cells["primary_value"],
            fields,
            None if cells["external_id"].count(None) == len(rows) else cells["external_id"],
            source_rows=rows,
            row_of=self._translate_checked,
        )

    def _translate_checked(self, row: Any) -> NewActivity:
        translated = self.translate(row)
        assert isinstance(translated, NewActivity), translated  # else `columns` returns None
        return translated

    def _people(self, references: Sequence[Any]) -> tuple[str, Sequence[Any] | None]:
        """The field and the values by which all people are looked up; no values if the references differ in kind."""
        kinds = set(map(type, references))
        if kinds == {int}:
            return "id", references
        if kinds != {dict} or set(map(len, references)) != {1}:
            return "", None
        field, *others = set().union(*references)
        values = [reference.get(field) for reference in references]
        if others or field == "id" or field not in self.lookup_fields or "" in values:
            return "", None
        return field, values if fast_columns.are_plain_texts(values) else None

    def _attributes(self, value: Any, problems: list[Problem]) -> list[tuple[str, Any]]:
        if value is None:
            return []
        if not isinstance(value, dict):
            problems.append(bad_value(Code.WRONG_TYPE, _("an object of fields and their values"), value, "attributes"))
            return []
        if isinstance(value, RepeatedKeys):
            problems.append(Problem(Code.GIVEN_TWICE, _("A name is given twice."), ("attributes",)))
        return list(value.items())

    def _create(self, value: Any, problems: list[Problem]) -> bool:
        if value is None or value is False:
            return False
        if value is not True:
            problems.append(bad_value(Code.WRONG_TYPE, _("true or false"), value, "create_person"))
        elif not self.may_create:
            message = _("The permission to create people is missing.")
            problems.append(Problem(Code.NOT_ALLOWED, message, ("create_person",), CREATE))
        return True

    def _person(self, reference: Any, create: bool, problems: list[Problem]) -> Any:
        if not isinstance(reference, dict):
            if reference is not None and type(reference) is not int:
                expected = _('an id or one field, like {"email": …}')
                problems.append(bad_value(Code.WRONG_TYPE, expected, reference, "person"))
            return reference
        if len(reference) != 1 or isinstance(reference, RepeatedKeys):
            message = _("exactly one field is needed to look a person up")
            problems.append(Problem(Code.WRONG_TYPE, message, ("person",)))
            return None
        ((field, value),) = reference.items()
        if field not in self.lookup_fields:
            problems.append(_unknown_lookup(field, self.lookup_fields))
            return None
        if field == "id" and type(value) is int:
            return value
        return self._lookup(field, value, create, problems)

    def _lookup(self, field: str, value: Any, create: bool, problems: list[Problem]) -> PersonLookup | None:
        try:
            text = None if field == "id" else BY_NAME["string"].parse(value, UTC)
        except BadValueError:
            text = None
        if text is None or is_blank(text):
            problems.append(bad_value(Code.WRONG_TYPE, _("a value of this field"), value, "person", field))
            return None
        return PersonLookup(text, field, create)


def _columns(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """The cells of each name, in the order of the rows; None where a row has no such member."""
    orders = set(map(tuple, rows))
    if len(orders) > 1:
        return {name: [row.get(name) for row in rows] for name in names}
    cells = dict(zip(*orders, zip(*map(dict.values, rows), strict=True), strict=True))
    return {name: cells.get(name) or [None] * len(rows) for name in names}


def _fields(attributes: Sequence[Any]) -> list[tuple[str, Sequence[Any]]] | None:
    """Columns of the attributes by name; None where most of their cells would be empty, or an entry is no object."""
    if not set(map(type, attributes)) <= {dict, type(None)}:
        return None
    objects = [entry or {} for entry in attributes]
    names = sorted(set().union(*objects))
    if len(names) * len(objects) > MOST_EMPTY + 2 * sum(map(len, objects)):
        return None
    return list(_columns(objects, names).items())


def _unknown_members(row: Any) -> list[Problem]:
    message = _("Unknown. Known are %(known)s.") % {"known": ", ".join(MEMBERS)}
    return [Problem(Code.UNKNOWN_MEMBER, message, (quoted_value(name),)) for name in row if name not in _KNOWN][:20]


def _unknown_lookup(field: str, lookup_fields: Any) -> Problem:
    message = _("People can't be found by “%(field)s”.") % {"field": quoted_value(field)}
    return Problem(
        Code.UNKNOWN_LOOKUP_FIELD,
        message,
        ("person", quoted_value(field)),
        ", ".join(lookup_fields),
        quoted_value(field),
    )
