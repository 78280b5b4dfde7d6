"""All processes of the product with one command: started, stopped in order, and ended when the command is killed.

The command (`manage.py run`) forks a supervisor into a session of its own, which is the parent of all processes: of
those that prepare the database and files, one after another, and then of those that run. A pipe leads from the command
to the supervisor: its end of file, which the kernel sends even after SIGKILL of the command and its process group,
makes the supervisor stop everything. The database stops last. The command ends when `make`, which runs it, is killed.

A lock of the folder with the data is held by the supervisor until everything has ended.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST = "database"  # the process that the others need: it stops when they have ended
GRACE_SECONDS = 30.0  # between SIGTERM and SIGKILL; gunicorn's graceful_timeout
LAST_GRACE_SECONDS = 60.0
ALIVE_SECONDS = 3.0  # it may be stopping, or killed and not yet reaped
POLL_SECONDS = 0.1
LOCK = "run.lock"  # in DATA_DIR: contains the process id of the command
LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(.+)")
PR_SET_PDEATHSIG = 1  # Linux's prctl.h
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RunningError(Exception):
    """Another `manage.py run` uses the same folder."""


def read_procfile(path: Path) -> dict[str, str]:
    """The shell commands of a Procfile by the names of their processes."""
    matches = (LINE.fullmatch(line.strip()) for line in path.read_text().splitlines())
    return {line[1]: line[2] for line in matches if line}


def lock_folder(folder: Path, seconds: float = LAST_GRACE_SECONDS + GRACE_SECONDS) -> int:
    """Take the lock of a DATA_DIR; return its file descriptor, which child processes inherit only by fork.

    Where the command that holds it was killed, its processes are ending: they are waited for. Raises `RunningError`
    after ALIVE_SECONDS where that command is alive, else after `seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    begun, is_announced = time.monotonic(), False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = int(os.pread(lock, 20, 0) or 0)
            if time.monotonic() - begun > (ALIVE_SECONDS if _is_alive(holder) else seconds):
                os.close(lock)
                raise RunningError(
                    f"Custom Activities is running already with the data in {folder}: process {holder}. "
                    f"End it with Ctrl-C there, or: kill {holder}"
                ) from None
        if not is_announced and not _is_alive(holder):
            print("The processes of the previous run are ending …", flush=True)
            is_announced = True
        time.sleep(POLL_SECONDS)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def run_together(
    commands: Mapping[str, str],
    environment: Mapping[str, str],
    preparations: Sequence[Sequence[str]] = (),
    parent: int | None = None,
) -> int:
    """Run shell commands until SIGINT, SIGTERM, SIGHUP or the end of one of them; return an exit code.

    `preparations`: programs with their arguments, run before, each after the end of the one before; when one fails,
    nothing else runs. `parent`: the process id of the process whose end is taken for SIGTERM.
    """
    reading, writing = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        code = 1
        try:
            os.close(writing)
            code = _supervise(commands, environment, preparations, reading)
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(reading)
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) == 1:  # a second signal can interrupt this handler
            os.close(writing)

    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    pid, status = os.waitpid(supervisor, os.WNOHANG)
    while not pid:
        if parent is not None and not received and os.getppid() != parent:
            stop(signal.SIGTERM, None)
        time.sleep(POLL_SECONDS)
        pid, status = os.waitpid(supervisor, os.WNOHANG)
    return 128 + received[0] if received else os.waitstatus_to_exitcode(status)


def _supervise(
    commands: Mapping[str, str], environment: Mapping[str, str], preparations: Sequence[Sequence[str]], pipe: int
) -> int:
    """Start the commands, and stop them when one has ended or `pipe` does. Return the exit code of the first end."""
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for arguments in preparations:
        prepared = _prepare(arguments, environment, pipe)
        if prepared != 0:
            return prepared or 0
    running: dict[str, subprocess.Popen[bytes]] = {}
    code = 0
    try:
        for name, command in commands.items():
            running[name] = _start(["/bin/sh", "-c", command], environment)
        while not select.select([pipe], [], [], POLL_SECONDS)[0]:
            ended = next((name for name, process in running.items() if process.poll() is not None), None)
            if ended:
                code = running[ended].returncode or 1  # none of them should end by itself
                _print_line(f"{ended} has ended (code {running[ended].returncode}); the others are stopped.")
                break
    finally:
        _stop_in_order(running)
    return code if code >= 0 else 128 - code


def _prepare(arguments: Sequence[str], environment: Mapping[str, str], pipe: int) -> int | None:
    """Run a program to its end, and return its exit code; None where `pipe` has ended, which interrupts it.

    By SIGINT a command of Django rolls back what it has not committed, and stops the database that it started.
    """
    process = _start(arguments, environment, signal.SIGINT)
    while process.poll() is None:
        if select.select([pipe], [], [], POLL_SECONDS)[0]:
            _stop([process], GRACE_SECONDS, signal.SIGINT)
            return None
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _start(
    arguments: Sequence[str], environment: Mapping[str, str], number: int = signal.SIGTERM
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own; on Linux, the signal `number` ends it when the supervisor is killed."""

    def prepare_child() -> None:
        for ignored in SIGNALS:
            signal.signal(ignored, signal.SIG_DFL)
        if _PRCTL is not None:
            _PRCTL(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return subprocess.Popen(
        arguments, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=prepare_child
    )


def _stop_in_order(running: "Mapping[str, subprocess.Popen[bytes]]") -> None:
    """Stop processes: the database when the others have ended, which have half a minute for what they have begun."""
    others = [process for name, process in running.items() if name != LAST]
    _stop(others, GRACE_SECONDS)
    _stop([process for name, process in running.items() if name == LAST], LAST_GRACE_SECONDS)


def _stop(processes: "Sequence[subprocess.Popen[bytes]]", seconds: float, number: int = signal.SIGTERM) -> None:
    for process in processes:
        process.send_signal(number)
    deadline = time.monotonic() + seconds
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # also what it left behind in its session
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0) if pid else None
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return bool(pid)


def _print_line(text: str) -> None:
    """Print, even without a reader."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
