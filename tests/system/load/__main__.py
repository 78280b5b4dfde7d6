"""Fill an installation, serve it to clients, and report their waiting times and the memory.

In the third quarter of the time slow clients hold connections, too, and in the last one programs send a public form, fifty
a second: the others must not notice, nor a person who sends that form.

SCALE=10 CLIENTS=8 SLOW_CLIENTS=200 LOAD_SECONDS=120 python -m tests.system.load --json load.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.server import new_server
from tests.system.load.clients import (
    BESIDE_BOTS,
    BESIDE_SLOW_CLIENTS,
    CALLS,
    UNDISTURBED,
    WARMING,
    Client,
    Login,
    Target,
    Times,
)
from tests.system.load.form_bots import FormBots
from tests.system.load.slow_clients import SlowClients, percentile, undisturbed

ROOT = Path(__file__).resolve().parents[3]
SCALE = float(os.environ.get("SCALE", "1"))
CLIENTS = int(os.environ.get("CLIENTS", "8"))
SLOW_CLIENTS = int(os.environ.get("SLOW_CLIENTS", "200"))
SECONDS = float(os.environ.get("LOAD_SECONDS", "60"))
PAUSE = float(os.environ.get("LOAD_PAUSE", "0.2"))  # seconds between two calls of a client, on average
SAMPLE_EVERY = 2.0
FLAT, WARMING_MB = (
    1.2,
    32,
)  # the last quarter's memory over the second's; what a process that is still warming up may add
# the growth of the 95th percentile that is allowed beside slow clients: times, or seconds
DISTURBED, DISTURBED_SECONDS = 1.3, 0.1


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make load", description="How the product bears load.")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    options = arguments.parse_args()
    new_server(ROOT / "var" / "load")
    target, logins = _prepare()
    path, honeypot = _public_form()
    from tests.benchmarks.harness import Bench

    bench, times = Bench(SCALE), Times()
    with bench.web_server() as address, _worker() as worker:
        host, port = address.removeprefix("http://").split(":")
        target = Target((host, int(port)), *target)
        clients = [Client(target, login, times, PAUSE, seed) for seed, login in enumerate(logins)]
        bots = FormBots(target.address, path, honeypot)
        memory = _loaded(clients, times, worker, bots)
    report = _report(times, memory, bots)
    _show(report)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if report["held"] else 1


def _prepare() -> tuple[tuple[Any, ...], list[Login]]:
    """People, activities, a list that is evaluated, and for each client a user, an API client and a session."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client as Browser

    from activities.log import rollup
    from config.access.clients import editing as client_editing
    from config.access.clients import tokens
    from people.core.models import Installation
    from smartlists.evaluation import stored as stored_evaluations
    from smartlists.lists import editing as list_editing
    from tests.benchmarks.filling import filled

    started = time.monotonic()
    types = filled(SCALE)
    Installation.objects.get_or_create(pk=1)
    with connection.cursor() as cursor:
        cursor.execute("select min(id), max(id) from person where email like 'list%@bench.example.com'")
        first, last = cursor.fetchone()
    logins = []
    for number in range(CLIENTS):
        user = get_user_model().objects.create_superuser(f"load{number}")
        made = client_editing.create_client(f"Load {number}", user, None, client_editing.grantable_rights()).client
        browser = Browser()
        browser.force_login(user)
        session = browser.cookies[settings.SESSION_COOKIE_NAME].value
        logins.append(Login(client_editing.client_token(made).text, tokens.issue_token(made).text, session))
    card = {"kind": "activity", "did": True, "type": "benchListCheck"}
    smart_list = list_editing.create_smart_list("Depositors", {"match": "all", "filters": [card]}, user)
    stored_evaluations.evaluate_list(smart_list, user)
    rollup.catch_up_rollup()
    print(f"filled: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return (types, range(first, last + 1), smart_list.pk), logins


def _public_form() -> tuple[str, str]:
    """The path of a public form, and the name of the field that only programs fill in."""
    from activities.forms import editing
    from activities.forms.reading import HONEYPOT

    form = editing.create_form("Load", None, fields=[{"field": "email"}, {"field": "first_name"}])
    return f"/f/{form.key}/", HONEYPOT


@contextmanager
def _worker() -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | {"EMBEDDED_POSTGRES_ATTACH": "1"}
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _loaded(
    clients: Sequence[Client], times: Times, worker: "subprocess.Popen[bytes]", bots: FormBots
) -> list[dict[str, float]]:
    """Run the clients; return samples of the megabytes of each kind of process."""
    samples = []
    slow = SlowClients(clients[0].target.address, SLOW_CLIENTS)
    for client in clients:
        client.start()
    started = time.monotonic()
    while time.monotonic() < started + SECONDS:
        time.sleep(SAMPLE_EVERY)
        samples.append(_memory(worker.pid))
        elapsed = time.monotonic() - started
        if times.phase == WARMING and elapsed > SECONDS / 4:
            times.phase = UNDISTURBED
        if times.phase == UNDISTURBED and elapsed > SECONDS / 2:
            times.phase = BESIDE_SLOW_CLIENTS
            slow.start()
        if times.phase == BESIDE_SLOW_CLIENTS and elapsed > SECONDS * 3 / 4:
            slow.ending.set()
            times.phase = BESIDE_BOTS
            bots.start()
    for client in clients:
        client.ending.set()
    for client in clients:
        client.join(90)
    bots.end()
    slow.join(90)
    return samples


def _memory(worker: int) -> dict[str, float]:
    """Private memory, so that what PostgreSQL's processes share is not counted for each of them."""
    from config.postgres.server import EmbeddedPostgres

    found: dict[str, float] = {"web": 0.0, "worker": _private(worker), "database": 0.0}
    postmaster = EmbeddedPostgres(ROOT / "var" / "load")._postmaster()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = _command(entry)
            if "config/gunicorn.py" in command and _environment_of(entry) == str(ROOT / "var" / "load"):
                found["web"] += _private(int(entry.name))
            elif command.startswith("postgres:") and _parent(entry) == postmaster:
                found["database"] += _private(int(entry.name))
    return found


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def _environment_of(entry: Path) -> str:
    try:
        names = dict(part.split(b"=", 1) for part in (entry / "environ").read_bytes().split(b"\0") if b"=" in part)
        return names.get(b"DATA_DIR", b"").decode()
    except OSError:
        return ""


def _private(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _report(times: Times, memory: list[dict[str, float]], bots: FormBots) -> dict[str, Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from activity_key where external_id like 'load-%%'")
        (kept,) = cursor.fetchone()
        cursor.execute("select count(*) from form_submission where \"values\" ->> 'email' like '%%@bots.example.com'")
        (kept_of_bots,) = cursor.fetchone()
    lines = [_line(name, times) for name in CALLS]
    grown = {name: _grown([sample[name] for sample in memory]) for name in memory[-1]}
    errors = sum(line["errors"] for line in lines)
    alone, slow, flooded = (times.phases[phase] for phase in (UNDISTURBED, BESIDE_SLOW_CLIENTS, BESIDE_BOTS))
    passed = sum(status == 303 for status in bots.people)
    return {
        "scale": SCALE,
        "clients": CLIENTS,
        "seconds": SECONDS,
        "pause": PAUSE,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "lines": lines,
        "calls a second": sum(line["calls"] for line in lines) / SECONDS,
        "rows recorded": times.recorded,
        "rows recorded a second": times.recorded / SECONDS,
        "rows kept": kept,
        "slow clients": SLOW_CLIENTS,
        "all calls, p95 ms": [percentile(part, 95) * 1000 for part in (alone, slow, flooded) if part],
        "form": {
            "sent by bots": bots.sent,
            "kept of bots": kept_of_bots,
            "by people": len(bots.people),
            "taken": passed,
        },
        "memory": grown,
        "held": errors == 0
        and kept == times.recorded
        and all(process["flat"] for process in grown.values())
        and all(undisturbed(alone, beside, DISTURBED, DISTURBED_SECONDS) for beside in (slow, flooded))
        and passed == len(bots.people) > 0
        and kept_of_bots <= _most_of_bots(),
        "samples of errors": {name: found[:3] for name, found in times.errors.items() if found},
    }


def _most_of_bots() -> int:
    """The most submissions of programs that may be kept in the minutes of their part of the time."""
    from django.conf import settings

    from config.forms.bounds import MAX_SPAM

    return int(SECONDS / 4 / 60 + 2) * (settings.FORM_SUBMISSIONS_PER_FORM + MAX_SPAM)


def _line(name: str, times: Times) -> dict[str, Any]:
    taken = sorted(times.seconds[name])
    at = {
        f"p{part}": taken[min(len(taken) - 1, len(taken) * part // 100)] * 1000 if taken else None
        for part in (50, 95, 99)
    }
    return {"what": name, "calls": len(taken), **at, "errors": len(times.errors[name])}


def _grown(values: Sequence[float]) -> dict[str, Any]:
    """Megabytes in the second quarter of the run, in the last, and at most."""
    quarter = max(1, len(values) // 4)
    early, late = values[quarter : 2 * quarter] or values, values[-quarter:]
    before, after = sum(early) / len(early), sum(late) / len(late)
    return {
        "second quarter": before,
        "last quarter": after,
        "most": max(values),
        "flat": after <= before * FLAT + WARMING_MB,
    }


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"Scale {report['scale']:g}, {CLIENTS} clients for {SECONDS:.0f} s, {report['cpus']} processors"
    table = Table(title=title)
    for name in ("what", "calls", "p50 ms", "p95 ms", "p99 ms", "errors"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for line in report["lines"]:
        figures = ["" if line[name] is None else f"{line[name]:,.0f}" for name in ("p50", "p95", "p99")]
        table.add_row(line["what"], f"{line['calls']:,}", *figures, str(line["errors"]))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(
        f"{report['calls a second']:.1f} calls a second; {report['rows recorded']:,} activities recorded "
        f"({report['rows recorded a second']:,.0f} a second), {report['rows kept']:,} kept"
    )
    names = ("alone", f"beside {report['slow clients']} slow clients", "beside bots")
    waits = (f"{at:,.0f} ms {name}" for name, at in zip(names, report["all calls, p95 ms"], strict=False))
    console.print(f"95 % of all calls: {', '.join(waits)}")
    console.print("form: " + ", ".join(f"{number:,} {what}" for what, number in report["form"].items()))
    for name, memory in report["memory"].items():
        word = "flat" if memory["flat"] else "GROWS"
        console.print(f"memory of {name}: {memory['second quarter']:.0f} → {memory['last quarter']:.0f} MB, {word}")
    for name, samples in report["samples of errors"].items():
        console.print(f"{name}: {samples}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
