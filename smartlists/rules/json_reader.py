"""Reading of decoded JSON part by part; every problem is collected with its path."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem, RejectedError, bad_value, quoted_value

MAX_PROBLEMS = 100  # more are of no use, and input with errors everywhere should be refused quickly


class JsonReader:
    """Base of readers of one value: what they refuse is in `problems`. Raises `RejectedError` at `MAX_PROBLEMS`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def _object(self, value: Any, path: Path, keys: Iterable[str]) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self._append(bad_value(Code.WRONG_TYPE, _("an object"), value, *path))
            return None
        for key in value:
            if key not in keys:
                self._unknown(Code.UNKNOWN_KEY, _("key"), key, keys, (*path, quoted_value(key)))
        return value

    def _list(self, value: Any, path: Path, most: int, code: str) -> list[Any]:
        if not isinstance(value, list | tuple):
            self._append(bad_value(Code.WRONG_TYPE, _("a list"), value, *path))
            return []
        if len(value) > most:
            message = _("at most %(most)s are accepted here, got %(got)s") % {"most": most, "got": len(value)}
            self._append(Problem(code, message, path, str(most), str(len(value))))
            return []
        return list(value)

    def _one_of(self, value: Any, options: Iterable[str], path: Path, what: str, code: str = "unknown_word") -> str:
        if isinstance(value, str) and value in options:
            return value
        self._unknown(code, what, value, options, path)
        return ""

    def _flag(self, form: Mapping[str, Any], key: str, path: Path, default: bool = True) -> bool:
        value = form.get(key, default)
        if isinstance(value, bool):
            return value
        self._append(bad_value(Code.WRONG_TYPE, _("true or false"), value, *path, key))
        return default

    def _whole(self, value: Any, path: Path, smallest: int, largest: int) -> int | None:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**12 else value
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 13:
            number = int(text)
            if smallest <= number <= largest:
                return number
        expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": smallest, "largest": largest}
        self._append(bad_value(Code.WRONG_TYPE, expected, value, *path))
        return None

    def _reversed(self, path: Path) -> None:
        self._add(
            Code.REVERSED, _("the second value comes before the first, so nothing lies between"), (*path, "values")
        )

    def _unknown(
        self,
        code: str,
        what: str,
        got: Any,
        options: Iterable[str],
        path: Path,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Add the problem of an unknown name, with the closest existing name."""
        if got is None or got == "":
            self._add(Code.MISSING_VALUE, _("the %(what)s is missing") % {"what": what}, path)
            return
        got_text = quoted_value(got)
        close = _closest(got_text, {**{name: name for name in options}, **(labels or {})})
        if close:
            message = _("there is no %(what)s “%(got)s”; did you mean “%(close)s”?")
        else:
            message = _("there is no %(what)s “%(got)s”")
        self._append(Problem(code, message % {"what": what, "got": got_text, "close": close}, path, close, got_text))

    def _add(self, code: str, message: str, path: Path, got: Any = "") -> None:
        self._append(Problem(code, message, path, "", quoted_value(got)))

    def _append(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise RejectedError(*self.problems)


def _closest(got: str, names: Mapping[str, str]) -> str:
    """The name closest to `got`, compared by name and by label; empty when none is close."""
    lower = {key.lower(): name for key, name in names.items()}
    close = get_close_matches(got.lower(), lower, n=1, cutoff=0.6)
    return lower[close[0]] if close else ""
