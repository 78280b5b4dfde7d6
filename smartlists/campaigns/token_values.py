"""Values of the tokens in a campaign's texts: for many people at once, reading only the sources that are used."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

from activities.links.tokens import new_token as new_link_token
from activities.models import Activity
from people.datatypes.canonical import canonical_text, moment_text
from people.fields import catalog
from people.models import ObjectRecord, Person
from smartlists.catalog import Catalogue
from smartlists.rules.vocabulary import VocabularyType
from smartlists.webhooks import tokens as webhook_tokens

Values = Mapping[str, str | None]


def render_for_entries(
    text: str, entries: Sequence[Any], situation: Any, escape: Callable[[str], str] = str
) -> dict[int, str]:
    """`text` rendered for each entry, by the entry's id."""
    sources = {token.source for token in webhook_tokens.tokens_in_text(text)}
    if not sources:
        return {entry.id: webhook_tokens.render_template(text, {}) for entry in entries}
    values = values_by_entry(entries, situation, sources)
    return {entry.id: webhook_tokens.render_template(text, values[entry.id], escape) for entry in entries}


def values_by_entry(entries: Sequence[Any], situation: Any, sources: set[str] | None = None) -> dict[int, Values]:
    """The values of tokens of the given sources (default: all), by entry and by the token's key.

    People, records and activities are read as they are now: an activity deleted from the log has no values any more.
    """
    sources = sources or {"person", "trigger", "object", "campaign"}
    about_campaign = {"campaign.name": situation.campaign.name, "campaign.id": str(situation.campaign.pk)}
    people = _people([entry.person_id for entry in entries]) if "person" in sources else {}
    trigger_values = _triggers(entries) if "trigger" in sources else {}
    records = _records(entries) if "object" in sources else {}
    return {
        entry.id: {
            **about_campaign,
            **people.get(entry.person_id, {}),
            **trigger_values.get(entry.id, {}),
            **records.get(entry.record_id, {}),
        }
        for entry in entries
    }


def _people(person_ids: Sequence[int]) -> dict[int, Values]:
    catalogue = catalog.field_catalogue()
    values_by_person: dict[int, Values] = {}
    for person in Person.objects.filter(pk__in=person_ids):
        values = {
            f"person.{name}": webhook_tokens.token_value_text(catalog.person_value(person, info))
            for name, info in catalogue.items()
        }
        own = {"person.link_token": new_link_token(person.pk)}  # for tracked links, in what another tool sends
        values_by_person[person.pk] = {**own, **values, "person.id": str(person.pk)}
    return values_by_person


def _records(entries: Sequence[Any]) -> dict[int | None, Values]:
    """The values of the object records that triggered the entries, by the record's id; deleted ones have theirs."""
    ids = {entry.record_id for entry in entries if entry.record_id}
    types = {object_type.id: object_type for object_type in Catalogue().objects.values()} if ids else {}
    values_by_record: dict[int | None, Values] = {}
    for record in ObjectRecord.objects.filter(pk__in=ids, object_type__in=types):
        fields = types[record.object_type_id].fields
        values = {
            f"object.{name}": canonical_text(field.data_type.from_json(record.fields[name]))
            for name, field in fields.items()
            if record.fields.get(name) is not None
        }
        values_by_record[record.pk] = {**values, "object.id": str(record.pk)}
    return values_by_record


def activities_by_entry(entries: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """The activity that triggered each entry, by the entry's id; its fields, with JSON types, lie in `attributes`."""
    return {entry_id: _as_json(row, activity_type) for entry_id, (row, activity_type) in _rows(entries).items()}


def _as_json(row: Any, activity_type: VocabularyType) -> dict[str, Any]:
    attributes = {name: row.attributes[name] for name in activity_type.fields if row.attributes.get(name) is not None}
    for name, field in activity_type.fields.items():
        if field.is_primary and row.primary_value is not None:
            attributes[name] = field.data_type.as_json(field.data_type.parse(row.primary_value, UTC))
    return {
        "id": row.pk,
        "type": activity_type.api_name,
        "name": activity_type.name,
        "occurred_at": moment_text(row.occurred_at),
        "recorded_at": moment_text(row.recorded_at),
        "attributes": attributes,
    }


def _triggers(entries: Sequence[Any]) -> dict[int, Values]:
    return {
        entry_id: activity_token_values(row, activity_type) for entry_id, (row, activity_type) in _rows(entries).items()
    }


def _rows(entries: Sequence[Any]) -> dict[int, tuple[Any, VocabularyType]]:
    """The activity that triggered each entry, with its type; activities deleted from the log are omitted."""
    ids = [entry.activity_id for entry in entries if entry.activity_id]
    rows = {row.pk: row for row in Activity.objects.filter(pk__in=ids)}
    types_by_id = {activity_type.id: activity_type for activity_type in Catalogue().types.values()}
    triggered = {}
    for entry in entries:
        row = rows.get(entry.activity_id)
        if row is not None and row.activity_type_id in types_by_id:
            triggered[entry.id] = (row, types_by_id[row.activity_type_id])
    return triggered


def activity_token_values(row: Any, activity_type: VocabularyType) -> Values:
    """The values of one activity, by the token's key."""
    values: dict[str, str | None] = {
        "trigger.name": activity_type.name,
        "trigger.id": str(row.pk),
        "trigger.occurred_at": moment_text(row.occurred_at),
        "trigger.recorded_at": moment_text(row.recorded_at),
    }
    for name, field in activity_type.fields.items():
        if field.is_primary:
            values.setdefault(f"trigger.{name}", row.primary_value)
        elif field.id and row.attributes.get(name) is not None:
            value = field.data_type.from_json(row.attributes[name])
            values.setdefault(f"trigger.{name}", canonical_text(value))
    return values
