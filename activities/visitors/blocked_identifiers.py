"""Identifiers that identify no person: values that programs send instead of a missing user id."""

import re

# of PostHog's and Segment's lists (docs/visitors.md): compared without case, without blanks around them
_WORDS = frozenset(
    {
        "-1", "[object object]", "anonymous", "distinct_id", "distinctid", "email", "false", "guest", "id", "nan",
        "nil", "none", "not_authenticated", "null", "true", "undefined", "unknown",
    }
)  # fmt: skip
_NOTHING = re.compile(r"[0\-\s]*")  # blank, 0, 000-000


def is_blocked(identifier: str) -> bool:
    """Return True for a user id or e-mail address that stands for no single person."""
    text = identifier.strip().lower()
    local, at, _host = text.partition("@")
    return text in _WORDS or _NOTHING.fullmatch(text) is not None or bool(at and local in _WORDS - {"email", "id"})
