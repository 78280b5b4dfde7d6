"""A CSV file of activities, and its import."""

import contextlib
import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management import call_command

START = datetime(2026, 1, 1, tzinfo=UTC)


def import_file(file: Path, number: int, type_name: str = "benchFile") -> int:
    """By the command; every row has to be added. Returns the rows."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        call_command(
            "import_activities",
            str(file),
            "--type",
            type_name,
            "--person",
            "{email}",
            "--occurred-at",
            "occurred_at",
            "--primary",
            "check",
            "--external-id",
            "key",
            "--no-progress",
        )
    assert f"{number:,} added" in said.getvalue(), said.getvalue()
    return number


def attributes(number: int) -> dict[str, Any]:
    return {
        "amount": number % 5000 + 0.5,
        "branch": f"Branch {number % 40}",
        "deposited_on": f"2026-{number % 12 + 1:02}-11",
        "is_foreign": number % 3 == 0,
        "pages": number % 9,
    }


def write_csv(file: Path, number: int, people: int, turn: int) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["email", "occurred_at", "check", "key", *attributes(0)])
        for row in range(number):
            email = f"person{row * 7919 % people}@bench.example.com"
            moment = (START + timedelta(seconds=row * 37)).isoformat()
            values = [
                str(value).lower() if value is True or value is False else value for value in attributes(row).values()
            ]
            writer.writerow([email, moment, f"Check {row}", f"{turn}-{row}", *values])
