"""A smart list's rules in the form that Marketo documents for activity filters.

[I] §4, §11.5: the only evidence is one sample of an activity filter. Rules that it has no place for (person
fields, lists, sequences, counts, aggregates) use the same members, with the product's own rule types.
"""

from collections.abc import Callable, Sequence
from typing import Any

from people.core.kinds import Facet
from smartlists.catalog import Catalogue
from smartlists.rules import model as rules
from smartlists.rules.model import FILTERS
from smartlists.rules.vocabulary import FieldOwner

# conditions that every activity or record has, with Marketo's number (the first) or the following ones
COMMON = {
    "@occurred_at": (-101, "Date of Activity"),
    "@recorded_at": (-102, "Date Recorded"),
    "@backfill": (-105, "Recorded as History"),
    "@created_at": (-108, "Date Added"),
    "@updated_at": (-109, "Date of Last Change"),
}
TIMES = (-103, "Min. Number of Times")
COUNTED = (-103, "Number of Times")
AGGREGATED = -104
PURPOSE, AS_OF = -106, -107
CHANGED, CHANGED_AT = -110, -111
ACTIVITY, PERSON, LIST, SEQUENCE, CONSENT = "Activity", "Attribute", "List", "Sequence", "Consent"
OBJECT = "Custom Object"


def marketo_rules(rules_model: rules.Rules) -> dict[str, Any]:
    """Return rules with match type in lower case, no triggers (a list has none), and the filters by their numbers."""
    names = Catalogue()
    form: dict[str, Any] = {"filterMatchType": rules_model.match, "triggers": []}
    if rules_model.match == rules.ADVANCED:
        form["filterCustomRuleLogic"] = rules_model.logic
    form["filters"] = [
        {"id": number, **MARKETO_FORMS.of(item)(item, names)}
        for number, item in enumerate(rules_model.filters, start=1)
    ]
    return form


def _filter(name: str, type_id: int, kind: str, operator: str, conditions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "ruleTypeId": type_id, "ruleType": kind, "operator": operator, "conditions": list(conditions)}


def _condition(
    number: int, name: str, operator: str, values: Sequence[str], is_primary: bool = False
) -> dict[str, Any]:
    return {
        "activityAttributeId": number,
        "activityAttributeName": name,
        "operator": operator,
        "values": list(values),
        "isPrimary": is_primary,
    }


def _activity(item: rules.Activity, names: Catalogue) -> dict[str, Any]:
    kind = names.types[item.type]
    conditions = [_constraint(constraint, kind) for constraint in item.constraints]
    conditions += _of_group(item, kind)
    return _filter(kind.filter_name, kind.id, ACTIVITY, "occurs" if item.did else "does not occur", conditions)


def _of_group(item: rules.Activity | rules.Object, kind: FieldOwner) -> list[dict[str, Any]]:
    """The count and the aggregate as conditions."""
    conditions = []
    if item.count is not None:
        number, name = TIMES if item.count.operator == "at least" else COUNTED
        conditions.append(_condition(number, name, item.count.operator, item.count.values))
    if item.aggregate is not None:
        aggregate = item.aggregate
        name = f"{aggregate.function.capitalize()} of {kind.fields[aggregate.field].name}"
        conditions.append(_condition(AGGREGATED, name, aggregate.operator, aggregate.values))
    return conditions


def _object(item: rules.Object, names: Catalogue) -> dict[str, Any]:
    kind = names.objects[item.type]
    conditions = [_constraint(constraint, kind) for constraint in item.constraints]
    if item.changed is not None:
        change = item.changed
        name = f"{kind.fields[change.field].name} Changed" if change.field else "Changed"
        conditions.append(_condition(CHANGED, name, "changed", ()))
        for word, values in (("from", change.before), ("to", change.after)):
            conditions += [_condition(CHANGED, name, f"changed {word}", values)] if values else []
        if change.operator:
            conditions.append(_condition(CHANGED_AT, "Date of Change", change.operator, change.values))
    conditions += _of_group(item, kind)
    return _filter(kind.name, kind.id, OBJECT, "has" if item.has else "has not", conditions)


def _constraint(item: rules.Constraint, kind: FieldOwner) -> dict[str, Any]:
    if item.field in COMMON:
        return _condition(*COMMON[item.field], item.operator, item.values)
    field = kind.fields[item.field]
    return _condition(field.id, field.name, item.operator, item.values, field.is_primary)


def _person_field(item: rules.PersonField, names: Catalogue) -> dict[str, Any]:
    info = names.person_fields[item.field]
    condition = _condition(info.id, info.label, item.operator, item.values, is_primary=True)
    return _filter(info.label, info.id, PERSON, item.operator, [condition])


def _static_list(item: rules.StaticList, names: Catalogue) -> dict[str, Any]:
    return _list("Member of List", item, names.static_lists)


def _smart_list(item: rules.SmartList, names: Catalogue) -> dict[str, Any]:
    return _list("Member of Smart List", item, names.smart_lists)


def _list(name: str, item: rules.StaticList | rules.SmartList, lists: Any) -> dict[str, Any]:
    operator = "in" if item.member else "not in"
    condition = _condition(item.list, name, operator, [lists.get(item.list, str(item.list))], is_primary=True)
    return _filter(name, item.list, LIST, operator, [condition])


def _sequence(item: rules.Sequence, names: Catalogue) -> dict[str, Any]:
    first, *later = item.steps
    sequence = _filter("Sequence", names.types[first.type].id, SEQUENCE, "occurs", [])
    return sequence | {
        "steps": [_step(first, names, "occurs"), *(_step(step, names, _order_operator(step)) for step in later)]
    }


def _step(step: rules.Step, names: Catalogue, operator: str) -> dict[str, Any]:
    kind = names.types[step.type]
    conditions = [_constraint(constraint, kind) for constraint in step.constraints]
    return _filter(kind.filter_name, kind.id, ACTIVITY, operator, conditions)


def _consent(item: rules.Consent, _names: Catalogue) -> dict[str, Any]:
    conditions = [_condition(PURPOSE, "Purpose", "is", [item.purpose], is_primary=True)]
    if item.on:
        conditions.append(_condition(AS_OF, "As of", "is", [item.on]))
    return _filter("Consent", 0, CONSENT, item.state, conditions)


def _order_operator(step: rules.Step) -> str:
    operator = "not followed by" if step.is_not else "followed by"
    return operator if step.within_days is None else f"{operator} within {step.within_days} days"


MARKETO_FORMS: Facet[Callable[[Any, Any], dict[str, Any]]] = FILTERS.facet(
    "form in the Marketo API",
    {
        "activity": _activity,
        "person_field": _person_field,
        "static_list": _static_list,
        "smart_list": _smart_list,
        "sequence": _sequence,
        "consent": _consent,
        "object": _object,
    },
)
