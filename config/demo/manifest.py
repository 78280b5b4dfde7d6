"""The ids of the demo's rows, stored in its audit entry, which cannot be changed."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from people.core import audit, installation
from people.core.models import Installation

LOADED, REMOVED = "demo_loaded", "demo_removed"


def current_manifest() -> Mapping[str, Any] | None:
    """Return the ids of the loaded demo (`person_ids`, `type_ids`, `list_ids`, of a `Story`); None without a demo."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Installation), change_message__startswith='{"action": "demo_'
    )
    last = entries.order_by("-id").first()
    details = json.loads(last.change_message) if last else {}
    return details if details.get("action") == LOADED else None


def note_demo_loaded(by: Any, loaded: Any) -> None:
    audit.write_audit_entry(
        by,
        installation.current_installation(),
        LOADED,
        people=len(loaded.person_ids),
        activities=loaded.activities,
        person_ids=list(loaded.person_ids),
        type_ids=list(loaded.type_ids),
        list_ids=list(loaded.list_ids),
        **asdict(loaded.story),
    )


def note_demo_removed(by: Any, removed: Any) -> None:
    audit.write_audit_entry(
        by, installation.current_installation(), REMOVED, people=removed.people, activities=removed.activities
    )
