"""Conversion of the JSON form of rules to their text."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from smartlists.rules.model import EXCLUDE_BOTS, FILTERS, ONLY_BOTS
from smartlists.rules.names import Index, Naming, field_label, fields_of_owner
from smartlists.rules.operators import PERIODS
from smartlists.rules.vocabulary import FieldOwner

Json = Mapping[str, Any]

LONG_LINE = 110
MANY_VALUES = 10
COMMON_WORDS = {
    "@occurred_at": "occurred at",
    "@recorded_at": "recorded at",
    "@backfill": "recorded as history",
    "@created_at": "record created at",
    "@updated_at": "record changed at",
}
AFTER_CHANGED = frozenset({"changed", "from", "to"})  # words that are no bare names there
BOTS_WORDS = {EXCLUDE_BOTS: "without bots", ONLY_BOTS: "bots only"}
SHORT = {"greater than": ">", "less than": "<", "at least": ">=", "at most": "<="}
_BARE_VALUE = re.compile(
    r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?|true|false", re.ASCII
)
_BACKSLASHED = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", '"': r"\""}


def quote_text(text: str) -> str:
    """`text` in quotes, on one line, with invisible characters escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _BACKSLASHED:
        return _BACKSLASHED[character]
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


class TextWriter:
    """Writes filters with the names of one catalogue."""

    def __init__(self, naming: Naming, is_bare_name: Callable[[str], bool]) -> None:
        self.naming = naming
        self._is_bare_name = is_bare_name

    def card(self, card: Json) -> str:
        """The text of one filter, without its number; a long filter takes several lines."""
        parts = TEXT_WRITERS[card["kind"]](self, card)
        line = " ".join(parts)
        return line if len(line) <= LONG_LINE and "\n" not in line else "\n     ".join(parts)

    def _person_field(self, card: Json) -> list[str]:
        label = self.naming.person_label(card["field"])
        subject = self._name(self.naming.person_fields, label, card["field"])
        field = self.naming.catalogue.person_fields.get(card["field"])
        return [f"{subject} {_condition(card, _is_text(field))}"]

    def _activity(self, card: Json) -> list[str]:
        head = f"{'did' if card['did'] else 'did not'} {self._type(card['type'])}"
        owner = self.naming.catalogue.types.get(card["type"])
        constraints, when = _split(card.get("constraints", ()))
        return [
            head,
            *_bots(card),
            *self._where(owner, constraints),
            *_count(card.get("count"), "time"),
            *when,
            *self._aggregate(owner, card.get("aggregate")),
        ]

    def _object(self, card: Json) -> list[str]:
        owner = self.naming.catalogue.objects.get(card["type"])
        name = self._name(self.naming.objects, owner.name if owner else card["type"], card["type"])
        return [
            f"{'has object' if card['has'] else 'has no object'} {name}",
            *self._where(owner, card.get("constraints", ())),
            *self._changed(owner, card.get("changed")),
            *_count(card.get("count"), "record"),
            *self._aggregate(owner, card.get("aggregate")),
        ]

    def _changed(self, owner: FieldOwner | None, changed: Json | None) -> Iterable[str]:
        if changed is None:
            return
        words = ["changed"]
        if field := changed.get("field"):
            name = self._field(owner, field)
            words.append(quote_text(name) if name.lower() in AFTER_CHANGED else name)
            for key in ("from", "to"):
                if key in changed:
                    words += [key, *_values("is", changed[key], self._is_text(owner, field))]
        yield " ".join([*words, _condition(changed, False)] if "operator" in changed else words)

    def _sequence(self, card: Json) -> list[str]:
        parts = []
        for position, step in enumerate(card["steps"]):
            constraints, when = _split(step.get("constraints", ()))
            start = "then not " if step.get("not") else "then "
            pieces = [
                f"{'sequence ' if position == 0 else start}{self._type(step['type'])}",
                *_bots(step),
                *self._where(self.naming.catalogue.types.get(step["type"]), constraints),
                *when,
            ]
            if step.get("within_days"):
                pieces.append(f"within {step['within_days']} {'day' if step['within_days'] == 1 else 'days'}")
            parts.append(" ".join(pieces))
        return parts

    def _static_list(self, card: Json) -> list[str]:
        return [self._list(card, "static list", self.naming.static_lists, self.naming.catalogue.static_lists)]

    def _smart_list(self, card: Json) -> list[str]:
        return [self._list(card, "smart list", self.naming.smart_lists, self.naming.catalogue.smart_lists)]

    def _consent(self, card: Json) -> list[str]:
        text = f"consent for {quote_text(card['purpose'])} {card['state']}"
        return [f"{text} as of {card['on']}" if "on" in card else text]

    def _list(self, card: Json, what: str, index: Index, names: Mapping[int, str]) -> str:
        name = names.get(card["list"])
        is_clear = name is not None and index.means_only(name, card["list"])
        which = quote_text(name) if is_clear and name is not None else str(card["list"])
        return f"{'in' if card['member'] else 'not in'} {what} {which}"

    def _where(self, owner: FieldOwner | None, constraints: Sequence[Json]) -> Iterable[str]:
        if constraints:
            texts = (self._constraint(owner, constraint) for constraint in constraints)
            yield "where " + " and ".join(texts)

    def _constraint(self, owner: FieldOwner | None, constraint: Json) -> str:
        field = self._field(owner, constraint["field"])
        return f"{field} {_condition(constraint, self._is_text(owner, constraint['field']))}"

    def _aggregate(self, owner: FieldOwner | None, aggregate: Json | None) -> Iterable[str]:
        if aggregate:
            computed = aggregate["function"] in ("sum", "average")
            is_text = not computed and self._is_text(owner, aggregate["field"])
            field = self._field(owner, aggregate["field"])
            yield f"with {aggregate['function']} of {field} {_condition(aggregate, is_text)}"

    def _is_text(self, owner: FieldOwner | None, name: str) -> bool:
        return _is_text(fields_of_owner(owner).get(name))

    def _type(self, api_name: str) -> str:
        return self._name(self.naming.types, self.naming.type_label(api_name), api_name)

    def _field(self, owner: FieldOwner | None, api_name: str) -> str:
        if api_name in COMMON_WORDS:
            return COMMON_WORDS[api_name]
        return self._name(self.naming.fields_of(owner), field_label(owner, api_name), api_name)

    def _name(self, index: Index, label: str, api_name: str) -> str:
        if not index.means_only(label, api_name):
            return f"`{api_name}`"
        return label if self._is_bare_name(label) else quote_text(label)


def _is_text(field: Any) -> bool:
    """True if the values of a field (None: an unknown field) are written in quotes."""
    return field is None or field.data_type.is_text


def _split(constraints: Sequence[Json]) -> tuple[Sequence[Json], list[str]]:
    """The constraints after "where", and the text of the separate period, if the last constraint is one."""
    if constraints:
        last = constraints[-1]
        if last["field"] == "@occurred_at" and last["operator"] in PERIODS and "empty" not in last:
            return constraints[:-1], [_condition(last, False)]
    return constraints, []


def _bots(part: Json) -> Iterable[str]:
    if "bots" in part:
        yield BOTS_WORDS[part["bots"]]


def _count(count: Json | None, unit: str) -> Iterable[str]:
    if count:
        numbers = " and ".join(count["values"])
        yield f"{count['operator']} {numbers} {unit if numbers == '1' else f'{unit}s'}"


def _condition(condition: Json, is_text: bool) -> str:
    operator: str = condition["operator"]
    values = condition.get("values", ())
    text = " ".join([SHORT.get(operator, operator), *_values(operator, values, is_text)])
    return f"{text} {condition['empty']} empty" if condition.get("empty") else text


def _values(operator: str, values: Sequence[str], is_text: bool) -> Iterable[str]:
    if operator.startswith(("in past", "in future", "in time frame")):
        return values
    texts = [value if not is_text and _BARE_VALUE.fullmatch(value) else quote_text(value) for value in values]
    if operator == "between":
        return [" and ".join(texts)]
    if len(texts) <= 1:
        return texts
    joint = ",\n         " if len(texts) > MANY_VALUES else ", "
    return ["any of", joint.join(texts)]


TEXT_WRITERS = FILTERS.facet(
    "writer of its text form",
    {
        "person_field": TextWriter._person_field,
        "activity": TextWriter._activity,
        "sequence": TextWriter._sequence,
        "static_list": TextWriter._static_list,
        "smart_list": TextWriter._smart_list,
        "consent": TextWriter._consent,
        "object": TextWriter._object,
    },
)
