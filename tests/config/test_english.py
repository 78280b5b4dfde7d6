"""Docstrings and comments are plain technical English: patterns that outsiders stumble over do not come back."""

import ast
import re
import tokenize

import pytest
from django.conf import settings

FOLDERS = ("people", "activities", "smartlists", "config", "tests")
PATTERNS = {
    "summary that begins with To": r"\ATo [a-z]",
    "clause instead of a noun phrase or a verb (the ids of, return, true if)": (
        r"\A(?:(?:Wh(?:at|o|om|ose|ere|ether|ich|en|y)|How)|# ?(?:[Ww]h(?:at|o|om|ose|ere|ether|ich|y)|[Hh]ow))\b"
    ),
    "person's verb for a thing (contains, shows, returns, requests, reads)": (
        r"(?i)\b(?:say(?:s|ing)?|said|tell(?:s|ing)?|ask(?:s|ed|ing)?|know(?:s|ing)?|knew)\b"
    ),
    "Have as an order": r"(?m)^(?:# )?Have\b",
    "person without a noun (a user, the caller, no person)": r"(?i)\b(?:nobody|somebody|whoever|anybody|everybody)\b",
    "euphemism (deleted, archived, received, continues)": (
        r"(?i)\b(?:gone|put away|taken back|(?:go|goes|went) on|(?:come|comes|came) in|told)\b"
    ),
    "participle as a noun": r"(?i)\b(?:the|a) (?:found|said|told|wanted) (?:ones?|thing)\b|\bwhat (?:was|is) (?:said|told)\b",
}


def texts(source):
    """(line, text) of each docstring and comment of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.body[0].lineno, docstring
    lines = iter(source.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.fixture(scope="module")
def documented():
    """(module, line, text) of the whole product and its tests; migrations stay as they were shipped."""
    return [
        (str(module.relative_to(settings.BASE_DIR)), line, text)
        for folder in FOLDERS
        for module in sorted((settings.BASE_DIR / folder).rglob("*.py"))
        if "migrations" not in module.parts
        for line, text in texts(module.read_text())
    ]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_docstrings_and_comments_are_plain(documented, pattern):
    assert len(documented) > 5_000
    expression = re.compile(PATTERNS[pattern])
    hits = [
        f"{module}:{line}: …{match.group()}…"
        for module, line, text in documented
        for match in expression.finditer(text)
    ]
    assert hits == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("summary that begins with To", "To record: the only way in."),
        ("clause instead of a noun phrase or a verb (the ids of, return, true if)", "Whether the list is stale."),
        ("clause instead of a noun phrase or a verb (the ids of, return, true if)", "# where the next page begins"),
        ("person's verb for a thing (contains, shows, returns, requests, reads)", "The row says which type it is."),
        ("Have as an order", "Have a job look through all people."),
        ("person without a noun (a user, the caller, no person)", "Whoever holds the lock"),
        ("euphemism (deleted, archived, received, continues)", "# where it went on"),
        ("participle as a noun", "# the found ones"),
    ],
)
def test_the_patterns_are_recognised(pattern, text):
    assert re.search(PATTERNS[pattern], text)
