"""Run it: data of the version before, migrated with this one; both versions work together both ways; the judgement.

Both run with the packages of this version; what is old comes from the repository's history.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.system.chaos.world import ROOT, World, fresh_folder, manage, web
from tests.system.upgrade.day import DONE, Day
from tests.system.upgrade.log import Noted, faults_since, note_log

PASSWORD = "A word for the neighbours 1"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.upgrade", description=sys.modules["tests.system.upgrade"].__doc__
    )
    parser.add_argument("version", help="the version before: a tag or a commit")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "var" / "neighbours")
    parser.add_argument("--database-url", default="", help="an empty database on a server of one's own")
    options = parser.parse_args()
    folder = fresh_folder(options.data_dir)
    old = _code_of(options.version, folder.parent / f"{folder.name}-code")
    world = World(folder)
    if options.database_url:
        world.environment["DATABASE_URL"] = options.database_url
    try:
        report = dict(_together(world, old))
    finally:
        world.end()
    print(json.dumps(report, indent=1))
    is_right = all(said == DONE for tries in report.values() for said in tries.values())
    if is_right:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return 0 if is_right else 1


def _code_of(version: str, folder: Path) -> Path:
    """The files of a version, as the repository has them."""
    packed = subprocess.run(["git", "archive", version], cwd=ROOT, check=True, capture_output=True).stdout
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _together(world: World, old: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The results of all tries, for both ways."""
    _start_database(world)
    noted = _record_with(old, world)
    yield "upgrade", {"activities of the version before": faults_since(noted) or DONE}
    tokens = _prepare(world, old)
    ways = {"old web, new worker": (old, ROOT), "new web, old worker": (ROOT, old)}
    for number, (name, (web_code, worker_code)) in enumerate(ways.items()):
        world.start("web", *web(), code=web_code)
        world.start("worker", *manage("worker"), code=worker_code)
        world.start("dispatcher", *manage("dispatch"), code=worker_code)
        world.wait_until_ready()
        yield name, Day(world.address, tokens, PASSWORD, number).tries()
        for process in ("web", "worker", "dispatcher"):
            world.stop(process)


def _start_database(world: World) -> None:
    os.environ.clear()
    os.environ.update(world.environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    if "DATABASE_URL" not in world.environment:
        world.start("database", *manage("postgres"))
    import django

    django.setup()


def _record_with(old: Path, world: World) -> Noted:
    """Make tables and demo by the version before, and migrate by this one; return the log before the upgrade."""
    from django.core.management import call_command

    for command in ("migrate", "load_demo"):
        subprocess.run(manage(command, "--verbosity", "0"), cwd=old, env=world.environment, check=True)
    noted = note_log()
    call_command("migrate", verbosity=0)
    return noted


def _prepare(world: World, old: Path) -> dict[str, str]:
    """Users, a client with tokens of both APIs, a type, people, a campaign."""
    from django.db import connection

    for code in (old, ROOT):
        subprocess.run(
            manage("collectstatic", "--noinput", "--verbosity", "0"), cwd=code, env=world.environment, check=True
        )
    tokens = _fill()
    connection.close()
    return tokens


def _fill() -> dict[str, str]:
    from django.contrib.auth import get_user_model

    from config.access.clients import editing as client_editing
    from config.access.clients import tokens
    from people.core.models import Installation
    from tests.factories import ActivityFieldSpec, approved_type, make_person
    from tests.system.chaos import judging
    from tests.system.chaos.clients import TYPE

    Installation.objects.get_or_create(pk=1)
    owner: Any = get_user_model().objects.create_superuser("neighbour", password=PASSWORD)
    client = client_editing.create_client("Neighbours", owner, None, client_editing.grantable_rights()).client
    approved_type(
        "Chaos Event",
        TYPE,
        (ActivityFieldSpec("key", "Key", is_primary=True), ActivityFieldSpec("amount", "Amount", "integer")),
    )
    for number in range(20):
        make_person(email=f"person{number}@example.com")
    judging.start_campaign()
    return {"dialect": client_editing.client_token(client).text, "native": tokens.issue_token(client).text}


if __name__ == "__main__":
    sys.exit(main())
