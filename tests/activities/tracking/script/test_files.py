"""The built files: small, made of the source, the same for ever under their version."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess

import pytest
from django.conf import settings

from activities.tracking.script import files
from tests.activities.tracking.script.recording_collector import fixed_page_tag

ROOM = files.BUILT.parent
BIGGEST = {"s.js": 6_000, "munchkin.js": 3_000}  # bytes of gzip -9


def test_what_a_page_loads_is_small():
    for name, most in BIGGEST.items():
        size = len(gzip.compress(files.fixed_file(files.current_version(), name), 9))
        assert 1_000 < size <= most, name
    assert len(files.queue_tag()) <= 400
    assert files.queue_tag() in (settings.BASE_DIR / "docs/web-tracking.md").read_text()
    lines = {path.name: len(path.read_text().splitlines()) for path in (ROOM / "source").glob("*.js")}
    assert len(lines) > 10 and max(lines.values()) <= 400, lines


def test_the_built_files_are_those_of_the_source():
    if not shutil.which("node") or not all(
        (settings.BASE_DIR / "node_modules" / name).exists() for name in ("esbuild", "terser")
    ):
        pytest.skip(
            "esbuild and terser are not installed (npm): nobody can say whether the built files are the source's"
        )
    done = subprocess.run(["node", str(ROOM / "build.mjs"), "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_version_names_its_content():
    version = files.current_version()
    texts = {}
    for name in ("debug.js", "munchkin.js", "s.js"):
        content = files.fixed_file(version, name)
        digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
        assert files.integrity_digest(name) == f"sha384-{digest}"
        texts[name] = content.decode().replace(version, "__VERSION__")
        texts[f"{name}.map"] = files.fixed_file(version, f"{name}.map").decode()
        assert json.loads(texts[f"{name}.map"])["sources"], "a browser's tools show the source"
        assert not re.search(r"\beval\(|new Function|beforeunload|\"unload\"|innerHTML", texts[name])
    text = "\n".join(f"{name}\n{texts[name]}" for name in sorted(texts))
    assert version.partition("-")[2] == hashlib.sha256(text.encode()).hexdigest()[:8]


def test_the_configuration_stands_in_front_and_cannot_end_the_script():
    configuration = {"key": "cab_x", "name": "</script><!--é\u2028"}
    script = files.configured_file(configuration)
    first, _newline, rest = script.partition(b"\n")
    fixed = files.fixed_file(files.current_version(), "s.js")
    assert rest.partition(b"//#")[0] == fixed.partition(b"\n")[2].partition(b"//#")[0], (
        "the source map holds, line by line"
    )
    assert f"sourceMappingURL={files.current_version()}/s.js.map".encode() in rest
    assert first.isascii() and b"<" not in first
    assert json.loads(first[first.index(b"{", first.index(b"config=")) :].rstrip(b";")) == configuration
    assert files.fixed_file("../source", "main.js") is None and files.fixed_file(files.current_version(), "x") is None
    tag = fixed_page_tag("https://t.example", configuration | {"name": '"&<'})
    assert 'data-config="{&quot;key&quot;:&quot;cab_x&quot;,&quot;name&quot;:&quot;\\&quot;&amp;&lt;&quot;}"' in tag
