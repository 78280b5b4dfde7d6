"""Fills the tokens of a campaign's texts: for many people at once, reading only what the text names."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

from activities.models import Activity
from people.datatypes.canonical import canonical_text, moment_text
from people.fields import catalog
from people.models import Person
from smartlists.catalog import Catalogue
from smartlists.rules.vocabulary import Type
from smartlists.webhooks import tokens as webhook_tokens

Values = Mapping[str, str | None]


def texts(text: str, entries: Sequence[Any], situation: Any, escape: Callable[[str], str] = str) -> dict[int, str]:
    """`text` for each entry, by the entry's id."""
    wanted = {token.source for token in webhook_tokens.tokens_of(text)}
    if not wanted:
        return {entry.id: webhook_tokens.render(text, {}) for entry in entries}
    values = values_of(entries, situation, wanted)
    return {entry.id: webhook_tokens.render(text, values[entry.id], escape) for entry in entries}


def values_of(entries: Sequence[Any], situation: Any, wanted: set[str] | None = None) -> dict[int, Values]:
    """What tokens of the `wanted` sources (default: all) stand for, by entry and by the token's key.

    People and activities are read as they are now: an activity that left the log has no values any more.
    """
    wanted = wanted or {"person", "trigger", "campaign"}
    about_campaign = {"campaign.name": situation.campaign.name, "campaign.id": str(situation.campaign.pk)}
    people = _people([entry.person_id for entry in entries]) if "person" in wanted else {}
    happened = _triggers(entries) if "trigger" in wanted else {}
    return {
        entry.id: {**about_campaign, **people.get(entry.person_id, {}), **happened.get(entry.id, {})}
        for entry in entries
    }


def _people(person_ids: Sequence[int]) -> dict[int, Values]:
    catalogue = catalog.catalogue()
    found: dict[int, Values] = {}
    for person in Person.objects.filter(pk__in=person_ids):
        values = {
            f"person.{name}": webhook_tokens.as_text(catalog.value_of(person, info)) for name, info in catalogue.items()
        }
        found[person.pk] = {**values, "person.id": str(person.pk)}
    return found


def activities_of(entries: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """What triggered each entry, by the entry's id: fields with JSON types, apart from its own members."""
    return {entry_id: _as_json(row, of) for entry_id, (row, of) in _rows(entries).items()}


def _as_json(row: Any, of: Type) -> dict[str, Any]:
    attributes = {name: row.attributes[name] for name in of.fields if row.attributes.get(name) is not None}
    for name, field in of.fields.items():
        if field.is_primary and row.primary_value is not None:
            attributes[name] = field.data_type.as_json(field.data_type.parse(row.primary_value, UTC))
    return {
        "id": row.pk,
        "type": of.api_name,
        "name": of.name,
        "occurred_at": moment_text(row.occurred_at),
        "recorded_at": moment_text(row.recorded_at),
        "attributes": attributes,
    }


def _triggers(entries: Sequence[Any]) -> dict[int, Values]:
    return {entry_id: activity_values(row, of) for entry_id, (row, of) in _rows(entries).items()}


def _rows(entries: Sequence[Any]) -> dict[int, tuple[Any, Type]]:
    """The activity that triggered each entry, with its type; an activity that left the log is left out."""
    ids = [entry.activity_id for entry in entries if entry.activity_id]
    rows = {row.pk: row for row in Activity.objects.filter(pk__in=ids)}
    by_id = {one.id: one for one in Catalogue().types.values()}
    found = {}
    for entry in entries:
        row = rows.get(entry.activity_id)
        if row is not None and row.activity_type_id in by_id:
            found[entry.id] = (row, by_id[row.activity_type_id])
    return found


def activity_values(row: Any, of: Type) -> Values:
    """The values of one activity, by the token's key."""
    values: dict[str, str | None] = {
        "trigger.name": of.name,
        "trigger.id": str(row.pk),
        "trigger.occurred_at": moment_text(row.occurred_at),
        "trigger.recorded_at": moment_text(row.recorded_at),
    }
    for name, field in of.fields.items():
        if field.is_primary:
            values.setdefault(f"trigger.{name}", row.primary_value)
        elif field.id and row.attributes.get(name) is not None:
            value = field.data_type.from_json(row.attributes[name])
            values.setdefault(f"trigger.{name}", canonical_text(value))
    return values
