"""Validation errors, the same in every channel."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from people.core import messages
from people.core.codes import Code
from people.core.messages import sentence as _

Path = tuple[str | int, ...]

MAX_SHOWN = 80
MAX_PROBLEMS = 20  # of one row; what comes after is counted
NO_LABELS: Mapping[str, Any] = MappingProxyType({})
STRUCTURE = frozenset({"attributes", "input", "fields"})  # steps of a path that name no field


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: a stable code for programs, a whole sentence for people, and where it is.

    `code` is one of `Code`, or what a framework calls a fault of its own. `path` leads from the outside in
    (`(3, "attributes", "amount")`); `expected` and `got` are short and already fit to be shown.
    """

    code: str
    message: str
    path: Path = ()
    expected: str = ""
    got: str = ""
    data_type: str = ""  # of the field whose value does not fit

    def __post_init__(self) -> None:
        # plain text: the database's driver takes no list that mixes it with members of an enumeration
        object.__setattr__(self, "code", str(self.code))

    def under(self, *prefix: str | int) -> "Problem":
        return replace(self, path=(*prefix, *self.path))


class Problems(list[Problem]):
    """The problems of one row: the first MAX_PROBLEMS, and how many `more` there were."""

    more = 0

    @property
    def is_full(self) -> bool:
        """Whether a further problem is merely counted; to be asked where a problem takes long to describe."""
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

    def told(self) -> tuple[Problem, ...]:
        """All that are kept and shown; the last says how many were left out."""
        if not self.more:
            return tuple(self)
        return (*self, Problem(Code.MORE_PROBLEMS, _("and %(count)s more") % {"count": self.more}))


class RejectedError(Exception):
    """A verb did nothing, because of these problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems: Sequence[Problem] = problems

    def __str__(self) -> str:
        return sentences(self.problems)

    @property
    def code(self) -> str:
        return self.problems[0].code


class NotAllowedError(RejectedError):
    """The user lacks the right that the verb needs; nothing was done."""


class ConflictError(RejectedError):
    """Somebody else changed the thing in the meantime; nothing was overwritten."""


# --- Of requests as such: surfaces raise them, not the verbs behind them


class BadQueryError(RejectedError):
    """A query parameter or header cannot be understood; `path` names the parameter."""


class UnauthorizedError(RejectedError):
    """Nobody known is asking."""


class NotFoundError(RejectedError):
    """There is nothing at this address."""


class GoneError(RejectedError):
    """There was something once."""


class PreconditionFailedError(ConflictError):
    """If-Match names another state than the present one."""


class TooLargeError(RejectedError):
    """The body has more than is taken in one call."""


class UnprocessableError(RejectedError):
    """The body is understood and does not fit, whatever the problems' codes say elsewhere."""


def sentences(problems: Iterable[Problem]) -> str:
    """The messages one after the other, told apart by a semicolon where a message is no whole sentence."""
    messages = [str(problem.message) for problem in problems]
    ends = [" " if message.endswith((".", "!", "?", ":")) else "; " for message in messages[:-1]]
    return "".join(message + end for message, end in zip(messages, [*ends, ""], strict=True)) if messages else ""


def bad_value(code: str, expected: Any, value: Any, *path: str | int, data_type: str = "") -> Problem:
    """A value that does not fit: "expected a number, got 'twelve'"."""
    got = show(value)
    message = _("expected %(expected)s, got '%(got)s'") % {"expected": expected, "got": got}
    return Problem(code, message, path, str(expected), got, data_type)


def located(problem: Problem, first_row: int = 1, *, labels: Mapping[str, Any] = NO_LABELS) -> str:
    """The whole sentence with its place: "row 3, field amount: expected a number, got 'twelve'".

    The first number of the path counts rows from 0; people count from `first_row`. Who reads it knows fields by
    `labels`, those without one by their API names.
    """
    places = []
    for part in problem.path:
        if isinstance(part, int):
            places.append(_("row %(number)s") % {"number": part + first_row})
        elif part not in STRUCTURE:
            places.append(_("field %(name)s") % {"name": labels.get(part, part)})
    return f"{', '.join(places)}: {problem.message}" if places else str(problem.message)


def stored(problem: Problem, storable: Callable[[str], str]) -> dict[str, Any]:
    """A problem as JSON; `storable` makes text fit for the database."""
    return {
        "code": problem.code,
        "message": storable(str(problem.message)),
        "expected": storable(str(problem.expected)),
        "path": [part if isinstance(part, int) else storable(part) for part in problem.path],
        "got": storable(str(problem.got)),
        "said": {part: messages.parts(getattr(problem, part), storable) for part in ("message", "expected")},
    }


def restored(kept: dict[str, Any]) -> Problem:
    """What `stored` kept, said in the language of now."""
    said = kept.get("said", {})
    message, expected = (messages.again(said.get(part, {}), kept.get(part, "")) for part in ("message", "expected"))
    return Problem(kept["code"], message, tuple(kept.get("path", ())), expected, kept.get("got", ""))


def told(kept: dict[str, Any]) -> dict[str, str]:
    """What `stored` kept, as a program is told it in the language of its request."""
    problem = restored(kept)
    return {
        "code": problem.code,
        "message": problem.message,
        "expected": problem.expected,
        "got": problem.got,
        "path": pointer(problem.path),
    }


def fault(problem: Problem, in_query: bool = False) -> dict[str, str]:
    """One fault: `path` is a JSON pointer into the body, `parameter` the name of a query parameter."""
    shown = {"code": problem.code, "message": str(problem.message)}
    if in_query and problem.path:
        shown["parameter"] = str(problem.path[0])
    elif problem.path:
        shown["path"] = pointer(problem.path)
    if problem.expected:
        shown["expected"] = str(problem.expected)
    if problem.got:
        shown["got"] = problem.got
    return shown


def pointer(path: Path) -> str:
    """RFC 6901: /2/attributes/amount."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def refuse_if(problems: Iterable[Problem]) -> None:
    """Raise `RejectedError` with all of `problems`, if there are any."""
    found = tuple(problems)
    if found:
        raise RejectedError(*found)


def refuse_if_changed(expected: int | None, current: int, message: str) -> None:
    """Raise `ConflictError` unless the thing is at the revision that the editor saw; None asks for nothing."""
    if expected is not None and expected != current:
        raise ConflictError(Problem(Code.CHANGED_MEANWHILE, message, ("revision",), str(current), str(expected)))


def show(value: Any, limit: int = MAX_SHOWN) -> str:
    """`value` as a sentence may quote it: one line, short, without characters that cannot be stored."""
    text = value if isinstance(value, str) else _describe(value)
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[: limit + 1]
    )
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
