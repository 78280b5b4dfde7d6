"""The product behind a gunicorn of its own, on the test's database."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from django.conf import settings
from django.db import connection

from tests.forked_commands import ForkedCommands, forked_commands


class Server:
    """A gunicorn that was started for a test."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and text, over a connection of its own."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextmanager
def running_web_server(*options: str, **environment: str) -> Iterator[Server]:
    """A server on the test's database, of one process, as each takes seconds to start; commit first what it has to see.

    `options`: of gunicorn.
    """
    port = free_port()
    known = {"BIND": "127.0.0.1", "WEB_PORT": str(port), "WEB_WORKERS": "1", **environment}
    command = ["-m", "gunicorn", "--config", "config/gunicorn.py", "--log-level", "warning", *options, "config.wsgi"]
    with _running(command, port, known) as server:
        yield server


@contextmanager
def running_collector(port: int = 0, **environment: str) -> Iterator[Server]:
    """A collector on the test's database; commit first what it has to see.

    Requests of programs are only kept, until the test calls `tests.activities.intake.processing.process_all`: without
    `INTAKE_PROCESSES` in `environment` no process works on them.
    """
    port = port or free_port()
    known = {"BIND": "127.0.0.1", "COLLECTOR_PORT": str(port), "INTAKE_PROCESSES": "0", **environment}
    with _running(["manage.py", "collect"], port, known) as server:
        yield server


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[Server]:
    """A program of Python that serves on `port`, from its first answer on; ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=commands_environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process, port)
    try:
        _wait_for(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(40)
        process.stdout.close()  # type: ignore[union-attr]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_worker() -> Iterator["subprocess.Popen[bytes]"]:
    """A worker on the test's database."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=settings.BASE_DIR, env=commands_environment()
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def commands_of_test(**environment: str) -> AbstractContextManager[ForkedCommands]:
    """Commands on the test's database that start at once, for tests that kill them."""
    return forked_commands(commands_environment() | environment)


def commands_environment() -> dict[str, str]:
    """The environment of a program of the product on the test's database."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "EMBEDDED_POSTGRES_ATTACH": "1",
    }


def _wait_for(server: Server) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if server.get("/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
