"""The product as its process manager runs it: every process that ends is started again."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests import citus_cluster
from tests.system.chaos.collecting import LIMITS

ROOT = Path(__file__).resolve().parents[3]
AGAIN_AFTER = 0.3  # seconds until an ended process is started again
PYTHON = sys.executable
CLUSTER_DATABASE = "custom_activities_chaos"


class World:
    """One installation in a folder of its own."""

    def __init__(self, data_dir: Path, rest: float = 0.0) -> None:
        self.data_dir = data_dir
        self.unready = ""  # the last answer of the web while it was not ready
        self.rest = rest  # seconds that a program waits between two steps, at most
        self.port, self.collector_port = _free_port(), _free_port()
        self.environment = _environment(data_dir, self.port) | {"COLLECTOR_PORT": str(self.collector_port)}
        self.commands: dict[str, tuple[Path, Sequence[str]]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.starts: dict[str, int] = {}
        self._ending = threading.Event()
        self._keeper: threading.Thread | None = None
        self._log = (data_dir.parent / f"{data_dir.name}.log").open("wb")

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def start(self, name: str, *command: str, code: Path = ROOT) -> None:
        """Run a process of the version in the folder `code`, again whenever it ends."""
        self.commands[name] = code, command
        self._launch(name)
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, daemon=True)
            self._keeper.start()

    def kill(self, name: str) -> None:
        """kill -9."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.processes[name].pid, signal.SIGKILL)

    def children(self, name: str) -> list[int]:
        """The processes that one of ours started: gunicorn's workers."""
        return children_of(self.processes[name].pid)

    def postmaster(self) -> int | None:
        from config.postgres.server import EmbeddedPostgres

        return EmbeddedPostgres(self.data_dir)._postmaster()

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=3):
                return True
        except urllib.error.HTTPError as error:
            self.unready = error.read(300).decode(errors="replace")
        except OSError as error:
            self.unready = str(error)
        return False

    def wait_until_ready(self, seconds: float = 90) -> float:
        """Wait for the web; how many seconds it took."""
        started = time.monotonic()
        while not self.is_ready():
            if time.monotonic() - started > seconds:
                reason = f"the web is not ready after {seconds:.0f} s: {self.unready}"
                raise RuntimeError(f"{reason}; see {self._log.name}")
            time.sleep(0.1)
        return time.monotonic() - started

    def stop(self, name: str) -> None:
        """End a process for good, kindly at first."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()

    def end(self) -> None:
        """Stop everything, the database last."""
        self._ending.set()
        for name in reversed(list(self.processes)):
            self.stop(name)
        if (pid := self.postmaster()) is not None:  # its owner was killed
            os.kill(pid, signal.SIGQUIT)
        self._log.close()

    def _launch(self, name: str) -> None:
        environment = self.environment if name != "database" else _without(self.environment, "EMBEDDED_POSTGRES_ATTACH")
        code, command = self.commands[name]
        self.processes[name] = subprocess.Popen(
            command, env=environment, cwd=code, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        self.starts[name] = self.starts.get(name, 0) + 1

    def _keep(self) -> None:
        while not self._ending.wait(AGAIN_AFTER):
            for name, process in list(self.processes.items()):
                is_kept = self.processes.get(name) is process and not self._ending.is_set()
                if is_kept and process.poll() is not None:
                    self._launch(name)


def children_of(parent: int) -> list[int]:
    """The ids of the processes that a process started."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if entry.name.isdigit() and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(entry.name))
    return sorted(found)


def web() -> Sequence[str]:
    return (PYTHON, "-m", "gunicorn", "--config", "config/gunicorn.py", "--log-level", "warning", "config.wsgi")


def manage(*arguments: str) -> Sequence[str]:
    return (PYTHON, "manage.py", *arguments)


def fresh_folder(folder: Path) -> Path:
    """An empty folder that the database's own user can pass through."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    return folder


def _environment(data_dir: Path, port: int) -> dict[str, str]:
    given = _without(
        os.environ,
        "DATABASE_URL",
        "TEST_DATABASE_NAME",
        "DJANGO_SETTINGS_MODULE",
        "SECRET_KEY",
        "FILES_DIR",
        "EMBEDDED_POSTGRES_FOR_TESTS",
    )
    if citus_cluster.is_wanted:
        given["DATABASE_URL"] = f"{os.environ['CITUS_DATABASE_URL'].rpartition('/')[0]}/{CLUSTER_DATABASE}"
    return given | {
        "DATA_DIR": str(data_dir),
        "WEB_PORT": str(port),
        "BIND": "127.0.0.1",
        "EMBEDDED_POSTGRES_ATTACH": "1",
        "METRICS_ALLOW": "127.0.0.1",
        "API_CALLS_PER_MINUTE": "1000000",
        **LIMITS,
        "LOG_LEVEL": "WARNING",
        "DEMO": "0",
    }


def _without(environment: "os._Environ[str] | dict[str, str]", *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
