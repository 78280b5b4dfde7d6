"""The built files of the script, by version, and the current version with a site's configuration."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

BUILT = Path(__file__).resolve().parent / "built"
GLOBAL = "customActivities"  # the name under which a page calls the script
QUEUED = ("page", "track", "identify", "form", "consent", "optOut", "reset", "ready")  # a page may call them early
SCRIPT, MUNCHKIN = "s.js", "munchkin.js"
TYPES = {".js": "text/javascript; charset=utf-8", ".map": "application/json"}


@cache
def _current() -> Mapping[str, Any]:
    current: Mapping[str, Any] = json.loads((BUILT / "current.json").read_text())
    return current


def current_version() -> str:
    """The version that addresses without a version serve. The content of a version never changes."""
    version: str = _current()["version"]
    return version


def integrity_digest(name: str = SCRIPT) -> str:
    """The digest of a file of the current version, for the attribute `integrity` of its tag."""
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
    """A file of a version, current or earlier; None if there is none."""
    return _files().get((version, name))


def configured_file(configuration: Mapping[str, Any], name: str = SCRIPT) -> bytes:
    """A file of the current version, preceded by a source's configuration.

    `configuration`: key, base, consent (granted, denied, cookieless), gpc (respect, ignore), domains, forms, munchkin,
    links, downloads, cookie_days; also hash (a changed hash is a page) and pages (false: page views only on request).
    """
    # ASCII only, and no `</script>`, which would end an inline script element
    text = json.dumps(configuration, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    version = current_version()
    content = _files()[version, name].replace(
        f"sourceMappingURL={name}.map".encode(), f"sourceMappingURL={version}/{name}.map".encode()
    )
    _first_line, _newline, script = content.partition(b"\n")  # a placeholder for the configuration
    return f"(window.{GLOBAL}=window.{GLOBAL}||{{q:[]}}).config={text};\n".encode() + script


def script_tag(address: str) -> str:
    """The HTML element that loads the script at `address`."""
    return f'<script async src="{address}"></script>'


def queue_tag() -> str:
    """The HTML element that keeps a page's calls until the script has arrived; it stands before `script_tag`."""
    return (
        f'<script>!function(w,n){{w[n]||(w[n]={{q:[]}},"{" ".join(QUEUED)}".split(" ").forEach(function(f)'
        f'{{w[n][f]=function(){{w[n].q.push([f,arguments])}}}}))}}(window,"{GLOBAL}")</script>'
    )
