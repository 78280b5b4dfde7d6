"""The activity types that web pages can send, cached for a few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from activities.inbox.decisions import Decisions, decision_of, load_decisions
from activities.inbox.mapping import NO_DECISION, Decision, by_unique_key, choose_type, event_types
from activities.inbox.names import name_key
from activities.models import CONSENT_TYPES, ActivityType
from activities.recording.schema import Schema, schema_of_version
from activities.visitors.moving import TRACKED_TYPES
from people.fields.catalog import field_catalogue

VISIT_WEB_PAGE, FILL_OUT_FORM, CLICK_LINK = 1, 2, 3
CONSENT_GIVEN, CONSENT_WITHDRAWN = CONSENT_TYPES


@dataclass(frozen=True, slots=True)
class LiveTypes:
    """`by_name`: custom types by API name, and by name in lower case; `standard`: those of `TRACKED_TYPES` by id.

    A name of a type that takes no activities is not there. `by_key`: custom types by how their names compare; without
    those that several types have. `decisions`: about names that event sources send. `person_fields`: the API names of
    person fields by how they compare.
    """

    by_name: Mapping[str, Schema] = field(default_factory=dict)
    standard: Mapping[int, Schema] = field(default_factory=dict)
    by_key: Mapping[str, Schema] = field(default_factory=dict)
    by_id: Mapping[int, Schema] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=dict)
    person_fields: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Schema | None:
        return self.by_name.get(name) or self.by_name.get(name.strip().lower())

    def find_event(self, name: str, decision: Decision = NO_DECISION) -> Schema | None:
        """The type of events with this name: the one that was decided, else the only one with the name."""
        return choose_type(name_key(name), decision, self.by_key, self.by_id)

    def knows_event(self, source_id: int, name: str) -> bool:
        """True where a type takes events of this name from the source, or something was decided about it."""
        decision = decision_of(self.decisions, source_id, name_key(name))
        return decision is not NO_DECISION or self.find_event(name) is not None


def load_live_types() -> LiveTypes:
    """Four statements, and one more for each version that this process has not compiled."""
    rows = list(event_types().values_list("api_name", "live__name", "live_id"))
    schemas = {live_id: schema_of_version(live_id) for _api_name, _name, live_id in rows}
    names = {name.lower(): schemas[live_id] for _api_name, name, live_id in rows}
    names |= {api_name: schemas[live_id] for api_name, _name, live_id in rows}
    standard = ActivityType.objects.filter(pk__in=TRACKED_TYPES, live__isnull=False).values_list("pk", "live_id")
    return LiveTypes(
        names,
        {pk: schema_of_version(live_id) for pk, live_id in standard},
        by_unique_key([(text, schemas[live_id]) for api_name, name, live_id in rows for text in (name, api_name)]),
        {schema.type_id: schema for schema in schemas.values()},
        load_decisions(),
        {name_key(api_name): api_name for api_name in field_catalogue()},
    )
