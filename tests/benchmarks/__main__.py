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

from tests.benchmarks import drawing, markdown
from tests.benchmarks.markdown import HELD, number
from tests.benchmarks.server import new_server

ROOT = Path(__file__).resolve().parent.parent.parent
ITSELF = {"__main__", "by_hand", "drawing", "filling", "harness", "hit_clients", "import_files", "markdown", "server"}


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make bench", description="How fast the product is.")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the lines here, too")
    arguments.add_argument("--only", default="", metavar="PREFIX", help="modules whose name begins so")
    arguments.add_argument("--markdown", type=Path, nargs="+", metavar="FILE", help="only show such files as Markdown")
    arguments.add_argument("--into", type=Path, metavar="PAGE", help="put the Markdown between the marks of this page")
    arguments.add_argument("--draw", type=Path, metavar="PAGE", help="only draw the tables of this page")
    options = arguments.parse_args()
    if options.draw:
        for path in drawing.draw(options.draw):
            print(path)
        return 0
    if options.markdown:
        text = markdown.table([json.loads(path.read_text(encoding="utf-8")) for path in options.markdown])
        markdown.put(text, options.into) if options.into else print(text)
        return 0
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    new_server(ROOT / "var" / "bench", os.environ.get("CITUS_DATABASE_URL", ""))

    from rich.console import Console

    from config.server.garbage import spare_loaded_objects
    from tests.benchmarks.filling import filled
    from tests.benchmarks.harness import MEASUREMENTS, Bench

    for module in sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if module not in ITSELF and module.startswith(options.only):
            importlib.import_module(f"tests.benchmarks.{module}")
    spare_loaded_objects()  # as in a web process
    bench, lines, began = Bench(), [], time.time()
    busy = [os.getloadavg()[0]]
    if not options.only:  # so that what is recorded comes to a log of that size
        filled(bench.scale)
    wanted = [found for found in MEASUREMENTS if found.__module__.rpartition(".")[2].startswith(options.only)]
    for measurement in sorted(wanted, key=lambda found: (found.__module__, found.__name__)):
        started = time.monotonic()
        lines += list(measurement(bench))
        print(f"{measurement.__name__}: {time.monotonic() - started:.1f} s", file=sys.stderr)
        busy.append(os.getloadavg()[0])
        if options.json:  # after each: a run that is broken off keeps its figures
            _write(options.json, bench.scale, began, busy, lines)
    Console(width=None if sys.stdout.isatty() else 150).print(_table(bench.scale, lines))
    return 0


def _write(path: Path, scale: float, began: float, busy: list[float], lines: list) -> None:
    report = {
        "scale": scale,
        "on": time.strftime("%Y-%m-%d", time.gmtime(began)),
        "minutes": (time.time() - began) / 60,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": busy,
        "lines": [asdict(line) for line in lines],
    }
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _table(scale: float, lines: list) -> object:
    from rich.table import Table

    table = Table(title=f"Scale {scale:g}, {os.cpu_count()} processors")
    for name in ("what", "figure", "baseline", "unit", "ratio", "target", "held", "note"):
        table.add_column(name, justify="left" if name in {"what", "unit"} else "right")
    for line in lines:
        table.add_row(
            line.what,
            number(line.figure),
            number(line.baseline),
            line.unit,
            "" if line.ratio is None else f"{line.ratio:.2f}",
            line.target,
            HELD[line.held],
            line.note,
        )
    return table


sys.exit(main())
