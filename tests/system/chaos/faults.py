"""Faults, one at a time."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from config.postgres.server import DATABASE, EmbeddedPostgres
from tests import citus_cluster
from tests.system.chaos.world import CLUSTER_DATABASE, World, children_of

FULL_SECONDS = 3.0
FROZEN_SECONDS = 6.0

Fault = Callable[[World], None]


def database_stops(world: World) -> None:
    """Stop the database as `pg_ctl stop -m immediate` does: all sessions end, the log of changes has to be replayed."""
    pid = world.postmaster()
    if pid is not None:
        os.kill(pid, signal.SIGQUIT)


def database_and_its_owner_are_killed(world: World) -> None:
    """kill -9 for the server and for the process that would start it again."""
    pid = world.postmaster()
    world.kill("database")
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def connections_are_cut(world: World) -> None:
    server = EmbeddedPostgres(world.data_dir)
    with psycopg.connect(**server.connection_parameters(), dbname=DATABASE, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()"
        )


def connections_to_the_coordinator_are_cut(_world: World) -> None:
    _cut(citus_cluster.nodes()[0])


def connections_to_workers_are_cut(_world: World) -> None:
    """Also in the middle of a commit of two phases."""
    for node in citus_cluster.nodes()[1:]:
        _cut(node)


def _cut(node: tuple[str, int]) -> None:
    with citus_cluster.connect(node, CLUSTER_DATABASE) as connection:
        connection.execute(
            """select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
            and backend_type = 'client backend' and pid <> pg_backend_pid()"""
        )


def a_web_process_is_killed(world: World) -> None:
    children = world.children("web")
    if children:
        os.kill(children[0], signal.SIGKILL)


def the_web_server_is_killed(world: World) -> None:
    for pid in world.children("web"):
        os.kill(pid, signal.SIGKILL)
    world.kill("web")


def the_worker_is_killed(world: World) -> None:
    world.kill("worker")


def the_dispatcher_is_killed(world: World) -> None:
    if "dispatcher" in world.processes:
        world.kill("dispatcher")


def the_collector_is_killed(world: World) -> None:
    world.kill("collector")


def the_disk_is_full(world: World) -> None:
    """Take what is left of the file system that DATA_DIR has for itself, for a moment."""
    with fill_disk(world):
        time.sleep(FULL_SECONDS)


@contextmanager
def fill_disk(world: World) -> Iterator[None]:
    ballast = world.data_dir / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1024 * 1024, 4096):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        ballast.unlink(missing_ok=True)


def the_database_is_frozen(world: World) -> None:
    """SIGSTOP for the server and its sessions: it refuses nothing, and answers nothing."""
    processes = freeze(world)
    time.sleep(FROZEN_SECONDS)
    thaw(processes)


def freeze(world: World) -> Sequence[int]:
    """Stop the processes of the database; return their ids."""
    pid = world.postmaster()
    if pid is None:
        return ()
    os.kill(pid, signal.SIGSTOP)  # first: it starts no further ones then
    processes = [pid, *children_of(pid)]
    _send(processes[1:], signal.SIGSTOP)
    return processes


def thaw(processes: Sequence[int]) -> None:
    _send(processes, signal.SIGCONT)


def _send(processes: Sequence[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


FAULTS: Mapping[str, Fault] = {
    "database stopped at once": database_stops,
    "connections cut": connections_are_cut,
    "web process killed": a_web_process_is_killed,
    "web server killed": the_web_server_is_killed,
    "worker killed": the_worker_is_killed,
    "database and its owner killed": database_and_its_owner_are_killed,
    "dispatcher killed": the_dispatcher_is_killed,
    "collector killed": the_collector_is_killed,
    "database frozen": the_database_is_frozen,
}
# the servers of a cluster are operated by others; faults of its connections, and of our own processes
CLUSTER_FAULTS: Mapping[str, Fault] = {
    "connections cut": connections_to_the_coordinator_are_cut,
    "connections to workers cut": connections_to_workers_are_cut,
    **{
        name: FAULTS[name]
        for name in (
            "web process killed",
            "web server killed",
            "worker killed",
            "dispatcher killed",
            "collector killed",
        )
    },
}
# after these the web has to continue with the processes that it has
WEB_STAYS = frozenset(
    {
        "database stopped at once",
        "connections cut",
        "connections to workers cut",
        "worker killed",
        "disk full",
        "collector killed",
        "database frozen",
    }
)

# the times that a process may be started again
KILLS: Mapping[str, tuple[str, ...]] = {
    "web": ("web server killed",),
    "worker": ("worker killed",),
    "dispatcher": ("dispatcher killed",),
    "collector": ("collector killed",),
    "database": ("database and its owner killed", "disk full"),
}


def own_disk(folder: Path, megabytes: int) -> bool:
    """Give the folder a small file system of its own, so that it can be full; whether that was allowed."""
    return os.system(f"mount -t tmpfs -o size={megabytes}m,mode=0711 tmpfs '{folder}' 2>/dev/null") == 0


def take_disk_away(folder: Path) -> None:
    os.system(f"umount -l '{folder}' 2>/dev/null")
