"""The figures of one run, or of two at different scales, as the Markdown table that `docs/performance.md` shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HELD = {True: "yes", False: "NO", None: ""}
COLUMNS = ("what", "figure", "unit", "baseline", "ratio", "target", "held", "note")
LATER = ("figure", "ratio", "held", "cost ×", "note")
Report = Mapping[str, Any]


def table(reports: Sequence[Report]) -> str:
    """Every line of the first report; of a second one its figures beside them, and how much more the same costs."""
    first, *others = sorted(reports, key=lambda report: report["scale"])
    names = [*COLUMNS, *(f"{name}, scale {other['scale']:g}" for other in others for name in LATER)]
    rows = [_row(line, [_same(other, line["what"]) for other in others]) for line in first["lines"]]
    only = [
        [line["what"], "", line["unit"], *([""] * (len(COLUMNS) - 3)), *_later(None, line)]
        for other in others[:1]
        for line in other["lines"]
        if _same(first, line["what"]) is None
    ]
    written = [
        names,
        ["---" if name in {"what", "unit"} or name.startswith("note") else "---:" for name in names],
        *rows,
        *only,
    ]
    about = "  \n".join(_about(report) for report in (first, *others))
    return "\n".join([about, "", *("| " + " | ".join(cells) + " |" for cells in written)])


def put(text: str, page: Path) -> None:
    """Put the text between the marks of a page, in place of what was there."""
    before, _mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _old, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{page} has no {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _about(report: Report) -> str:
    load = report.get("load", ())
    busy = f"; load average {load[0]:.1f} before, {max(load):.1f} at most" if load else ""
    held = [line["held"] for line in report["lines"] if line["held"] is not None]
    return (
        f"Scale {report['scale']:g}: {report.get('on', '')}, {report['machine']}, {report['cpus']} processors, "
        f"Python {report['python']}, {report.get('minutes', 0):.0f} minutes{busy}. "
        f"{sum(held)} of {len(held)} targets held."
    )


def _row(line: Mapping[str, Any], others: Sequence[Mapping[str, Any] | None]) -> list[str]:
    cells = [
        line["what"],
        number(line["figure"]),
        line["unit"],
        number(line["baseline"]),
        _ratio(line),
        line["target"],
        HELD[line["held"]],
        line.get("note", ""),
    ]
    return [*cells, *(cell for other in others for cell in _later(line, other))]


def _later(line: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[str]:
    if other is None:
        return [""] * len(LATER)
    return [number(other["figure"]), _ratio(other), HELD[other["held"]], _growth(line, other), other.get("note", "")]


def _growth(line: Mapping[str, Any] | None, other: Mapping[str, Any]) -> str:
    """The factor by which one page, query or row costs more; a rate is the inverse of a cost."""
    if line is None or not line["figure"] or not other["figure"]:
        return ""
    less, more = (other, line) if line["unit"].endswith("/s") else (line, other)
    return f"{more['figure'] / less['figure']:.1f}"


def _ratio(line: Mapping[str, Any]) -> str:
    return "" if line["ratio"] is None else f"{line['ratio']:.2f}"


def _same(report: Report, what: str) -> Mapping[str, Any] | None:
    return next((line for line in report["lines"] if line["what"] == what), None)
