"""Files in and out: rates against one COPY, and the memory of each, which must not grow with the file."""

import contextlib
import csv
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from activities.models import Activity
from tests.benchmarks import Bench, Line, at_least, measures, within

START = datetime(2024, 1, 1, tzinfo=UTC)
A_YEAR = 365 * 24 * 3600
ROUNDS = 3
TYPE_OF_LARGE = "benchMillion"
TARGETS = {"check": None, "import": 0.5}
# runs a command and prints the peak of the process's memory, and the seconds that it took
PEAK = """
import re, sys, time
from pathlib import Path
import django
from django.core.management import call_command
django.setup()
started = time.perf_counter()
try:
    call_command(*sys.argv[1:])
finally:
    seconds = time.perf_counter() - started
    # not getrusage(): that one remembers the parent's memory from before exec
    kilobytes = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    print("PEAK", int(kilobytes) // 1024, seconds, file=sys.stderr)
"""


@measures
def files_in_and_out(bench: Bench) -> Iterator[Line]:
    """People by id; C: one COPY of the same rows into the same table."""
    copied = bench.activity_type("Copy Transfer", "benchTransferBaseline")
    kept = bench.activity_type("Import Transfer", "benchTransfer")
    people, number = bench.people(), bench.sample(90_000)
    block = _block(number, copied.pk, people)
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "in.csv", Path(folder) / "out.csv"
        _write_csv(file, number, people)
        plain, keyed, check, baseline = bench.rounds(
            lambda turn: _import(file, number, "--no-external-id"),
            lambda turn: _import(_changed(file, turn), number),
            lambda turn: _import(file, number, "--no-external-id", "--dry-run"),
            lambda turn: _copy(block),
            number=ROUNDS,
        )
        yield at_least("import of a CSV file, people by id (C)", plain, baseline, 0.5)
        yield at_least("the same, a row's content its external id (C)", keyed, baseline, None)
        yield at_least("a check of the file (C)", check, baseline, None)
        total = Activity.objects.filter(activity_type_id=kept.pk).count()
        exported, unloaded = bench.rounds(
            lambda turn: _export(out, total), lambda turn: _unload(out, kept.pk, total), number=ROUNDS
        )
        yield at_least("export of activities, a column a field (COPY TO of the bare table)", exported, unloaded, None)


@measures
def large_files(bench: Bench) -> Iterator[Line]:
    """A file of a million rows, each command in a process of its own: its rate, and what it needs more than for a tenth."""
    copied = bench.activity_type("Copy Million", "benchMillionBaseline")
    kept = bench.activity_type("Import Million", TYPE_OF_LARGE)
    people, number = bench.people(), bench.sample(1_000_000)
    works: dict[str, list[str]] = {"check": ["--no-external-id", "--dry-run"], "import": ["--no-external-id"]}
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.csv", Path(folder) / "large.csv"
        # as many as fill the batches that are in memory together
        _write_csv(small, min(number, max(number // 10, 50_000)), people)
        _write_csv(large, number, people)
        block = _block(number, copied.pk, people)
        baseline = _rate(number, lambda: _copy(block))
        for what, options in works.items():
            less, _seconds = _alone(*_arguments(small, TYPE_OF_LARGE), *options)
            peak, seconds = _alone(*_arguments(large, TYPE_OF_LARGE), *options)
            yield at_least(f"{what} of {number:,} activities (C)", number / seconds, baseline, TARGETS[what])
            yield within(f"memory of it: {peak} MB, more than for a tenth by", peak - less, 16, "MB")
        out = str(Path(folder) / "out.csv")
        total = Activity.objects.filter(activity_type_id=kept.pk).count()
        less, _seconds = _alone("export_activities", out, "--type", TYPE_OF_LARGE, "--since", "2100-01-01")
        peak, seconds = _alone("export_activities", out, "--type", TYPE_OF_LARGE)
        bare = _rate(total, lambda: _unload(Path(out), kept.pk, total))
        yield at_least(f"export of {total:,} activities (COPY TO of the bare table)", total / seconds, bare, None)
        yield within(f"memory of it: {peak} MB, more than for none by", peak - less, 16, "MB")


def _rate(number: int, work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return number / (time.perf_counter() - started)


def _alone(*arguments: str) -> tuple[int, float]:
    """Run a command; its peak in megabytes, and the seconds it took once Django was up."""
    environment = {**os.environ, "EMBEDDED_POSTGRES_ATTACH": "1", "PYTHONPATH": str(settings.BASE_DIR)}
    said = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments], env=environment, capture_output=True, text=True, cwd=settings.BASE_DIR
    )
    if said.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {said.returncode}:\n{said.stdout}{said.stderr}")
    peak, seconds = said.stderr.rpartition("PEAK ")[2].split()
    return int(peak), float(seconds)


def _arguments(file: Path, api_name: str = "benchTransfer") -> list[str]:
    return [
        "import_activities",
        str(file),
        "--type",
        api_name,
        "--person",
        "{person}",
        "--person-field",
        "id",
        "--occurred-at",
        "occurred_at",
        "--primary",
        "check",
        "--no-progress",
    ]


def _import(file: Path, number: int, *more: str) -> int:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        call_command(*_arguments(file), *more)
    assert f"{number:,} added" in said.getvalue(), said.getvalue()
    return number


def _export(out: Path, number: int) -> int:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        call_command("export_activities", str(out), "--type", "benchTransfer")
    assert f"{number:,} rows" in said.getvalue(), said.getvalue()
    return number


def _unload(out: Path, type_id: int, number: int) -> int:
    """Write the same rows as CSV by PostgreSQL alone; return their number."""
    with out.open("wb") as file, connection.cursor() as cursor:
        query = f"copy (select * from activity where activity_type_id = {type_id}) to stdout with (format csv)"
        with cursor.copy(query) as copy:
            for data in copy:
                file.write(data)
    return number


def _moment(n: int) -> str:
    """Within one past year, however many rows there are: what lies ahead is refused."""
    return (START + timedelta(seconds=n * 37 % A_YEAR)).isoformat()


def _write_csv(file: Path, number: int, people: Any) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["person", "occurred_at", "check", "amount", "branch", "deposited_on", "is_foreign", "pages"])
        for n in range(number):
            moment = _moment(n)
            writer.writerow(
                [
                    people[n * 7919 % len(people)],
                    moment,
                    f"Check {n}",
                    f"{n % 9999}.25",
                    "Main",
                    "2026-01-02",
                    "true" if n % 2 else "false",
                    n % 7,
                ]
            )


def _changed(file: Path, turn: int) -> Path:
    """The file with other rows, so that its rows were never recorded."""
    changed = file.with_name(f"changed{turn}.csv")
    changed.write_text(file.read_text().replace("Check ", f"Turn {turn} "))
    return changed


def _block(number: int, type_id: int, people: Any) -> bytes:
    lines = []
    for n in range(number):
        moment = _moment(n)
        values = (
            f'{{"amount": {n % 9999}.25, "branch": "Main", "deposited_on": "2026-01-02", '
            f'"is_foreign": {"true" if n % 2 else "false"}, "pages": {n % 7}}}'
        )
        lines.append(f"{people[n * 7919 % len(people)]}\t{type_id}\t1\t{moment}\tCheck {n}\t{values}\t4\n")
    return "".join(lines).encode()


def _copy(block: bytes) -> int:
    columns = "person_id, activity_type_id, version, occurred_at, primary_value, attributes, door"
    with connection.cursor() as cursor, cursor.copy(f"copy activity ({columns}) from stdin") as copy:
        copy.write(block)
    return block.count(b"\n")
