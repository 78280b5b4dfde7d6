"""The standard activity types, and helpers for the activities recorded by changes to people.

The numbers are those of Marketo's own types. Types without a recorder of ours exist so that imported
history and filters can use them.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from activities import labels
from activities.models import ActivityField, ActivityType, ActivityTypeName, ActivityVersion
from people.core import words
from people.core.source import Channel, Source
from people.datatypes.naming import name_key
from people.persons import merge as person_merge

VISIT_WEB_PAGE, NEW_PERSON, CHANGE_DATA_VALUE, CHANGE_SCORE = 1, 12, 13, 22
ADD_TO_LIST, REMOVE_FROM_LIST, MERGE_PEOPLE, DELETE_PERSON = 24, 25, 32, 37
CALL_WEBHOOK = 110
CHANGES = (CHANGE_DATA_VALUE, CHANGE_SCORE)
# what happens to people's data, by the product; all other activities are what people did or were sent
OF_THE_SYSTEM = (NEW_PERSON, *CHANGES, ADD_TO_LIST, REMOVE_FROM_LIST, MERGE_PEOPLE, DELETE_PERSON, CALL_WEBHOOK)

# id: (API name, name, filter name, trigger name, fields); fields are (API name, name, data type), "*" marks
# the primary one; names are stored in English and shown in the active language (`labels`)
_WEB = (
    ("client_ip_address", _("Client IP Address"), "string"),
    ("referrer_url", _("Referrer URL"), "link"),
    ("user_agent", _("User Agent"), "string"),
    ("query_parameters", _("Query Parameters"), "string"),
)
_MAIL = (("mailing", "*" + _("Mailing"), "string"), ("campaign", _("Campaign"), "string"))
TYPES: dict[int, tuple[str, str, str, str, tuple[tuple[str, str, str], ...]]] = {
    1: (
        "visitWebPage",
        _("Visit Web Page"),
        _("Visited Web Page"),
        _("Visits Web Page"),
        (("web_page", "*" + _("Web Page"), "string"), *_WEB),
    ),
    2: (
        "fillOutForm",
        _("Fill Out Form"),
        _("Filled Out Form"),
        _("Fills Out Form"),
        (("form", "*" + _("Form"), "string"), ("form_fields", _("Form Fields"), "text"), *_WEB),
    ),
    3: (
        "clickLink",
        _("Click Link"),
        _("Clicked Link on Web Page"),
        _("Clicks Link on Web Page"),
        (("link", "*" + _("Link"), "string"), *_WEB),
    ),
    6: ("sendEmail", _("Send Email"), _("Was Sent Email"), _("Is Sent Email"), _MAIL),
    7: ("emailDelivered", _("Email Delivered"), _("Was Delivered Email"), _("Email Is Delivered"), _MAIL),
    8: (
        "emailBounced",
        _("Email Bounced"),
        _("Email Bounced"),
        _("Email Bounces"),
        (*_MAIL, ("details", _("Details"), "text")),
    ),
    9: ("unsubscribeEmail", _("Unsubscribe Email"), _("Unsubscribed from Email"), _("Unsubscribes from Email"), _MAIL),
    10: ("openEmail", _("Open Email"), _("Opened Email"), _("Opens Email"), _MAIL),
    11: (
        "clickEmail",
        _("Click Email"),
        _("Clicked Link in Email"),
        _("Clicks Link in Email"),
        (*_MAIL, ("link", _("Link"), "link")),
    ),
    12: (
        "newPerson",
        _("New Person"),
        _("Person was Created"),
        _("Person is Created"),
        (("source_type", _("Source Type"), "string"), ("created_date", _("Created Date"), "date")),
    ),
    13: (
        "changeDataValue",
        _("Change Data Value"),
        _("Data Value was Changed"),
        _("Data Value Changes"),
        (
            ("attribute_name", "*" + _("Attribute Name"), "string"),
            ("new_value", _("New Value"), "text"),
            ("old_value", _("Old Value"), "text"),
            ("reason", _("Reason"), "string"),
            ("source", _("Source"), "string"),
        ),
    ),
    22: (
        "changeScore",
        _("Change Score"),
        _("Score was Changed"),
        _("Score is Changed"),
        (
            ("attribute_name", "*" + _("Attribute Name"), "string"),
            ("change_value", _("Change Value"), "integer"),
            ("new_value", _("New Value"), "integer"),
            ("old_value", _("Old Value"), "integer"),
            ("reason", _("Reason"), "string"),
        ),
    ),
    24: (
        "addToList",
        _("Add to List"),
        _("Was Added to List"),
        _("Is Added to List"),
        (
            ("list_name", "*" + _("List Name"), "string"),
            ("list_id", _("List ID"), "integer"),
            ("source", _("Source"), "string"),
        ),
    ),
    25: (
        "removeFromList",
        _("Remove from List"),
        _("Was Removed from List"),
        _("Is Removed from List"),
        (
            ("list_name", "*" + _("List Name"), "string"),
            ("list_id", _("List ID"), "integer"),
            ("source", _("Source"), "string"),
        ),
    ),
    32: (
        "mergePeople",
        _("Merge People"),
        _("Was Merged"),
        _("Is Merged"),
        (("merge_ids", _("Merge IDs"), "text"), ("merge_fields", _("Merge Fields"), "text")),
    ),
    37: (
        "deletePerson",
        _("Delete Person"),
        _("Person was Deleted"),
        _("Person is Deleted"),
        (("person_name", "*" + _("Person Name"), "string"),),
    ),
    46: (
        "interestingMoment",
        _("Interesting Moment"),
        _("Had Interesting Moment"),
        _("Has Interesting Moment"),
        (
            ("type", "*" + _("Type"), "string"),
            ("description", _("Description"), "text"),
            ("source", _("Source"), "string"),
        ),
    ),
    110: (
        "callWebhook",
        _("Call Webhook"),
        _("Webhook was Called"),
        _("Webhook is Called"),
        (
            ("webhook", "*" + _("Webhook"), "string"),
            ("response", _("Response"), "text"),
            ("error_type", _("Error Type"), "string"),
        ),
    ),
}


def install_after_migration(**_options: Any) -> None:
    """Create the standard types that are missing; runs after every migration."""
    present = set(ActivityType.objects.filter(is_standard=True).values_list("pk", flat=True))
    with transaction.atomic():
        for number in TYPES.keys() - present:
            _install(number)


def _install(number: int) -> None:
    api_name, name, filter_name, trigger_name, fields = TYPES[number]
    activity_type = ActivityType.objects.create(pk=number, api_name=api_name, is_standard=True)
    version = ActivityVersion.objects.create(
        activity_type=activity_type, name=name, filter_name=filter_name, trigger_name=trigger_name
    )
    ActivityField.objects.bulk_create(
        ActivityField(
            version=version,
            api_name=field_api_name,
            name=field_name.lstrip("*"),
            data_type=data_type,
            is_primary=field_name.startswith("*"),
            position=position,
        )
        for position, (field_api_name, field_name, data_type) in enumerate(fields)
    )
    ActivityVersion.objects.filter(pk=version.pk).update(number=1, approved_at=timezone.now())
    ActivityType.objects.filter(pk=number).update(live=version)
    ActivityTypeName.objects.bulk_create(
        ActivityTypeName(activity_type=activity_type, kind=kind, key=name_key(value))
        for kind, value in (("name", name), ("filter_name", filter_name), ("trigger_name", trigger_name))
    )


def find_standard_types(term: str) -> list[int]:
    """Ids of the standard types with a name, in the active language, that contains every word of `term`."""
    query = words.SearchTerms.of(term)
    return [
        number
        for number, names in TYPES.items()
        if query and query.is_in(*(labels.localized_name(name, True) for name in names[1:4]))
    ]


# stored values: stable words, in the one language of the data
_CHANNELS = {
    Channel.ADMIN: "Admin",
    Channel.API: "Web service API",
    Channel.MARKETO: "Web service API",
    Channel.IMPORT: "List import",
    Channel.CAMPAIGN: "Smart campaign",
    Channel.SYSTEM: "System",
    Channel.COMMAND: "Command",
}


def channel_name(source: Source) -> str:
    """The stored name of a channel, as in Marketo's activities."""
    return "Merge" if source.is_merge else _CHANNELS[source.channel]


def is_of_merge(activity_type_id: int, channel: int, origin_id: int | None, attributes: Mapping[str, Any]) -> bool:
    """True for a change of value made by a merge; `log.personal_data` has the same condition in SQL."""
    return (
        activity_type_id in CHANGES
        and origin_id is not None
        and channel not in (Channel.IMPORT, Channel.CAMPAIGN)
        and str(attributes.get("reason", "")).startswith(person_merge.REASON % origin_id)
    )
