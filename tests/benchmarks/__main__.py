"""Run the measurements on a new embedded server and show the table."""

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.server import new_server

ROOT = Path(__file__).resolve().parent.parent.parent
ITSELF = {"__main__", "harness", "server"}


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make bench", description="How fast the product is.")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the lines here, too")
    arguments.add_argument("--only", default="", metavar="PREFIX", help="modules whose name begins so")
    options = arguments.parse_args()
    new_server(ROOT / "var" / "bench", os.environ.get("CITUS_DATABASE_URL", ""))

    from rich.console import Console

    from tests.benchmarks.harness import MEASUREMENTS, Bench

    for module in sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if module not in ITSELF and module.startswith(options.only):
            importlib.import_module(f"tests.benchmarks.{module}")
    bench, lines = Bench(), []
    for measurement in sorted(MEASUREMENTS, key=lambda found: (found.__module__, found.__name__)):
        started = time.monotonic()
        lines += list(measurement(bench))
        print(f"{measurement.__name__}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    Console(width=None if sys.stdout.isatty() else 150).print(_table(bench.scale, lines))
    if options.json:
        machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        report = {"scale": bench.scale, **machine, "lines": [asdict(line) for line in lines]}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _table(scale: float, lines: list) -> object:
    from rich.table import Table

    table = Table(title=f"Scale {scale:g}, {os.cpu_count()} processors")
    for name in ("what", "figure", "baseline", "unit", "ratio", "target", "held"):
        table.add_column(name, justify="left" if name in {"what", "unit"} else "right")
    for line in lines:
        table.add_row(
            line.what, _number(line.figure), _number(line.baseline), line.unit,
            "" if line.ratio is None else f"{line.ratio:.2f}", line.target,
            {True: "yes", False: "NO", None: ""}[line.held],
        )  # fmt: skip
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


sys.exit(main())
