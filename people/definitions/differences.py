"""Differences between two versions as sentences, and the fields that approving a draft would remove or fix."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from people.datatypes.registry import BY_NAME
from people.definitions.kinds import MAX_VERSIONS, definition_kind
from people.definitions.models import DefinedField, Definition, Version

SHOWN_VERSIONS = 20


def version_differences(old: Version | None, new: Version) -> list[str]:
    """One sentence for each difference: "Amount: description changed", "Branch (Text) added"."""
    return [*_names(old, new), *_fields(old, new)]


def version_history(definition: Definition, before: int = 0) -> list[tuple[Any, list[str]]]:
    """The approved versions, the newest first, each with its differences from the one before it; at most 20.

    `before`: only versions with lower numbers; 0 for all.
    """
    versions = definition.versions.exclude(number=None).select_related("approved_by", "created_by")
    versions = versions.filter(number__lt=min(before, MAX_VERSIONS + 1)) if before > 0 else versions
    newest = list(versions.order_by("-number").prefetch_related("fields")[: SHOWN_VERSIONS + 1])
    history = [(new, version_differences(old, new)) for new, old in pairwise(newest)]
    return history if len(newest) > SHOWN_VERSIONS else [*history, *((version, []) for version in newest[-1:])]


def removed_fields(definition: Definition) -> list[Any]:
    """The approved fields that the draft no longer has: approval removes them from filters."""
    if definition.live is None or definition.draft is None:
        return []
    removed = definition.live.fields.exclude(api_name__in=definition.draft.fields.values("api_name"))
    return list(definition.approved_fields.filter(api_name__in=removed.values("api_name")))


def newly_fixed_fields(definition: Definition) -> list[Any]:
    """The draft's fields that no approved version has had: approval fixes their API names and data types."""
    if definition.draft is None:
        return []
    approved_names = set(definition.approved_fields.values_list("api_name", flat=True))
    return [field for field in definition.draft.fields.all() if field.api_name not in approved_names]


def _names(old: Version | None, new: Version) -> Iterator[str]:
    for column in definition_kind(new).texts if old is not None else ():
        before, after = getattr(old, column), getattr(new, column)
        if before != after:
            label = capfirst(new._meta.get_field(column).verbose_name)  # type: ignore[union-attr]
            yield _("%(what)s: “%(before)s” becomes “%(after)s”") % {"what": label, "before": before, "after": after}


def _fields(old: Version | None, new: Version) -> Iterator[str]:
    before = {field.api_name: field for field in old.fields.all()} if old else {}
    after = {field.api_name: field for field in new.fields.all()}
    for api_name, field in after.items():
        if api_name not in before:
            yield _("%(field)s (%(type)s) added") % {"field": field.name, "type": _type(field)}
        else:
            yield from _field(before[api_name], field)
    for api_name in before:
        if api_name not in after:
            yield str(definition_kind(new).sentences.field_removed) % {"field": before[api_name].name}


def _field(old: DefinedField, new: DefinedField) -> Iterator[str]:
    if old.name != new.name:
        yield _("%(field)s: name becomes “%(name)s”") % {"field": old.name, "name": new.name}
    if old.data_type != new.data_type:
        yield _("%(field)s: data type becomes %(type)s") % {"field": new.name, "type": _type(new)}
    if old.description != new.description:
        yield _("%(field)s: description changed") % {"field": new.name}


def _type(field: DefinedField) -> str:
    return str(BY_NAME[field.data_type].label)
