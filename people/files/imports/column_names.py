"""Names of columns that a file does not have: one message for pages, API and commands."""

from collections.abc import Iterable

from people.core.codes import Code
from people.core.errors import Problem, quoted_value
from people.core.messages import sentence as _

MOST_NAMED = 20
MAX_NAME = 60  # characters


def unknown_column_problem(path: tuple[str, ...], column: str, header: Iterable[str]) -> Problem:
    """The problem of a column that is not in `header`; it names the first columns that are."""
    names = [quoted_value(name, MAX_NAME) for name in header if name]
    columns = ", ".join([*names[:MOST_NAMED], *["…"] * (len(names) > MOST_NAMED)])
    message = _("there is no column “%(name)s”; the columns are %(columns)s")
    values = {"name": quoted_value(column, MAX_NAME), "columns": columns}
    return Problem(Code.UNKNOWN_COLUMN, message % values, path, columns, column)
