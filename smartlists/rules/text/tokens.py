"""Tokens of a rule text with their positions: names to look up, quoted text, and the problems found in them."""

import re
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from lark import Token

from people.core.codes import Code
from people.core.errors import Path, Problem, RejectedError, quoted_value
from smartlists.rules.json_reader import MAX_PROBLEMS
from smartlists.rules.names import Index
from smartlists.rules.text.errors import TextPosition, with_position

ParseTree = Any  # a Tree whose children follow grammar.lark, which types cannot express

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "”": "”", "“": "“"}


def keyword_text(token: str) -> str:
    """The canonical form of a keyword of one or several words."""
    return " ".join(token.lower().split())


class TokenReader:
    """Base of readers of one tree. Problems are collected; `refuse_if_wrong` raises them together."""

    def __init__(self) -> None:
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


def tokens_of(tree: ParseTree) -> Iterable[Token]:
    """Yield all tokens under `tree`, at any depth, in no particular order."""
    waiting: list[Any] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Token):
            yield part
        else:
            waiting.extend(part.children)


def flat_tokens(tree: ParseTree) -> list[Token]:
    return [child if isinstance(child, Token) else child.children[0] for child in tree.children]


def first_token(tree: Any) -> Token:
    while not isinstance(tree, Token):
        tree = tree.children[0]
    return tree
