"""Claims of docs/security.md: every test that it names exists, every chapter of the standard is covered."""

import re
from pathlib import Path

from django.conf import settings

DOCUMENT = (settings.BASE_DIR / "docs" / "security.md").read_text()
ROW = re.compile(r"^\| V\d+\.", re.MULTILINE)


def test_every_test_that_is_named_exists():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", DOCUMENT)
    gone = [
        f"{file}::{name}"
        for file, name in named
        if not (path := Path(settings.BASE_DIR, "tests", file)).exists() or f"def {name}(" not in path.read_text()
    ]
    assert len(named) > 40 and not gone, gone


def test_every_chapter_is_spoken_of_and_every_row_gives_tests_or_a_reason():
    assert re.findall(r"^## V(\d+) ", DOCUMENT, re.MULTILINE) == [str(number) for number in range(1, 18)]
    rows = [line for line in DOCUMENT.splitlines() if ROW.match(line)]
    assert len(rows) > 50 and all(len(line.split("|")[3].strip()) >= 6 for line in rows)


def test_the_files_that_a_reporter_and_a_contributor_look_for_are_there():
    for name in ("SECURITY.md", "CONTRIBUTING.md"):
        assert name in {path.name for path in settings.BASE_DIR.glob("*.md")}
