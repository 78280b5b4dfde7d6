"""Templates of activity types: names and fields of common activities, in the active language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class TemplateField:
    """A field as the wizard shows it; the API name follows from the name at saving."""

    name: Any
    data_type: str


@dataclass(frozen=True, slots=True)
class TypeTemplate:
    """Initial values of the wizard, with a description of their use."""

    name: Any
    description: Any
    icon: str
    fields: tuple[TemplateField, ...]  # the first one is primary


_Field = TemplateField
TEMPLATES: Mapping[str, TypeTemplate] = {
    "webinar": TypeTemplate(
        _("Attend Webinar"),
        _("Someone attended one of your webinars, live or recorded."),
        "videocam",
        (_Field(_("Webinar"), "string"), _Field(_("Minutes"), "integer"), _Field(_("Live"), "boolean")),
    ),
    "event": TypeTemplate(
        _("Join Event"),
        _("Someone came to one of your events: a fair, a dinner, an open day."),
        "event",
        (_Field(_("Event"), "string"), _Field(_("City"), "string"), _Field(_("Guests"), "integer")),
    ),
    # not “Attend Event”, which is the standard type of kiosks and check-in
    "attendance": TypeTemplate(
        _("Attend Session"),
        _("Someone is on the attendee list of a webinar or event. The files of Zoom and Eventbrite fit it."),
        "event",
        (
            _Field(_("Event"), "string"),
            _Field(_("Session"), "string"),
            _Field(_("Minutes"), "integer"),
            _Field(_("Left at"), "datetime"),
            _Field(_("Ticket type"), "string"),
        ),
    ),
    "purchase": TypeTemplate(
        _("Make Purchase"),
        _("Someone bought something: what, for how much, under which order."),
        "shopping_cart",
        (
            _Field(_("Product"), "string"),
            _Field(_("Amount"), "currency"),
            _Field(_("Quantity"), "integer"),
            _Field(_("Order number"), "string"),
        ),
    ),
    "trial": TypeTemplate(
        _("Start Trial"),
        _("Someone began to try your product."),
        "hourglass_top",
        (_Field(_("Plan"), "string"), _Field(_("Days"), "integer"), _Field(_("Ends on"), "date")),
    ),
    "call": TypeTemplate(
        _("Have Call"),
        _("Someone on your team spoke with them on the phone."),
        "call",
        (_Field(_("Subject"), "string"), _Field(_("Minutes"), "integer"), _Field(_("Outcome"), "string")),
    ),
    "support_case": TypeTemplate(
        _("Open Support Case"),
        _("Someone asked for help."),
        "support_agent",
        (_Field(_("Subject"), "string"), _Field(_("Priority"), "string"), _Field(_("Link to the case"), "link")),
    ),
    "course": TypeTemplate(
        _("Complete Course"),
        _("Someone completed a course or one of its parts."),
        "school",
        (_Field(_("Course"), "string"), _Field(_("Score"), "float"), _Field(_("Certificate"), "link")),
    ),
}
