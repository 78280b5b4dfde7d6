"""Parses rules received from a channel; reports every problem with its path and, for names, the closest match."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem, RejectedError, bad_value
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME, DataType
from smartlists.rules import logic, operators
from smartlists.rules import model as rules
from smartlists.rules.json_reader import JsonReader
from smartlists.rules.model import FILTERS
from smartlists.rules.operators import COUNT_OPERATORS, HOW_MANY, OperandShape
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import FieldOwner, Vocabulary, VocabularyField, VocabularyType

MAX_FILTERS = 200
MAX_STEPS = 10
MAX_CONSTRAINTS = 50
MAX_BYTES = 262_144
MAX_COUNT = 1_000_000_000
MAX_WITHIN_DAYS = 10_000
MATCHES = (rules.ALL, rules.ANY, rules.ADVANCED)
EMPTY = (operators.INCLUDE, operators.EXCLUDE)


def parse_rules(value: Any, names: Vocabulary) -> rules.Rules:
    """Parse rules in decoded JSON and check all names in them. Raises `RejectedError` with every problem."""
    return RulesReader(names).read(value)


class RulesReader(JsonReader):
    """Parses one value; `read` raises `RejectedError` with every problem found."""

    def __init__(self, names: Vocabulary) -> None:
        super().__init__()
        self.names = names
        self.clock = Clock.current()

    def read(self, value: Any) -> rules.Rules:
        parsed = self._whole_list(value)
        if self.problems or parsed is None:
            raise RejectedError(*self.problems)
        size = len(json.dumps(rules.dump_rules(parsed), ensure_ascii=False).encode())
        if size > MAX_BYTES:
            raise RejectedError(
                Problem(Code.TOO_LARGE, _("the rules of one list may take at most 256 KB"), (), "", str(size))
            )
        return parsed

    def _whole_list(self, value: Any) -> rules.Rules | None:
        form = self._object(value, (), ("version", "match", "logic", "filters"))
        if form is None:
            return None
        if form.get("version", rules.VERSION) != rules.VERSION or isinstance(form.get("version"), bool):
            self._add(Code.UNKNOWN_VERSION, _("expected version 1 of the rules"), ("version",), got=form["version"])
        match = self._one_of(form.get("match", rules.ALL), MATCHES, ("match",), _("match"))
        items = self._list(form.get("filters", []), ("filters",), MAX_FILTERS, Code.TOO_MANY_FILTERS)
        filters = [self._filter(item, ("filters", position)) for position, item in enumerate(items)]
        text = self._logic(form.get("logic"), match, len(filters))
        return None if None in filters else rules.Rules(match, tuple(filters), text)  # type: ignore[arg-type]

    def _logic(self, text: Any, match: str, filters: int) -> str:
        if match != rules.ADVANCED:
            if text not in (None, ""):
                self._add(Code.BAD_LOGIC, _("logic goes with the match “advanced” only"), ("logic",))
            return ""
        try:
            return logic.write_logic(logic.parse_logic(text, filters))
        except RejectedError as refusal:
            self.problems.extend(refusal.problems)
            return ""

    # --- filters ---

    def _filter(self, value: Any, path: Path) -> rules.Filter | None:
        parsed = self._of_a_kind(value, path, "kind", FILTER_READERS, Code.UNKNOWN_KIND, _("kind of filter"))
        return None if parsed is None else parsed[1](self, parsed[0], path)

    def _of_a_kind(
        self, value: Any, path: Path, key: str, kinds: Mapping[str, tuple[tuple[str, ...], Any]], code: str, what: str
    ) -> tuple[Mapping[str, Any], Any] | None:
        """The item as an object, with the reader of its kind, selected from `kinds` by `key`; None if invalid."""
        if not isinstance(value, dict):
            self._object(value, path, ())
            return None
        kind = value.get(key)
        if not isinstance(kind, str) or kind not in kinds:
            self._unknown(code, what, kind, kinds, (*path, key))
            return None
        keys, reader = kinds[kind]
        form = self._object(value, path, (key, *keys))
        return None if form is None else (form, reader)

    def _person_field(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        fields = self.names.person_fields
        name = form.get("field")
        if not isinstance(name, str) or name not in fields:
            labels = {info.label: info.api_name for info in fields.values()}
            self._unknown(Code.UNKNOWN_FIELD, _("person field"), name, fields, (*path, "field"), labels)
            return None
        compared = self._comparison(form, fields[name].data_type, path)
        return None if compared is None else rules.PersonField(name, *compared, self._empty(form, compared[0], path))

    def _activity(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        did = self._flag(form, "did", path)
        activity_type = self._type(form.get("type"), (*path, "type"))
        if activity_type is None:
            return None
        constraints = self._constraints(form.get("constraints", []), activity_type, path)
        count = self._count(form["count"], (*path, "count")) if form.get("count") is not None else None
        aggregate = None
        if form.get("aggregate") is not None:
            aggregate = self._aggregate(form["aggregate"], activity_type, (*path, "aggregate"))
        bots = self._bots(form, activity_type, path)
        return rules.Activity(activity_type.api_name, did, constraints, count, aggregate, bots)

    def _sequence(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        items = self._list(form.get("steps", []), (*path, "steps"), MAX_STEPS, Code.TOO_MANY_STEPS)
        if len(items) < 2 and isinstance(form.get("steps", []), list):
            self._add(Code.MISSING_VALUE, _("a sequence has 2 to 10 steps"), (*path, "steps"))
            return None
        steps = [
            self._step(item, (*path, "steps", position), position, position == len(items) - 1)
            for position, item in enumerate(items)
        ]
        return None if None in steps or not steps else rules.Sequence(tuple(steps))  # type: ignore[arg-type]

    def _step(self, value: Any, path: Path, position: int, is_last: bool) -> rules.Step | None:
        form = self._object(value, path, ("type", "constraints", "within_days", "not", "bots"))
        activity_type = self._type(form.get("type"), (*path, "type")) if form is not None else None
        if form is None or activity_type is None:
            return None
        is_not = self._flag(form, "not", path, default=False)
        within = form.get("within_days")
        if within is not None:
            within = self._whole(within, (*path, "within_days"), 1, MAX_WITHIN_DAYS)
            if position == 0:
                self._add(
                    Code.UNEXPECTED_VALUE,
                    _("the first step can't have a time limit: no step comes before it"),
                    (*path, "within_days"),
                )
        if is_not and not is_last:
            self._add(Code.UNEXPECTED_VALUE, _("only the last step of a sequence can be “not”"), (*path, "not"))
        elif is_not and within is None and "within_days" not in form:
            message = _("“not followed by” needs the number of days in which nothing may follow")
            self._add(Code.MISSING_VALUE, message, (*path, "within_days"))
        constraints = self._constraints(form.get("constraints", []), activity_type, path)
        bots = self._bots(form, activity_type, path)
        return rules.Step(activity_type.api_name, constraints, within, is_not, bots)

    def _static_list(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        number = self._list_id(form.get("list"), self.names.static_lists, _("static list"), path)
        return None if number is None else rules.StaticList(number, self._flag(form, "member", path))

    def _smart_list(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        number = self._list_id(form.get("list"), self.names.smart_lists, _("smart list"), path)
        return None if number is None else rules.SmartList(number, self._flag(form, "member", path))

    def _list_id(self, value: Any, lists: Mapping[int, str], what: str, path: Path) -> int | None:
        number = (
            int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 else value
        )
        if isinstance(number, int) and not isinstance(number, bool) and number in lists:
            return number
        names = {name: name for name in lists.values()}
        self._unknown(Code.UNKNOWN_LIST, what, value, (), (*path, "list"), names)
        return None

    def _consent(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        before = len(self.problems)
        purpose = ""
        if is_blank(form.get("purpose")):
            self._add(Code.MISSING_VALUE, _("the purpose is missing"), (*path, "purpose"))
        else:
            purpose = self._value(form["purpose"], BY_NAME["string"], "is", (*path, "purpose"))
        state = self._one_of(form.get("state"), rules.CONSENT_STATES, (*path, "state"), _("state of consent"))
        on = form.get("on", "")
        if not is_blank(on):
            on = self._value(on, BY_NAME["date"], "is", (*path, "on"))
        return rules.Consent(purpose, state, on or "") if len(self.problems) == before else None

    def _object_card(self, form: Mapping[str, Any], path: Path) -> rules.Filter | None:
        has = self._flag(form, "has", path)
        objects, name = self.names.objects, form.get("type")
        if not isinstance(name, str) or name not in objects:
            labels = {row.name: row.api_name for row in objects.values()}
            what = _("approved object type with a link to a person")
            self._unknown(Code.UNKNOWN_TYPE, what, name, objects, (*path, "type"), labels)
            return None
        constraints = self._constraints(form.get("constraints", []), objects[name], path)
        changed = self._change(form["changed"], objects[name], path) if form.get("changed") is not None else None
        count = self._count(form["count"], (*path, "count")) if form.get("count") is not None else None
        aggregate = None
        if form.get("aggregate") is not None:
            aggregate = self._aggregate(form["aggregate"], objects[name], (*path, "aggregate"), OBJECT_AGGREGATES)
        return rules.Object(name, has, constraints, changed, count, aggregate)

    def _change(self, value: Any, owner: FieldOwner, path: Path) -> rules.Change | None:
        path = (*path, "changed")
        form = self._object(value, path, ("field", "from", "to", "operator", "values"))
        if form is None:
            return None
        name, field = form.get("field") or "", None
        if name:
            field = self._field(name, owner, (*path, "field"))
            if field is not None and not field.id:
                self._add(Code.UNEXPECTED_VALUE, _("the product itself sets this field"), (*path, "field"), got=name)
        before, after = (self._changed_values(form.get(key), field, (*path, key)) for key in ("from", "to"))
        compared: tuple[str, tuple[str, ...]] | None = ("", ())
        if form.get("operator") or form.get("values"):
            compared = self._comparison(form, operators.MOMENT, path)
        if compared is None:
            return None
        if compared[0] and compared[0] not in operators.PERIODS:
            self._add(Code.UNKNOWN_OPERATOR, _("expected the period of the change"), (*path, "operator"), compared[0])
            return None
        return rules.Change(name, before, after, *compared)

    def _changed_values(self, value: Any, field: VocabularyField | None, path: Path) -> tuple[str, ...]:
        """The values that a field changed from or to; none: any."""
        if not value:
            return ()
        if field is None:
            self._add(Code.UNEXPECTED_VALUE, _("values before and after a change go with one field"), path)
            return ()
        _fewest, most = HOW_MANY[operators.operator_shape(field.data_type, "is")]
        items = self._list(value, path, most, Code.TOO_MANY_VALUES)
        return tuple(self._value(item, field.data_type, "is", (*path, at)) for at, item in enumerate(items))

    # --- parts of filters ---

    def _type(self, name: Any, path: Path) -> VocabularyType | None:
        types = self.names.types
        if isinstance(name, str) and name in types:
            return types[name]
        labels = {label: row.api_name for row in types.values() for label in (row.name, row.filter_name)}
        self._unknown(Code.UNKNOWN_TYPE, _("approved activity type"), name, types, path, labels)
        return None

    def _field(self, name: Any, owner: FieldOwner, path: Path) -> VocabularyField | None:
        if isinstance(name, str) and name in owner.fields:
            return owner.fields[name]
        labels = {field.name: field.api_name for field in owner.fields.values()}
        what = _("field of %(type)s") % {"type": owner.api_name}
        self._unknown(Code.UNKNOWN_FIELD, what, name, owner.fields, path, labels)
        return None

    def _bots(self, form: Mapping[str, Any], activity_type: VocabularyType, path: Path) -> str:
        path = (*path, "bots")
        value = self._one_of(form.get("bots", rules.INCLUDE_BOTS), rules.BOTS, path, _("word for bots"))
        if value in (rules.EXCLUDE_BOTS, rules.ONLY_BOTS) and not activity_type.marks_bots:
            message = _("activities of “%(type)s” don't say whether a bot caused them")
            self._add(Code.UNEXPECTED_VALUE, message % {"type": activity_type.shown_name}, path, got=value)
        return value or rules.INCLUDE_BOTS

    def _constraints(self, value: Any, owner: FieldOwner, path: Path) -> tuple[rules.Constraint, ...]:
        items = self._list(value, (*path, "constraints"), MAX_CONSTRAINTS, "too_many_constraints")
        constraints = (
            self._constraint(item, owner, (*path, "constraints", position)) for position, item in enumerate(items)
        )
        return tuple(constraint for constraint in constraints if constraint is not None)

    def _constraint(self, value: Any, owner: FieldOwner, path: Path) -> rules.Constraint | None:
        form = self._object(value, path, ("field", "operator", "values", "empty"))
        field = self._field(form.get("field"), owner, (*path, "field")) if form is not None else None
        if form is None or field is None:
            return None
        compared = self._comparison(form, field.data_type, path)
        if compared is None:
            return None
        return rules.Constraint(field.api_name, *compared, self._empty(form, compared[0], path))

    def _count(self, value: Any, path: Path) -> rules.Count | None:
        form = self._object(value, path, ("operator", "values"))
        if form is None:
            return None
        operator = self._one_of(
            form.get("operator"), COUNT_OPERATORS, (*path, "operator"), _("operator for a count"), Code.UNKNOWN_OPERATOR
        )
        if operator not in COUNT_OPERATORS:
            return None
        items = self._values_list(form, COUNT_OPERATORS[operator], path)
        numbers = [self._whole(item, (*path, "values", at), 0, MAX_COUNT) for at, item in enumerate(items)]
        if not numbers or None in numbers:
            return None
        if numbers[0] > numbers[-1]:  # type: ignore[operator]
            self._reversed(path)
        return rules.Count(operator, tuple(str(number) for number in numbers))

    def _aggregate(
        self, value: Any, owner: FieldOwner, path: Path, functions: Collection[str] = ()
    ) -> rules.Aggregate | None:
        functions = functions or AGGREGATES
        form = self._object(value, path, ("function", "field", "operator", "values"))
        if form is None:
            return None
        function = self._one_of(
            form.get("function"), functions, (*path, "function"), _("aggregate function"), "unknown_function"
        )
        field = self._field(form.get("field"), owner, (*path, "field"))
        if field is None or function not in functions:
            return None
        if not AGGREGATES[function](field.data_type):
            message = _("%(function)s can't be used with %(field)s, which is %(type)s")
            parameters = {"function": function, "field": field.api_name, "type": field.data_type.label}
            self._add(Code.WRONG_TYPE, message % parameters, (*path, "function"))
            return None
        compared = self._comparison(form, aggregate_data_type(function, field.data_type), path)
        return None if compared is None else rules.Aggregate(function, field.api_name, *compared)

    def _comparison(
        self, form: Mapping[str, Any], data_type: DataType, path: Path
    ) -> tuple[str, tuple[str, ...]] | None:
        """The operator and its values, checked for `data_type`; None when there was a problem."""
        operator = form.get("operator")
        if not isinstance(operator, str) or operator not in data_type.operators:
            what = _("operator for %(type)s") % {"type": str(data_type.label).lower()}
            self._unknown(Code.UNKNOWN_OPERATOR, what, operator, data_type.operators, (*path, "operator"))
            return None
        before = len(self.problems)
        items = self._values_list(form, operators.operator_shape(data_type, operator), path)
        values = tuple(self._value(item, data_type, operator, (*path, "values", at)) for at, item in enumerate(items))
        if len(self.problems) > before:
            return None
        if operator == "between" and operators.is_reversed_range(data_type, values, self.clock):
            self._reversed(path)
        return operator, values

    def _values_list(self, form: Mapping[str, Any], shape: OperandShape, path: Path) -> list[Any]:
        fewest, most = HOW_MANY[shape]
        values = form.get("values") or []
        items = self._list(values, (*path, "values"), most, Code.TOO_MANY_VALUES)
        if isinstance(values, list | tuple) and len(values) < fewest:
            expected = _("two values") if fewest == 2 else _("a value")
            self._add(Code.MISSING_VALUE, _("expected %(expected)s") % {"expected": expected}, (*path, "values"))
        return items

    def _value(self, raw: Any, data_type: DataType, operator: str, path: Path) -> str:
        try:
            return operators.canonical_value(data_type, operator, raw)
        except BadValueError as error:
            self._append(bad_value(error.code, error.expected, raw, *path, data_type=data_type.name))
            return ""

    def _empty(self, form: Mapping[str, Any], operator: str, path: Path) -> str | None:
        value = form.get("empty")
        if value is None:
            return None
        if operators.OPERATORS[operator].shape is OperandShape.NOTHING:
            message = _("the operator itself says what happens without a value")
            self._add(Code.UNEXPECTED_VALUE, message, (*path, "empty"))
            return None
        return self._one_of(value, EMPTY, (*path, "empty"), _("word for no value"))


def aggregate_data_type(function: str, data_type: DataType) -> DataType:
    """The data type of the result of an aggregate function."""
    return operators.NUMBER if function in ("sum", "average") else data_type


_Read = Callable[[RulesReader, Mapping[str, Any], Path], rules.Filter | None]
FILTER_READERS = FILTERS.facet(
    "keys and reader of its JSON form",
    {
        "person_field": (("field", "operator", "values", "empty"), RulesReader._person_field),
        "activity": (("did", "type", "constraints", "count", "aggregate", "bots"), RulesReader._activity),
        "sequence": (("steps",), RulesReader._sequence),
        "static_list": (("list", "member"), RulesReader._static_list),
        "smart_list": (("list", "member"), RulesReader._smart_list),
        "consent": (("purpose", "state", "on"), RulesReader._consent),
        "object": (("has", "type", "constraints", "changed", "count", "aggregate"), RulesReader._object_card),
    },
)
# the data types that an aggregate function can be computed from
AGGREGATES: Mapping[str, Callable[[DataType], bool]] = {
    "sum": lambda data_type: data_type.is_number,
    "average": lambda data_type: data_type.is_number,
    "minimum": lambda data_type: data_type.is_number or data_type.is_moment,
    "maximum": lambda data_type: data_type.is_number or data_type.is_moment,
    "first": lambda data_type: True,
    "last": lambda data_type: True,
}
OBJECT_AGGREGATES = ("sum", "average", "minimum", "maximum")  # records have no order that rules speak of
