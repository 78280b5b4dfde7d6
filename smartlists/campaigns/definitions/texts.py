"""Reading of texts with tokens in the JSON form of a campaign."""

from datetime import UTC
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, bad_value
from people.datatypes.canonical import canonical_text
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME, DataType
from smartlists.catalog import Catalogue
from smartlists.rules.parsing import RulesReader
from smartlists.webhooks import tokens as webhook_tokens


class TextReader(RulesReader):
    """Base of readers of texts: `tokens` are the keys that they may use."""

    names: Catalogue

    def __init__(self, names: Catalogue) -> None:
        super().__init__(names)
        self.tokens: set[str] = set()

    def _text(self, value: Any, path: Path, most: int, is_needed: bool = True) -> str:
        """Parse a text and check its tokens; empty when it is blank or invalid."""
        if is_blank(value):
            if is_needed:
                self._add(Code.MISSING_VALUE, _("a text is missing"), path)
            return ""
        try:
            plain = canonical_text(value) if isinstance(value, bool) else value
            text = BY_NAME["text"].parse(plain, UTC)
        except BadValueError as error:
            self._append(bad_value(error.code, error.expected, value, *path))
            return ""
        if len(text) > most:
            self._append(bad_value(Code.TOO_LONG, _("at most %(most)s characters") % {"most": most}, value, *path))
            return ""
        for problem in webhook_tokens.check_tokens(text, self.tokens, path):
            self._append(problem)
            return ""
        return text.strip()

    def _has_tokens(self, text: str) -> bool:
        return bool(text) and bool(webhook_tokens.tokens_in_text(text))

    def _fits(self, text: str, data_type: DataType, path: Path) -> None:
        try:
            data_type.parse(text, UTC)
        except BadValueError as error:
            self._append(bad_value(error.code, error.expected, text, *path, data_type=data_type.name))
