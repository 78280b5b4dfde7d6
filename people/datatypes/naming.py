"""Names of objects, chosen by users: one line of text, unique among the objects of a kind."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.datatypes.canonical import text_key
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME

MAX_NAME = 255
DESCRIPTION_LIMIT = 2_000


def parse_name(raw: Any, path: str = "name") -> str:
    """`raw` as a name, without blanks around it. Raises `RejectedError` (`missing_value`, `wrong_type`, `too_long`)."""
    if is_blank(raw):
        raise RejectedError(Problem(Code.MISSING_VALUE, _("A name is missing."), (path,)))
    text = _parsed("string", raw, path).strip()
    if not text.isprintable():
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("text on one line"), raw, path))
    return text


def parse_description(raw: Any, path: str = "description") -> str:
    """`raw` as a description; no value is empty text. Raises `RejectedError` (`wrong_type`, `too_long`)."""
    if is_blank(raw):
        return ""
    text = _parsed("text", raw, path).strip()
    if len(text) > DESCRIPTION_LIMIT:
        raise RejectedError(bad_value(Code.TOO_LONG, _("at most 2,000 characters"), raw, path))
    return text


def name_key(name: str) -> str:
    """The key for comparing names of definitions: lower case, blanks and underscores alike.

    Clients turn type names into table names in this way, so names with the same key would collide there.
    """
    return re.sub(r"[\s_]+", "_", text_key(name.strip()))[:MAX_NAME]


def numbered_name(name: str, taken: Iterable[str], suffix: str) -> str:
    """`name`, or where it is taken in any case, `name` with the first free number from 2 on.

    `suffix`: the form of the number (" {}", " ({})"). Long names are cut so that the result has at most `MAX_NAME`
    characters.
    """
    used = {other.lower() for other in taken}
    free, number = name, 1
    while free.lower() in used:
        number += 1
        end = suffix.format(number)
        free = f"{name[: MAX_NAME - len(end)]}{end}"
    return free


@contextmanager
def refuse_taken_name(constraint: str, message: str, path: str = "name", got: str = "") -> Iterator[None]:
    """Turn a violation of the unique `constraint` in the block into `name_taken`; covers concurrent writes."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if constraint not in str(error):
            raise
        raise RejectedError(Problem(Code.NAME_TAKEN, message, (path,), got=got)) from None


def _parsed(data_type: str, raw: Any, path: str) -> str:
    try:
        text: str = BY_NAME[data_type].parse(raw, UTC)
    except BadValueError as error:
        raise RejectedError(bad_value(error.code, error.expected, raw, path)) from None
    return text
