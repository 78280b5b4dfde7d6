"""Clients that generators make of the OpenAPI document: they are made, their types fit, and they work.

Each needs what `requirements/test.in` or `package.json` names; where that is not installed the test is skipped. What was
made and checked of the same document, program and tools before is taken from `.cache/clients`.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
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
CACHE = Path(settings.BASE_DIR) / ".cache" / "clients"
KEPT = 4  # of each generator
PINS = Path(settings.BASE_DIR) / "requirements" / "test.txt"
BINARIES = Path(settings.BASE_DIR) / "node_modules" / ".bin"
NODE_TOOLS = [BINARIES.parent / name / "package.json" for name in ("@hey-api/openapi-ts", "typescript")]
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


def kept(folder, name, document, program, tools, make):
    """Fill `folder` by `make`: of the same inputs once, then from the cache."""
    inputs = [
        document.read_bytes(),
        (PROGRAMS / program).read_bytes(),
        *(Path(tool).read_bytes() for tool in (*tools, __file__)),
    ]
    digest = sha256(b"".join(sha256(part).digest() for part in inputs)).hexdigest()[:32]
    cached = CACHE / f"{name}-{digest}"
    if not cached.exists():
        make()
        for old in sorted(CACHE.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)[: -KEPT + 1]:
            shutil.rmtree(old, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=CACHE))
        shutil.copytree(folder, made, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".mypy_cache"))
        try:
            made.rename(cached)
        except OSError:  # another process made the same meanwhile
            shutil.rmtree(made)
    shutil.copytree(cached, folder, dirs_exist_ok=True)


def node_program(name):
    if not shutil.which("node") or not (BINARIES / name).exists():
        pytest.skip(f"{name} is not installed: npm install")
    return BINARIES / name


@pytest.mark.skipif(not find_spec("openapi_python_client"), reason="openapi-python-client is not installed")
def test_the_python_client_is_generated_whole_checked_and_works(document, token, live_server, tmp_path):
    def make():
        generate = ("generate", "--path", document, "--output-path", tmp_path / "generated", "--meta", "none")
        (tmp_path / "config.yaml").write_text("post_hooks: []\n")
        config = ("--config", tmp_path / "config.yaml")
        said = run(tmp_path, sys.executable, "-m", "openapi_python_client", *generate, *config)
        left_out = {line for line in said.splitlines() if line.startswith(("Unable to process", "WARNING parsing"))}
        assert left_out <= FILES, said
        shutil.copy(PROGRAMS / "program.py", tmp_path)
        if find_spec("mypy"):
            run(tmp_path, sys.executable, "-m", "mypy", "program.py")

    kept(tmp_path, "python", document, "program.py", [PINS], make)
    # its own code warns that a number and a word stand too close
    assert run(tmp_path, sys.executable, "-W", "ignore", "program.py", live_server.url, token).strip().lower() == DONE


def test_the_typescript_client_is_generated_checked_and_works(document, token, live_server, tmp_path):
    generator, compiler = node_program("openapi-ts"), node_program("tsc")

    def make():
        run(tmp_path, generator, "-i", document, "-o", tmp_path / "generated")
        shutil.copy(PROGRAMS / "program.ts", tmp_path)
        run(
            tmp_path,
            compiler,
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

    kept(tmp_path, "typescript", document, "program.ts", NODE_TOOLS, make)
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
