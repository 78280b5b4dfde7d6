"""Creates, changes, activates and ends smart campaigns: the single write path of their definitions.

Every function takes the acting user (None: an operator's command), checks the permission itself, does everything in
one transaction and leaves one audit entry. Reference rows protect everything that a campaign uses.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import reader as log_reader
from activities.models import ActivityType, LogPosition
from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, refuse_if, refuse_if_changed
from people.core.models import Folder
from people.core.permissions import require_permission
from people.datatypes import naming
from smartlists import rights
from smartlists.campaigns.definitions import effect_rights
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.campaigns.definitions.references import (
    activity_fields_in_definition,
    filters_in_definition,
    object_types_in_definition,
    store_references,
)
from smartlists.campaigns.entries import failing_steps
from smartlists.campaigns.records import watches
from smartlists.campaigns.records.diagnostics import retired_object_problems
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists.editing import lock_object_types
from smartlists.models import (
    CampaignBacklog,
    CampaignEntry,
    CampaignVersion,
    DateWatch,
    ListWatch,
    ObjectWatch,
    SmartCampaign,
    SmartList,
)
from smartlists.rules import model as rules

audit.register_actions(
    {
        "definition_changed": (2, gettext_lazy("Changed what it does")),
        "activated": (2, gettext_lazy("Activated")),
        "paused": (2, gettext_lazy("Paused")),
        "tried_again": (2, gettext_lazy("Retried failing triggers and steps")),
        "ran_once": (2, gettext_lazy("Run once for %(count)s people")),
    }
)

VIEW = rights.VIEW_SMARTCAMPAIGN
CHANGE = rights.CHANGE_SMARTCAMPAIGN
ACTIVATE = rights.ACTIVATE_SMARTCAMPAIGN
POSITION = "campaigns"  # name of the dispatcher's position in the log
State = SmartCampaign.State
EntryState = CampaignEntry.State
EMPTY = campaign_definition.dump_definition(CampaignDefinition())


@transaction.atomic
def create_campaign(
    name: Any, by: Any, *, value: Any = None, description: Any = "", folder: Folder | None = None
) -> Any:
    """Create a draft; `value` is its definition as decoded JSON or as `CampaignDefinition`.

    Raises `RejectedError` with every problem (`missing_value`, `name_taken`, and those of `definitions.parsing`).
    """
    require_permission(by, rights.ADD_SMARTCAMPAIGN)
    names = Catalogue()
    parsed = parse_and_lock_definition(EMPTY if value is None else value, names)
    campaign = SmartCampaign(
        name=naming.parse_name(name),
        description=naming.parse_description(description),
        folder=folder,
        definition=campaign_definition.dump_definition(parsed),
        created_by=by,
        updated_by=by,
    )
    _save(campaign)
    store_references(campaign, parsed, names)
    audit.write_audit_entry(by, campaign, "created")
    return campaign


@transaction.atomic
def change_campaign(
    campaign: SmartCampaign,
    by: Any,
    *,
    expected_revision: int | None = None,
    name: Any = None,
    value: Any = None,
    description: Any = None,
) -> SmartCampaign:
    """Change a campaign; None leaves a part unchanged. People under way finish on the version they entered.

    Changing the definition of an active campaign needs the permission to activate it and those of its steps.
    Raises as `create_campaign`, and `ConflictError` when the campaign is not at `expected_revision` any more.
    """
    require_permission(by, CHANGE)
    changed = lock_campaign(campaign, expected_revision)
    before = (changed.name, changed.description, changed.definition)
    names = Catalogue()
    parsed = parse_and_lock_definition(value, names) if value is not None else None
    if changed.state in (State.ACTIVE, State.PAUSED) and parsed is not None:
        refuse_if(activation_problems(parsed))
        if changed.is_active and campaign_definition.dump_definition(parsed) != changed.definition:
            require_permission(by, ACTIVATE)
            effect_rights.require_effect_rights(parsed, by)
    if name is not None:
        changed.name = naming.parse_name(name)
    if description is not None:
        changed.description = naming.parse_description(description)
    if parsed is not None:
        _set_definition(changed, parsed, names)
    changed.revision += 1
    changed.updated_by = by
    _save(changed)
    _note_changes(changed, before, by)
    return changed


def _set_definition(campaign: SmartCampaign, parsed: CampaignDefinition, names: Catalogue) -> None:
    """Set the definition with its references; a campaign that has run gets a new version where it differs."""
    before = campaign.definition
    campaign.definition = campaign_definition.dump_definition(parsed)
    campaign.uses.all().delete()
    store_references(campaign, parsed, names)
    if campaign.state in (State.ACTIVE, State.PAUSED) and campaign.definition != before:
        campaign.version = current_version(campaign)
        _watch(campaign, parsed)
        watches.watch_objects(campaign, parsed)
        _try_readings_now(campaign)


@transaction.atomic
def duplicate_campaign(campaign: SmartCampaign, name: Any, by: Any) -> SmartCampaign:
    """Create a draft with the same definition, description and folder."""
    source = lock_campaign(campaign)
    return create_campaign(name, by, value=source.definition, description=source.description, folder=source.folder)


@transaction.atomic
def move_campaign(campaign: SmartCampaign, folder: Folder | None, by: Any) -> SmartCampaign:
    """Move the campaign into a folder, or to the top level (None)."""
    require_permission(by, CHANGE)
    changed = lock_campaign(campaign)
    changed.folder = folder
    changed.save(update_fields=["folder", "updated_at"])
    return changed


@transaction.atomic
def activate_campaign(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Activate a draft or a paused campaign from this moment on; held people continue.

    Raises `RejectedError` with everything that is missing (`no_trigger`, `no_step`, `retired_type`, …), and
    `NotAllowedError` where `by` may not do a step by hand.
    """
    require_permission(by, ACTIVATE)
    position = lock_dispatcher_position()
    changed = lock_campaign(campaign)
    require_campaign_state(changed, State.DRAFT, State.PAUSED)
    parsed = parse_and_lock_definition(changed.definition, Catalogue())
    refuse_if(activation_problems(parsed))
    effect_rights.require_effect_rights(parsed, by)
    after = max(log_reader.high_water_mark(), position.last_id)
    changed.periods = [*changed.periods, [after, None]]
    changed.version = current_version(changed)
    changed.state, changed.activated_at = State.ACTIVE, timezone.now()
    changed.revision += 1
    changed.save()
    changed.watches.all().delete()  # changes while the campaign was a draft or paused trigger nothing
    _watch(changed, parsed)
    watches.watch_objects(changed, parsed)
    _try_readings_now(changed)
    _update_entries(changed, (EntryState.HELD,), state=EntryState.OPEN)
    audit.write_audit_entry(by, changed, "activated")
    return changed


@transaction.atomic
def pause_campaign(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Stop listening and hold all people at their step. Activities recorded up to this moment still count."""
    require_permission(by, ACTIVATE)
    position = lock_dispatcher_position()
    changed = lock_campaign(campaign)
    require_campaign_state(changed, State.ACTIVE)
    upto = max(log_reader.high_water_mark(), position.last_id)
    changed.periods = [*changed.periods[:-1], [changed.periods[-1][0], upto]]
    changed.state = State.PAUSED
    changed.revision += 1
    changed.save()
    watches.stop_watching_objects(changed)
    _update_entries(changed, (EntryState.OPEN,), state=EntryState.HELD)
    audit.write_audit_entry(by, changed, "paused")
    return changed


@transaction.atomic
def retry_campaign(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Try failing triggers and steps again at once, whatever their pauses."""
    require_permission(by, ACTIVATE)
    changed = lock_campaign(campaign)
    _try_readings_now(changed)
    audit.write_audit_entry(by, changed, "tried_again")
    return changed


@transaction.atomic
def archive_campaign(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Archive a draft or a paused campaign; the people held in it leave it."""
    require_permission(by, CHANGE)
    lock_dispatcher_position()
    changed = lock_campaign(campaign)
    require_campaign_state(changed, State.DRAFT, State.PAUSED)
    _update_entries(
        changed,
        (EntryState.HELD, EntryState.OPEN),
        state=EntryState.LEFT,
        reason=CampaignEntry.Reason.ARCHIVED,
        finished_at=timezone.now(),
    )
    changed.watches.all().delete()
    CampaignBacklog.objects.filter(campaign=changed).delete()
    ObjectWatch.objects.filter(campaign=changed).delete()
    changed.failing_steps.all().delete()
    changed.state = State.ARCHIVED
    changed.revision += 1
    changed.save()
    audit.write_audit_entry(by, changed, "archived")
    return changed


@transaction.atomic
def unarchive_campaign(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Unarchive a campaign: as paused if it was ever active, else as a draft."""
    require_permission(by, CHANGE)
    changed = lock_campaign(campaign)
    require_campaign_state(changed, State.ARCHIVED)
    changed.state = State.PAUSED if changed.periods else State.DRAFT
    changed.revision += 1
    changed.save()
    audit.write_audit_entry(by, changed, "unarchived")
    return changed


@transaction.atomic
def delete_campaign(campaign: SmartCampaign, by: Any) -> None:
    """Delete a draft or an archived campaign with its results."""
    require_permission(by, rights.DELETE_SMARTCAMPAIGN)
    locked = lock_campaign(campaign)
    require_campaign_state(locked, State.DRAFT, State.ARCHIVED)
    audit.write_audit_entry(by, locked, "deleted")
    locked.delete()


def lock_dispatcher_position() -> LogPosition:
    """Lock the dispatcher's position in the log; it takes no batch before the transaction ends."""
    LogPosition.objects.get_or_create(name=POSITION)
    return LogPosition.objects.select_for_update().get(name=POSITION)


def was_active_at(campaign: SmartCampaign, activity_id: int) -> bool | None:
    """True if the campaign was active when the activity was recorded; None: it had not been activated yet."""
    return is_in_periods(campaign.periods, activity_id)


def is_in_periods(periods: Sequence[Any], log_id: int) -> bool | None:
    """True if an id lies in any of the periods (after, up to; None: open); None: it comes before all of them."""
    if not periods or log_id <= periods[0][0]:
        return None
    return any(after < log_id and (upto is None or log_id <= upto) for after, upto in periods)


def activation_problems(parsed: CampaignDefinition) -> list[Problem]:
    """The problems that prevent activation of a campaign."""
    problems = []
    if not parsed.triggers:
        problems.append(Problem(Code.NO_TRIGGER, _("Add at least one trigger."), ("triggers",)))
    if not parsed.steps:
        problems.append(Problem(Code.NO_STEP, _("Add at least one step."), ("steps",)))
    types = [trigger.type for _at, trigger in parsed.activity_triggers]
    retired = set(
        ActivityType.objects.filter(api_name__in=types, retired_at__isnull=False).values_list("api_name", flat=True)
    )
    for at, trigger in parsed.activity_triggers:
        if trigger.type in retired:
            message = _("Activity type %(name)s is retired: nothing will trigger.") % {"name": trigger.type}
            problems.append(Problem(Code.RETIRED_TYPE, message, ("triggers", at, "type")))
    return problems + retired_object_problems(parsed)


def current_version(campaign: SmartCampaign) -> CampaignVersion:
    """The version with the campaign's definition; a new version if the definition was changed."""
    last = campaign.versions.order_by("-number").first()
    if last is not None and last.definition == campaign.definition:
        return last
    number = last.number + 1 if last else 1
    return CampaignVersion.objects.create(campaign=campaign, number=number, definition=campaign.definition)


def _watch(campaign: SmartCampaign, parsed: CampaignDefinition) -> None:
    """Store the members of the triggering smart lists, so that only later joins and leaves trigger.

    A list that is watched already keeps its members: the dispatcher may still have to read what changed since.
    """
    list_ids = {trigger.smart_list for _at, trigger in parsed.list_triggers}
    campaign.watches.exclude(smart_list__in=list_ids).delete()
    watched_ids = campaign.watches.values_list("smart_list", flat=True)
    for smart_list in SmartList.objects.filter(pk__in=list_ids.difference(watched_ids)).order_by("pk"):
        current, started_at = stored_evaluations.lock_current_evaluation(smart_list.pk), timezone.now()
        members = current.person_ids if current else evaluator.evaluate_members(smart_list.parsed)
        members.run_optimize()
        ListWatch.objects.create(
            campaign=campaign,
            smart_list=smart_list,
            members=members.serialize(),
            evaluation_id=current.pk if current else 0,
            as_of=current.as_of if current else started_at,
        )


def _try_readings_now(campaign: SmartCampaign) -> None:
    """Make failing triggers and steps due at once: the change may have mended their error."""
    readings = [model.objects.filter(campaign=campaign) for model in (CampaignBacklog, ListWatch, ObjectWatch)]
    for reading in (*readings, DateWatch.objects.filter(watch=campaign.pk)):
        reading.update(tries=0, due_at=Now())
    failing_steps.try_failing_steps_now(campaign)


def _update_entries(campaign: SmartCampaign, states: tuple[str, ...], **values: Any) -> None:
    """Change all entries in one of `states`, after steps in progress; rows are locked in the order that steps use."""
    deque(campaign.entries.filter(state__in=states).order_by("pk").select_for_update().values_list("pk"), maxlen=0)
    campaign.entries.filter(state__in=states).update(**values)


def require_campaign_state(campaign: SmartCampaign, *states: str) -> None:
    if campaign.state not in states:
        allowed = ", ".join(str(State(state).label) for state in states)
        message = _("The campaign is “%(state)s”; this can be done with one that is: %(allowed)s.")
        parameters = {"state": campaign.get_state_display(), "allowed": allowed}
        raise RejectedError(Problem(Code.WRONG_STATE, message % parameters, ("state",), allowed, campaign.state))


def lock_campaign(campaign: SmartCampaign, expected_revision: int | None = None) -> SmartCampaign:
    """Lock the campaign's row and return its present values."""
    # no key lock: steps insert references to the campaign while they lock entries, which would deadlock with a
    # transaction that locks the campaign first and waits for these entries
    locked = SmartCampaign.objects.select_for_update(no_key=True).filter(pk=campaign.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.UNKNOWN_CAMPAIGN, _("The smart campaign no longer exists.")))
    message = _("Someone else changed the campaign in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, locked.revision, message)
    return locked


def _save(campaign: SmartCampaign) -> None:
    message = _("There is already a smart campaign “%(name)s”.") % {"name": campaign.name}
    with naming.refuse_taken_name("smart_campaign_name_is_unique", message):
        campaign.save()


def parse_and_lock_definition(value: Any, names: Catalogue) -> CampaignDefinition:
    """Parse the definition and lock its activity types against retiring and deletion until the transaction ends."""
    form = campaign_definition.dump_definition(value) if isinstance(value, CampaignDefinition) else value
    parsed = campaign_parsing.parse_definition(form)
    api_names = {name for name, _field in activity_fields_in_definition(parsed)}
    api_names |= {name for item in filters_in_definition(parsed) for name in rules.activity_types_of(item)}
    known_types = ActivityType.objects.filter(api_name__in=api_names).values_list("pk", flat=True)
    locks.acquire_shared(locks.lock_key(locks.LockSpace.TYPE, pk) for pk in known_types)
    lock_object_types(set(object_types_in_definition(parsed)))
    return campaign_parsing.parse_definition(form, names)


def _note_changes(changed: SmartCampaign, before: tuple[str, str, Any], by: Any) -> None:
    old_name, old_description, old_definition = before
    if changed.name != old_name:
        audit.write_audit_entry(by, changed, "renamed", old=old_name)
    if changed.definition != old_definition:
        audit.write_audit_entry(by, changed, "definition_changed")
    if changed.description != old_description:
        audit.write_audit_entry(by, changed, "changed", what="description")
