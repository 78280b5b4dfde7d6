"""Rules define the meaning: they contain nothing of how an engine evaluates them, in SQL or otherwise."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from people.datatypes.registry import DataType
from smartlists import rules
from smartlists.rules.vocabulary import VocabularyField, VocabularyType

MODULES = sorted(Path(rules.__path__[0]).rglob("*.py"))
# casts, members of jsonb, statements, places of values, and what null is compared with
SQL = re.compile(
    r"::\s*[a-z]+\b|->>|\bselect\b.+\bfrom\b|\bwhere\b.+=|%s::|\bis (not )?null\b|\bany\(%s|\border by\b|\bcount\(\*\)"
    r"|\b(lower|array_agg|coalesce)\(",
    re.IGNORECASE | re.DOTALL,
)


def texts(module: Path) -> list[str]:
    """The strings of a module, docstrings aside."""
    tree = ast.parse(module.read_text())
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_rules_hold_no_sql(module):
    assert [text for text in texts(module) if SQL.search(text)] == []


def test_what_the_search_would_find():
    kept = ("({})::numeric", "attributes->>'amount'", "is not null", "select id from person", "lower({})", "= any(%s)")
    assert all(SQL.search(text) for text in kept)


def test_what_rules_can_name_has_no_sql():
    assert len(MODULES) > 10
    assert {"expression", "sql", "column"}.isdisjoint(
        field.name for named in (VocabularyField, VocabularyType, DataType) for field in fields(named)
    )
