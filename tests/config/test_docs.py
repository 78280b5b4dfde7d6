"""The pages of the documentation as Markdown."""

import re
from pathlib import Path

import pytest
from django.conf import settings

PAGES = sorted(
    [*settings.BASE_DIR.glob("*.md"), *settings.BASE_DIR.glob("docs/**/*.md"), settings.BASE_DIR / "tests/README.md"]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(settings.BASE_DIR)))
def test_every_row_of_a_table_stands_in_one(page: Path):
    """A blank line ends a table: a row after it is shown as text."""
    blocks = re.split(r"\n\s*\n", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    for block in blocks:
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert not rows or (len(rows) > 1 and re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", rows[1])), rows[0]
