"""DuckDB in this process: one in-memory instance, one query at a time, with access to the index's folder only.

It is created at first use and never shared with a forked child, where it would hang.
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
from django.conf import settings

from activities.log.columns import files
from people.core import disk

MEMORY = "512MB"
TEMPORARY = 20 * 1024**3  # bytes of temporary files at most, and less where the disk has only its reserve left
SHORT = 0.1  # seconds after which a running query is checked for cancellation
# people are sent as the bits of one value, in blocks of as many ids as a container of a roaring bitmap holds
BLOCK = 1 << 16

# a statement of PostgreSQL that fails after a cancellation or a lost connection while DuckDB works
PULSE = "select pg_sleep(0.04)"

Error = duckdb.Error


class DuckSession:
    """One instance of DuckDB; its threads compete with the other processes of the machine."""

    def __init__(self, place: Path) -> None:
        self.busy = threading.Lock()
        self.place = place
        (place / files.TEMPORARY).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.connection = duckdb.connect(":memory:")
        processes = int(os.environ.get("WEB_WORKERS", "2"))
        for name, value in {
            "threads": str(max(1, (os.cpu_count() or 1) // processes)),
            "memory_limit": MEMORY,
            "temp_directory": str(place / files.TEMPORARY),
            "max_temp_directory_size": f"{_temporary_bytes(place)}B",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        }.items():
            self.connection.execute(f"set {name} = '{value}'")
        self.connection.execute(f"set allowed_directories = [{text_literal(str(place))}]")
        self.connection.execute("set enable_external_access = false")
        self.connection.execute("set lock_configuration = true")

    def rows(self, sql: str, parameters: Sequence[Any] = (), meanwhile: Callable[[], None] | None = None) -> Any:
        """All rows of one query. `meanwhile` is called repeatedly while it waits or runs; its exceptions end the query.

        Raises `duckdb.Error`.
        """
        while not self.busy.acquire(timeout=SHORT):
            if meanwhile is not None:
                meanwhile()
        try:
            return self._run(sql, parameters, meanwhile)
        finally:
            self.busy.release()

    def _run(self, sql: str, parameters: Sequence[Any], meanwhile: Callable[[], None] | None) -> Any:
        if meanwhile is None:
            return self.connection.execute(sql, parameters).fetchall()
        outcome: list[Any] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                outcome.extend(self.connection.execute(sql, parameters).fetchall())
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=work, name="column index")
        thread.start()
        try:
            thread.join(SHORT)
            while thread.is_alive():
                meanwhile()
                thread.join(0)
        except BaseException:
            while thread.is_alive():  # an interrupt before the start of the query is lost
                self.connection.interrupt()
                thread.join(0.01)
            raise
        if failure:
            raise failure[0]
        return outcome


def _temporary_bytes(place: Path) -> int:
    return max(0, min(TEMPORARY, disk.free_bytes(place) - settings.DISK_RESERVE_BYTES))


_sessions: dict[Path, DuckSession] = {}
_making = threading.Lock()


def duck_session() -> DuckSession:
    """This process's instance for the present folder."""
    place = files.index_folder()
    with _making:
        if place not in _sessions:
            _sessions.clear()
            _sessions[place] = DuckSession(place)
        return _sessions[place]


def _forget() -> None:
    """Drop the parent's instance without closing it, as its threads do not exist in this process."""
    global _sessions, _making
    _left.extend(_sessions.values())
    _sessions, _making = {}, threading.Lock()


_left: list[DuckSession] = []
os.register_at_fork(after_in_child=_forget)


def text_literal(value: str) -> str:
    """A text as a literal of DuckDB's SQL."""
    return "'" + value.replace("'", "''") + "'"


def path_list(of: Sequence[Path]) -> str:
    """A list of files as `read_parquet` takes it."""
    return f"[{', '.join(text_literal(str(path)) for path in of)}]"
