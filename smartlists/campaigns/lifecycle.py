"""Creates, changes, activates and ends smart campaigns: the single write path of their definitions.

Every verb takes the user it acts for (None: an operator's command), checks the right itself, does everything in
one transaction and leaves one audit entry. What a campaign names is protected by real rows for as long as it does.
"""

from collections import deque
from typing import Any

from django.db import transaction
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
from people.core.permissions import require
from people.datatypes import naming
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import effect_rights
from smartlists.campaigns import parsing as campaign_parsing
from smartlists.campaigns.definition import Definition
from smartlists.campaigns.references import filters_in, own_types_in, write_uses
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.models import CampaignEntry, CampaignVersion, ListWatch, SmartCampaign, SmartList
from smartlists.rules import model as rules

audit.describe(
    {
        "definition_changed": (2, gettext_lazy("Changed what it does")),
        "activated": (2, gettext_lazy("Activated")),
        "paused": (2, gettext_lazy("Paused")),
        "ran_once": (2, gettext_lazy("Run once for %(count)s people")),
    }
)

VIEW = "smartlists.view_smartcampaign"
CHANGE = "smartlists.change_smartcampaign"
ACTIVATE = "smartlists.activate_smartcampaign"
POSITION = "campaigns"  # of the dispatcher in the log
State = SmartCampaign.State
EntryState = CampaignEntry.State
EMPTY = campaign_definition.dump(Definition())


@transaction.atomic
def create(name: Any, by: Any, *, value: Any = None, description: Any = "", folder: Folder | None = None) -> Any:
    """Create a draft; `value` is its definition as decoded JSON or as `Definition`.

    Raises `RejectedError` with every problem (`missing_value`, `name_taken`, whatever `campaigns.parsing` finds).
    """
    require(by, "smartlists.add_smartcampaign")
    known = Catalogue()
    parsed = held(EMPTY if value is None else value, known)
    made = SmartCampaign(
        name=naming.name(name),
        description=naming.description(description),
        folder=folder,
        definition=campaign_definition.dump(parsed),
        created_by=by,
        updated_by=by,
    )
    _save(made)
    write_uses(made, parsed, known)
    audit.note(by, made, "created")
    return made


@transaction.atomic
def change(
    campaign: SmartCampaign,
    by: Any,
    *,
    expected_revision: int | None = None,
    name: Any = None,
    value: Any = None,
    description: Any = None,
) -> SmartCampaign:
    """Change a campaign; None leaves a part as it is. People under way finish on the version they entered.

    What an active campaign does is changed by whoever may activate it and may do what its steps do.
    Raises as `create`, and `ConflictError` when the campaign is not at `expected_revision` any more.
    """
    require(by, CHANGE)
    changed = lock(campaign, expected_revision)
    before = (changed.name, changed.description, changed.definition)
    known = Catalogue()
    parsed = held(value, known) if value is not None else None
    if changed.state in (State.ACTIVE, State.PAUSED) and parsed is not None:
        refuse_if(unready(parsed))
        if changed.is_active and campaign_definition.dump(parsed) != changed.definition:
            require(by, ACTIVATE)
            effect_rights.require_effects(parsed, by)
    if name is not None:
        changed.name = naming.name(name)
    if description is not None:
        changed.description = naming.description(description)
    if parsed is not None:
        changed.definition = campaign_definition.dump(parsed)
        changed.uses.all().delete()
        write_uses(changed, parsed, known)
        if changed.state in (State.ACTIVE, State.PAUSED) and changed.definition != before[2]:
            changed.version = version_of(changed)
            _watch(changed, parsed, by)
    changed.revision += 1
    changed.updated_by = by
    _save(changed)
    _note_changes(changed, before, by)
    return changed


@transaction.atomic
def copy(campaign: SmartCampaign, name: Any, by: Any) -> SmartCampaign:
    """A new draft that does the same."""
    source = lock(campaign)
    return create(name, by, value=source.definition, description=source.description, folder=source.folder)


@transaction.atomic
def move(campaign: SmartCampaign, folder: Folder | None, by: Any) -> SmartCampaign:
    """Put the campaign into a folder, or at the top (None)."""
    require(by, CHANGE)
    changed = lock(campaign)
    changed.folder = folder
    changed.save(update_fields=["folder", "updated_at"])
    return changed


@transaction.atomic
def activate(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Activate a draft or a paused campaign from this moment on; held people continue.

    Raises `RejectedError` with everything that is missing (`no_trigger`, `no_step`, `retired_type`, …), and
    `NotAllowedError`
    where `by` may not do by hand what a step does.
    """
    require(by, ACTIVATE)
    position = hold_position()
    changed = lock(campaign)
    require_state(changed, State.DRAFT, State.PAUSED)
    parsed = held(changed.definition, Catalogue())
    refuse_if(unready(parsed))
    effect_rights.require_effects(parsed, by)
    after = max(log_reader.high_water_mark(), position.last_id)
    changed.periods = [*changed.periods, [after, None]]
    changed.version = version_of(changed)
    changed.state, changed.activated_at = State.ACTIVE, timezone.now()
    changed.revision += 1
    changed.save()
    _watch(changed, parsed, by)
    _turn(changed, (EntryState.HELD,), state=EntryState.OPEN)
    audit.note(by, changed, "activated")
    return changed


@transaction.atomic
def pause(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Stop listening and hold everybody where they are. What was recorded up to this moment still counts."""
    require(by, ACTIVATE)
    position = hold_position()
    changed = lock(campaign)
    require_state(changed, State.ACTIVE)
    upto = max(log_reader.high_water_mark(), position.last_id)
    changed.periods = [*changed.periods[:-1], [changed.periods[-1][0], upto]]
    changed.state = State.PAUSED
    changed.revision += 1
    changed.save()
    _turn(changed, (EntryState.OPEN,), state=EntryState.HELD)
    audit.note(by, changed, "paused")
    return changed


@transaction.atomic
def archive(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Put a draft or a paused campaign away; who was held in it leaves it."""
    require(by, CHANGE)
    hold_position()
    changed = lock(campaign)
    require_state(changed, State.DRAFT, State.PAUSED)
    _turn(
        changed,
        (EntryState.HELD, EntryState.OPEN),
        state=EntryState.LEFT,
        reason=CampaignEntry.Reason.ARCHIVED,
        finished_at=timezone.now(),
    )
    changed.watches.all().delete()
    changed.state = State.ARCHIVED
    changed.revision += 1
    changed.save()
    audit.note(by, changed, "archived")
    return changed


@transaction.atomic
def unarchive(campaign: SmartCampaign, by: Any) -> SmartCampaign:
    """Bring an archived campaign back, paused if it ever ran, else as a draft."""
    require(by, CHANGE)
    changed = lock(campaign)
    require_state(changed, State.ARCHIVED)
    changed.state = State.PAUSED if changed.periods else State.DRAFT
    changed.revision += 1
    changed.save()
    audit.note(by, changed, "unarchived")
    return changed


@transaction.atomic
def delete(campaign: SmartCampaign, by: Any) -> None:
    """Remove a draft or an archived campaign with its results."""
    require(by, "smartlists.delete_smartcampaign")
    gone = lock(campaign)
    require_state(gone, State.DRAFT, State.ARCHIVED)
    audit.note(by, gone, "deleted")
    gone.delete()


def hold_position() -> LogPosition:
    """The dispatcher's place in the log; it takes no batch before the transaction ends."""
    LogPosition.objects.get_or_create(name=POSITION)
    return LogPosition.objects.select_for_update().get(name=POSITION)


def triggers_at(campaign: SmartCampaign, activity_id: int) -> bool | None:
    """Whether the campaign was active when an activity was recorded; None: it had never been activated yet."""
    if not campaign.periods or activity_id <= campaign.periods[0][0]:
        return None
    return any(after < activity_id and (upto is None or activity_id <= upto) for after, upto in campaign.periods)


def unready(parsed: Definition) -> list[Problem]:
    """What a campaign lacks to be activated."""
    problems = []
    if not parsed.triggers:
        problems.append(Problem(Code.NO_TRIGGER, _("A campaign needs a trigger."), ("triggers",)))
    if not parsed.steps:
        problems.append(Problem(Code.NO_STEP, _("A campaign needs a step."), ("steps",)))
    wanted = [one.type for _at, one in parsed.activity_triggers]
    retired = set(
        ActivityType.objects.filter(api_name__in=wanted, retired_at__isnull=False).values_list("api_name", flat=True)
    )
    for at, one in parsed.activity_triggers:
        if one.type in retired:
            message = _("Activity type %(name)s is retired: nothing will trigger.") % {"name": one.type}
            problems.append(Problem(Code.RETIRED_TYPE, message, ("triggers", at, "type")))
    return problems


def version_of(campaign: SmartCampaign) -> CampaignVersion:
    """The version that has the campaign's definition; a new one where it was changed."""
    last = campaign.versions.order_by("-number").first()
    if last is not None and last.definition == campaign.definition:
        return last
    number = last.number + 1 if last else 1
    return CampaignVersion.objects.create(campaign=campaign, number=number, definition=campaign.definition)


def _watch(campaign: SmartCampaign, parsed: Definition, by: Any) -> None:
    """Keep who is on the smart lists that trigger, so that only those who join or leave from now on do."""
    wanted = {one.smart_list for _at, one in parsed.list_triggers}
    campaign.watches.exclude(smart_list__in=wanted).delete()
    for smart_list in SmartList.objects.filter(pk__in=wanted).select_related("current"):
        current = smart_list.current
        members = current.person_ids if current else evaluator.members(smart_list.parsed)
        members.run_optimize()
        ListWatch.objects.update_or_create(
            campaign=campaign,
            smart_list=smart_list,
            defaults={"members": members.serialize(), "evaluation_id": current.pk if current else 0},
        )


def _turn(campaign: SmartCampaign, states: tuple[str, ...], **values: Any) -> None:
    """Change everybody who is in one of `states`, after steps that are being done; in the order in which they lock."""
    deque(campaign.entries.filter(state__in=states).order_by("pk").select_for_update().values_list("pk"), maxlen=0)
    campaign.entries.filter(state__in=states).update(**values)


def require_state(campaign: SmartCampaign, *wanted: str) -> None:
    if campaign.state not in wanted:
        allowed = ", ".join(str(State(one).label) for one in wanted)
        message = _("The campaign is “%(state)s”; this can be done with one that is: %(allowed)s.")
        shown = {"state": campaign.get_state_display(), "allowed": allowed}
        raise RejectedError(Problem(Code.WRONG_STATE, message % shown, ("state",), allowed, campaign.state))


def lock(campaign: SmartCampaign, expected_revision: int | None = None) -> SmartCampaign:
    """The campaign as it is now, its row locked."""
    # steps refer to the campaign while they hold their entries: that must not wait for whoever waits for those
    found = SmartCampaign.objects.select_for_update(no_key=True).filter(pk=campaign.pk).first()
    if found is None:
        raise RejectedError(Problem(Code.UNKNOWN_CAMPAIGN, _("The smart campaign is no longer there.")))
    message = _("Somebody else changed the campaign in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, found.revision, message)
    return found


def _save(campaign: SmartCampaign) -> None:
    message = _("There is a smart campaign “%(name)s” already.") % {"name": campaign.name}
    with naming.kept_apart("smart_campaign_name_is_unique", message):
        campaign.save()


def held(value: Any, known: Catalogue) -> Definition:
    """The definition, checked; until the transaction ends no type that it names is retired or deleted."""
    form = campaign_definition.dump(value) if isinstance(value, Definition) else value
    parsed = campaign_parsing.parse(form)
    api_names = {name for name, _field in own_types_in(parsed)}
    api_names |= {name for item in filters_in(parsed) for name in rules.types_of(item)}
    known_types = ActivityType.objects.filter(api_name__in=api_names).values_list("pk", flat=True)
    locks.share(locks.key(locks.Space.TYPE, pk) for pk in known_types)
    return campaign_parsing.parse(form, known)


def _note_changes(changed: SmartCampaign, before: tuple[str, str, Any], by: Any) -> None:
    old_name, old_description, old_definition = before
    if changed.name != old_name:
        audit.note(by, changed, "renamed", old=old_name)
    if changed.definition != old_definition:
        audit.note(by, changed, "definition_changed")
    if changed.description != old_description:
        audit.note(by, changed, "changed", what="description")
