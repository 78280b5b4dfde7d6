"""Rules that every template keeps: lines that can be read, looks in the style sheets."""

import re

import pytest
from django.conf import settings

LONGEST = 160
TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_lines_are_short_and_looks_are_in_style_sheets(template):
    for number, line in enumerate(template.read_text().splitlines(), start=1):
        assert len(line) <= LONGEST, f"line {number} has {len(line)} characters"
        assert not re.search(r"""\sstyle\s*=""", line), f"line {number} has an inline style"
        rest = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", line)
        assert not re.search(r"\{%|%\}|\{\{", rest), f"line {number} has part of a tag: it would be shown as text"
