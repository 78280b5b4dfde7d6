"""Conversion of the parse tree of a text to the JSON form of its rules, with the position of every part."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any

from django.utils.translation import gettext as _
from lark import Token, Tree

from people.core.codes import Code
from people.core.errors import Path
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME
from smartlists.rules.logic import MAX_DEPTH
from smartlists.rules.model import EXCLUDE_BOTS, FILTERS, ONLY_BOTS
from smartlists.rules.names import Index, Naming
from smartlists.rules.parsing import MAX_FILTERS
from smartlists.rules.text.tokens import ParseTree, TokenReader, first_token, flat_tokens, keyword_text, tokens_of
from smartlists.rules.vocabulary import BACKFILL, FieldOwner

Json = dict[str, Any]

SYMBOLS = {
    ">": "greater than",
    "<": "less than",
    ">=": "at least",
    "<=": "at most",
    "=": "is",
    "!=": "is not",
    "<>": "is not",
    "is none of": "is not",
}
# moments use before and after, not less and greater
SYMBOLS_OF_MOMENTS = {">": "after", "<": "before", ">=": "on or after", "<=": "on or before"}
COMMON_FIELDS = {
    "occurred at": "@occurred_at",
    "recorded at": "@recorded_at",
    "recorded as history": BACKFILL,
    "record created at": "@created_at",
    "record changed at": "@updated_at",
}
BOTS = {"without bots": EXCLUDE_BOTS, "bots only": ONLY_BOTS}


class TreeReader(TokenReader):
    """Reads one tree."""

    def __init__(self, naming: Naming) -> None:
        super().__init__()
        self.naming = naming
        self.name = self.description = ""
        self.filters = 0

    def document(self, tree: ParseTree) -> Json:
        """The JSON form of the whole text; sets `name` and `description`."""
        form: Json = {"version": 1, "match": "all", "filters": []}
        cards = [part for part in tree.children if part.data == "card"]
        self.filters = len(cards)
        if self.filters > MAX_FILTERS:
            message = _("at most %(most)s are accepted here, got %(got)s")
            parameters = {"most": MAX_FILTERS, "got": self.filters}
            self._problem(cards[MAX_FILTERS].children[0], Code.TOO_MANY_FILTERS, message % parameters)
            self.refuse_if_wrong()
        for part in tree.children:
            if part.data == "header":
                self._header(part)
            elif part.data == "match":
                form.update(self._match(part))
            else:
                form["filters"].append(self._card(part, len(form["filters"])))
        return form

    def _header(self, tree: ParseTree) -> None:
        self.name = self._text(tree.children[0], "string")
        if len(tree.children) > 1:
            self.description = self._text(tree.children[1].children[0], "text")

    def _text(self, token: Token, data_type: str) -> str:
        try:
            text: str = BY_NAME[data_type].parse(self._unquoted(token), UTC)
            return text
        except BadValueError as error:
            self._problem(token, error.code, _("expected %(expected)s") % {"expected": error.expected})
            return ""

    def _match(self, tree: ParseTree) -> Json:
        expression = tree.children[1]
        if isinstance(expression, Token):
            return {"match": expression.lower()}
        tokens = sorted(tokens_of(expression), key=lambda token: token.start_pos or 0)
        self._mark(("logic",), tokens[0])
        self._check_logic(tokens)
        return {"match": "advanced", "logic": " ".join(token.lower() for token in tokens)}

    def _check_logic(self, tokens: Iterable[Token]) -> None:
        """Check the nesting and the filter numbers, which the grammar does not limit, with their positions."""
        depth = 0
        for token in tokens:
            depth += (token.type == "LPAR") - (token.type == "RPAR")
            if depth > MAX_DEPTH:
                message = _("parentheses may be nested at most %(most)s deep")
                self._problem(token, Code.BAD_LOGIC, message % {"most": MAX_DEPTH})
                return
            if token.type == "INT" and not 1 <= int(token[:9]) <= self.filters:
                message = _("there is no filter %(number)s")
                self._problem(token, Code.BAD_LOGIC, message % {"number": token[:9]})

    def _card(self, tree: ParseTree, position: int) -> Json:
        token, part = tree.children
        path = ("filters", position)
        self._mark(path, token)
        if int(token.rstrip(" \t:")) != position + 1:
            message = _("expected filter %(number)s: filters are numbered in their order")
            self._problem(token, Code.WRONG_NUMBER, message % {"number": position + 1})
        return {"kind": part.data, **TEXT_READERS[part.data](self, part, path)}

    # --- kinds of filters ---

    def _person_field(self, tree: ParseTree, path: Path) -> Json:
        fields = self.naming.catalogue.person_fields
        name = self._subject(tree.children[0], self.naming.person_fields, _("person field"), (*path, "field"))
        is_moment = name in fields and fields[name].data_type.is_moment
        return {"field": name, **self._comparison(tree.children[1:], is_moment, path)}

    def _activity(self, tree: ParseTree, path: Path) -> Json:
        did, name, *clauses = tree.children
        form = {"did": keyword_text(did) == "did", "type": self._type(name, (*path, "type"))}
        return {**form, **self._clauses_of_activity(clauses, form["type"], path)}

    def _object(self, tree: ParseTree, path: Path) -> Json:
        has, name, *clauses = tree.children
        self._mark((*path, "type"), name.children[0])
        what = _("approved object type with a link to a person")
        form = {
            "has": keyword_text(has) == "has object",
            "type": self._find(name.children[0], self.naming.objects, what),
        }
        parts, when = self._clauses(clauses, self.naming.catalogue.objects.get(form["type"]), path)
        if when is not None and "changed" not in parts:
            self._problem(first_token(when), Code.UNEXPECTED_VALUE, _("a period goes with “changed”"))
        elif when is not None:
            parts["changed"] |= self._comparison([when], True, (*path, "changed"))
        return {**form, **parts}

    def _sequence(self, tree: ParseTree, path: Path) -> Json:
        parts = [part for part in tree.children if isinstance(part, Tree)]
        return {"steps": [self._step(part, (*path, "steps", place)) for place, part in enumerate(parts)]}

    def _step(self, tree: ParseTree, path: Path) -> Json:
        form: Json = {}
        parts = list(tree.children)
        if isinstance(parts[0], Token):
            self._mark((*path, "not"), parts.pop(0))
            form["not"] = True
        form["type"] = self._type(parts[0], (*path, "type"))
        self._mark(path, parts[0].children[0])
        return {**form, **self._clauses_of_activity(parts[1:], form["type"], path)}

    def _static_list(self, tree: ParseTree, path: Path) -> Json:
        return self._list(tree, self.naming.static_lists, _("static list"), path)

    def _smart_list(self, tree: ParseTree, path: Path) -> Json:
        return self._list(tree, self.naming.smart_lists, _("smart list"), path)

    def _consent(self, tree: ParseTree, path: Path) -> Json:
        _for, purpose, state, *day = tree.children
        self._mark((*path, "purpose"), purpose)
        form = {"purpose": self._unquoted(purpose), "state": keyword_text(state)}
        if day:
            self._mark((*path, "on"), day[1])
            form["on"] = str(day[1])
        return form

    def _list(self, tree: ParseTree, index: Index, what: str, path: Path) -> Json:
        membership, which = tree.children
        self._mark((*path, "list"), which if isinstance(which, Token) else which.children[0])
        number = int(which) if isinstance(which, Token) and len(which) < 19 else 0
        if isinstance(which, Tree):
            name: Any = which.children[0]
            number = self._find(name, index, what)
        return {"list": number, "member": not keyword_text(membership).startswith("not ")}

    # --- parts of filters ---

    def _clauses(
        self, clauses: Iterable[ParseTree], owner: FieldOwner | None, path: Path
    ) -> tuple[Json, ParseTree | None]:
        """The clauses after the name of a type, in any order, each at most once; and that of the period, unread."""
        form: Json = {}
        when: ParseTree | None = None
        for clause in clauses:
            key, read_clause = _CLAUSES[clause.data]
            if key in form or (key == "when" and when is not None):
                self._problem(first_token(clause), Code.GIVEN_TWICE, _("given twice"))
            elif key == "when":
                when = clause
            else:
                form[key] = read_clause(self, clause, owner, path)
        return form, when

    def _clauses_of_activity(self, clauses: Iterable[ParseTree], activity_type: Any, path: Path) -> Json:
        """The clauses after an activity's name; the period is the last constraint."""
        form, when = self._clauses(clauses, self.naming.catalogue.types.get(activity_type), path)
        constraints = form.pop("constraints", [])
        if when is not None:
            place = (*path, "constraints", len(constraints))
            self._mark(place, first_token(when))
            constraints.append({"field": "@occurred_at", **self._comparison([when], True, place)})
        return {**form, **({"constraints": constraints} if constraints else {})}

    def _where(self, tree: ParseTree, owner: FieldOwner | None, path: Path) -> list[Json]:
        parts = [part for part in tree.children if isinstance(part, Tree)]
        return [self._constraint(part, owner, (*path, "constraints", place)) for place, part in enumerate(parts)]

    def _constraint(self, tree: ParseTree, owner: FieldOwner | None, path: Path) -> Json:
        self._mark(path, first_token(tree))
        name, is_moment = self._field(tree.children[0], owner, path)
        return {"field": name, **self._comparison(tree.children[1:], is_moment, path)}

    def _changed(self, tree: ParseTree, owner: FieldOwner | None, path: Path) -> Json:
        changed, *parts = tree.children
        path = (*path, "changed")
        self._mark(path, changed)
        form: Json = {}
        for part in parts:
            if part.data == "subject":
                form["field"], _is_moment = self._field(part, owner, path)
                continue
            word, *values = flat_tokens(part)
            key = keyword_text(word)
            self._mark((*path, key), word)
            form[key] = [self._value(value) for value in values]
        return form

    def _count(self, tree: ParseTree, _owner: Any, path: Path) -> Json:
        operator, *numbers = (child for child in tree.children if child.type not in ("AND", "TIMES"))
        self._mark((*path, "count"), operator)
        return {"operator": keyword_text(operator), "values": [str(number) for number in numbers]}

    def _bots(self, tree: ParseTree, _owner: Any, path: Path) -> str:
        self._mark((*path, "bots"), tree.children[0])
        return BOTS[keyword_text(tree.children[0])]

    def _aggregate(self, tree: ParseTree, owner: FieldOwner | None, path: Path) -> Json:
        _with, function, subject, comparison = tree.children
        path = (*path, "aggregate")
        self._mark(path, function)
        name, is_moment = self._field(subject, owner, path)
        function = keyword_text(function).removesuffix(" of")
        return {"function": function, "field": name, **self._comparison([comparison], is_moment, path)}

    def _within(self, tree: ParseTree, _owner: Any, path: Path) -> int | str:
        self._mark((*path, "within_days"), tree.children[1])
        number = str(tree.children[1])
        return int(number) if len(number) < 19 else number

    def _comparison(self, parts: list[Any], is_moment: bool, path: Path) -> Json:
        """Operator, values and treatment of a missing value, from a condition and the optional part after it."""
        condition, *empty_rule = parts
        operator, values = _CONDITIONS[condition.data](flat_tokens(condition))
        self._mark((*path, "operator"), operator)
        if values:
            self._mark((*path, "values"), values[0])
        symbols = {**SYMBOLS, **(SYMBOLS_OF_MOMENTS if is_moment else {})}
        form: Json = {"operator": symbols.get(keyword_text(operator), keyword_text(operator))}
        if condition.data in ("relative", "framed"):
            form["values"] = [" ".join(keyword_text(value) for value in values)]
        elif values:
            form["values"] = [self._value(value) for value in values]
        if empty_rule:
            self._mark((*path, "empty"), empty_rule[0])
            form["empty"] = keyword_text(empty_rule[0]).split()[0]
        return form

    def _value(self, token: Token) -> str:
        if token.type == "QUOTED":
            return self._unquoted(token)
        return (
            token.lower() if token.type == "BOOLEAN" else str(token).upper() if token.type == "MOMENT" else str(token)
        )

    # --- names ---

    def _type(self, tree: ParseTree, path: Path) -> Any:
        token = tree.children[0]
        self._mark(path, token)
        return self._find(token, self.naming.types, _("approved activity type"))

    def _field(self, tree: ParseTree, owner: FieldOwner | None, path: Path) -> tuple[Any, bool]:
        """The API name of a field of `owner`, and whether its values are moments."""
        token = tree.children[0]
        if token.type == "FIELD_OF_ALL":
            self._mark((*path, "field"), token)
            name = COMMON_FIELDS[keyword_text(token)]
            return name, name != BACKFILL
        if owner is None:  # already reported for the type's name
            return "", False
        what = _("field of %(type)s") % {"type": owner.filter_name}
        name = self._subject(tree, self.naming.fields_of(owner), what, (*path, "field"))
        return name, name in owner.fields and owner.fields[name].data_type.is_moment


_CONDITIONS: Mapping[str, Callable[[list[Token]], tuple[Token, list[Token]]]] = {
    "compared": lambda tokens: (tokens[0], tokens[1:]),
    "between": lambda tokens: (tokens[0], [tokens[1], tokens[3]]),
    "relative": lambda tokens: (tokens[0], tokens[1:]),
    "framed": lambda tokens: (tokens[0], tokens[1:]),
}

TEXT_READERS = FILTERS.facet(
    "reader of its text form",
    {
        "person_field": TreeReader._person_field,
        "activity": TreeReader._activity,
        "sequence": TreeReader._sequence,
        "static_list": TreeReader._static_list,
        "smart_list": TreeReader._smart_list,
        "consent": TreeReader._consent,
        "object": TreeReader._object,
    },
)

# name of the clause in the grammar: its key in the JSON form, and its reader
_CLAUSES: Mapping[str, tuple[str, Callable[[TreeReader, ParseTree, Any, Path], Any]]] = {
    "where": ("constraints", TreeReader._where),
    "count": ("count", TreeReader._count),
    "count_between": ("count", TreeReader._count),
    "aggregate": ("aggregate", TreeReader._aggregate),
    "bots": ("bots", TreeReader._bots),
    "changed": ("changed", TreeReader._changed),
    "within": ("within_days", TreeReader._within),
    **{kind: ("when", lambda *_arguments: None) for kind in _CONDITIONS},
}
