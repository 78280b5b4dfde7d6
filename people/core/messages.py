"""Sentences that can be translated again later: the problems of a row may be read by a user of another language.

`sentence` replaces gettext. It returns text in the active language together with its original and its values, so that
both can be stored.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Self

from django.utils.functional import lazy
from django.utils.translation import gettext

MAX_PART = 1_000


class Sentence(str):
    """Translated text with the English `original` and its `values` by name."""

    original: str
    values: dict[str, Any]

    @classmethod
    def of(cls, text: str, original: str, values: dict[str, Any]) -> Self:
        sentence = cls(text)
        sentence.original, sentence.values = original, values
        return sentence

    def __str__(self) -> "Sentence":
        return self

    def __mod__(self, values: Any) -> "Sentence":
        return Sentence.of(str.__mod__(self, values), self.original, values)


def sentence(original: str) -> Sentence:
    """Translate `original`, like gettext, into a `Sentence`."""
    return Sentence.of(gettext(original), original, {})


sentence_lazy = lazy(sentence, Sentence)


def sentence_parts(text: Any, clean: Any) -> dict[str, Any]:
    """The input of `retranslate`, as JSON; empty for text that is no `Sentence`. `clean` makes text storable."""
    if not isinstance(text := str(text), Sentence):
        return {}
    values = {name: _part(value, clean) for name, value in text.values.items()}
    return {"original": text.original, "values": values}


def _part(value: Any, clean: Any) -> Any:
    if type(value) is int:
        return value
    return sentence_parts(value, clean) or clean(str(value))[:MAX_PART]


def retranslate(stored: dict[str, Any], otherwise: str) -> str:
    """The sentence in the active language; `otherwise` for text that was stored without its parts."""
    original = stored.get("original")
    if not original:
        return otherwise
    values = {
        name: retranslate(value, "") if isinstance(value, dict) else value for name, value in stored["values"].items()
    }
    text = gettext(original)
    return text % values if values else text


def pack_sentences(texts: Iterable[Any], clean: Callable[[str], str]) -> str:
    """Serialize `texts` for a column that `unpack_sentences` reads; plain text if none is a `Sentence`."""
    pairs = [(clean(str(text)), sentence_parts(text, clean)) for text in texts]
    if not any(sentence for _text, sentence in pairs):
        return " ".join(text for text, _sentence in pairs)
    return json.dumps([{"text": text, "said": sentence} for text, sentence in pairs])


def unpack_sentences(column: str) -> str:
    """The texts that `pack_sentences` serialized, in the active language; other text unchanged."""
    try:
        items = json.loads(column) if column.startswith('[{"text": ') else None
        return " ".join(retranslate(item["said"], item["text"]) for item in items) if items else column
    except (ValueError, KeyError, TypeError):
        return column


def storable_text(text: str) -> str:
    """`text` with the characters that the database rejects replaced."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
