"""Sentences of triggers and steps about object records, in the active language."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from smartlists.campaigns.definitions.record_parts import (
    ADDED,
    CHANGED,
    DATE,
    REMOVED,
    ChangeRecord,
    CreateRecord,
    ObjectTrigger,
)
from smartlists.rules import sentences
from smartlists.rules.names import Naming, shown_field_label
from smartlists.rules.sentence_values import join_in_words
from smartlists.rules.vocabulary import Vocabulary

EVENTS: Mapping[str, str | Promise] = {
    ADDED: gettext_lazy("A record of “%(object)s” is added"),
    CHANGED: gettext_lazy("A record of “%(object)s” changes"),
    REMOVED: gettext_lazy("A record of “%(object)s” is deleted"),
    DATE: gettext_lazy("%(field)s of a record of “%(object)s” is reached"),
}


def trigger_sentence(item: ObjectTrigger, names: Vocabulary) -> str:
    """The sentence of a trigger, without a full stop."""
    object_type = names.objects.get(item.object)
    name = object_type.shown_name if object_type else item.object
    text = _event_text(item) % {
        "object": name,
        "field": shown_field_label(object_type, item.date),
        "number": abs(item.days),
    }
    parts = [sentences.record_constraint_sentence(constraint, item.object, names) for constraint in item.constraints]
    if item.changed and item.changed.field:
        change = sentences.change_sentence(item.changed, item.object, names)
        text = _("%(change)s in a record of “%(object)s”") % {"change": change, "object": name}
    if not parts:
        return text
    return _("%(card)s where %(constraints)s") % {"card": text, "constraints": join_in_words(parts, "and")}


def _event_text(item: ObjectTrigger) -> str:
    if item.event == DATE and item.days < 0:
        return ngettext(
            "%(number)s day before %(field)s of a record of “%(object)s”",
            "%(number)s days before %(field)s of a record of “%(object)s”",
            -item.days,
        )
    if item.event == DATE and item.days > 0:
        return ngettext(
            "%(number)s day after %(field)s of a record of “%(object)s”",
            "%(number)s days after %(field)s of a record of “%(object)s”",
            item.days,
        )
    return str(EVENTS[item.event])


def change_sentence(item: ChangeRecord, naming: Naming, _webhooks: Mapping[int, str]) -> str:
    object_type = naming.catalogue.objects.get(item.type)
    parameters = {
        "object": naming.shown_object_label(item.type),
        "field": shown_field_label(object_type, item.field),
        "value": item.to,
    }
    if item.to:
        return _("Change %(field)s of the record of “%(object)s” to “%(value)s”") % parameters
    return _("Clear %(field)s of the record of “%(object)s”") % parameters


def create_sentence(item: CreateRecord, naming: Naming, _webhooks: Mapping[int, str]) -> str:
    object_type = naming.catalogue.objects.get(item.type)
    values = ", ".join(f"{shown_field_label(object_type, name)}: {value}" for name, value in item.values)
    parameters = {"object": naming.shown_object_label(item.type), "values": values}
    return (
        _("Create a record of “%(object)s” (%(values)s)") % parameters
        if values
        else (_("Create a record of “%(object)s”") % parameters)
    )
