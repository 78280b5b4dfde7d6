"""The page of figures: made of what `make bench` wrote, with what ten times the rows cost."""

from pathlib import Path

import pytest

from tests.benchmarks import markdown

ROOT = Path(__file__).resolve().parent.parent.parent


def line(what, figure, unit="ms", **more):
    return {
        "what": what,
        "figure": figure,
        "unit": unit,
        "baseline": None,
        "ratio": None,
        "target": "",
        "held": None,
    } | more


def report(scale, *lines):
    return {"scale": scale, "machine": "x86_64", "cpus": 2, "python": "3.13", "load": [0.5, 3.25], "lines": lines}


def cells(text, what):
    (row,) = [row for row in text.splitlines() if row.startswith(f"| {what} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_two_runs_stand_side_by_side_with_what_a_row_more_costs():
    small = report(
        1,
        line("page", 2.0, held=True, target="≤ 100 ms", note="9 blocks"),
        line("rows", 9000, "rows/s", baseline=18000, ratio=0.5),
    )
    large = report(
        10, line("page", 3.0, held=False, note="12 blocks"), line("rows", 4500, "rows/s", ratio=0.25), line("new", 7.0)
    )
    text = markdown.table([large, small])
    assert cells(text, "page")[:8] == ["page", "2.00", "ms", "", "", "≤ 100 ms", "yes", "9 blocks"]
    assert cells(text, "page")[8:] == ["3.00", "", "NO", "1.5", "12 blocks"]
    assert cells(text, "rows")[1:5] == ["9,000", "rows/s", "18,000", "0.50"] and cells(text, "rows")[-2] == "2.0"
    assert cells(text, "new")[-5:] == ["7.00", "", "", "", ""]
    assert "Scale 1: " in text and "1 of 1 targets held" in text and "load average 0.5 before, 3.2 at most" in text
    assert len(cells(markdown.table([small]), "page")) == len(markdown.COLUMNS)


def test_the_table_takes_the_place_of_the_one_before(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"), encoding="utf-8")
    for figure in (1.0, 2.0):
        markdown.put(markdown.table([report(1, line("a page of ours", figure))]), page)
    text = page.read_text(encoding="utf-8")
    assert cells(text, "a page of ours")[1] == "2.00" and "## Under load" in text and text.startswith("# Performance")
    page.write_text("nothing to replace", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no"):
        markdown.put("", page)
