"""The text form of a smart list: one list per file, for version control. `grammar.lark` is the complete syntax.

    smart list "Big depositors"
    match all
    1: did "Deposited Check" where Amount > 500 at least 2 times in past 90 days
    2: Country is "Spain"

Names are the shown ones; an API name in backquotes is always accepted. Parsing a rendered text
gives equal rules.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _
from lark import Lark
from lark.exceptions import UnexpectedInput

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from smartlists.rules import model as rules
from smartlists.rules.names import Naming
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text.errors import TextPosition, syntax_problem, with_position
from smartlists.rules.text.parser import TreeReader
from smartlists.rules.text.tokens import ParseTree
from smartlists.rules.text.writer import TextWriter, quote_text
from smartlists.rules.vocabulary import Vocabulary

# rules within the limit of 256 KB of JSON never need more text or more words
MAX_LENGTH = 800_000
MAX_WORDS = 120_000
_WORD = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\w.:+-]+|[^\s\w]')


@dataclass(frozen=True, slots=True)
class ListDocument:
    """The content of one file. Name and description are empty if the file has none."""

    rules: rules.Rules
    name: str = ""
    description: str = ""


def parse_rules_text(text: str, names: Vocabulary) -> rules.Rules:
    """Parse the rules in `text`. Raises as `parse_document` does."""
    return parse_document(text, names).rules


def parse_document(text: str, names: Vocabulary) -> ListDocument:
    """Parse a complete file; names are looked up in `names`.

    Raises `RejectedError`: every problem has the path ("line", n, "column", n) and its position in the message.
    """
    _refuse_if_large(text)
    tree = _tree(text.removeprefix("\ufeff"))
    naming = Naming(names)
    reader = TreeReader(naming)
    form = reader.document(tree)
    reader.refuse_if_wrong()
    try:
        parsed = parse_rules(form, naming.catalogue)
    except RejectedError as refusal:
        raise RejectedError(
            *(with_position(problem, reader.place_of(problem.path)) for problem in refusal.problems)
        ) from None
    return ListDocument(parsed, reader.name, reader.description)


def render_rules_text(parsed: rules.Rules, names: Vocabulary, name: str = "", description: str = "") -> str:
    """The canonical text of `parsed`, ending with a line end; `parse_document` returns an equal document."""
    lines = []
    if name or description:
        lines.append(f"smart list {quote_text(name)}")
        if description:
            lines.append(f"description {quote_text(description)}")
        lines.append("")
    lines.append(f"match {parsed.logic or parsed.match}")
    writer = TextWriter(Naming(names), is_unquoted_name)
    for number, item in enumerate(rules.dump_rules(parsed)["filters"], start=1):
        lines.append(f"{number}: {writer.card(item)}")
    return "\n".join(lines) + "\n"


def _refuse_if_large(text: str) -> None:
    if len(text) > MAX_LENGTH:
        message = _("the text of one list may have at most %(most)s characters, got %(got)s")
        parameters = {"most": f"{MAX_LENGTH:,}", "got": f"{len(text):,}"}
    elif (words := sum(1 for _word in _WORD.finditer(text))) > MAX_WORDS:
        message = _("the text of one list may have at most %(most)s words, got %(got)s")
        parameters = {"most": f"{MAX_WORDS:,}", "got": f"{words:,}"}
    else:
        return
    raise RejectedError(with_position(Problem(Code.TOO_LARGE, message % parameters), TextPosition(1, 1)))


def _tree(text: str) -> ParseTree:
    try:
        return load_grammar().parse(text)
    except UnexpectedInput as error:
        interactive: Any = load_grammar().parse_interactive(text)  # lark does not annotate `accepts`
        with suppress(UnexpectedInput):
            interactive.exhaust_lexer()
        raise RejectedError(syntax_problem(text, error, interactive.accepts())) from None


def is_unquoted_name(name: str) -> bool:
    """True if a name can be written without quotes."""
    return _name_pattern().fullmatch(name) is not None


@lru_cache(maxsize=1)
def load_grammar() -> Lark:
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=False,
    )


@lru_cache(maxsize=1)
def _name_pattern() -> re.Pattern[str]:
    return re.compile(load_grammar().get_terminal("NAME").pattern.to_regexp())
