"""Run the measurements on a new embedded server and show the table."""

import argparse
import importlib
import json
import os
import pkgutil
import platform
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ITSELF = {"__main__", "harness"}


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make bench", description="How fast the product is.")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the lines here, too")
    arguments.add_argument("--only", default="", metavar="PREFIX", help="modules whose name begins so")
    options = arguments.parse_args()
    _start_server(ROOT / "var" / "bench", os.environ.get("CITUS_DATABASE_URL", ""))

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


def _start_server(data_dir: Path, cluster: str) -> None:
    """A server that nobody has used, as production would run it: it waits for the disk; or a database of a cluster."""
    if (data_dir / "postgres.json").exists():
        shutil.rmtree(json.loads((data_dir / "postgres.json").read_text())["data"], ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)
    for name in ("DATABASE_URL", "EMBEDDED_POSTGRES_FOR_TESTS", "EMBEDDED_POSTGRES_ATTACH", "TEST_DATABASE_NAME"):
        os.environ.pop(name, None)
    os.environ |= {"DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "config.settings"}

    if cluster:
        os.environ["DATABASE_URL"] = cluster.rpartition("/")[0] + "/custom_activities_bench"
    import django

    django.setup()
    if cluster:
        _make_cluster_database()
        return
    from django.core.management import call_command
    from django.db import connection

    connection.ensure_connection()  # starts the server
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def _make_cluster_database() -> None:
    from django.core.management import call_command
    from django.db import connection

    from tests import clustering

    name = connection.settings_dict["NAME"]
    clustering.make_database(name)
    call_command("migrate", verbosity=0)
    clustering.distribute(name, parts=8)
    call_command("collectstatic", interactive=False, verbosity=0)


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
