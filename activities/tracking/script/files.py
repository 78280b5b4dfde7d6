"""The built files that web sites load: which there are, what a moving address serves, what a page pastes."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

BUILT = Path(__file__).resolve().parent / "built"
GLOBAL = "customActivities"  # the name under which a page calls the script
SCRIPT, MUNCHKIN = "s.js", "munchkin.js"
TYPES = {".js": "text/javascript; charset=utf-8", ".map": "application/json"}


@cache
def _current() -> Mapping[str, Any]:
    current: Mapping[str, Any] = json.loads((BUILT / "current.json").read_text())
    return current


def current_version() -> str:
    """The version that moving addresses serve. The content of a version never changes."""
    version: str = _current()["version"]
    return version


def integrity(name: str = SCRIPT) -> str:
    """The digest of a file of the present version, for the attribute `integrity` of its tag."""
    digest: str = _current()["integrity"][name]
    return digest


@cache
def _files() -> Mapping[tuple[str, str], bytes]:
    return {
        (path.parent.name, path.name): path.read_bytes()
        for path in BUILT.glob("*/*")
        if path.suffix in TYPES and path.is_file()
    }


def fixed_file(version: str, name: str) -> bytes | None:
    """A file of a version, also of an earlier one that pages may name; None if there is none."""
    return _files().get((version, name))


def moving_script(configuration: Mapping[str, Any], name: str = SCRIPT) -> bytes:
    """A file of the present version with a source's configuration in front.

    `configuration`: key, base, consent (granted, denied, cookieless), gpc (respect, ignore), domains, forms, munchkin,
    links, downloads, cookie_days; also hash (a changed hash is a page) and pages (false: none by themselves).
    """
    # ASCII alone, and no end of a script element where a page holds it inline
    text = json.dumps(configuration, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    version = current_version()
    content = _files()[version, name].replace(
        f"sourceMappingURL={name}.map".encode(), f"sourceMappingURL={version}/{name}.map".encode()
    )
    _first_line, _newline, script = content.partition(b"\n")  # made to give way
    return f"(window.{GLOBAL}=window.{GLOBAL}||{{q:[]}}).config={text};\n".encode() + script


def page_tag(address: str) -> str:
    """The line that a page pastes for the moving script at `address`."""
    return f'<script async src="{address}"></script>'
