"""Run it: prepare an installation, let programs and faults loose on it, judge what is left."""

import argparse
import json
import os
import random
import shutil
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import citus_cluster
from tests.system.chaos import collecting
from tests.system.chaos.clients import TYPE, Approver, CallFailedError, Program, Reader, Tally, Writer
from tests.system.chaos.faults import (
    CLUSTER_FAULTS,
    FAULTS,
    KILLS,
    WEB_STAYS,
    Fault,
    own_disk,
    take_disk_away,
    the_disk_is_full,
)
from tests.system.chaos.world import CLUSTER_DATABASE, ROOT, World, fresh_folder, manage, web

IMPORTED_ROWS = 20_000
PEOPLE = 50
SENDERS_REST = 0.1  # seconds between two things of a sender: what is judged is what is acknowledged, not how much
BACKLOG_SECONDS, READING_SECONDS = 300, 60  # for the rest of imports and campaigns, and of the log


def main() -> int:
    options = _options()
    folder = fresh_folder(options.data_dir)
    faults = dict(CLUSTER_FAULTS if citus_cluster.is_wanted else FAULTS)
    has_disk = not citus_cluster.is_wanted and bool(options.disk_megabytes) and own_disk(folder, options.disk_megabytes)
    if has_disk:
        faults["disk full"] = the_disk_is_full
    world = World(folder, options.rest)
    try:
        report = _run(world, faults, options)
    finally:
        world.end()
        if has_disk:
            take_disk_away(folder)
    report["disk"] = "filled up" if has_disk else "not filled up: that needs root, and a number of megabytes"
    print(json.dumps(report, indent=1))
    if not report["wrong"]:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if report["wrong"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.chaos", description=sys.modules["tests.system.chaos"].__doc__
    )
    parser.add_argument("--seconds", type=float, default=300, help="how long (300); at least every fault comes once")
    parser.add_argument("--pause", type=float, default=6, help="seconds between two faults (6)")
    parser.add_argument("--rest", type=float, default=0, help="seconds that programs rest between calls at most (0)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rows", type=int, default=IMPORTED_ROWS, help=f"of the imported file ({IMPORTED_ROWS})")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "var" / "chaos")
    parser.add_argument("--disk-megabytes", type=int, default=1200, help="of the disk that gets full (1200); 0: none")
    return parser.parse_args()


def _run(world: World, faults: dict[str, Fault], options: argparse.Namespace) -> dict:
    chance = random.Random(options.seed)
    started = time.monotonic()
    people, tokens, type_id, addresses = _prepare(world)
    imported = _import(world, tokens["dialect"], type_id, options.rows)
    tally = Tally()
    Writer.type_id = Reader.type_id = type_id
    programs: list[Program] = [
        Writer(world, tally, tokens[channel], seed, people, channel)
        for seed, channel in enumerate(["dialect", "native"] * 2)
    ]
    reader = Reader(world, tally, tokens["dialect"], 100)
    programs += [reader, Approver(world, tally, tokens["dialect"], 101)]
    for program in programs:
        program.start()
    senders = collecting.start_senders(
        {False: world.collector_port, True: world.port}, addresses, options.rest or SENDERS_REST
    )
    wrong, done, healed = _let_loose(world, faults, options, chance)
    collecting.end_senders(senders)
    for program in programs:
        program.ending.set()
    for program in programs:
        program.join(60)
    _finish(world, reader)
    from tests.system.chaos.judging import campaign_tally, fetch_rows, judge

    wrong += judge(tally, imported)
    wrong += collecting.judge_senders(senders, fetch_rows)
    campaign = campaign_tally()
    wrong += _of_processes(world, done)
    acknowledged = sum(row.id is not None for row in tally.sent.values())
    return {
        "seed": options.seed,
        "seconds": round(time.monotonic() - started),
        "faults": dict(done),
        "calls": tally.calls,
        "calls that failed": tally.failed_calls,
        "activities sent": len(tally.sent),
        "acknowledged": acknowledged,
        "history": sum(row.is_history and row.id is not None for row in tally.sent.values()),
        "read back once": len(tally.read),
        "imported rows": len(imported),
        "by itself": collecting.tally_of(senders),
        **campaign,
        "types made": len(tally.created),
        "types approved": len(tally.approved),
        "longest until ready again, seconds": round(max(healed, default=0), 1),
        "wrong": wrong[:50],
    }


def _let_loose(
    world: World, faults: dict[str, Fault], options: argparse.Namespace, chance: random.Random
) -> tuple[list[str], Counter[str], list[float]]:
    """Do the faults, each at least once; the web has to heal after each, by itself after most."""
    wrong: list[str] = []
    done: Counter[str] = Counter()
    healed: list[float] = []
    upcoming = chance.sample(list(faults), len(faults))
    until = time.monotonic() + options.seconds
    while upcoming or time.monotonic() < until:
        name = upcoming.pop() if upcoming else chance.choice(list(faults))
        time.sleep(options.pause * chance.uniform(0.5, 1))
        before = world.processes["web"].pid, world.children("web")
        print(f"{name} …", file=sys.stderr)
        faults[name](world)
        done[name] += 1
        healed.append(world.wait_until_ready())
        if name in WEB_STAYS and before != (world.processes["web"].pid, world.children("web")):
            wrong.append(f"the web did not outlive: {name}")
    time.sleep(options.pause)
    return wrong, done, healed


def _of_processes(world: World, done: Counter[str]) -> Iterator[str]:
    """Processes that were not killed continue, whatever became of the database, and do their work."""
    from config.operations import doctor

    for name, times in world.starts.items():
        killed = sum(done[fault] for fault in KILLS.get(name, ()))
        if times > 1 + killed:
            yield f"{name} was started {times} times and killed {killed} times"
    for look in (
        doctor.check_worker,
        doctor.check_dispatcher,
        doctor.check_transactions,
        doctor.check_guards,
        doctor.check_indexes,
        doctor.check_registry,
    ):
        if not (finding := _settled(look)).is_well:
            yield f"the doctor says of {finding.check}: {finding.state}"


def _settled(look: Callable[[], Any], seconds: float = 60) -> Any:
    """The result of `look` once the restarted processes had time to give a sign of life."""
    deadline = time.monotonic() + seconds
    while not (finding := look()).is_well and time.monotonic() < deadline:
        time.sleep(0.5)
    return finding


def _prepare(world: World) -> tuple[Sequence[int], dict[str, str], int, collecting.Addresses]:
    """Start everything; a type, people and a client with tokens of both APIs."""
    os.environ.clear()
    os.environ.update(world.environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    if citus_cluster.is_wanted:
        citus_cluster.make_database(CLUSTER_DATABASE)
    else:
        world.start("database", *manage("postgres"))
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command, get_commands

    from config.access.clients import editing as client_editing
    from config.access.clients import tokens
    from tests.factories import ActivityFieldSpec, approved_type, make_person
    from tests.system.chaos import judging

    call_command("migrate", verbosity=0)
    if citus_cluster.is_wanted:
        citus_cluster.distribute(CLUSTER_DATABASE)
    owner = get_user_model().objects.create_superuser("chaos")
    client = client_editing.create_client("Chaos", owner, None, client_editing.grantable_rights()).client
    fields = (ActivityFieldSpec("key", "Key", is_primary=True), ActivityFieldSpec("amount", "Amount", "integer"))
    type_id = approved_type("Chaos Event", TYPE, fields).pk
    people = [make_person(email=f"person{number}@example.com").pk for number in range(PEOPLE)]
    judging.start_campaign()
    known = {"dialect": client_editing.client_token(client).text, "native": tokens.issue_token(client).text}
    addresses = collecting.make_addresses()
    _forget_connection()
    world.start("collector", *manage("collect"))
    world.start("web", *web())
    world.start("worker", *manage("worker"))
    if "dispatch" in get_commands():
        world.start("dispatcher", *manage("dispatch"))
    world.wait_until_ready()
    return people, known, type_id, addresses


def _import(world: World, token: str, type_id: int, rows: int) -> Sequence[str]:
    """Import a file by the worker; return the external ids of its rows."""
    if not rows:
        return ()
    keys = [f"file-{number}" for number in range(rows)]
    lines = ["email,activityDate,primaryAttributeValue,amount,externalId"] + [
        f"person{number % PEOPLE}@example.com,2026-11-20T10:00:00Z,{key},{number},{key}"
        for number, key in enumerate(keys)
    ]
    frame = "chaos-frame"
    body = (
        f'--{frame}\r\nContent-Disposition: form-data; name="file"; filename="chaos.csv"\r\nContent-Type: text/csv\r\n\r\n'
        + "\n".join(lines)
        + f"\r\n--{frame}--\r\n"
    )
    address = "http://{}:{}/bulk/v1/activities/import.json".format(*world.address)
    request = urllib.request.Request(
        f"{address}?activityTypeId={type_id}&lookupField=email&format=csv",
        body.encode(),
        method="POST",
        headers={"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={frame}"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer = json.load(reply)
    if not answer["success"]:
        raise RuntimeError(f"the import was refused: {answer}")
    return keys


def _finish(world: World, reader: Reader) -> None:
    """Take up what killed processes left, as the worker does every minute, and read the log to its end."""
    from people.core import job_model
    from people.files.imports import runner as import_runner
    from people.models import Import

    world.wait_until_ready()
    deadline = time.monotonic() + BACKLOG_SECONDS
    while time.monotonic() < deadline:
        for pk in job_model.abandoned_job_ids(Import):
            import_runner.run_import(pk)
        if not _unfinished_imports() and not _unfinished_campaign():
            break
        time.sleep(0.5)
    _decide_prepared()
    deadline = time.monotonic() + READING_SECONDS
    while True:
        try:
            if not reader.read_page():
                return
        except CallFailedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _decide_prepared() -> None:
    """Decide transactions that lost their coordinator, as Citus does within a minute; readers wait for it."""
    from django.db import connection

    if citus_cluster.is_wanted:
        with connection.cursor() as cursor:
            cursor.execute("select recover_prepared_transactions()")


def _unfinished_imports() -> int:
    from people.models import Import

    return Import.objects.exclude(state=Import.State.COMPLETE).count()


def _unfinished_campaign() -> bool:
    """True if the dispatcher, started again when it was killed, still has something to do."""
    from smartlists.campaigns import triggers
    from smartlists.models import CampaignEntry

    return triggers.dispatcher_lag() > 0 or CampaignEntry.objects.filter(state=CampaignEntry.State.OPEN).exists()


def _forget_connection() -> None:
    from django.db import connection

    connection.close()


if __name__ == "__main__":
    sys.exit(main())
