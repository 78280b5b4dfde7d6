"""Tokens: placeholders in a campaign's texts for values of the person and of the trigger.

`{{person.first_name}}`, `{{trigger.amount}}`, `{{person.first_name:default=friend}}`. A small language of its own:
an inserted value is never parsed as a template again, and is escaped for its context.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem, quoted_value
from people.datatypes.canonical import canonical_text
from smartlists.rules.vocabulary import Vocabulary

MAX_DEFAULT = 255
_TOKEN = re.compile(r"\{\{([^{}]*)\}\}")
_NAME = re.compile(r"\s*([a-z]+)\.([A-Za-z0-9_]+)\s*(?::default=([^{}]*))?", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Token:
    """One placeholder: the source of its value (person, trigger, object or campaign), its name, and its default."""

    source: str
    name: str
    default: str = ""

    @property
    def key(self) -> str:
        return f"{self.source}.{self.name}"


Part = str | Token


class BadTemplateError(ValueError):
    """A text has an invalid token between {{ and }}, or unclosed braces."""


@lru_cache(maxsize=1024)
def parse_template(text: str) -> tuple[Part, ...]:
    """Split `text` into plain text and tokens, in order. Raises `BadTemplateError` with the invalid part."""
    parts: list[Part] = []
    end = 0
    for match in _TOKEN.finditer(text):
        _add_plain(parts, text[end : match.start()])
        parts.append(_token(match[1]))
        end = match.end()
    _add_plain(parts, text[end:])
    return tuple(parts)


def _add_plain(parts: list[Part], text: str) -> None:
    if "{{" in text or "}}" in text:
        raise BadTemplateError(quoted_value(text[max(0, text.find("{{")) :], 40))
    if text:
        parts.append(text)


def _token(inside: str) -> Token:
    match = _NAME.fullmatch(inside)
    if match is None or len(match[3] or "") > MAX_DEFAULT:
        raise BadTemplateError(quoted_value("{{" + inside + "}}", 40))
    return Token(match[1], match[2], match[3] or "")


def tokens_in_text(text: str) -> list[Token]:
    """The tokens in a text that passed `check_tokens`."""
    return [part for part in parse_template(text) if isinstance(part, Token)]


def check_tokens(text: str, allowed: Iterable[str], path: Path) -> list[Problem]:
    """The problems of the tokens of `text`; `allowed` are keys like "person.email"."""
    try:
        parts = parse_template(text)
    except BadTemplateError as error:
        message = _("“%(got)s” is not a token; tokens look like {{person.first_name}}") % {"got": str(error)}
        return [Problem(Code.BAD_TOKEN, message, path, "{{person.first_name}}", str(error))]
    names = set(allowed)
    return [_unknown(part, names, path) for part in parts if isinstance(part, Token) and part.key not in names]


def _unknown(token: Token, allowed: set[str], path: Path) -> Problem:
    close = get_close_matches(token.key, allowed, n=1, cutoff=0.6)
    got, closest = _braced(token.key), _braced(close[0]) if close else ""
    message = _("there is no token %(got)s; did you mean %(close)s?") if close else _("there is no token %(got)s")
    return Problem(Code.UNKNOWN_TOKEN, message % {"got": got, "close": closest}, path, closest, got)


def _braced(key: str) -> str:
    return "{{" + key + "}}"


def render_template(text: str, values: Mapping[str, str | None], escape: Callable[[str], str] = str) -> str:
    """Fill the tokens of `text` from `values` (by key), each escaped; a missing value becomes the token's default."""
    return "".join(
        part if isinstance(part, str) else escape(values.get(part.key) or part.default) for part in parse_template(text)
    )


# --- Escaping of values ---------------------------------------------------------------------------------------


def to_one_line(value: str) -> str:
    """Escape for a subject or a header: no line breaks or control characters, so that no value can add a header."""
    return _CONTROLS.sub(" ", value).strip()


def escape_for_url(value: str) -> str:
    """Escape for a path or a query of an address: everything but letters, digits and -._~ is percent-encoded."""
    return quote(value, safe="")


def escape_for_json(value: str) -> str:
    """Escape for the inside of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def escape_for_form(value: str) -> str:
    return quote_plus(value)


def token_value_text(value: Any) -> str | None:
    """The text of a canonical value in tokens."""
    return None if value is None else canonical_text(value)


def available_tokens(type_names: Iterable[str], names: Vocabulary, object_names: Iterable[str] = ()) -> set[str]:
    """The keys of all tokens that a campaign triggered by activities or records of these types can use."""
    keys = {f"person.{name}" for name in names.person_fields}
    keys |= {"person.id", "person.link_token", "campaign.name", "campaign.id"}
    keys |= {f"trigger.{name}" for name in ("name", "occurred_at", "recorded_at", "id")}
    for type_name in type_names:
        if type_name in names.types:
            keys |= {f"trigger.{name}" for name in names.types[type_name].fields if not name.startswith("@")}
    for object_name in object_names:
        if object_name in names.objects:
            fields = names.objects[object_name].fields
            keys |= {"object.id", *(f"object.{name}" for name in fields if not name.startswith("@"))}
    return keys
