"""The scripts that web pages load: built files of a version, with a site's configuration in front."""

import json
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from activities.models import EventSource

NAMES = ("s.js", "munchkin.js", "debug.js")
_CONSENT = {EventSource.Consent.GRANTED: "granted", EventSource.Consent.DENIED: "denied"}


def current_version() -> str | None:
    """The version of the scripts of this installation; None where they were not built."""
    return _version(str(settings.TRACKING_SCRIPTS))


def read_script(version: str, name: str) -> bytes | None:
    """A built script of the current version; None for any other."""
    if name not in NAMES or version != current_version():
        return None
    return _file(str(settings.TRACKING_SCRIPTS), version, name)


def site_script(key: str, source: EventSource, name: str = "s.js") -> tuple[bytes, str] | None:
    """The script with the configuration of a site in front, and its entity tag."""
    version = current_version()
    script = read_script(version, name) if version else None
    if script is None:
        return None
    config = json.dumps(site_config(key, source), ensure_ascii=True).replace("<", "\\u003c")
    text = f"(window.customActivities=window.customActivities||{{}}).config={config};\n".encode() + script
    return text, f'"{sha256(text).hexdigest()[:32]}"'


def site_config(key: str, source: EventSource) -> dict[str, Any]:
    """What the script needs to know of its site; everybody can read it."""
    return {
        "key": key,
        "base": settings.COLLECTOR_BASE,
        "consent": _CONSENT[EventSource.Consent(source.consent)],
        "gpc": "cookieless" if settings.TRACKING_HONORS_GPC else "ignore",
        "domains": [],
        "forms": [],
        "munchkin": source.munchkin_id,
        "links": True,
        "cookie_days": 400,
    }


@lru_cache(maxsize=4)
def _version(folder: str) -> str | None:
    try:
        return str(json.loads(Path(folder, "current.json").read_text())["version"])
    except (OSError, ValueError, KeyError):
        return None


@lru_cache(maxsize=16)
def _file(folder: str, version: str, name: str) -> bytes | None:
    try:
        return Path(folder, version, name).read_bytes()
    except OSError:
        return None
