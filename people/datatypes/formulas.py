"""Texts that a spreadsheet would take for formulas: how files mark them as text, and how the mark is taken off."""

import re
from typing import Any

# what a spreadsheet takes for a formula, and what is no formula but a plain number; regular expressions that
# PostgreSQL reads alike. A ' of the text's own before either counts as part of it, so that taking one off is safe.
FORMULA, NUMBER = r"^'*[=+\-@|%\t\r]", r"^[-+]?[0-9][0-9.,]*$"
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER.replace("$", r"\Z"))


def guarded(text: str) -> str:
    """`text` so that no spreadsheet takes it for a formula: a ' before it says that it is text."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def escaped(text: str) -> str:
    """`text` as it stands in a file without guards: with a ' more where `unguarded` would take one off."""
    return f"'{text}" if unguarded(text) != text else text


def unguarded(cell: Any) -> Any:
    """The inverse of `guarded` and of `escaped`; other cells stay as they are."""
    return cell[1:] if type(cell) is str and cell[:1] == "'" and guarded(cell[1:]) == cell else cell
