"""The main tables of `docs/performance.md` as drawings beside it: SVG that is readable on light and on dark pages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log10
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = "drawings"
Row = Mapping[str, str]  # a row of a table, by the heads of its columns

STYLE = """text { font: 12px system-ui, sans-serif; fill: #24292f } .faint { fill: #57606a } .end { text-anchor: end }
.middle { text-anchor: middle } .grid { stroke: #d0d7de } .target { stroke: #24292f; stroke-width: 2 }
.columns { fill: #0969da } .sql { fill: #bc4c00 } .hand { fill: none; stroke: #57606a; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
.target { stroke: #e6edf3 } .columns { fill: #4493f8 } .sql { fill: #f0883e } .hand { stroke: #9198a1 } }"""

# by scale: each way of answering, its mark, and the head of its column
SCALES: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "1 million": (("by hand", "hand", "DuckDB by hand"), ("SQL", "sql", "SQL"), ("column index", "columns", "columns")),
    "10 million": (
        ("by hand", "hand", "10 M by hand"),
        ("SQL", "sql", "10 M SQL"),
        ("column index", "columns", "10 M"),
    ),
    "100 million": (("by hand", "hand", "100 M by hand"), ("column index", "columns", "100 M")),
}
LABELS, PANEL, GAP, LINE, TOP = 240, 200, 46, 22, 56  # pixels
LEAST_DECADES = 4  # of the scale from 1 ms

BASELINE = re.compile(r"\(([BC])\)$")
BARS = 380  # pixels of a ratio of 1


def draw(page: Path) -> list[Path]:
    """Draw the tables of a page into the folder beside it; return the files."""
    text = page.read_text(encoding="utf-8")
    folder = page.parent / FOLDER
    folder.mkdir(exist_ok=True)
    drawings = {"smart-lists.svg": smart_lists(text), "recording.svg": recording(text)}
    for name, drawing in drawings.items():
        (folder / name).write_text(drawing, encoding="utf-8")
    return [folder / name for name in drawings]


def smart_lists(text: str) -> str:
    """Milliseconds of each kind of filter, answered in several ways, at each scale; a logarithmic scale."""
    rows = _rows_of(text, "filter")
    filters = list(dict.fromkeys(row["filter"] for row in rows))
    marks = [
        (place, filters.index(row["filter"]), scale, way, style, _number(row[head]))
        for place, (scale, ways) in enumerate(SCALES.items())
        for way, style, head in ways
        for row in rows
        if row.get(head)
    ]
    decades = max(LEAST_DECADES, ceil(log10(max(mark[-1] for mark in marks))))
    bottom = TOP + LINE * len(filters)
    parts = [_text(LABELS - 10, TOP + LINE * place + 15, name, "end") for place, name in enumerate(filters)]
    for place, scale in enumerate(SCALES):
        left = LABELS + place * (PANEL + GAP)
        parts.append(_text(left + PANEL / 2, 40, f"{scale} activities", "middle"))
        for decade in range(decades + 1):
            x = left + PANEL * decade / decades
            parts.append(f'<line class="grid" x1="{x:g}" y1="{TOP}" x2="{x:g}" y2="{bottom}"/>')
            parts.append(_text(x, bottom + 16, _duration(10**decade), "middle faint"))
    for place, line, scale, way, style, milliseconds in marks:
        x = LABELS + place * (PANEL + GAP) + PANEL * max(0, log10(milliseconds)) / decades
        title = f"{filters[line]}, {scale}, {way}: {milliseconds:,g} ms"
        parts.append(_mark(style, x, TOP + LINE * line + LINE / 2, title))
    legend = LABELS
    for way, style, _head in reversed(SCALES["1 million"]):
        parts += [_mark(style, legend + 5, 14, way), _text(legend + 14, 18, way)]
        legend += 30 + 7 * len(way)
    return _svg(LABELS + len(SCALES) * (PANEL + GAP) + 10, bottom + 26, parts)


def recording(text: str) -> str:
    """Rates of recording and importing as parts of what COPY reaches with the same rows, and their targets."""
    rows = [
        row
        for row in _rows_of(text, "what")
        if BASELINE.search(row["what"]) and row["unit"] == "rows/s" and "check" not in row["what"] and row["ratio"]
    ]
    left, bottom = 400, 30 + LINE * len(rows)
    parts = [_text(left - 10, 18, "part of what COPY reaches; the line is the target", "end faint")]
    for tenth in range(0, 11, 2):
        x = left + BARS * tenth / 10
        parts.append(f'<line class="grid" x1="{x:g}" y1="26" x2="{x:g}" y2="{bottom}"/>')
        parts.append(_text(x, 18, f"{tenth / 10:g}", "middle faint"))
    for place, row in enumerate(rows):
        y, ratio = 30 + LINE * place, float(row["ratio"])
        title = f"{row['what']}: {row['figure']} rows/s, {ratio:g} of {row['baseline']}"
        parts.append(_text(left - 10, y + 15, row["what"], "end"))
        parts.append(
            f'<rect class="columns" x="{left}" y="{y + 5}" width="{BARS * ratio:g}" height="12">'
            f"<title>{escape(title)}</title></rect>"
        )
        target = row["target"].removeprefix("≥ ")
        if target:
            x = left + BARS * float(target)
            parts.append(f'<line class="target" x1="{x:g}" y1="{y + 2}" x2="{x:g}" y2="{y + 20}"/>')
        parts.append(_text(left + BARS + 10, y + 15, f"{row['figure']} rows/s"))
    return _svg(left + BARS + 130, bottom + 6, parts)


def _rows_of(text: str, first_head: str) -> list[Row]:
    """The rows of all tables of a page whose first column has this head."""
    return [row for table in _tables(text) for row in table if next(iter(row)) == first_head]


def _tables(text: str) -> Iterator[list[Row]]:
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _rule, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        yield [dict(zip(head, line, strict=True)) for line in lines]


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _duration(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1_000 else f"{milliseconds // 1_000} s"


def _mark(style: str, x: float, y: float, title: str) -> str:
    if style == "sql":
        shape = f'<rect class="sql" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8">{{}}</rect>'
    else:
        shape = f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{4 if style == "columns" else 5}">{{}}</circle>'
    return shape.format(f"<title>{escape(title)}</title>")


def _text(x: float, y: float, text: str, style: str = "") -> str:
    classes = f' class="{style}"' if style else ""
    return f'<text{classes} x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])
