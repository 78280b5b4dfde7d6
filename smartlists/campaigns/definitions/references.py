"""References of a campaign's definition: types, fields, lists and webhooks, stored as rows that protect them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from activities.models import ApprovedField
from people.core import references as uses
from people.core.errors import RejectedError
from people.models import ApprovedObjectField, PersonField
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.campaigns.definitions.record_parts import ChangeRecord, CreateRecord
from smartlists.catalog import Catalogue
from smartlists.models import CampaignUse, SmartCampaign, Webhook
from smartlists.rules import model as rules
from smartlists.rules import references
from smartlists.webhooks import headers as webhook_headers
from smartlists.webhooks import tokens as webhook_tokens


def filters_in_definition(parsed: CampaignDefinition) -> Iterator[rules.Filter]:
    """The filters of a campaign's audience and of all its choices."""
    audiences = [parsed.audience]
    for _path, step in campaign_definition.walk_steps(parsed.steps):
        if isinstance(step, campaign_definition.Choose):
            audiences += [choice.when for choice in step.choices]
    for audience in audiences:
        yield from audience.effective_rules.filters


def activity_fields_in_definition(parsed: CampaignDefinition) -> Iterator[tuple[str, str]]:
    """Yield (activity type, field) for every use in triggers and steps; the field may be empty."""
    for _at, trigger in parsed.activity_triggers:
        yield trigger.type, ""
        yield from ((trigger.type, constraint.field) for constraint in trigger.row_constraints)
    for _path, step in campaign_definition.walk_steps(parsed.steps):
        if isinstance(step, campaign_definition.RecordActivity):
            yield step.type, ""
            yield from ((step.type, name) for name, _value in step.attributes)


def object_fields_in_definition(parsed: CampaignDefinition) -> Iterator[tuple[str, str]]:
    """Yield (object type, field) for every use in triggers and steps; the field may be empty."""
    for _at, trigger in parsed.object_triggers:
        yield trigger.object, ""
        yield from ((trigger.object, name) for name in trigger.named_fields)
    for _path, step in campaign_definition.walk_steps(parsed.steps):
        if isinstance(step, ChangeRecord):
            yield step.type, step.field
        if isinstance(step, CreateRecord):
            yield step.type, ""
            yield from ((step.type, name) for name, _value in step.values)


def object_types_in_definition(parsed: CampaignDefinition) -> Iterator[str]:
    """Yield the API names of the object types in triggers, steps, and rules."""
    yield from (name for name, _field in object_fields_in_definition(parsed))
    yield from (name for item in filters_in_definition(parsed) for name in rules.object_types_of(item))


def references_of_definition(parsed: CampaignDefinition, names: Catalogue) -> Iterator[tuple[str, int]]:
    """Yield the references of a definition as (column of the reference rows, id)."""
    for item in filters_in_definition(parsed):
        yield from references.references_of_filter(item, names)
    for api_name, field in activity_fields_in_definition(parsed):
        yield "activity_type_id", names.types[api_name].id
        if field and (field_id := names.types[api_name].fields[field].id):
            yield "approved_field_id", field_id
    for object_name, field in object_fields_in_definition(parsed):
        yield "object_type_id", names.objects[object_name].id
        if field and (field_id := names.objects[object_name].fields[field].id):
            yield "object_field_id", field_id
    for _at, trigger in parsed.list_triggers:
        yield "used_list_id", trigger.smart_list
    for _path, step in campaign_definition.walk_steps(parsed.steps):
        yield from STEP_REFERENCES.of(step)(step, names)
    yield from _token_uses(parsed, names)


def _token_uses(parsed: CampaignDefinition, names: Catalogue) -> Iterator[tuple[str, int]]:
    """Yield references to the fields whose tokens the campaign's texts contain."""
    for token in tokens_in_definition(parsed):
        if token.source == "person" and token.name in names.person_fields:
            yield "person_field_id", names.person_fields[token.name].id
        if token.source == "trigger":
            for _at, trigger in parsed.activity_triggers:
                field = names.types[trigger.type].fields.get(token.name)
                if field is not None and field.id:
                    yield "approved_field_id", field.id
        if token.source == "object":
            for _at, record_trigger in parsed.object_triggers:
                field = names.objects[record_trigger.object].fields.get(token.name)
                if field is not None and field.id:
                    yield "object_field_id", field.id


def tokens_in_definition(parsed: CampaignDefinition) -> list[Any]:
    """The tokens in the texts of all steps."""
    texts: list[str] = []
    for _path, step in campaign_definition.walk_steps(parsed.steps):
        texts += STEP_TEXTS.of(step)(step)
    return [token for text in texts for token in webhook_tokens.tokens_in_text(text)]


STEP_REFERENCES = campaign_definition.STEPS.facet(
    "columns of the reference rows, besides types and their fields",
    {
        "add_to_list": lambda step, _names: (("static_list_id", step.list),),
        "remove_from_list": lambda step, _names: (("static_list_id", step.list),),
        "change_field": lambda step, names: (("person_field_id", names.person_fields[step.field].id),),
        "record": lambda _step, _names: (),
        "change_object": lambda _step, _names: (),
        "create_object": lambda _step, _names: (),
        "wait": lambda _step, _names: (),
        "alert": lambda _step, _names: (),
        "webhook": lambda step, _names: (("webhook_id", step.webhook),),
        "choose": lambda _step, _names: (),
    },
)
STEP_TEXTS = campaign_definition.STEPS.facet(
    "texts that can hold tokens",
    {
        "add_to_list": lambda _step: (),
        "remove_from_list": lambda _step: (),
        "change_field": lambda step: (step.to, step.by),
        "record": lambda step: (step.primary, *(value for _name, value in step.attributes)),
        "change_object": lambda step: (step.to,),
        "create_object": lambda step: tuple(value for _name, value in step.values),
        "wait": lambda step: (step.until,),
        "alert": lambda step: (step.subject, step.body),
        "webhook": lambda _step: (),
        "choose": lambda _step: (),
    },
)


def store_references(campaign: SmartCampaign, parsed: CampaignDefinition, names: Catalogue) -> None:
    columns = sorted(set(references_of_definition(parsed, names)))
    CampaignUse.objects.bulk_create(CampaignUse(campaign=campaign, **{name: pk}) for name, pk in columns)


# --- Fields that the texts of outgoing webhooks name -----------------------------------------------------------
# A token of the trigger belongs to the types and objects by which the campaigns that call the webhook are triggered.


def register_webhook_uses() -> None:
    uses.register_named_uses(PersonField, webhooks_with_person_field)
    uses.register_named_uses(ApprovedField, webhooks_with_activity_field)
    uses.register_named_uses(ApprovedObjectField, webhooks_with_object_field)


def webhooks_with_person_field(fields: Sequence[PersonField]) -> Sequence[Webhook]:
    """The webhooks whose texts have the token of one of these person fields."""
    return _with_token(Webhook.objects.filter(is_archived=False), {f"person.{field.api_name}" for field in fields})


def webhooks_with_activity_field(fields: Sequence[ApprovedField]) -> Sequence[Webhook]:
    """The webhooks with the token of one of these fields that a campaign triggered by the field's type calls."""
    keys = _keys_by_type((field.activity_type.api_name, f"trigger.{field.api_name}") for field in fields)
    rows = CampaignUse.objects.filter(activity_type__in={field.activity_type_id for field in fields})
    return _called_for(keys, rows, lambda definition: {trigger.type for _at, trigger in definition.activity_triggers})


def webhooks_with_object_field(fields: Sequence[ApprovedObjectField]) -> Sequence[Webhook]:
    """The webhooks with the token of one of these fields that a campaign triggered by records of its type calls."""
    keys = _keys_by_type((field.object_type.api_name, f"object.{field.api_name}") for field in fields)
    rows = CampaignUse.objects.filter(object_type__in={field.object_type_id for field in fields})
    return _called_for(keys, rows, lambda definition: {trigger.object for _at, trigger in definition.object_triggers})


def _keys_by_type(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Keys of tokens by the API name of the type that triggers with them."""
    keys: dict[str, set[str]] = {}
    for type_name, key in pairs:
        keys.setdefault(type_name, set()).add(key)
    return keys


def _called_for(
    keys: Mapping[str, Set[str]], rows: Any, types_of: Callable[[CampaignDefinition], Set[str]]
) -> list[Webhook]:
    """The webhooks that the campaigns of `rows` call and that have a token of a type that triggers the campaign."""
    keys_by_webhook: dict[int, set[str]] = {}
    for definition, hooks in _callers(rows):
        for type_name in types_of(definition) & keys.keys():
            for pk in hooks:
                keys_by_webhook.setdefault(pk, set()).update(keys[type_name])
    called = Webhook.objects.filter(pk__in=keys_by_webhook) if keys_by_webhook else ()
    return [hook for hook in called if _token_keys(hook) & keys_by_webhook[hook.pk]]


def _callers(rows: Any) -> Iterator[tuple[CampaignDefinition, set[int]]]:
    """The definitions of those campaigns of `rows` that call webhooks, with the webhooks' ids."""
    calls = CampaignUse.objects.filter(campaign__in=rows.values("campaign"), webhook__isnull=False)
    hooks: dict[int, set[int]] = {}
    for campaign_id, webhook_id in calls.values_list("campaign_id", "webhook_id"):
        hooks.setdefault(campaign_id, set()).add(webhook_id)
    for campaign in SmartCampaign.objects.filter(pk__in=hooks) if hooks else ():
        yield campaign_definition.load_definition(campaign.definition), hooks[campaign.pk]


def _with_token(webhooks: Any, keys: Set[str]) -> list[Webhook]:
    return [hook for hook in webhooks if _token_keys(hook) & keys]


def _token_keys(hook: Webhook) -> set[str]:
    return {token.key for text in _texts(hook) for token in webhook_tokens.tokens_in_text(text)}


def _texts(hook: Webhook) -> Iterator[str]:
    """The texts of a webhook that can have tokens; without headers that this server has no key for."""
    yield hook.url
    if hook.format != Webhook.Format.CLOUDEVENTS:
        yield hook.body
    try:
        yield from webhook_headers.headers_of(hook).values()
    except RejectedError:
        return
