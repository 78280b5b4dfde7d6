"""Templates of object types: names and fields of common objects, in the active language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from people.models.object_types import ICONS, PERSON
from people.objects.definition import EMAIL


@dataclass(frozen=True, slots=True)
class TemplateField:
    """A field as the form shows it; the API name follows from the name at saving."""

    name: Any
    data_type: str
    is_dedupe: bool = False
    link_to: str = ""
    link_by: str = ""


@dataclass(frozen=True, slots=True)
class ObjectTemplate:
    """Initial values of the form, with a description of their use."""

    name: Any
    plural_name: Any
    description: Any
    icon: str
    fields: tuple[TemplateField, ...]


_Field = TemplateField
_OWNER = _Field(_("Email of the person"), "email", link_to=PERSON, link_by=EMAIL)
TEMPLATES: Mapping[str, ObjectTemplate] = {
    "car": ObjectTemplate(
        _("Car"),
        _("Cars"),
        _("A car of a person, with what may change: its colour, its mileage, its next inspection."),
        ICONS["car"],
        (
            _Field(_("Number plate"), "string", is_dedupe=True),
            _OWNER,
            _Field(_("Model"), "string"),
            _Field(_("Colour"), "string"),
            _Field(_("Mileage"), "integer"),
            _Field(_("Next inspection"), "date"),
        ),
    ),
    "subscription": ObjectTemplate(
        _("Subscription"),
        _("Subscriptions"),
        _("What somebody pays for regularly, and when it renews."),
        ICONS["subscription"],
        (
            _Field(_("Subscription number"), "string", is_dedupe=True),
            _OWNER,
            _Field(_("Plan"), "string"),
            _Field(_("Price"), "currency"),
            _Field(_("Renews on"), "date"),
            _Field(_("Cancelled"), "boolean"),
        ),
    ),
    "policy": ObjectTemplate(
        _("Policy"),
        _("Policies"),
        _("An insurance policy: what it covers, its premium, its end."),
        ICONS["policy"],
        (
            _Field(_("Policy number"), "string", is_dedupe=True),
            _OWNER,
            _Field(_("Product"), "string"),
            _Field(_("Premium"), "currency"),
            _Field(_("Ends on"), "date"),
        ),
    ),
    "course": ObjectTemplate(
        _("Course"),
        _("Courses"),
        _("A course that many people attend. Enrolments of people, another object type, link to it."),
        ICONS["course"],
        (
            _Field(_("Course code"), "string", is_dedupe=True),
            _Field(_("Title"), "string"),
            _Field(_("Begins on"), "date"),
            _Field(_("Places"), "integer"),
        ),
    ),
    "opportunity": ObjectTemplate(
        _("Opportunity"),
        _("Opportunities"),
        _("A possible sale: its stage, its amount, when it should close."),
        ICONS["opportunity"],
        (
            _Field(_("Opportunity number"), "string", is_dedupe=True),
            _OWNER,
            _Field(_("Stage"), "string"),
            _Field(_("Amount"), "currency"),
            _Field(_("Closes on"), "date"),
            _Field(_("Won"), "boolean"),
        ),
    ),
}
