"""Clients that generators make of the OpenAPI document: they are made, their types fit, and they work.

Each needs what `requirements/test.in` or `package.json` names; where that is not installed the test is skipped.
"""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from tests.factories import approved_type

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PROGRAMS = Path(__file__).parent / "generated"
BINARIES = Path(settings.BASE_DIR) / "node_modules" / ".bin"
# this generator sends no files but application/octet-stream, and no rows of NDJSON
FILES = {
    "WARNING parsing POST /api/v1/imports within imports.",
    "WARNING parsing POST /api/v1/activities/stream within activities. Endpoint will not be generated.",
}
DONE = "recorded 1 listed true counted 1"


@pytest.fixture
def token(db):
    owner = get_user_model().objects.create_superuser("olga", password="x")
    return tokens.issue_token(
        client_editing.create_client("Generated", owner, None, client_editing.grantable_rights()).client
    ).text


@pytest.fixture
def document(client, token, tmp_path):
    approved_type()
    reply = client.get("/api/v1/openapi.json", headers={"Authorization": f"Bearer {token}"})
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(reply.json()))
    return file


def run(folder, *command):
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout + result.stderr


def node_program(name):
    if not shutil.which("node") or not (BINARIES / name).exists():
        pytest.skip(f"{name} is not installed: npm install")
    return BINARIES / name


@pytest.mark.skipif(not find_spec("openapi_python_client"), reason="openapi-python-client is not installed")
def test_the_python_client_is_generated_whole_checked_and_works(document, token, live_server, tmp_path):
    generate = ("generate", "--path", document, "--output-path", tmp_path / "generated", "--meta", "none")
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")
    said = run(tmp_path, sys.executable, "-m", "openapi_python_client", *generate, "--config", tmp_path / "config.yaml")
    left_out = {line for line in said.splitlines() if line.startswith(("Unable to process", "WARNING parsing"))}
    assert left_out <= FILES, said
    shutil.copy(PROGRAMS / "program.py", tmp_path)
    if find_spec("mypy"):
        run(tmp_path, sys.executable, "-m", "mypy", "program.py")
    # its own code warns that a number and a word stand too close
    assert run(tmp_path, sys.executable, "-W", "ignore", "program.py", live_server.url, token).strip().lower() == DONE


def test_the_typescript_client_is_generated_checked_and_works(document, token, live_server, tmp_path):
    run(tmp_path, node_program("openapi-ts"), "-i", document, "-o", tmp_path / "generated")
    shutil.copy(PROGRAMS / "program.ts", tmp_path)
    run(
        tmp_path,
        node_program("tsc"),
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2022",
        "--module",
        "commonjs",
        "--moduleResolution",
        "node",
        "--lib",
        "es2022,dom,dom.iterable",
        "--outDir",
        "built",
        "program.ts",
    )
    assert run(tmp_path, "node", "built/program.js", live_server.url, token).strip() == DONE


def test_the_document_has_no_fault_that_a_linter_knows(document, tmp_path):
    said = run(
        tmp_path,
        "env",
        "REDOCLY_TELEMETRY=off",
        node_program("redocly"),
        "lint",
        document,
        "--config",
        PROGRAMS / "redocly.yaml",
        "--max-problems",
        "20",
    )
    assert "warning" not in said.lower().replace("deprecation warning", ""), said
