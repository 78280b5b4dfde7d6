"""What changes from one version to the next, in words."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from activities.models import ActivityField, ActivityVersion
from people.datatypes.registry import BY_NAME


def between(old: ActivityVersion | None, new: ActivityVersion) -> list[str]:
    """Sentences, one a difference: "Amount: description changed", "Branch (Text) added"."""
    return [*_names(old, new), *_fields(old, new)]


def _names(old: ActivityVersion | None, new: ActivityVersion) -> Iterator[str]:
    if old is None:
        return
    labels = {
        "name": _("Name"),
        "filter_name": _("Filter name"),
        "trigger_name": _("Trigger name"),
        "description": _("Description"),
    }
    for attribute, label in labels.items():
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before != after:
            yield _("%(what)s: “%(before)s” becomes “%(after)s”") % {"what": label, "before": before, "after": after}


def _fields(old: ActivityVersion | None, new: ActivityVersion) -> Iterator[str]:
    before = {field.api_name: field for field in old.fields.all()} if old else {}
    after = {field.api_name: field for field in new.fields.all()}
    for api_name, field in after.items():
        if api_name not in before:
            yield _("%(field)s (%(type)s) added") % {"field": field.name, "type": _type(field)}
        else:
            yield from _field(before[api_name], field)
    for api_name in before.keys() - after.keys():
        yield _("%(field)s removed: new activities no longer have it") % {"field": before[api_name].name}


def _field(old: ActivityField, new: ActivityField) -> Iterator[str]:
    if old.name != new.name:
        yield _("%(field)s: name becomes “%(name)s”") % {"field": old.name, "name": new.name}
    if old.data_type != new.data_type:
        yield _("%(field)s: data type becomes %(type)s") % {"field": new.name, "type": _type(new)}
    if old.description != new.description:
        yield _("%(field)s: description changed") % {"field": new.name}


def _type(field: ActivityField) -> str:
    return str(BY_NAME[field.data_type].label)
