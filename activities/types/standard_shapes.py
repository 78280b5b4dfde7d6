"""The shapes of the standard activity types, as numbered versions.

Types have Marketo's numbers; those that Marketo has no number for start at `FIRST_OWN_ID`. A shipped version never
changes: a later one only adds fields, so nothing is renamed or retyped. `standard_installation` installs them.
Names are in English, as stored; pages translate them (`labels`).
"""

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

FIRST_OWN_ID = 90_001
IS_BOT = "is_bot"  # the field by which a type marks activities of bots


@dataclass(frozen=True, slots=True)
class StandardField:
    api_name: str
    name: str
    data_type: str
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class StandardType:
    """A standard type. `versions`: the fields that each version has in addition to those before it."""

    api_name: str
    name: str
    filter_name: str
    trigger_name: str
    versions: tuple[tuple[StandardField, ...], ...]

    def fields(self, number: int | None = None) -> tuple[StandardField, ...]:
        """All fields of version `number` (from 1 on); of the newest version without a number."""
        return tuple(field for added in self.versions[:number] for field in added)


def _string(api_name: str, name: str) -> StandardField:
    return StandardField(api_name, name, "string")


def _text(api_name: str, name: str) -> StandardField:
    return StandardField(api_name, name, "text")


def _link(api_name: str, name: str) -> StandardField:
    return StandardField(api_name, name, "link")


def _integer(api_name: str, name: str) -> StandardField:
    return StandardField(api_name, name, "integer")


def _boolean(api_name: str, name: str) -> StandardField:
    return StandardField(api_name, name, "boolean")


def _primary(api_name: str, name: str) -> StandardField:
    return StandardField(api_name, name, "string", is_primary=True)


_IP_ADDRESS = _string("client_ip_address", _("Client IP Address"))
_USER_AGENT = _string("user_agent", _("User Agent"))
_REFERRER_URL = _link("referrer_url", _("Referrer URL"))
_QUERY_PARAMETERS = _string("query_parameters", _("Query Parameters"))
_FORM_FIELDS = _text("form_fields", _("Form Fields"))
_WEB = (_IP_ADDRESS, _REFERRER_URL, _USER_AGENT, _QUERY_PARAMETERS)
_MAIL = (_primary("mailing", _("Mailing")), _string("campaign", _("Campaign")))
_DETAILS = _text("details", _("Details"))

_WEBPAGE_ID = _integer("webpage_id", _("Webpage ID"))
_WEBFORM_ID = _integer("webform_id", _("Webform ID"))
_LINK_ID = _integer("link_id", _("Link ID"))
_MAILING_ID = _integer("mailing_id", _("Mailing ID"))
_MAIL_IDS = (_MAILING_ID, _integer("campaign_run_id", _("Campaign Run ID")))
_CHOICE_NUMBER = _integer("choice_number", _("Choice Number"))
# of a campaign's step that sent the email
_STEP = (
    _integer("step_id", _("Step ID")),
    _integer("test_variant", _("Test Variant")),
    _boolean("has_predictive", _("Has Predictive")),
)
# for types whose old fields have no room for them
_WHOLE_ADDRESS = (_link("url", _("URL")), _text("query", _("Query")))
_DEVICE = (_string("device", _("Device")), _string("platform", _("Platform")), _string("browser", _("Browser")))
_MAIL_DEVICE = (*_DEVICE, _boolean("is_mobile_device", _("Is Mobile Device")))
_ORIGIN = (
    _string("utm_source", _("UTM Source")),
    _string("utm_medium", _("UTM Medium")),
    _string("utm_campaign", _("UTM Campaign")),
    _string("utm_term", _("UTM Term")),
    _string("utm_content", _("UTM Content")),
    _text("click_id", _("Click ID")),
    _string("click_id_type", _("Click ID Type")),
)
UTM_FIELDS = tuple(field.api_name for field in _ORIGIN if field.api_name.startswith("utm_"))
_BOT = (_boolean(IS_BOT, _("Is Bot Activity")), _string("bot_pattern", _("Bot Activity Pattern")))
_BOUNCE = (_string("category", _("Category")), _string("subcategory", _("Subcategory")), _string("email", _("Email")))
_CONSENT = (
    _primary("purpose", _("Purpose")),
    _text("text", _("Text")),
    _string("text_version", _("Text Version")),
    _string("source", _("Source")),
    _link("url", _("URL")),
)

TYPES: dict[int, StandardType] = {
    1: StandardType(
        "visitWebPage",
        _("Visit Web Page"),
        _("Visited Web Page"),
        _("Visits Web Page"),
        (
            (_primary("web_page", _("Web Page")), *_WEB),
            (
                *_WHOLE_ADDRESS,
                _text("page_path", _("Path")),
                _WEBPAGE_ID,
                _string("search_engine", _("Search Engine")),
                _string("search_query", _("Search Query")),
                *_DEVICE,
                *_ORIGIN,
                *_BOT,
            ),
            (_text("page_title", _("Page Title")),),
        ),
    ),
    2: StandardType(
        "fillOutForm",
        _("Fill Out Form"),
        _("Filled Out Form"),
        _("Fills Out Form"),
        (
            (_primary("form", _("Form")), _FORM_FIELDS, *_WEB),
            (*_WHOLE_ADDRESS, _WEBPAGE_ID, _WEBFORM_ID, *_DEVICE, *_ORIGIN, *_BOT),
        ),
    ),
    3: StandardType(
        "clickLink",
        _("Click Link"),
        _("Clicked Link on Web Page"),
        _("Clicks Link on Web Page"),
        (
            (_primary("link", _("Link")), *_WEB),
            (*_WHOLE_ADDRESS, _link("page_url", _("Page URL")), _LINK_ID, _WEBPAGE_ID, *_DEVICE, *_ORIGIN, *_BOT),
        ),
    ),
    6: StandardType(
        "sendEmail",
        _("Send Email"),
        _("Was Sent Email"),
        _("Is Sent Email"),
        (_MAIL, (*_MAIL_IDS, _CHOICE_NUMBER), _STEP),
    ),
    7: StandardType(
        "emailDelivered",
        _("Email Delivered"),
        _("Was Delivered Email"),
        _("Email Is Delivered"),
        (_MAIL, (*_MAIL_IDS, _CHOICE_NUMBER), _STEP),
    ),
    8: StandardType(
        "emailBounced",
        _("Email Bounced"),
        _("Email Bounced"),
        _("Email Bounces"),
        ((*_MAIL, _DETAILS), (*_MAIL_IDS, *_BOUNCE), (_CHOICE_NUMBER, *_STEP)),
    ),
    9: StandardType(
        "unsubscribeEmail",
        _("Unsubscribe Email"),
        _("Unsubscribed from Email"),
        _("Unsubscribes from Email"),
        (
            _MAIL,
            (*_MAIL_IDS, _FORM_FIELDS, _WEBFORM_ID, _WEBPAGE_ID, *_WEB, *_WHOLE_ADDRESS, *_DEVICE, *_BOT),
            (_CHOICE_NUMBER, *_STEP),
        ),
    ),
    10: StandardType(
        "openEmail",
        _("Open Email"),
        _("Opened Email"),
        _("Opens Email"),
        (_MAIL, (*_MAIL_IDS, _IP_ADDRESS, _USER_AGENT, *_MAIL_DEVICE, *_BOT), (_CHOICE_NUMBER, *_STEP)),
    ),
    11: StandardType(
        "clickEmail",
        _("Click Email"),
        _("Clicked Link in Email"),
        _("Clicks Link in Email"),
        (
            (*_MAIL, _link("link", _("Link"))),
            (
                *_MAIL_IDS,
                _LINK_ID,
                _boolean("is_predictive_content", _("Is Predictive Content")),
                _IP_ADDRESS,
                _USER_AGENT,
                *_MAIL_DEVICE,
                *_ORIGIN,
                *_BOT,
            ),
            (_CHOICE_NUMBER, *_STEP),
        ),
    ),
    12: StandardType(
        "newPerson",
        _("New Person"),
        _("Person was Created"),
        _("Person is Created"),
        ((_string("source_type", _("Source Type")), StandardField("created_date", _("Created Date"), "date")),),
    ),
    13: StandardType(
        "changeDataValue",
        _("Change Data Value"),
        _("Data Value was Changed"),
        _("Data Value Changes"),
        (
            (
                _primary("attribute_name", _("Attribute Name")),
                _text("new_value", _("New Value")),
                _text("old_value", _("Old Value")),
                _string("reason", _("Reason")),
                _string("source", _("Source")),
            ),
        ),
    ),
    22: StandardType(
        "changeScore",
        _("Change Score"),
        _("Score was Changed"),
        _("Score is Changed"),
        (
            (
                _primary("attribute_name", _("Attribute Name")),
                _integer("change_value", _("Change Value")),
                _integer("new_value", _("New Value")),
                _integer("old_value", _("Old Value")),
                _string("reason", _("Reason")),
            ),
        ),
    ),
    24: StandardType(
        "addToList",
        _("Add to List"),
        _("Was Added to List"),
        _("Is Added to List"),
        ((_primary("list_name", _("List Name")), _integer("list_id", _("List ID")), _string("source", _("Source"))),),
    ),
    25: StandardType(
        "removeFromList",
        _("Remove from List"),
        _("Was Removed from List"),
        _("Is Removed from List"),
        ((_primary("list_name", _("List Name")), _integer("list_id", _("List ID")), _string("source", _("Source"))),),
    ),
    27: StandardType(
        "emailBouncedSoft",
        _("Email Bounced Soft"),
        _("Email Bounced Soft"),
        _("Email Bounces Soft"),
        ((*_MAIL, _DETAILS, *_MAIL_IDS, *_BOUNCE), (_CHOICE_NUMBER, *_STEP)),
    ),
    32: StandardType(
        "mergePeople",
        _("Merge People"),
        _("Was Merged"),
        _("Is Merged"),
        ((_text("merge_ids", _("Merge IDs")), _text("merge_fields", _("Merge Fields"))),),
    ),
    37: StandardType(
        "deletePerson",
        _("Delete Person"),
        _("Person was Deleted"),
        _("Person is Deleted"),
        ((_primary("person_name", _("Person Name")),),),
    ),
    46: StandardType(
        "interestingMoment",
        _("Interesting Moment"),
        _("Had Interesting Moment"),
        _("Has Interesting Moment"),
        ((_primary("type", _("Type")), _text("description", _("Description")), _string("source", _("Source"))),),
    ),
    110: StandardType(
        "callWebhook",
        _("Call Webhook"),
        _("Webhook was Called"),
        _("Webhook is Called"),
        (
            (
                _primary("webhook", _("Webhook")),
                _text("response", _("Response")),
                _string("error_type", _("Error Type")),
            ),
        ),
    ),
    FIRST_OWN_ID: StandardType(
        "attendEvent",
        _("Attend Event"),
        _("Attended Event"),
        _("Attends Event"),
        (
            (
                _primary("event", _("Event")),
                _string("session", _("Session")),
                StandardField("checked_in_at", _("Checked In At"), "datetime"),
                _string("badge", _("Badge")),
                _string("source", _("Source")),
            ),
        ),
    ),
    90_002: StandardType(
        "complained",
        _("Complained"),
        _("Complained about Email"),
        _("Complains about Email"),
        ((*_MAIL, *_MAIL_IDS, _string("category", _("Category")), _DETAILS, _string("source", _("Source"))),),
    ),
    90_003: StandardType("consentGiven", _("Consent Given"), _("Gave Consent"), _("Gives Consent"), (_CONSENT,)),
    90_004: StandardType(
        "consentWithdrawn", _("Consent Withdrawn"), _("Withdrew Consent"), _("Withdraws Consent"), (_CONSENT,)
    ),
}
