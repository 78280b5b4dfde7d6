"""Conversion of the parse tree of a text to the JSON form of its rules, with the position of every part."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any

from django.utils.translation import gettext as _
from lark import Token, Tree

from people.core.codes import Code
from people.core.errors import Path, Problem, RejectedError, quoted_value
from people.datatypes.parsing import BadValueError
from people.datatypes.registry import BY_NAME
from smartlists.rules.json_reader import MAX_PROBLEMS
from smartlists.rules.logic import MAX_DEPTH
from smartlists.rules.model import EXCLUDE_BOTS, FILTERS, ONLY_BOTS
from smartlists.rules.names import Index, Naming
from smartlists.rules.parsing import MAX_FILTERS
from smartlists.rules.text.errors import TextPosition, with_position
from smartlists.rules.vocabulary import BACKFILL, MOMENTS

Json = dict[str, Any]
ParseTree = Any  # a Tree whose children follow grammar.lark, which types cannot express

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
COMMON_FIELDS = {"occurred at": "@occurred_at", "recorded at": "@recorded_at", "recorded as history": BACKFILL}
BOTS = {"without bots": EXCLUDE_BOTS, "bots only": ONLY_BOTS}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "”": "”", "“": "“"}


def keyword_text(token: str) -> str:
    """The canonical form of a keyword of one or several words."""
    return " ".join(token.lower().split())


class TreeReader:
    """Reads one tree. Problems are collected; `refuse_if_wrong` raises them together."""

    def __init__(self, naming: Naming) -> None:
        self.naming = naming
        self.name = self.description = ""
        self.filters = 0
        self.problems: list[Problem] = []
        self._places: dict[Path, TextPosition] = {}

    def refuse_if_wrong(self) -> None:
        if self.problems:
            raise RejectedError(*self.problems)

    def place_of(self, path: Path) -> TextPosition:
        """The position in the text of the JSON form's part at `path`, or of the nearest enclosing part."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, TextPosition(1, 1))

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
        tokens = sorted(_tokens_of(expression), key=lambda token: token.start_pos or 0)
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
        return {**form, **self._clauses(clauses, form["type"], path)}

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
        return {**form, **self._clauses(parts[1:], form["type"], path)}

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

    def _clauses(self, clauses: Iterable[ParseTree], activity_type: Any, path: Path) -> Json:
        """The clauses after an activity's name, in any order, each at most once; the period is the last constraint."""
        form: Json = {}
        when: ParseTree | None = None
        for clause in clauses:
            key, read_clause = _CLAUSES[clause.data]
            if key in form or (key == "when" and when is not None):
                self._problem(_first_token(clause), Code.GIVEN_TWICE, _("given twice"))
            elif key == "when":
                when = clause
            else:
                form[key] = read_clause(self, clause, activity_type, path)
        constraints = form.pop("constraints", [])
        if when is not None:
            place = (*path, "constraints", len(constraints))
            self._mark(place, _first_token(when))
            constraints.append({"field": "@occurred_at", **self._comparison([when], True, place)})
        return {**form, **({"constraints": constraints} if constraints else {})}

    def _where(self, tree: ParseTree, activity_type: Any, path: Path) -> list[Json]:
        parts = [part for part in tree.children if isinstance(part, Tree)]
        return [
            self._constraint(part, activity_type, (*path, "constraints", place)) for place, part in enumerate(parts)
        ]

    def _constraint(self, tree: ParseTree, activity_type: Any, path: Path) -> Json:
        self._mark(path, _first_token(tree))
        name, is_moment = self._field(tree.children[0], activity_type, path)
        return {"field": name, **self._comparison(tree.children[1:], is_moment, path)}

    def _count(self, tree: ParseTree, _type: Any, path: Path) -> Json:
        operator, *numbers = (child for child in tree.children if child.type not in ("AND", "TIMES"))
        self._mark((*path, "count"), operator)
        return {"operator": keyword_text(operator), "values": [str(number) for number in numbers]}

    def _bots(self, tree: ParseTree, _type: Any, path: Path) -> str:
        self._mark((*path, "bots"), tree.children[0])
        return BOTS[keyword_text(tree.children[0])]

    def _aggregate(self, tree: ParseTree, activity_type: Any, path: Path) -> Json:
        _with, function, subject, comparison = tree.children
        path = (*path, "aggregate")
        self._mark(path, function)
        name, is_moment = self._field(subject, activity_type, path)
        function = keyword_text(function).removesuffix(" of")
        return {"function": function, "field": name, **self._comparison([comparison], is_moment, path)}

    def _within(self, tree: ParseTree, _type: Any, path: Path) -> int | str:
        self._mark((*path, "within_days"), tree.children[1])
        number = str(tree.children[1])
        return int(number) if len(number) < 19 else number

    def _comparison(self, parts: list[Any], is_moment: bool, path: Path) -> Json:
        """Operator, values and treatment of a missing value, from a condition and the optional part after it."""
        condition, *empty_rule = parts
        operator, values = _CONDITIONS[condition.data](_flat(condition))
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

    def _field(self, tree: ParseTree, activity_type: Any, path: Path) -> tuple[Any, bool]:
        """The API name of a field of `activity_type`, and whether its values are moments."""
        token = tree.children[0]
        if token.type == "FIELD_OF_ALL":
            self._mark((*path, "field"), token)
            name = COMMON_FIELDS[keyword_text(token)]
            return name, name in MOMENTS
        vocabulary_type = self.naming.catalogue.types.get(activity_type)
        if vocabulary_type is None:  # already reported for the type's name
            return "", False
        what = _("field of %(type)s") % {"type": vocabulary_type.filter_name}
        name = self._subject(tree, self.naming.activity_fields(activity_type), what, (*path, "field"))
        return name, name in vocabulary_type.fields and vocabulary_type.fields[name].data_type.is_moment

    def _subject(self, tree: ParseTree, index: Index, what: str, path: Path) -> Any:
        token = tree.children[0]
        self._mark(path, token)
        return self._find(token, index, what)

    def _find(self, token: Token, index: Index, what: str) -> Any:
        """The single object that a name means; adds a problem and returns "" if there is not exactly one."""
        if token.type == "BACKQUOTED":
            name = token[1:-1]
            if index.has_api_name(name):
                return name
            matches = []
        else:
            name = self._unquoted(token) if token.type == "QUOTED" else str(token)
            matches = index.find(name)
        if len(matches) == 1:
            return matches[0]
        parameters = {"what": what, "got": quoted_value(name), "close": index.closest(name)}
        if matches:
            names = (f"`{match}`" if isinstance(match, str) else str(match) for match in matches)
            parameters["names"] = ", ".join(names)
            message = _("“%(got)s” can mean several; write which one: %(names)s")
            self._problem(token, Code.AMBIGUOUS_NAME, message % parameters, got=name)
        else:
            message = (
                _("there is no %(what)s “%(got)s”; did you mean “%(close)s”?")
                if parameters["close"]
                else _("there is no %(what)s “%(got)s”")
            )
            self._problem(token, Code.UNKNOWN_NAME, message % parameters, expected=parameters["close"], got=name)
        return ""

    def _unquoted(self, token: Token) -> str:
        try:
            return _ESCAPE.sub(_unescaped, token[1:-1])
        except ValueError:
            message = _(r"unknown escape: after a backslash come n, r, t, a quote, a backslash or uXXXX")
            self._problem(token, Code.BAD_ESCAPE, message)
            return ""

    def _mark(self, path: Path, token: Token) -> None:
        self._places[path] = _place_of(token)

    def _problem(self, token: Token, code: str, message: str, expected: str = "", got: str = "") -> None:
        problem = Problem(code, message, (), expected, quoted_value(got))
        self.problems.append(with_position(problem, _place_of(token)))
        if len(self.problems) >= MAX_PROBLEMS:
            self.refuse_if_wrong()


def _place_of(token: Token) -> TextPosition:
    assert token.line is not None and token.column is not None  # always set by the lexer
    return TextPosition(token.line, token.column)


def _unescaped(match: re.Match[str]) -> str:
    short, long, letter = match.groups()
    if letter:
        if letter not in _ESCAPED:
            raise ValueError(letter)
        return _ESCAPED[letter]
    character = chr(int(short or long, 16))
    character.encode()  # raises for a lone surrogate
    return character


def _tokens_of(tree: ParseTree) -> Iterable[Token]:
    """Yield all tokens under `tree`, at any depth, in no particular order."""
    waiting: list[Any] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Token):
            yield part
        else:
            waiting.extend(part.children)


def _flat(tree: ParseTree) -> list[Token]:
    return [child if isinstance(child, Token) else child.children[0] for child in tree.children]


def _first_token(tree: Any) -> Token:
    while not isinstance(tree, Token):
        tree = tree.children[0]
    return tree


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
    },
)

_CLAUSES: Mapping[str, tuple[str, Callable[[TreeReader, ParseTree, Any, Path], Any]]] = {
    "where": ("constraints", TreeReader._where),
    "count": ("count", TreeReader._count),
    "count_between": ("count", TreeReader._count),
    "aggregate": ("aggregate", TreeReader._aggregate),
    "bots": ("bots", TreeReader._bots),
    "within": ("within_days", TreeReader._within),
    **{kind: ("when", lambda *_arguments: None) for kind in _CONDITIONS},
}
