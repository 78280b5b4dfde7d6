"""Decisions about undefined names: a type for their events, ignoring or blocking them, and looking at them again.

Every verb takes the acting user (None: an operator's command), checks the right itself, runs in one transaction and
writes one audit entry.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.inbox import proposals, waiting
from activities.models import ActivityType, InboxReplay, Sighting
from activities.rights import CHANGE_SIGHTING, VIEW_SIGHTING
from activities.types import name_proposals
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.permissions import require_permission
from people.definitions import drafts, lifecycle
from people.rights import VIEW_PERSON

VIEW, CHANGE = VIEW_SIGHTING, CHANGE_SIGHTING
State, Kind = Sighting.State, Sighting.Kind

audit.register_numbered("sighting")  # anything may be in the name of an event
audit.register_actions(
    {
        "event_mapped": (2, gettext_lazy("Events of this name became “%(type)s”")),
        "name_ignored": (2, gettext_lazy("Ignored the name")),
        "name_blocked": (2, gettext_lazy("Blocked the name")),
        "name_reopened": (2, gettext_lazy("Took the decision about the name back")),
        "name_forgotten": (3, gettext_lazy("Forgot the name; deleted events that waited: %(count)s")),
    }
)


@transaction.atomic
def map_to_type(
    sighting: Sighting, activity_type: ActivityType, by: Any, fields: Mapping[str, str] | None = None
) -> Sighting:
    """Make events of this name activities of the type, once it is approved. `fields`: API name by property path.

    Raises `RejectedError`: `wrong_kind` (not a name of events), `standard_type`, `unknown_field`.
    """
    locked = _lock(sighting, by)
    if locked.kind != Kind.EVENT or not locked.name_key:
        raise RejectedError(Problem(Code.WRONG_KIND, _("Only a name of events can become an activity type.")))
    if activity_type.is_standard:
        raise RejectedError(Problem(Code.STANDARD_TYPE, _("Choose one of your own types."), ("activity_type",)))
    shown = activity_type.live_or_draft
    names = {field.api_name for field in shown.fields.all()} if shown else set()
    for path, api_name in (fields or {}).items():
        if api_name not in names:
            raise RejectedError(bad_value(Code.UNKNOWN_FIELD, ", ".join(sorted(names)), api_name, "fields", path))
    locked.state, locked.activity_type, locked.fields = State.MAPPED, activity_type, dict(fields or {})
    locked.save(update_fields=["state", "activity_type", "fields"])
    audit.write_audit_entry(by, locked, "event_mapped", type=str(activity_type))
    return locked


@transaction.atomic
def create_type(
    sighting: Sighting, names: TypeNames, specs: Sequence[ActivityFieldSpec], by: Any, fields: Mapping[str, str]
) -> ActivityType:
    """Create a draft for events of this name and map the name to it. `fields`: API name by property path.

    Raises `RejectedError` (that of `create_definition` and `map_to_type`), `NotAllowedError`.
    """
    created: ActivityType = lifecycle.create_definition(ACTIVITY_TYPES, names, specs, by)
    map_to_type(sighting, created, by, fields)
    return created


@transaction.atomic
def create_proposed_type(sighting: Sighting, by: Any, name: str = "") -> ActivityType:
    """`create_type` with the fields that are proposed for the events that wait, and a `name` other than proposed.

    Raises as `create_type` does, and `NotAllowedError` where `by` may not see people: what waits is theirs. A name
    that is mapped already is rejected (`wrong_state`), so that a request sent twice makes one type.
    """
    require_permission(by, VIEW_PERSON)
    locked = _lock(sighting, by)
    if locked.kind != Kind.EVENT or not locked.name_key:
        raise RejectedError(Problem(Code.WRONG_KIND, _("Only a name of events can become an activity type.")))
    if locked.state == State.MAPPED:
        raise RejectedError(Problem(Code.WRONG_STATE, _("This name is mapped to a type already.")))
    proposal = proposals.propose_type(locked.name, waiting.waiting_shapes(locked))
    proposed = name_proposals.propose_names(name or proposal.name)
    names = TypeNames(proposed.api_name, name or proposal.name, proposed.filter_name, proposed.trigger_name)
    specs = [
        ActivityFieldSpec(field.api_name, field.name, field.data_type, is_primary=number == 0)
        for number, field in enumerate(proposal.fields)
    ]
    return create_type(locked, names, specs, by, proposals.propose_fields(proposal))


@transaction.atomic
def add_to_draft(sighting: Sighting, by: Any) -> ActivityType:
    """Add a field for this property to the draft of its type, which is opened where there is none.

    Raises `RejectedError` (`wrong_kind`, and what `drafts.add_draft_fields` does), `NotAllowedError`.
    """
    locked = _lock(sighting, by)
    if locked.kind != Kind.PROPERTY or locked.activity_type is None:
        raise RejectedError(Problem(Code.WRONG_KIND, _("Only a property of a type can become one of its fields.")))
    field = proposals.propose_field(locked.name, next(iter(waiting.waiting_shapes(locked)), None))
    spec = ActivityFieldSpec(field.api_name, field.name, field.data_type)
    drafts.add_draft_fields(locked.activity_type, [spec], by)
    locked.state = State.MAPPED
    locked.save(update_fields=["state"])
    audit.write_audit_entry(by, locked, "event_mapped", type=str(locked.activity_type))
    return locked.activity_type


def ignore_name(sighting: Sighting, by: Any) -> Sighting:
    """Only count the name from now on; what waits stays until it is too old."""
    return _decide(sighting, by, State.IGNORED, "name_ignored")


def block_name(sighting: Sighting, by: Any) -> Sighting:
    """Refuse events of the name from now on, and count them. Raises `RejectedError` (`wrong_kind`)."""
    if sighting.kind != Kind.EVENT:
        raise RejectedError(Problem(Code.WRONG_KIND, _("Only names of events can be blocked.")))
    return _decide(sighting, by, State.BLOCKED, "name_blocked")


def reopen_name(sighting: Sighting, by: Any) -> Sighting:
    """Take the decision back: the name is new again."""
    return _decide(sighting, by, State.NEW, "name_reopened")


@transaction.atomic
def forget_name(sighting: Sighting, by: Any) -> int:
    """Delete the name, what was decided about it and the events that wait; return their number."""
    # a replay holds its row and then the name: the part in progress is waited for
    list(InboxReplay.objects.select_for_update().filter(sighting_id=sighting.pk).order_by("pk"))
    locked = _lock(sighting, by)
    number: int = locked.events.count()
    audit.write_audit_entry(by, locked, "name_forgotten", count=number)
    locked.delete()
    return number


@transaction.atomic
def _decide(sighting: Sighting, by: Any, state: str, action: str) -> Sighting:
    locked = _lock(sighting, by)
    if locked.state == state:
        return locked
    locked.state = state
    if locked.kind == Kind.EVENT:
        locked.activity_type, locked.fields = None, {}
    locked.save(update_fields=["state", "activity_type", "fields"])
    audit.write_audit_entry(by, locked, action)
    return locked


def _lock(sighting: Sighting, by: Any) -> Sighting:
    require_permission(by, CHANGE)
    locked = Sighting.objects.select_for_update(no_key=True).filter(pk=sighting.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.NOT_FOUND, _("This name is not in the inbox any more.")))
    return locked
