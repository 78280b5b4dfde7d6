"""Word search of search boxes: each typed word is a prefix of a word in the data, ignoring case and accents.

A text is folded (NFKD, combining marks dropped, lower case, a few letters such as ø and ß spelled with plain ones) and
cut into words at spaces and punctuation: `lucia.garcia@x.com` has the words lucia, garcia, x and com. The SQL function
`search_words` (migration people 0016) does the same with the columns of a row; a test compares the two.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, F, Func, Value
from django.db.models.functions import Coalesce

MAX_LENGTH = 255  # characters of a search that are read
MAX_WORDS = 10
LONGEST_WORD = 64  # characters of a word that count
MOST_TEXT = 2_000  # characters of a row that are searched

_MARKS = re.compile("[\u0300-\u036f]+")
_SPELLED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ς": "σ", "ß": "ss", "æ": "ae", "œ": "oe"}
)
# separators of words; NUL and lone surrogates never reach the database
_BETWEEN = re.compile(
    "[\u0000-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02b0-\u02ff\u2000-\u206f\u20a0-\u20cf"
    "\u2190-\u23ff\u2500-\u257f\u3000-\u303f\ud800-\udfff]+"
)
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc]")


def fold_text(text: str) -> str:
    """`text` without case, accents and other marks."""
    if text.isascii():
        return text.lower()
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    return "".join([character.lower()[:1] for character in plain]).translate(_SPELLED)


def words_of(text: str) -> set[str]:
    """The searchable words of `text`; `O'Brien` has o, brien and obrien."""
    plain = fold_text(text[:MOST_TEXT])
    texts = [plain, _APOSTROPHES.sub("", plain)] if _APOSTROPHES.search(plain) else [plain]
    return {word[:LONGEST_WORD] for part in texts for word in _BETWEEN.split(part) if word}


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """The terms of a search: all of `words`, those in `whole` as whole words, the others as prefixes.

    Without `words`, as for punctuation alone, nothing matches.
    """

    words: Sequence[str]
    whole: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str) -> "SearchTerms | None":
        """Parse typed text; None for blanks, which match everything.

        In a term such as `ana@x.com` only the last word is a prefix: in `ana@`, ana is a complete word.
        """
        text = text.replace("\0", " ")[:MAX_LENGTH].strip()
        if not text:
            return None
        words: list[str] = []
        whole: set[str] = set()
        for term in text.split():
            parts = [part[:LONGEST_WORD] for part in _BETWEEN.split(fold_text(term))]
            whole.update(part for part in parts[:-1] if part)
            words += [part for part in parts if part]
        words = list(dict.fromkeys(words))[:MAX_WORDS]
        return cls(words, frozenset(whole.intersection(words)))

    def is_in(self, *texts: str) -> bool:
        """Return True if the texts together match every word."""
        text_words = words_of(" ".join(texts))
        return bool(self.words) and all(
            word in text_words if word in self.whole else any(text_word.startswith(word) for text_word in text_words)
            for word in self.words
        )

    @property
    def query(self) -> str:
        """The text of a PostgreSQL `tsquery`. Words hold neither quotes nor backslashes, which are separators."""
        return " & ".join(f"'{word}'" if word in self.whole else f"'{word}':*" for word in self.words)


class SearchWords(Func):
    """The words of some text columns, as returned by `search_words`."""

    function = "search_words"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()

    def __init__(self, *columns: Any) -> None:
        super().__init__(*(Coalesce(F(column) if isinstance(column, str) else column, Value("")) for column in columns))


class _Has(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @@ "
    output_field = BooleanField()
    conditional = True


def filter_by_word_vector(rows: Any, text: str, words: Any) -> Any:
    """Filter `rows` to those whose `words` (an expression of type tsvector) match `text`; all for blanks."""
    terms = SearchTerms.of(text)
    if terms is None:
        return rows
    if not terms.words:
        return rows.none()
    query = Func(Value(terms.query), template="(%(expressions)s)::tsquery", output_field=SearchVectorField())
    return rows.filter(_Has(words, query))


def filter_by_words(rows: Any, text: str, *columns: Any) -> Any:
    """Filter `rows` to those whose `columns` (names or text expressions) match every word of `text`; small tables."""
    return filter_by_word_vector(rows, text, SearchWords(*columns))
