"""`make run`: one at a time, nothing survives it, the database stops last."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.server import together

ROOT = Path(__file__).parents[2]
RUN = """
import os
import signal
import sys
from pathlib import Path
from config.server import together
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells start background jobs
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
folder = Path(sys.argv[1])
try:
    together.lock_folder(folder)
except together.RunningError as error:
    sys.exit(str(error))
preparations = [["/bin/sh", "-c", text] for text in sys.argv[3:]]
commands = together.read_procfile(folder / "Procfile")
sys.exit(together.run_together(commands, {"PATH": sys.argv[2]}, preparations, os.getppid()))
"""
# as `make`: it waits for the command, and hands on no signal
MAKE = "import subprocess, sys; subprocess.run(sys.argv[1:], check=False)"
MIGRATE = "trap 'sleep 0.3; echo migrate >> ended; exit 1' INT; echo $$ >> pids; while :; do sleep 0.05; done"
# each notes its end, the database at once and the web server a moment later
PROCFILE = """
# comment
database: trap 'echo database >> ended; exit 0' TERM; echo $$ >> pids; while :; do sleep 0.05; done
web: trap 'sleep 0.3; echo web >> ended; exit 0' TERM; echo $$ >> pids; while :; do sleep 0.05; done
"""


@pytest.fixture
def started(tmp_path):
    """Starts the processes of PROCFILE, waits until they run, and returns the command."""
    (tmp_path / "Procfile").write_text(PROCFILE)
    commands = []

    def start(text=None, *preparations, by_make=False):
        if text:
            (tmp_path / "Procfile").write_text(text)
        command = [sys.executable, "-c", RUN, str(tmp_path), os.environ["PATH"], *preparations]
        command = [sys.executable, "-c", MAKE, *command] if by_make else command
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        commands.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes))
        return commands[-1]

    yield start
    for command in commands:
        command.kill()
        command.communicate(timeout=30)


def wait_for_lines(file, count):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if file.exists() and len(lines := file.read_text().split()) >= count:
            return lines
        time.sleep(0.02)
    raise AssertionError(f"{file.name} has fewer than {count} lines")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_everything_ends_with_the_command_the_database_last(started, tmp_path, number):
    first = started()
    pids = wait_for_lines(tmp_path / "pids", 2)
    os.killpg(first.pid, number)
    assert first.wait(20) == (-number if number == signal.SIGKILL else 128 + number)
    second = started()  # waits for what is still ending
    assert len(wait_for_lines(tmp_path / "pids", 4)) == 4
    assert wait_for_lines(tmp_path / "ended", 2) == ["web", "database"]
    assert not [pid for pid in pids if together._is_alive(int(pid))]
    assert second.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the end of a parent")
def test_the_processes_end_when_command_and_supervisor_are_killed(started, tmp_path):
    first = started()
    pids = wait_for_lines(tmp_path / "pids", 2)
    supervisor = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    assert set(wait_for_lines(tmp_path / "ended", 2)) == {"web", "database"}
    assert first.wait(20) == 256 - signal.SIGKILL


def test_a_second_command_names_the_first_and_how_to_end_it(started, tmp_path):
    first = started()
    wait_for_lines(tmp_path / "pids", 2)
    second = started()
    assert second.wait(20) == 1
    assert f"running already with the data in {tmp_path}: process {first.pid}. End it" in second.stderr.read()
    assert first.poll() is None


def test_the_end_of_one_ends_all_and_is_named(started, tmp_path):
    first = started(PROCFILE + "worker: exit 3\n")
    assert first.wait(20) == 3
    assert "worker has ended (code 3)" in first.stderr.read()


def test_what_prepares_runs_before_and_when_it_fails_nothing_else_does(started, tmp_path):
    first = started(None, "echo one >> prepared", "echo two >> prepared; exit 4", "echo three >> prepared")
    assert first.wait(20) == 4
    assert (tmp_path / "prepared").read_text().split() == ["one", "two"]
    assert not (tmp_path / "pids").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_prepares_ends_with_the_command_and_the_next_start_goes_on(started, tmp_path, number):
    first = started(None, MIGRATE, "echo later >> ended")
    (pid,) = wait_for_lines(tmp_path / "pids", 1)
    os.killpg(first.pid, number)
    assert first.wait(20) == (-number if number == signal.SIGKILL else 128 + number)
    second = started(None, "echo prepared >> ended")  # waits for what is still ending
    assert len(wait_for_lines(tmp_path / "pids", 3)) == 3
    assert wait_for_lines(tmp_path / "ended", 2) == ["migrate", "prepared"]
    assert not together._is_alive(int(pid)) and second.poll() is None


@pytest.mark.parametrize("preparations", [(), (MIGRATE,)])
def test_everything_ends_when_make_alone_is_killed(started, tmp_path, preparations):
    make = started(None, *preparations, by_make=True)
    pids = wait_for_lines(tmp_path / "pids", 1 if preparations else 2)
    command = int((tmp_path / together.LOCK).read_text())
    assert command != make.pid
    make.kill()
    assert wait_for_lines(tmp_path / "ended", 1 if preparations else 2)
    started()  # waits for the lock, which the command and its supervisor had
    wait_for_lines(tmp_path / "pids", len(pids) + 2)
    assert not [pid for pid in (command, *map(int, pids)) if is_running(pid)]


def is_running(pid):
    """True unless the process has ended; in a container no process may reap one whose parent was killed."""
    return together._is_alive(pid) and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_the_database_of_the_procfile_is_the_one_that_stops_last():
    commands = together.read_procfile(ROOT / "Procfile")
    assert next(iter(commands)) == together.LAST and len(commands) == 7
