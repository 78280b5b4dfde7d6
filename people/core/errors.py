"""Validation errors, the same in every channel."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from people.core import messages
from people.core.codes import Code
from people.core.messages import sentence as _

Path = tuple[str | int, ...]

MAX_EXPECTED = 500  # characters of what was expected: thousands of problems may name the same fields
MAX_SHOWN = 80
MAX_PROBLEMS = 20  # of one row; further ones are only counted
NO_LABELS: Mapping[str, Any] = MappingProxyType({})
STRUCTURE = frozenset({"attributes", "input", "fields"})  # steps of a path that name no field


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: a stable code for programs, a whole sentence for people, and its place.

    `code` is one of `Code`, or a framework's own code. `path` leads from the outside in
    (`(3, "attributes", "amount")`). `expected` and `got` are short and ready to be shown.
    """

    code: str
    message: str
    path: Path = ()
    expected: str = ""
    got: str = ""
    data_type: str = ""  # of the field with the invalid value

    def __post_init__(self) -> None:
        # plain text: the database's driver takes no list that mixes it with members of an enumeration
        object.__setattr__(self, "code", str(self.code))

    def under(self, *prefix: str | int) -> "Problem":
        return replace(self, path=(*prefix, *self.path))


class Problems(list[Problem]):
    """The problems of one row: the first MAX_PROBLEMS, and the number of `more`."""

    more = 0

    @property
    def is_full(self) -> bool:
        """True if a further problem is only counted. Check it before building a problem that takes long to describe."""
        return len(self) >= MAX_PROBLEMS

    def append(self, problem: Problem) -> None:
        if self.is_full:
            self.more += 1
        else:
            super().append(problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        self.more += getattr(problems, "more", 0)
        for problem in problems:
            self.append(problem)

    def shown_problems(self) -> tuple[Problem, ...]:
        """The problems to show; the last one states how many were left out."""
        if not self.more:
            return tuple(self)
        return (*self, Problem(Code.MORE_PROBLEMS, _("and %(count)s more") % {"count": self.more}))


class RejectedError(Exception):
    """A verb changed nothing because of these problems.

    `members`: further members of the problem document by which an API answers, beside those of every such document.
    """

    members: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems: Sequence[Problem] = problems

    def __str__(self) -> str:
        return joined_messages(self.problems)

    @property
    def code(self) -> str:
        return self.problems[0].code


class NotAllowedError(RejectedError):
    """The user lacks the right that the verb needs; nothing was changed."""


class ConflictError(RejectedError):
    """The object was changed by another user in the meantime; nothing was overwritten."""


# --- Errors of requests as such: raised by surfaces, not by verbs


class BadQueryError(RejectedError):
    """A query parameter or header cannot be understood; `path` names the parameter."""


class UnauthorizedError(RejectedError):
    """The caller is not authenticated."""


class NotFoundError(RejectedError):
    """Nothing exists at this address."""


class GoneError(RejectedError):
    """The object existed earlier and is deleted."""


class PreconditionFailedError(ConflictError):
    """If-Match does not match the current state."""


class TooLargeError(RejectedError):
    """The body is larger than one call accepts."""


class UnprocessableError(RejectedError):
    """The body is well-formed but invalid, regardless of the status of the problems' codes elsewhere."""


def joined_messages(problems: Iterable[Problem]) -> str:
    """Join the messages, with a semicolon after a message that is no whole sentence."""
    messages = [str(problem.message) for problem in problems]
    ends = [" " if message.endswith((".", "!", "?", ":")) else "; " for message in messages[:-1]]
    return "".join(message + end for message, end in zip(messages, [*ends, ""], strict=True)) if messages else ""


def bad_value(code: str, expected: Any, value: Any, *path: str | int, data_type: str = "") -> Problem:
    """The problem of an invalid value: "expected a number, got “twelve”"."""
    got = quoted_value(value)
    message = _("expected %(expected)s, got “%(got)s”") % {"expected": expected, "got": got}
    return Problem(code, message, path, str(expected), got, data_type)


def located_message(problem: Problem, first_row: int = 1, *, labels: Mapping[str, Any] = NO_LABELS) -> str:
    """The whole sentence with its place: "row 3, field amount: expected a number, got “twelve”".

    The first number of the path counts rows from 0; the sentence counts from `first_row`. Fields are named by
    `labels`, those without one by their API names.
    """
    places = []
    for part in problem.path:
        if isinstance(part, int):
            places.append(_("row %(number)s") % {"number": part + first_row})
        elif part not in STRUCTURE:
            places.append(_("field %(name)s") % {"name": labels.get(part, part)})
    return f"{', '.join(places)}: {problem.message}" if places else str(problem.message)


def serialize_problem(problem: Problem, clean: Callable[[str], str]) -> dict[str, Any]:
    """A problem as JSON; `clean` makes text valid for the database."""
    return {
        "code": problem.code,
        "message": clean(str(problem.message)),
        "expected": clean(str(problem.expected)),
        "path": [part if isinstance(part, int) else clean(part) for part in problem.path],
        "got": clean(str(problem.got)),
        "said": {part: messages.sentence_parts(getattr(problem, part), clean) for part in ("message", "expected")},
    }


def restore_problem(document: dict[str, Any]) -> Problem:
    """The problem that `serialize_problem` serialized, in the active language."""
    parts = document.get("said", {})
    message, expected = (
        messages.retranslate(parts.get(name, {}), document.get(name, "")) for name in ("message", "expected")
    )
    return Problem(document["code"], message, tuple(document.get("path", ())), expected, document.get("got", ""))


def stored_problem_json(document: dict[str, Any]) -> dict[str, str]:
    """The problem that `serialize_problem` serialized, as an API returns it in the language of the request."""
    problem = restore_problem(document)
    return {
        "code": problem.code,
        "message": problem.message,
        "expected": problem.expected,
        "got": problem.got,
        "path": json_pointer(problem.path),
    }


def problem_json(problem: Problem, in_query: bool = False) -> dict[str, str]:
    """One problem as JSON: `path` is a JSON pointer into the body, `parameter` the name of a query parameter."""
    document = {"code": problem.code, "message": str(problem.message)}
    if in_query and problem.path:
        document["parameter"] = str(problem.path[0])
    elif problem.path:
        document["path"] = json_pointer(problem.path)
    if problem.expected:
        document["expected"] = quoted_value(str(problem.expected), MAX_EXPECTED)
    if problem.got:
        document["got"] = problem.got
    return document


def json_pointer(path: Path) -> str:
    """A path as a JSON pointer (RFC 6901): /2/attributes/amount."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def refuse_if(problems: Iterable[Problem]) -> None:
    """Raise `RejectedError` with all of `problems`, if there are any."""
    errors = tuple(problems)
    if errors:
        raise RejectedError(*errors)


def refuse_if_changed(expected: int | None, current: int, message: str) -> None:
    """Raise `ConflictError` unless the object is at the revision that the editor saw; None skips the check."""
    if expected is not None and expected != current:
        raise ConflictError(Problem(Code.CHANGED_MEANWHILE, message, ("revision",), str(current), str(expected)))


def quoted_value(value: Any, limit: int = MAX_SHOWN) -> str:
    """`value` as quoted in a sentence: one line, short, without characters that cannot be stored."""
    text = value if isinstance(value, str) else _describe(value)
    text = text[: limit + 1]
    if not text.isprintable():
        text = text.encode("utf-8", "replace").decode("utf-8")
        text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _describe(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, list | tuple):
        return "[…]"
    try:
        return str(value)
    except ValueError:  # integers of thousands of digits have no text in Python
        return "…"
