"""Clients that generators make of the OpenAPI document: they are made, their types fit, and they work.

Each needs what `requirements/test.in` or `package.json` names; where that is not installed the test is skipped. What was
generated and checked is kept in pytest's cache under the digest of all that it is made of (the document, the generator,
the program), so that only a change of one of these is generated and checked again; each program runs every time.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
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
NODE_PINS = Path(settings.BASE_DIR) / "package.json"
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
    return tokens.issue(client_editing.create("Generated", owner, None, client_editing.known_rights()).client).text


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


@pytest.fixture
def made(request, document, tmp_path) -> Callable[..., Path]:
    """The folder that `make` filled, now or in an earlier run that began with the same document and `inputs`."""

    def of(kind: str, make: Callable[[Path], None], *inputs: bytes) -> Path:
        digest = sha256(b"\0".join([document.read_bytes(), *inputs, Path(__file__).read_bytes()])).hexdigest()
        cache = getattr(request.config, "cache", None)
        kept = cache.mkdir("generated_clients") if cache else tmp_path
        whole = kept / f"{kind}-{digest[:32]}"
        if not whole.exists():
            for older in kept.glob(f"{kind}-*"):
                shutil.rmtree(older)
            folder = tmp_path / kind
            folder.mkdir()
            make(folder)
            partly = kept / f".{kind}-{os.getpid()}"
            shutil.move(folder, partly)
            partly.rename(whole)  # never seen half
        return whole

    return of


@pytest.mark.skipif(not find_spec("openapi_python_client"), reason="openapi-python-client is not installed")
def test_the_python_client_is_generated_whole_checked_and_works(document, token, live_server, made):
    program = PROGRAMS / "program.py"

    def make(folder):
        (folder / "config.yaml").write_text("post_hooks: []\n")
        generate = ("generate", "--path", document, "--output-path", folder / "generated", "--meta", "none")
        said = run(folder, sys.executable, "-m", "openapi_python_client", *generate, "--config", folder / "config.yaml")
        left_out = {line for line in said.splitlines() if line.startswith(("Unable to process", "WARNING parsing"))}
        assert left_out <= FILES, said
        shutil.copy(program, folder)
        if find_spec("mypy"):
            run(folder, sys.executable, "-m", "mypy", "program.py")
            shutil.rmtree(folder / ".mypy_cache", ignore_errors=True)

    folder = made("python", make, program.read_bytes(), version("openapi-python-client").encode(), sys.version.encode())
    # its own code warns that a number and a word stand too close
    assert run(folder, sys.executable, "-W", "ignore", "program.py", live_server.url, token).strip().lower() == DONE


def test_the_typescript_client_is_generated_checked_and_works(document, token, live_server, made):
    generator, compiler = node_program("openapi-ts"), node_program("tsc")
    program = PROGRAMS / "program.ts"

    def make(folder):
        run(folder, generator, "-i", document, "-o", folder / "generated")
        shutil.copy(program, folder)
        options = {"--target": "es2022", "--module": "commonjs", "--moduleResolution": "node"}
        options |= {"--lib": "es2022,dom,dom.iterable", "--outDir": "built"}
        run(
            folder,
            compiler,
            "--strict",
            "--skipLibCheck",
            *(text for pair in options.items() for text in pair),
            "program.ts",
        )

    folder = made("typescript", make, program.read_bytes(), NODE_PINS.read_bytes())
    assert run(folder, "node", "built/program.js", live_server.url, token).strip() == DONE


def test_the_document_has_no_fault_that_a_linter_knows(document, made):
    linter, rules = node_program("redocly"), PROGRAMS / "redocly.yaml"

    def make(folder):
        command = ("env", "REDOCLY_TELEMETRY=off", linter, "lint", document, "--config", rules, "--max-problems", "20")
        said = run(folder, *command)
        assert "warning" not in said.lower().replace("deprecation warning", ""), said

    made("lint", make, rules.read_bytes(), NODE_PINS.read_bytes())
