"""The standard activity types, and helpers for the activities recorded by changes to people.

The numbers are those of Marketo's own types. Types without a recorder of ours exist so that imported
history and filters can use them. Their shapes are in `standard_shapes`.
"""

from collections.abc import Mapping
from typing import Any

from activities import labels
from activities.models import CONSENT_TYPES
from activities.types.standard_shapes import TYPES
from people.core import words
from people.core.source import CHANNELS_WITH_ORIGIN, Channel, Source
from people.persons import merge as person_merge

VISIT_WEB_PAGE, NEW_PERSON, CHANGE_DATA_VALUE, CHANGE_SCORE = 1, 12, 13, 22
ADD_TO_LIST, REMOVE_FROM_LIST, MERGE_PEOPLE, DELETE_PERSON = 24, 25, 32, 37
CALL_WEBHOOK = 110
CHANGES = (CHANGE_DATA_VALUE, CHANGE_SCORE)
# changes of people's data, by the product; all other activities are of people, or of messages to them
OF_THE_SYSTEM = (NEW_PERSON, *CHANGES, ADD_TO_LIST, REMOVE_FROM_LIST, MERGE_PEOPLE, DELETE_PERSON, CALL_WEBHOOK)


def find_standard_types(term: str) -> list[int]:
    """Ids of the standard types with a name, in the active language, that contains every word of `term`."""
    query = words.SearchTerms.of(term)
    return [
        number
        for number, shape in TYPES.items()
        if query
        and query.is_in(
            *(labels.localized_name(name, True) for name in (shape.name, shape.filter_name, shape.trigger_name))
        )
    ]


# the types that a merge records on the winner, with the attribute of the reason
REASONS_OF_MERGES = {**dict.fromkeys(CHANGES, "reason"), **dict.fromkeys(CONSENT_TYPES, "source")}


# stored values: stable words, in the one language of the data
CHANNEL_NAMES = {
    Channel.ADMIN: "Admin",
    Channel.API: "Web service API",
    Channel.MARKETO: "Web service API",
    Channel.IMPORT: "List import",
    Channel.CAMPAIGN: "Smart campaign",
    Channel.SYSTEM: "System",
    Channel.COMMAND: "Command",
    Channel.EVENTS: "Event source",
    Channel.FORM: "Web form",
    Channel.LINK: "Tracked link",
}


def channel_name(source: Source) -> str:
    """The stored name of a channel, as in Marketo's activities."""
    return "Merge" if source.is_merge else CHANNEL_NAMES[source.channel]


def is_of_merge(activity_type_id: int, channel: int, origin_id: int | None, attributes: Mapping[str, Any]) -> bool:
    """True for a change of value, or a consent, by a merge; `log.personal_data` has the same condition in SQL."""
    return (
        activity_type_id in REASONS_OF_MERGES
        and origin_id is not None
        and channel not in CHANNELS_WITH_ORIGIN
        and str(attributes.get(REASONS_OF_MERGES[activity_type_id], "")).startswith(person_merge.REASON % origin_id)
    )
