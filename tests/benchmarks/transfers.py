"""Files in and out: rates against one COPY, and the memory of each, which must not grow with the file."""

import contextlib
import csv
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from activities.models import Activity
from tests.benchmarks import Bench, Line, at_least, measures, within

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 3
# runs a command and says how much memory the process had at its peak
PEAK = """
import re, sys
from pathlib import Path
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", *sys.argv[1:]])
finally:
    # not getrusage(): that one remembers the parent's memory from before exec
    kilobytes = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    print("PEAK", int(kilobytes) // 1024, file=sys.stderr)
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
        yield from _memory(folder, people, number)


def _memory(folder: str, people: Any, number: int) -> Iterator[Line]:
    """What ten times the rows need more than a tenth of them."""
    peaks = {}
    for name, rows in (("small", number // 10), ("large", number)):
        file = Path(folder) / f"{name}.csv"
        _write_csv(file, rows, people)
        peaks["import", name] = _peak(*_arguments(file), "--no-external-id")
    out = str(Path(folder) / "memory.csv")
    peaks["export", "small"] = _peak("export_activities", out, "--type", "benchTransfer", "--since", "2100-01-01")
    peaks["export", "large"] = _peak("export_activities", out, "--type", "benchTransfer")
    for what in ("import", "export"):
        more = peaks[what, "large"] - peaks[what, "small"]
        yield within(f"memory of an {what}: peak of ten times the rows, more by", more, 16, "MB")


def _peak(*arguments: str) -> int:
    environment = {**os.environ, "EMBEDDED_POSTGRES_ATTACH": "1", "PYTHONPATH": str(settings.BASE_DIR)}
    said = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments], env=environment, capture_output=True, text=True, check=True,
        cwd=settings.BASE_DIR,
    )  # fmt: skip
    return int(said.stderr.rpartition("PEAK ")[2])


def _arguments(file: Path) -> list[str]:
    return [
        "import_activities", str(file), "--type", "benchTransfer", "--person", "{person}", "--person-field", "id",
        "--occurred-at", "occurred_at", "--primary", "check", "--no-progress",
    ]  # fmt: skip


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
    """What PostgreSQL itself needs for the same rows."""
    with out.open("wb") as file, connection.cursor() as cursor:
        query = f"copy (select * from activity where activity_type_id = {type_id}) to stdout with (format csv)"
        with cursor.copy(query) as copy:
            for data in copy:
                file.write(data)
    return number


def _write_csv(file: Path, number: int, people: Any) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["person", "occurred_at", "check", "amount", "branch", "deposited_on", "is_foreign", "pages"])
        for n in range(number):
            moment = (START + timedelta(seconds=n * 37)).isoformat()
            writer.writerow([people[n * 7919 % len(people)], moment, f"Check {n}", f"{n % 9999}.25", "Main",
                             "2026-01-02", "true" if n % 2 else "false", n % 7])  # fmt: skip


def _changed(file: Path, turn: int) -> Path:
    """The file with other rows, so that its rows were never recorded."""
    changed = file.with_name(f"changed{turn}.csv")
    changed.write_text(file.read_text().replace("Check ", f"Turn {turn} "))
    return changed


def _block(number: int, type_id: int, people: Any) -> bytes:
    lines = []
    for n in range(number):
        moment = (START + timedelta(seconds=n * 37)).isoformat()
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
