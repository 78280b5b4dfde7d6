"""Audit entries in Django's admin log: one a call or job, never with personal values.

The log is append-only (a trigger refuses updates and deletes). An entry holds an action's name and its
parameters; `entry_sentence` renders it in the reader's language.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, Func, Model, QuerySet, TextField, Value
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SYSTEM_USERNAME = "system"

_FLAGS = {ADDITION: "created", CHANGE: "changed", DELETION: "deleted"}
# upper apps register the sentences of their own verbs with `register_actions`
_SENTENCES: dict[str, tuple[int, str | Promise]] = {
    "created": (ADDITION, _("Created")),
    "changed": (CHANGE, _("Changed: %(what)s")),
    "deleted": (DELETION, _("Deleted")),
    "restored": (CHANGE, _("Restored")),
}
# models whose names may be personal data: entries have their numbers
_numbered = {"person"}


def register_numbered(model_name: str) -> None:
    """Register a model, in lower case, whose entries must not hold the names of its rows."""
    _numbered.add(model_name)


def register_actions(sentences: Mapping[str, tuple[int, str | Promise]]) -> None:
    """Register actions: name → (Django's action flag, sentence with %(parameter)s places).

    Raises ValueError for a name that stands for another sentence already.
    """
    for name, (flag, sentence) in sentences.items():
        if (registered := _SENTENCES.setdefault(name, (flag, sentence))) != (flag, sentence):
            raise ValueError(f"the action {name} is registered as {registered[1]!r} and as {sentence!r}")


def write_audit_entry(by: Any, subject: Model, action: str, **parameters: Any) -> None:
    """Record that `by` (a user; None: the system itself) did `action` to `subject`.

    `parameters` fill the sentence's placeholders and must hold no personal value.
    """
    flag, _sentence = _SENTENCES[action]
    is_numbered = subject._meta.model_name in _numbered
    name = f"{subject._meta.verbose_name} {subject.pk}" if is_numbered else str(subject)
    LogEntry.objects.create(
        user_id=by.pk if by is not None else system_user_id(),
        content_type=ContentType.objects.get_for_model(subject),
        object_id=str(subject.pk),
        object_repr=(name.capitalize() if is_numbered else name)[:200],
        action_flag=flag,
        change_message=json.dumps({"action": action, **parameters}),
    )


def entries_of(subject: Model, number: int) -> QuerySet[LogEntry]:
    """The latest entries about one object, newest first."""
    of_kind = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(subject))
    return of_kind.filter(object_id=str(subject.pk)).select_related("user").order_by("-pk")[:number]


def entry_sentence(entry: LogEntry) -> str:
    """The sentence of an entry in the active language; for Django's own entries, Django's text."""
    try:
        message = json.loads(entry.change_message)
    except ValueError:
        return entry.get_change_message()
    if not isinstance(message, dict) or message.get("action") not in _SENTENCES:
        return entry.get_change_message()
    return str(_SENTENCES[message["action"]][1]) % message


def entry_details(entry: LogEntry) -> dict[str, Any]:
    """The action and parameters of an entry; for Django's own entries the action alone."""
    try:
        message = json.loads(entry.change_message)
    except ValueError:
        return {"action": _FLAGS.get(entry.action_flag, "")}
    return message if isinstance(message, dict) else {"action": _FLAGS.get(entry.action_flag, "")}


def action_labels() -> dict[str, str]:
    """Every registered action by name, with its sentence; placeholders are shown as an ellipsis."""
    return {name: str(text) % defaultdict(lambda: "…") for name, (_flag, text) in _SENTENCES.items()}


def action_sql() -> Func:
    """The action of an entry in SQL, as the index on it is written."""
    return Func(F("change_message"), Value('"'), Value(4), function="split_part", output_field=TextField())


def system_user_id() -> int:
    """The id of the user that represents the product itself and operators' commands; it cannot log in."""
    user, _created = get_user_model().objects.get_or_create(
        username=SYSTEM_USERNAME, defaults={"is_active": False, "password": "!"}
    )
    return user.pk
