"""Creates and changes webhooks and their mappings, and switches mappings on and off.

Every verb takes the acting user (None: an operator's command), checks the right itself, runs in one transaction and
writes one audit entry, never with a secret.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.inbound.mapping import parse_definition, problems_with_type, unknown_fields
from activities.inbound.paths import EACH, is_path
from activities.inbound.recipes import RECIPES, ready_definition
from activities.models import ActivityType, ApprovedField, EventSource, InboundMapping, InboundWebhook
from activities.models.inbound import MAX_CALLS_A_MINUTE
from activities.rights import CHANGE_INBOUNDWEBHOOK, RECORD_ACTIVITY, VIEW_INBOUNDWEBHOOK
from activities.sources import editing as source_editing
from activities.sources import sealing
from activities.sources.keys import IssuedKey
from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, bad_value, refuse_if, refuse_if_changed
from people.core.permissions import require_permission
from people.datatypes import naming
from people.rights import ADD_PERSON

VIEW, CHANGE = VIEW_INBOUNDWEBHOOK, CHANGE_INBOUNDWEBHOOK
RECORD, CREATE_PEOPLE = RECORD_ACTIVITY, ADD_PERSON
FIELDS = ("signature", "signature_header", "id_header", "id_path", "calls_a_minute")
MAX_MAPPINGS = 50
MAX_SECRET, MAX_HEADER = 500, 100
HEADER_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")

audit.register_actions(
    {
        "mapping_added": (2, gettext_lazy("Added the mapping “%(name)s”")),
        "mapping_changed": (2, gettext_lazy("Changed the mapping “%(name)s”")),
        "mapping_on": (2, gettext_lazy("Switched the mapping “%(name)s” on")),
        "mapping_off": (2, gettext_lazy("Switched the mapping “%(name)s” off")),
        "mapping_deleted": (2, gettext_lazy("Deleted the mapping “%(name)s”")),
    }
)


# --- Webhooks --------------------------------------------------------------------------------------------------


@transaction.atomic
def create_webhook(name: Any, recipe: Any, by: Any, *, secret: Any = None, **values: Any) -> IssuedKey:
    """Create a webhook with its secret address, which is shown by the caller and never again.

    `recipe`: of `RECIPES`; its mappings are added, switched off. `secret`: the product signs with it; some show it
    only once they have the address. `values`: `FIELDS`. Raises `RejectedError` with every problem, and
    `NotAllowedError` without the right.
    """
    if recipe not in RECIPES:
        raise RejectedError(bad_value(Code.UNKNOWN_WORD, ", ".join(RECIPES), recipe, "recipe"))
    issued = source_editing.create_source(name, EventSource.Kind.WEBHOOK, by)
    product = RECIPES[recipe]
    webhook = InboundWebhook.objects.select_related("source").get(source=issued.key.source)
    webhook.recipe, webhook.signature, webhook.id_path = recipe, product.signature, list(product.id_path)
    _set(webhook, values, secret)
    webhook.save()
    for place, ready in enumerate(product.mappings):
        webhook.source.inbound_mappings.create(
            name=str(ready.name), place=place, definition=ready_definition(product, ready), created_by=by
        )
    return issued


@transaction.atomic
def change_webhook(
    webhook: InboundWebhook, by: Any, *, expected_revision: int | None = None, secret: Any = None, **values: Any
) -> InboundWebhook:
    """Change how calls are checked and known. `secret`: a new one; None leaves it."""
    require_permission(by, source_editing.CHANGE)
    changed = _lock(webhook)
    message = _("Someone else changed the webhook in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    before = {name: getattr(changed, name) for name in FIELDS}
    _set(changed, values, secret)
    names = [name for name, value in before.items() if getattr(changed, name) != value]
    if names or secret:
        changed.revision += 1
        changed.save()
        audit.write_audit_entry(
            by, changed.source, "changed", what=", ".join([*names, *(["secret"] if secret else [])])
        )
    return changed


def needs_confirmation(webhook: InboundWebhook, values: Mapping[str, Any]) -> bool:
    """True if these new values, or a new `secret`, change whose calls are taken: a session must be confirmed."""
    names = ("signature", "signature_header")
    return bool(values.get("secret")) or any(
        name in values and values[name] != getattr(webhook, name) for name in names
    )


def lacks_secret(webhook: InboundWebhook) -> bool:
    """True where every call is refused, as nothing can check its signature yet."""
    return webhook.signature != InboundWebhook.Signature.NONE and webhook.secret is None


def reseal_secrets() -> int:
    """Seal all secrets under other keys again under the current key; return how many."""
    count = 0
    rows = InboundWebhook.objects.exclude(secret=None).exclude(secret_key_name=sealing.current_key_name())
    for webhook in rows:
        assert webhook.secret is not None
        name, sealed = sealing.seal_secret(sealing.unseal_secret(webhook.secret_key_name, webhook.secret))
        count += InboundWebhook.objects.filter(pk=webhook.pk).update(secret=sealed, secret_key_name=name)
    return count


def _lock(webhook: InboundWebhook) -> InboundWebhook:
    return InboundWebhook.objects.select_for_update(of=("self",)).select_related("source").get(pk=webhook.pk)


def _set(webhook: InboundWebhook, values: Mapping[str, Any], secret: Any) -> None:
    if unknown := values.keys() - set(FIELDS):
        raise TypeError(f"a webhook has no {', '.join(sorted(unknown))} to change")
    for name, value in values.items():
        setattr(webhook, name, value)
    problems = []
    if webhook.signature not in InboundWebhook.Signature.values:
        words = ", ".join(InboundWebhook.Signature.values)
        problems.append(bad_value(Code.UNKNOWN_WORD, words, webhook.signature, "signature"))
    for name in ("signature_header", "id_header"):
        text = getattr(webhook, name)
        if not isinstance(text, str) or len(text) > MAX_HEADER or not HEADER_LETTERS.issuperset(text.lower()):
            problems.append(bad_value(Code.BAD_HEADER, _("the name of a header"), text, name))
    if webhook.id_path and (not is_path(webhook.id_path) or EACH in webhook.id_path):
        expected = _("the place of a value, as a list of steps")
        problems.append(bad_value(Code.WRONG_TYPE, expected, webhook.id_path, "id_path"))
    calls = webhook.calls_a_minute
    if type(calls) is not int or not 1 <= calls <= MAX_CALLS_A_MINUTE:
        expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 1, "largest": MAX_CALLS_A_MINUTE}
        problems.append(bad_value(Code.WRONG_TYPE, expected, calls, "calls_a_minute"))
    if secret is not None and (not isinstance(secret, str) or not 0 < len(secret.strip()) <= MAX_SECRET):
        problems.append(Problem(Code.WRONG_TYPE, _("The secret has 1 to 500 characters."), ("secret",)))
    refuse_if(problems)
    if secret is not None:
        webhook.secret_key_name, webhook.secret = sealing.seal_secret(secret.strip().encode("utf-8", "replace"))


# --- Mappings --------------------------------------------------------------------------------------------------


@transaction.atomic
def add_mapping(
    source: EventSource, name: Any, by: Any, definition: Any = None, activity_type: ActivityType | None = None
) -> InboundMapping:
    """Add a mapping, switched off, after the others."""
    require_permission(by, CHANGE)
    if source.inbound_mappings.count() >= MAX_MAPPINGS:
        raise RejectedError(Problem(Code.TOO_MANY, _("A webhook has at most 50 mappings.")))
    if definition:
        refuse_if(unknown_fields(parse_definition(definition), _hold_type(activity_type)))
    last = source.inbound_mappings.aggregate(last=Max("place"))["last"]
    mapping = source.inbound_mappings.create(
        name=naming.parse_name(name),
        place=0 if last is None else last + 1,
        definition=definition or {},
        activity_type=activity_type,
        created_by=by,
    )
    audit.write_audit_entry(by, source, "mapping_added", name=mapping.name)
    return mapping


@transaction.atomic
def change_mapping(
    mapping: InboundMapping, by: Any, *, expected_revision: int | None = None, **values: Any
) -> InboundMapping:
    """Set name, activity type and definition. One that is on stays on, and has to stay complete.

    Raises `RejectedError` with every problem, `ConflictError`, `NotAllowedError`.
    """
    require_permission(by, CHANGE)
    changed = _lock_mapping(mapping)
    message = _("Someone else changed the mapping in the meantime. Look at it again before you save.")
    refuse_if_changed(expected_revision, changed.revision, message)
    if "name" in values:
        changed.name = naming.parse_name(values["name"])
    if "activity_type" in values:
        changed.activity_type = values["activity_type"]
    if "definition" in values:
        parse_definition(values["definition"])
        changed.definition = values["definition"]
    if changed.is_on:
        _require_complete(changed, by)
    elif "definition" in values:
        refuse_if(unknown_fields(parse_definition(changed.definition), _hold_type(changed.activity_type)))
    changed.revision += 1
    changed.save()
    audit.write_audit_entry(by, changed.source, "mapping_changed", name=changed.name)
    return changed


@transaction.atomic
def turn_on_mapping(mapping: InboundMapping, by: Any, *, expected_revision: int | None = None) -> InboundMapping:
    """Record the calls that are received from now on by this mapping.

    `expected_revision`: the one that was tried. Raises `RejectedError` where it is not complete.
    """
    require_permission(by, CHANGE)
    changed = _lock_mapping(mapping)
    message = _("Someone else changed the mapping in the meantime. Try it again before you switch it on.")
    refuse_if_changed(expected_revision, changed.revision, message)
    _require_complete(changed, by)
    return _turn(changed, by, is_on=True)


@transaction.atomic
def turn_off_mapping(mapping: InboundMapping, by: Any) -> InboundMapping:
    """Take no more calls by the mapping; they are kept and can be replayed."""
    require_permission(by, CHANGE)
    return _turn(_lock_mapping(mapping), by, is_on=False)


@transaction.atomic
def delete_mapping(mapping: InboundMapping, by: Any) -> None:
    """Delete a mapping that is off; the calls that it took stay."""
    require_permission(by, CHANGE)
    locked = _lock_mapping(mapping)
    if locked.is_on:
        raise RejectedError(Problem(Code.WRONG_STATE, _("Switch the mapping off before you delete it.")))
    audit.write_audit_entry(by, locked.source, "mapping_deleted", name=locked.name)
    locked.delete()


def _turn(mapping: InboundMapping, by: Any, *, is_on: bool) -> InboundMapping:
    if mapping.is_on != is_on:
        mapping.is_on, mapping.revision = is_on, mapping.revision + 1
        mapping.save()
        audit.write_audit_entry(by, mapping.source, "mapping_on" if is_on else "mapping_off", name=mapping.name)
    return mapping


def _require_complete(mapping: InboundMapping, by: Any) -> None:
    """Refuse a mapping that cannot record, and one that does more than the user may."""
    definition = parse_definition(mapping.definition)
    refuse_if(problems_with_type(definition, _hold_type(mapping.activity_type)))
    require_permission(by, RECORD)
    if definition.creates_people:
        require_permission(by, CREATE_PEOPLE)


def _lock_mapping(mapping: InboundMapping) -> InboundMapping:
    rows = InboundMapping.objects.select_for_update(of=("self",)).select_related("source", "activity_type")
    locked = rows.filter(pk=mapping.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.NOT_FOUND, _("The mapping no longer exists.")))
    return locked


def mappings_with_people_by(fields: Sequence[Any]) -> Sequence[InboundMapping]:
    """The mappings that look people up in one of these person fields."""
    return list(InboundMapping.objects.filter(definition__person__field__in=[field.api_name for field in fields]))


def mappings_filling(fields: Sequence[ApprovedField]) -> Sequence[InboundMapping]:
    """The mappings, on or off, that give one of these activity fields its value."""
    names: dict[int, list[str]] = {}
    for field in fields:
        names.setdefault(field.activity_type_id, []).append(field.api_name)
    is_filling = [
        Q(activity_type=type_id, definition__attributes__has_any_keys=of_type) for type_id, of_type in names.items()
    ]
    return list(InboundMapping.objects.filter(reduce(or_, is_filling)))


def _hold_type(activity_type: ActivityType | None) -> ActivityType | None:
    """The type, locked until the transaction ends: no removal of a field is approved meanwhile."""
    if activity_type is None:
        return None
    locks.acquire_shared([locks.lock_key(locks.LockSpace.TYPE, activity_type.pk)])
    return ActivityType.objects.get(pk=activity_type.pk)


def find_type(api_name: Any) -> ActivityType | None:
    """The team's own type with this API name; None for None. Raises `RejectedError` (`unknown_type`)."""
    if api_name is None:
        return None
    activity_type = ActivityType.objects.existing().filter(api_name=api_name, is_standard=False).first()
    if activity_type is None:
        expected = _("the API name of one of your activity types")
        raise RejectedError(bad_value(Code.UNKNOWN_TYPE, expected, api_name, "activity_type"))
    return activity_type
