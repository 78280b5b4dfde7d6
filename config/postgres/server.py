"""The embedded PostgreSQL: the product's own server under DATA_DIR, for one machine and trials.

The binaries are in a Python wheel. This module initialises and starts them: password by scram, no TCP, a socket
folder that only its owner may enter, an application role that is no superuser. One process owns the server and
stops it when it ends; others attach. For root the server runs as an unprivileged OS user.
"""

import atexit
import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psycopg
from psycopg import sql

from config.postgres.binaries import MAJOR, DatabaseUnavailableError, reachable_binaries
from config.postgres.location import Location, choose_location, make_folder

ROLE = DATABASE = "custom_activities"
SUPERUSER = "postgres"
WAIT_SECONDS = 60.0
FLOOR_BYTES = (
    64 * 1024**2
)  # free bytes that the server needs: it writes its log in files of 16 MB, and must write one to start
FULL_SECONDS = 5.0  # between two checks of a full disk
ATTACH_ONLY = "EMBEDDED_POSTGRES_ATTACH"  # set for processes that never start the server themselves
FOR_TESTS = "EMBEDDED_POSTGRES_FOR_TESTS"  # the role may create databases, and the server does not wait for the disk


class EmbeddedPostgres:
    """The server of one DATA_DIR, as used by one process."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._lock: int | None = None
        self._temporary_location: Location | None = None
        self._is_waiting = False  # for space on the disk
        self._answered: int | None = None  # the server's process id, when it last responded

    @property
    def is_initialised(self) -> bool:
        return (self.data_dir / "postgres.json").exists()

    @property
    def location(self) -> Location:
        return self._temporary_location or Location(**json.loads((self.data_dir / "postgres.json").read_text()))

    @property
    def data_major(self) -> int:
        """The major version of PostgreSQL that wrote the data."""
        return int((Path(self.location.data) / "PG_VERSION").read_text())

    def connection_parameters(self) -> dict[str, str]:
        """Host, user and password of the application role. Raises DatabaseUnavailableError before the first start."""
        if not self.is_initialised:
            raise DatabaseUnavailableError("the embedded database has not been started yet")
        return {"host": self.location.sockets, "user": ROLE, "password": self._password("database_password")}

    def ensure_running(self, seconds: float | None = None) -> None:
        """Attach to the running server, or start it for this process's lifetime.

        Raises DatabaseUnavailableError if none responds within `seconds`, or a minute.
        """
        if os.environ.get(ATTACH_ONLY) or not self.start():
            self._wait_until_responding(WAIT_SECONDS if seconds is None else seconds)

    def start(self) -> bool:
        """Start the server for this process's lifetime; return False if another process owns it."""
        if not self.own():
            return False
        self._initialise_and_start()
        atexit.register(self.stop)
        return True

    def run(self) -> None:
        """Own the server until SIGTERM or SIGINT, and restart it if it dies. For the process manager."""
        self.own(wait=True)
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: stopping.append(received))
        while not stopping:
            if not self._responds() and not self._hangs() and self._has_room():
                try:
                    self._initialise_and_start()
                    print("database: ready", flush=True)
                except DatabaseUnavailableError:
                    if self._has_room():
                        raise
            time.sleep(FULL_SECONDS if self._is_waiting else 0.5)
        self.stop()

    def _hangs(self) -> bool:
        """Return whether the server that responded before is still there: no second one can be started beside it."""
        self._reap(self._answered)
        return self._answered is not None and self._postmaster() == self._answered

    def free_bytes(self) -> int:
        """Free bytes on the disk of the data."""
        place = self._data_place()
        return shutil.disk_usage(place if place.exists() else self.data_dir).free

    def _data_place(self) -> Path:
        return Path(self.location.data) if self.is_initialised else self.data_dir

    def _has_room(self) -> bool:
        """Return whether the disk has room for a start; with a full one the server would end at once, repeatedly."""
        place, free = self._data_place(), self.free_bytes()
        was_waiting, self._is_waiting = self._is_waiting, free < FLOOR_BYTES
        if self._is_waiting and not was_waiting:
            print(
                f"database: not started: the disk of {place} has {free / 1024**2:,.0f} MB free, "
                f"{FLOOR_BYTES // 1024**2} MB are needed. Make room there; it starts by itself then.",
                flush=True,
            )
        return not self._is_waiting

    def stop(self) -> None:
        """Stop the server if this process owns it: sessions end, nothing committed is lost."""
        if self._lock is None:
            return
        self._end()
        os.close(self._lock)
        self._lock = None

    @contextlib.contextmanager
    def serving(self, location: Location) -> Iterator[dict[str, str]]:
        """Run the server at another location or with other binaries for a while; yield its connection parameters."""
        self._end()
        self._temporary_location = location
        try:
            if not (Path(location.data) / "PG_VERSION").exists():
                self._initdb(location)
            self._start()
            self._make_role_and_database()
            yield self.connection_parameters() | {"dbname": DATABASE}
        finally:
            self._end()
            self._temporary_location = None

    def move_to(self, location: Location) -> None:
        """Store the server's location, atomically."""
        _write_private(self.data_dir / "postgres.json", json.dumps(asdict(location)))

    def _end(self) -> None:
        pid = self._postmaster()
        if pid:
            os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
            self._wait_for_end(pid)

    def own(self, wait: bool = False) -> bool:
        """Become the only process that starts and stops the server; the death of the owner releases it at once."""
        if self._lock is not None:
            return True
        self.data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.data_dir / "postgres.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _initialise_and_start(self) -> None:
        if not self.is_initialised:
            self._initialise()
        self._refuse_other_major()
        if not self._responds():
            self._update_binaries()
            self._start()
            self._make_role_and_database()

    def _refuse_other_major(self) -> None:
        if self.data_major != MAJOR:
            raise DatabaseUnavailableError(
                f"the embedded database in {self.location.data} was written by PostgreSQL {self.data_major}, and this "
                f"version of the product brings PostgreSQL {MAJOR}. Nothing was changed. Stop the product and run: "
                "python manage.py upgrade_postgres (docs/upgrading.md, “A newer PostgreSQL”)"
            )

    def _update_binaries(self) -> None:
        """Use the binaries of the present wheel: the virtual environment may have moved, or has a newer PostgreSQL."""
        binaries = reachable_binaries(self.location.user)
        if str(binaries) != self.location.binaries:
            self.move_to(replace(self.location, binaries=str(binaries)))

    def _initialise(self) -> None:
        location = choose_location(self.data_dir)
        if not (Path(location.data) / "PG_VERSION").exists():
            self._initdb(location)
        self.move_to(location)

    def _initdb(self, location: Location) -> None:
        """Initialise beside the final folder and rename, so that an interrupted one is not used as a database."""
        folder = Path(f"{location.data}.new")
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder, location)
        password = self._password("database_superuser_password")
        with tempfile.NamedTemporaryFile("w") as file:
            if location.user:
                os.chown(file.name, pwd.getpwnam(location.user).pw_uid, -1)
            file.write(password)
            file.flush()
            _run(
                [
                    f"{location.binaries}/initdb",
                    "--pgdata",
                    str(folder),
                    "--username",
                    SUPERUSER,
                    "--pwfile",
                    file.name,
                    "--auth",
                    "scram-sha-256",
                    "--encoding",
                    "UTF8",
                    "--locale-provider",
                    "builtin",
                    "--builtin-locale",
                    "C.UTF-8",
                    "--locale",
                    "C",
                ],
                location,
            )
        folder.rename(location.data)

    def _start(self) -> None:
        location = self.location
        make_folder(Path(location.sockets), location)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": location.sockets,
            "unix_socket_permissions": "0700" if not location.user else "0777",  # the folder is 0700
            "shared_buffers": "512MB",
            "effective_cache_size": "2GB",
            "work_mem": "32MB",
            "maintenance_work_mem": "256MB",
            "max_wal_size": "4GB",
            "max_connections": "80",
            "max_locks_per_transaction": "256",
            "random_page_cost": "1.1",
            "wal_compression": "on",
            # no failing statements and no values of rejected rows, which errors name, too: erasing a person does not
            # reach this log. Who caused an error logs it.
            "log_min_messages": "log",
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": "0",
            "log_error_verbosity": "terse",
            **({"fsync": "off", "full_page_writes": "off"} if os.environ.get(FOR_TESTS) else {}),
        }
        deadline = time.monotonic() + WAIT_SECONDS
        process = self._launch(location, options)
        while not self._responds(SUPERUSER, "database_superuser_password"):
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(
                    f"the embedded database does not start; see {self.data_dir}/postgres.log"
                )
            time.sleep(0.05)
            if process.poll() is not None:  # a killed server's children may hold its shared memory for a moment
                time.sleep(0.5)
                if not self._has_room():
                    raise DatabaseUnavailableError(f"the embedded database does not start: no room at {location.data}")
                process = self._launch(location, options)

    def _launch(self, location: Location, options: dict[str, str]) -> "subprocess.Popen[bytes]":
        self._reap(self._postmaster())
        path = self.data_dir / "postgres.log"
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as log:
            if (
                os.fstat(log.fileno()).st_mode & 0o077
            ):  # written by an earlier version, with statements and their values
                os.ftruncate(log.fileno(), 0)
                os.fchmod(log.fileno(), 0o600)
            return subprocess.Popen(
                [
                    f"{location.binaries}/postgres",
                    "-D",
                    location.data,
                    *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                env=_clean_environment(),
                **location.os_user,  # type: ignore[call-overload]
            )

    def _make_role_and_database(self) -> None:
        with self._connect(SUPERUSER, "database_superuser_password") as connection:
            password = sql.Literal(self._password("database_password"))
            exists = connection.execute("select 1 from pg_roles where rolname = %s", [ROLE]).fetchone()
            role, verb = sql.Identifier(ROLE), sql.SQL("alter" if exists else "create")
            rights = sql.SQL("createdb" if os.environ.get(FOR_TESTS) else "nocreatedb")
            connection.execute(
                sql.SQL("{} role {} login nosuperuser nocreaterole {} password {}").format(verb, role, rights, password)
            )
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(DATABASE), role))

    def _connect(self, user: str, password_file: str) -> psycopg.Connection[tuple[object, ...]]:
        database = DATABASE if user == ROLE else "postgres"  # the role exists a moment before its database
        return psycopg.connect(
            host=self.location.sockets,
            user=user,
            password=self._password(password_file),
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _responds(self, user: str = ROLE, password_file: str = "database_password") -> bool:
        if not self.is_initialised:
            return False
        try:
            self._connect(user, password_file).close()
        except psycopg.OperationalError:
            return False
        self._answered = self._postmaster()
        return True

    def _wait_until_responding(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._responds():
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(
                    "the embedded database does not answer; start it with `make run` or `python manage.py postgres`"
                )
            time.sleep(0.1)

    def _postmaster(self) -> int | None:
        try:
            pid = int((Path(self.location.data) / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return pid

    def _wait_for_end(self, pid: int) -> None:
        for _attempt in range(int(WAIT_SECONDS * 20)):
            self._reap(pid)
            if self._postmaster() is None:
                return
            time.sleep(0.05)

    @staticmethod
    def _reap(pid: int | None) -> None:
        """Reap a killed server that is a child process: as a zombie its pid would prevent the next start."""
        if pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _password(self, name: str) -> str:
        file = self.data_dir / name
        if not file.exists():
            _write_private(file, secrets.token_urlsafe(24))
        return file.read_text()


def _run(command: list[str], location: Location) -> None:
    result = subprocess.run(
        command, cwd="/", capture_output=True, text=True, env=_clean_environment(), **location.os_user
    )  # type: ignore[call-overload]
    if result.returncode:
        raise DatabaseUnavailableError(
            f"{Path(command[0]).name} failed: {result.stderr.strip() or result.stdout.strip()}"
        )


def _clean_environment() -> dict[str, str]:
    """Return an environment without the caller's PG* variables and locale, which would affect the server."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _write_private(file: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)  # 0600
    with os.fdopen(descriptor, "w") as temporary:
        temporary.write(text)
        temporary.flush()
        os.fsync(temporary.fileno())
    os.replace(name, file)
