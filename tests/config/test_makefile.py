"""Targets of `make` beside tests and servers."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("installs", [True, False])
def test_a_browser_that_could_not_be_installed_is_tried_again(tmp_path, installs):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "timeout", "touch", "expr", "env"):
        (programs / name).symlink_to(shutil.which(name))
    for name, text in (("id", "echo 0"), ("apt-get", f"echo called >> {tmp_path}/calls; exit {0 if installs else 1}")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    command = [shutil.which("make"), "-s", "browser", f"VENV={tmp_path}", "BROWSERS=none"]
    for _time in range(2):
        subprocess.run(command, cwd=ROOT, env={"PATH": str(programs)}, check=True, capture_output=True, timeout=30)
    assert (tmp_path / "browser.tried").exists() == installs
    assert len((tmp_path / "calls").read_text().split()) == (2 if installs else 4)
