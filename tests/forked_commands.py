"""Commands of the product as processes that start at once: forks of one that has loaded it, for tests that kill many."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

LOADED = ("config.collector.server", "smartlists.campaigns.dispatcher", "config.urls")


class ForkedCommands:
    """Starts and kills commands. `program`: this module, run as a program."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self._program = program
        self._running: set[int] = set()

    def start(self, name: str) -> int:
        """Start a command of `manage.py`; return its process id."""
        assert self._program.stdin is not None and self._program.stdout is not None
        self._program.stdin.write(f"{name}\n")
        self._program.stdin.flush()
        pid = int(self._program.stdout.readline())
        self._running.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """Kill a process that was started, and wait for its end."""
        self._running.discard(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            while True:
                os.kill(pid, 0)
                time.sleep(0.005)

    def kill_all(self) -> None:
        for pid in list(self._running):
            self.kill(pid)


@contextlib.contextmanager
def forked_commands(environment: Mapping[str, str]) -> Iterator[ForkedCommands]:
    """Commands in this environment. They are killed at the end."""
    command = [sys.executable, "-m", "tests.forked_commands"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=dict(environment), stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdin is not None and program.stdout is not None
        assert program.stdout.readline() == "loaded\n"
        commands = ForkedCommands(program)
        try:
            yield commands
        finally:
            commands.kill_all()
            program.stdin.close()


def main() -> None:
    import importlib

    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    for module in LOADED:
        importlib.import_module(module)
    connections.close_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no killed process stays as a zombie
    print("loaded", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            call_command(line.strip())
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
