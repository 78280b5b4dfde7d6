"""The drawings of docs/performance.md are those of its tables, well-formed, and have alternative texts."""

import re
import shutil
from xml.etree import ElementTree

import pytest
from django.conf import settings

from tests.benchmarks import drawing

PAGE = settings.BASE_DIR / "docs" / "performance.md"
DRAWINGS = ("smart-lists.svg", "recording.svg")


@pytest.fixture
def drawn(tmp_path):
    shutil.copy(PAGE, tmp_path)
    return {path.name: path.read_text(encoding="utf-8") for path in drawing.draw(tmp_path / PAGE.name)}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_those_of_the_tables(drawn, name):
    stored = (PAGE.parent / drawing.FOLDER / name).read_text(encoding="utf-8")
    assert stored == drawn[name], "python -m tests.benchmarks --draw docs/performance.md"


def test_every_figure_is_a_mark_with_its_words(drawn):
    text = PAGE.read_text(encoding="utf-8")
    root = ElementTree.fromstring(drawn["smart-lists.svg"])
    titles = {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    filters = {row["filter"] for row in drawing._rows_of(text, "filter")}
    for name in filters:
        ways = [(scale, way) for scale, of in drawing.SCALES.items() for way, _style, _head in of]
        missing = [pair for pair in ways if not any(t.startswith(f"{name}, {pair[0]}, {pair[1]}: ") for t in titles)]
        assert missing in ([], [("10 million", "SQL")]), name
    assert "did, 1 million, column index: 6.5 ms" in titles


def test_recording_is_drawn_against_its_baselines(drawn):
    root = ElementTree.fromstring(drawn["recording.svg"])
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "recording over HTTP, 300 a call, 4 connections (B)" in texts and "import of a CSV file (C)" in texts
    assert not [text for text in texts if "check" in text]


def test_the_page_shows_them_with_words_for_those_who_do_not_see_them():
    shown = dict(re.findall(r"!\[([^\]]{80,})\]\(drawings/([\w-]+\.svg)\)", PAGE.read_text(encoding="utf-8")))
    assert set(shown.values()) == set(DRAWINGS)
