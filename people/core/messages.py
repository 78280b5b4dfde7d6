"""Sentences that can be said again in another language: what is wrong with a row is read later, by somebody else.

`sentence` is used in the place of gettext. What it gives is text in the language of now that knows its original and
the values put into it, so that both can be stored beside it.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Self

from django.utils.functional import lazy
from django.utils.translation import gettext

MAX_PART = 1_000


class Sentence(str):
    """Translated text; `original` in English, `values` by their names."""

    original: str
    values: dict[str, Any]

    @classmethod
    def of(cls, text: str, original: str, values: dict[str, Any]) -> Self:
        made = cls(text)
        made.original, made.values = original, values
        return made

    def __str__(self) -> "Sentence":
        return self

    def __mod__(self, values: Any) -> "Sentence":
        return Sentence.of(str.__mod__(self, values), self.original, values)


def sentence(original: str) -> Sentence:
    """Like gettext."""
    return Sentence.of(gettext(original), original, {})


sentence_lazy = lazy(sentence, Sentence)


def parts(text: Any, storable: Any) -> dict[str, Any]:
    """What `again` needs, as JSON; nothing for text that is no sentence. `storable` makes text fit to be stored."""
    if not isinstance(text := str(text), Sentence):
        return {}
    values = {name: _part(value, storable) for name, value in text.values.items()}
    return {"original": text.original, "values": values}


def _part(value: Any, storable: Any) -> Any:
    if type(value) is int:
        return value
    return parts(value, storable) or storable(str(value))[:MAX_PART]


def again(stored: dict[str, Any], otherwise: str) -> str:
    """The sentence in the language of now; `otherwise` for what was stored without its parts."""
    original = stored.get("original")
    if not original:
        return otherwise
    values = {name: again(value, "") if isinstance(value, dict) else value for name, value in stored["values"].items()}
    text = gettext(original)
    return text % values if values else text


def packed(texts: Iterable[Any], storable: Callable[[str], str]) -> str:
    """`texts` as one text for a column, of which `unpacked` makes them again; plain where none is a sentence."""
    found = [(storable(str(text)), parts(text, storable)) for text in texts]
    if not any(said for _text, said in found):
        return " ".join(text for text, _said in found)
    return json.dumps([{"text": text, "said": said} for text, said in found])


def unpacked(column: str) -> str:
    """What `packed` made, in the language of now; other text as it is."""
    try:
        found = json.loads(column) if column.startswith('[{"text": ') else None
        return " ".join(again(one["said"], one["text"]) for one in found) if found else column
    except (ValueError, KeyError, TypeError):
        return column


def storable(text: str) -> str:
    """`text` without the characters that the database does not take."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
