"""Creates and changes smart lists: the single write path of their rules.

Every function takes the acting user (None: an operator's command), checks the permission itself, does everything in
one transaction and leaves one audit entry. Reference rows protect everything that rules use.
"""

from collections import deque
from collections.abc import Collection
from datetime import UTC
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import ActivityType
from people.core import audit, references
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, bad_value, refuse_if, refuse_if_changed
from people.core.models import Folder
from people.core.permissions import MAKER, owner_of, require_permission
from people.datatypes.naming import refuse_taken_name
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME
from people.definitions.switches import Switch
from people.models import ObjectType
from smartlists.catalog import Catalogue
from smartlists.evaluation import nesting
from smartlists.models import SmartList, SmartListUse
from smartlists.rights import ADD_SMARTLIST, CHANGE_SMARTLIST, DELETE_SMARTLIST
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from smartlists.rules.references import references_of_filter

audit.register_actions(
    {
        "rules_changed": (2, gettext_lazy("Changed the rules")),
        "renamed": (2, gettext_lazy("Renamed from %(old)s")),
        "archived": (2, gettext_lazy("Archived")),
        "unarchived": (2, gettext_lazy("Unarchived")),
        "scheduled": (2, gettext_lazy("Evaluated every %(minutes)s minutes")),
        "refreshed": (2, gettext_lazy("Refreshed automatically from now on")),
        "unscheduled": (2, gettext_lazy("No longer evaluated on a schedule")),
    }
)

CHANGE = CHANGE_SMARTLIST
MAX_SCHEDULE_MINUTES = 60 * 24 * 31


@transaction.atomic
def create_smart_list(
    name: Any, value: Any, by: Any, *, description: str = "", folder: Folder | None = None, owner: Any = MAKER
) -> SmartList:
    """Create a smart list; `value` are its rules as decoded JSON or as `Rules`.

    Without `owner` the maker owns it; None means no owner.
    Raises `RejectedError` with every problem (`missing_value`, `name_taken`, and those of `rules.parsing`),
    `NotAllowedError`.
    """
    require_permission(by, ADD_SMARTLIST)
    problems: list[Problem] = []
    name = _checked_name(name, None, problems)
    description = _checked_text(description, problems)
    names = Catalogue()
    parsed = _parse_and_lock(value, names, problems)
    refuse_if(problems)
    smart_list = SmartList(
        name=name,
        description=description,
        folder=folder,
        rules=rules.dump_rules(parsed),
        created_by=by,
        updated_by=by,
        owner=owner_of(by, owner),
    )
    _save(smart_list)
    _write_uses(smart_list, parsed, names)
    audit.write_audit_entry(by, smart_list, "created")
    return smart_list


@transaction.atomic
def change_smart_list(
    smart_list: SmartList,
    by: Any,
    *,
    expected_revision: int | None = None,
    name: Any = None,
    value: Any = None,
    description: str | None = None,
) -> SmartList:
    """Change the name, description or rules (`value`) of the list; None leaves a part unchanged.

    Raises `RejectedError` like `create_smart_list`, and `cycle` with the lists of the cycle; `ConflictError` when the
    list is not at `expected_revision`, the one that the editor saw.
    """
    require_permission(by, CHANGE)
    problems: list[Problem] = []
    names = Catalogue()
    parsed = _parse_and_lock(value, names, problems) if value is not None else None
    changed = _lock(smart_list, expected_revision)
    before = (changed.name, changed.description, changed.rules)
    if name is not None:
        changed.name = _checked_name(name, changed, problems)
    if description is not None:
        changed.description = _checked_text(description, problems)
    refuse_if(problems)
    if parsed is not None:
        deque(nesting.nested_lists_first(parsed, changed.pk), maxlen=0)  # refuses circles
        changed.rules = rules.dump_rules(parsed)
        changed.uses.all().delete()
        _write_uses(changed, parsed, names)
    changed.revision += 1
    changed.updated_by = by
    _save(changed)
    _note_changes(changed, before, by)
    return changed


def rename_smart_list(smart_list: SmartList, name: Any, by: Any, expected_revision: int | None = None) -> SmartList:
    """Rename the list. Raises as `change_smart_list` does."""
    return change_smart_list(smart_list, by, name=name, expected_revision=expected_revision)


@transaction.atomic
def set_folder_and_owner(smart_list: SmartList, by: Any, folder: Folder | None, owner: Any) -> SmartList:
    """Set the folder and the owner of the list; None for none."""
    require_permission(by, CHANGE)
    changed = _lock(smart_list)
    changed.folder, changed.owner = folder, owner
    changed.save(update_fields=["folder", "owner", "updated_at"])
    audit.write_audit_entry(by, changed, "changed", what="folder, owner")
    return changed


@transaction.atomic
def duplicate_smart_list(smart_list: SmartList, name: Any, by: Any) -> SmartList:
    """Create a list with the same rules, description and folder."""
    return create_smart_list(name, smart_list.parsed, by, description=smart_list.description, folder=smart_list.folder)


def archive_smart_list(smart_list: SmartList, by: Any) -> SmartList:
    """Archive the list: its uses keep working, its schedules pause."""
    return _ARCHIVED.set_to(smart_list, by, True)


def unarchive_smart_list(smart_list: SmartList, by: Any) -> SmartList:
    """Unarchive the list."""
    return _ARCHIVED.set_to(smart_list, by, False)


@transaction.atomic
def delete_smart_list(smart_list: SmartList, by: Any) -> None:
    """Delete a list with its history. Raises `RejectedError` (`in_use`, naming the uses) while anything uses it."""
    require_permission(by, DELETE_SMARTLIST)
    locked = _lock(smart_list)
    references.refuse_if_used(locked)
    audit.write_audit_entry(by, locked, "deleted")
    locked.delete()


@transaction.atomic
def schedule_evaluations(
    smart_list: SmartList, minutes: int | None, by: Any, *, is_refreshed: bool = True
) -> SmartList:
    """Evaluate the list every `minutes` from now on; None: hourly while quick if `is_refreshed`, else on request."""
    require_permission(by, CHANGE)
    changed = _lock(smart_list)
    if minutes is not None and not 1 <= minutes <= MAX_SCHEDULE_MINUTES:
        raise RejectedError(bad_value(Code.OUT_OF_RANGE, _("1 to 44,640 minutes"), minutes, "evaluate_every_minutes"))
    changed.evaluate_every_minutes = minutes
    changed.is_refreshed = is_refreshed
    changed.save(update_fields=["evaluate_every_minutes", "is_refreshed", "updated_at"])
    action = "scheduled" if minutes else "refreshed" if is_refreshed else "unscheduled"
    audit.write_audit_entry(by, changed, action, minutes=minutes)
    return changed


def _lock(smart_list: SmartList, expected_revision: int | None = None) -> SmartList:
    """Lock the list's row and return its present values.

    Raises `RejectedError` when it was deleted, `ConflictError` when it is at another revision.
    """
    locked = SmartList.objects.select_for_update().filter(pk=smart_list.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.UNKNOWN_LIST, _("The smart list no longer exists.")))
    message = _("Someone else changed the list in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, locked.revision, message)
    return locked


_ARCHIVED = Switch(CHANGE, _lock, ("archived", "unarchived"), "is_archived", is_revised=False)


def _save(smart_list: SmartList) -> None:
    message = _name_taken(smart_list.name).message
    with refuse_taken_name("smart_list_name_is_unique", message, got=smart_list.name):
        smart_list.save()


def _checked_name(name: Any, smart_list: SmartList | None, problems: list[Problem]) -> str:
    if is_blank(name):
        problems.append(Problem(Code.MISSING_VALUE, _("The list needs a name."), ("name",)))
        return ""
    try:
        text = BY_NAME["string"].parse(name.strip() if isinstance(name, str) else name, UTC)
    except BadValueError as error:
        problems.append(bad_value(error.code, error.expected, name, "name"))
        return ""
    other_lists = SmartList.objects.exclude(pk=smart_list.pk) if smart_list else SmartList.objects.all()
    if other_lists.filter(name__iexact=text).exists():
        problems.append(_name_taken(text))
    return text


def _checked_text(text: Any, problems: list[Problem]) -> str:
    if is_blank(text):
        return ""
    try:
        return BY_NAME["text"].parse(text, UTC)
    except BadValueError as error:
        problems.append(bad_value(error.code, error.expected, text, "description"))
        return ""


def _name_taken(name: str) -> Problem:
    return Problem(
        Code.NAME_TAKEN, _("There is already a smart list “%(name)s”.") % {"name": name}, ("name",), "", name
    )


def _parse_and_lock(value: Any, names: Catalogue, problems: list[Problem]) -> rules.Rules:
    """Parse the rules and lock the types and lists that they use against deletion until the transaction ends."""
    parsed = _parse(value, Catalogue(), problems)
    if problems:
        return parsed
    # approval and deletion take the exclusive lock of a type before they read its uses; the lock of smart lists keeps
    # two transactions from closing a cycle together
    types = _types_in(parsed)
    locks.acquire_shared(locks.lock_key(locks.LockSpace.TYPE, pk) for pk in types.values_list("pk", flat=True))
    lock_object_types({api_name for item in parsed.filters for api_name in rules.object_types_of(item)})
    if nesting.directly_used_lists(parsed):
        locks.acquire_exclusive([locks.lock_key(locks.LockSpace.SMART_LISTS)])
    return _parse(value, names, problems)


def lock_object_types(api_names: Collection[str]) -> None:
    """Lock object types that rules or a campaign use against approval and deletion until the transaction ends."""
    ids = ObjectType.objects.filter(api_name__in=api_names).order_by("pk").values_list("pk", flat=True)
    locks.acquire_shared(locks.lock_key(locks.LockSpace.OBJECT_TYPE, pk) for pk in (ids if api_names else ()))


def _types_in(parsed: rules.Rules) -> Any:
    """The activity types that rules use."""
    api_names = {api_name for item in parsed.filters for api_name in rules.activity_types_of(item)}
    return ActivityType.objects.filter(api_name__in=api_names)


def _parse(value: Any, names: Catalogue, problems: list[Problem]) -> rules.Rules:
    try:
        return parse_rules(rules.dump_rules(value) if isinstance(value, rules.Rules) else value, names)
    except RejectedError as refusal:
        problems.extend(problem.under("rules") for problem in refusal.problems)
        return rules.Rules()


def _note_changes(changed: SmartList, before: tuple[str, str, Any], by: Any) -> None:
    old_name, old_description, old_rules = before
    if changed.name != old_name:
        audit.write_audit_entry(by, changed, "renamed", old=old_name)
    if changed.rules != old_rules:
        audit.write_audit_entry(by, changed, "rules_changed")
    if changed.description != old_description:
        audit.write_audit_entry(by, changed, "changed", what="description")


def _write_uses(smart_list: SmartList, parsed: rules.Rules, names: Catalogue) -> None:
    uses = {key for item in parsed.filters for key in references_of_filter(item, names)}
    SmartListUse.objects.bulk_create(SmartListUse(smart_list=smart_list, **{name: pk}) for name, pk in sorted(uses))
