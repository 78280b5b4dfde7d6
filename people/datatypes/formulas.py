"""Formula guard: marks texts in files that a spreadsheet would read as formulas, and removes the marks."""

import re
from typing import Any

# FORMULA: text that a spreadsheet reads as a formula. NUMBER: a plain number, which is no formula. PostgreSQL reads
# both expressions alike. Leading ' of the text itself count as part of it, so that removing one mark is safe.
FORMULA, NUMBER = r"^'*[=+\-@|%\t\r]", r"^[-+]?[0-9][0-9.,]*$"
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER.replace("$", r"\Z"))


def guard_formula(text: str) -> str:
    """`text` with a leading ' if a spreadsheet would read it as a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def escape_apostrophe(text: str) -> str:
    """`text` as written to a file without guards: with one more ' if `unguard_formula` would remove one."""
    return f"'{text}" if unguard_formula(text) != text else text


def unguard_formula(cell: Any) -> Any:
    """The inverse of `guard_formula` and of `escape_apostrophe`; other cells are unchanged."""
    return cell[1:] if type(cell) is str and cell[:1] == "'" and guard_formula(cell[1:]) == cell else cell
