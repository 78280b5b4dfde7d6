"""The scripts of web sites, each with the configuration of its site in front."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from django.conf import settings

from activities.models import EventSource
from activities.tracking.script import files

_CONSENT = {EventSource.Consent.GRANTED: "granted", EventSource.Consent.DENIED: "denied"}
# the endings of links that are downloads
DOWNLOADS = "7z csv dmg doc docx epub exe gz key mov mp3 mp4 msi odt pdf pkg ppt pptx rar txt xls xlsx zip"
COOKIE_DAYS = 400  # browsers keep none longer


def configured_script(
    key: str, source: EventSource, name: str = files.SCRIPT, forms: Sequence[Mapping[str, Any]] = ()
) -> tuple[bytes, str]:
    """The script with the configuration of a site in front, and its entity tag. `forms`: those that it reads."""
    text = files.configured_file(site_config(key, source, forms), name)
    return text, f'"{sha256(text).hexdigest()[:32]}"'


def site_config(key: str, source: EventSource, forms: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The script's configuration for its site; it is public."""
    return {
        "key": key,
        "base": settings.COLLECTOR_BASE,
        "consent": _CONSENT[EventSource.Consent(source.consent)],
        "gpc": "respect" if settings.TRACKING_HONORS_GPC else "ignore",
        "domains": [],
        "forms": list(forms),
        "munchkin": source.munchkin_id,
        "links": True,
        "downloads": DOWNLOADS.split(),
        "cookie_days": COOKIE_DAYS,
    }
