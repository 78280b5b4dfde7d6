"""Object types as a kind of definition.

In addition to other definitions they have a plural name, one to three dedupe fields, and at most one link to a person
and one to another object type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Path, Problem
from people.core.permissions import require_permission
from people.definitions import drafts, kinds
from people.models import ApprovedObjectField, ObjectType, PersonField
from people.models.object_types import PERSON

MAX_DEDUPE_FIELDS = 3
ID, GUID, EMAIL = "id", "guid", "email"  # `link_by` besides unique person fields and dedupe fields
NOT_DEDUPE = frozenset({"text", "float"})  # data types whose values cannot identify a record
RESERVED_TYPES = frozenset({PERSON, "lead", "company", "object", "schema"})
RESERVED_FIELDS = frozenset(
    {"id", "guid", "marketoguid", "createdat", "updatedat", "created_at", "updated_at", "person", "person_id", "seq"}
)


@dataclass(frozen=True, slots=True)
class ObjectNames:
    """All names of an object type."""

    api_name: str
    name: str
    plural_name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ObjectFieldSpec(kinds.FieldSpec):
    """One field as an editor defines it; see `LinkColumns`."""

    is_dedupe: bool = False
    link_to: str = ""
    link_by: str = ""


def _field_problems(fields: Sequence[ObjectFieldSpec], object_type: ObjectType | None) -> list[Problem]:
    """Problems of dedupe fields and links, and of fields that the first approval fixed."""
    return [
        *_dedupe_problems(fields),
        *_link_problems(fields),
        *(_fixed_problems(fields, object_type) if object_type and object_type.live_id else ()),
    ]


def _missing_dedupe_problems(fields: Sequence[ObjectFieldSpec]) -> list[Problem]:
    if any(field.is_dedupe for field in fields):
        return []
    message = _("An object type needs a dedupe field: what tells its records apart, such as a number plate.")
    return [Problem(Code.DEDUPE_FIELDS, message, ("fields",))]


def _dedupe_problems(fields: Sequence[ObjectFieldSpec]) -> Iterator[Problem]:
    number = sum(field.is_dedupe for field in fields)
    if number > MAX_DEDUPE_FIELDS:
        message = _("An object type can have at most %(limit)s dedupe fields.") % {"limit": MAX_DEDUPE_FIELDS}
        yield Problem(Code.DEDUPE_FIELDS, message, ("fields",), str(MAX_DEDUPE_FIELDS), str(number))
    for field in fields:
        if field.is_dedupe and field.data_type in NOT_DEDUPE:
            message = _("%(name)s can't be a dedupe field: values of its data type tell no records apart.")
            yield Problem(Code.DEDUPE_FIELDS, message % {"name": field.name}, ("fields", field.api_name))
        if field.api_name.lower() in RESERVED_FIELDS:
            message = _("The API name %(name)s is reserved for what every record has.") % {"name": field.api_name}
            yield Problem(Code.API_NAME_TAKEN, message, ("fields", field.api_name))


def _link_problems(fields: Sequence[ObjectFieldSpec]) -> Iterator[Problem]:
    """Problems of links. They never go in a circle: the type they lead to was approved before, and links are fixed."""
    links = [field for field in fields if field.link_to or field.link_by]
    people = [field for field in links if field.link_to == PERSON]
    if len(people) > 1 or len(links) - len(people) > 1:
        message = _("An object type can have one link to a person and one to another object type.")
        yield Problem(Code.BAD_LINK, message, ("fields",))
    for field in links:
        path: Path = ("fields", field.api_name)
        if not field.link_to:
            yield Problem(Code.BAD_LINK, _("Say what %(name)s links to.") % {"name": field.name}, path)
            continue
        data_types = link_keys(field.link_to)
        if not data_types:
            message = _("There is no approved object type “%(name)s” to link to.") % {"name": field.link_to}
            yield Problem(Code.BAD_LINK, message, path, "", field.link_to)
        elif field.link_by not in data_types:
            message = _("%(name)s can't link by “%(by)s”. Use one of %(known)s.")
            known = ", ".join(data_types)
            values = {"name": field.name, "by": field.link_by, "known": known}
            yield Problem(Code.BAD_LINK, message % values, path, known, field.link_by)
        elif field.data_type != data_types[field.link_by]:
            message = _("%(name)s must have the data type %(type)s, that of what it links by.")
            expected = data_types[field.link_by]
            yield Problem(Code.BAD_LINK, message % {"name": field.name, "type": expected}, path, expected)


def link_keys(link_to: str) -> dict[str, str]:
    """The keys that can name the target of a link, with their data types; empty if there is no such target."""
    return _person_keys() if link_to == PERSON else _object_keys(link_to)


def _person_keys() -> dict[str, str]:
    """The keys that can name a person, with their data types."""
    unique = PersonField.objects.filter(is_unique=True).order_by("api_name").values_list("api_name", "data_type")
    return {ID: "integer", EMAIL: "email", **dict(unique)}


def _object_keys(api_name: str) -> dict[str, str]:
    """The keys that can name a record of an approved object type, with their data types; empty if there is none."""
    linked = ObjectType.objects.approved().filter(api_name=api_name).first()
    if linked is None:
        return {}
    dedupe = list(linked.approved_fields.filter(is_dedupe=True).values_list("api_name", "data_type"))
    return {ID: "integer", GUID: "string", **(dict(dedupe) if len(dedupe) == 1 else {})}


def _fixed_problems(fields: Sequence[ObjectFieldSpec], object_type: ObjectType) -> Iterator[Problem]:
    """Changes of the dedupe fields and links, which the first approval fixed."""
    approved: dict[str, ApprovedObjectField] = {row.api_name: row for row in object_type.approved_fields.all()}
    message = _("Dedupe fields and links are fixed since the first approval.")
    for field in fields:
        fixed = approved.get(field.api_name) or ApprovedObjectField()
        if any(getattr(fixed, name) != getattr(field, name) for name in ("is_dedupe", "link_to", "link_by")):
            yield Problem(Code.LOCKED_KEY, message, ("fields", field.api_name))
    present = {field.api_name for field in fields}
    for row in approved.values():
        if (row.is_dedupe or row.link_to) and row.api_name not in present:
            yield Problem(Code.LOCKED_KEY, message, ("fields", row.api_name))


OBJECT_TYPES = kinds.DefinitionKind(
    model=ObjectType,
    names=ObjectNames,
    field=ObjectFieldSpec,
    lock=locks.LockSpace.OBJECT_TYPE,
    page="admin:people_objecttype_change",
    sentences=kinds.DefinitionSentences(
        gone=gettext_lazy("The object type does not exist any more."),
        not_deleted=gettext_lazy("The object type is not deleted."),
        name_taken=gettext_lazy("“%(name)s” is too similar to a name of the object type %(other)s."),
        too_many=gettext_lazy("This installation is limited to %(limit)s object types."),
        too_many_fields=gettext_lazy("An object type can have at most %(limit)s fields."),
        field_removed=gettext_lazy("%(field)s removed: pages and filters no longer have it"),
    ),
    unique_names=("name", "plural_name"),
    limit=lambda: settings.OBJECT_TYPES_LIMIT,
    field_limit=lambda: settings.OBJECT_FIELDS_LIMIT,
    check_fields=_field_problems,
    check_complete=_missing_dedupe_problems,
    reserved=RESERVED_TYPES,
)
kinds.register_definition_kind(OBJECT_TYPES)

EDIT = OBJECT_TYPES.right("change")
APPROVE = OBJECT_TYPES.right("approve")
DELETE = OBJECT_TYPES.right("delete")


@transaction.atomic
def show_on_person(object_type: ObjectType, by: object, is_shown: bool) -> None:
    """Show the records of this type on the pages of their people, or not; no version changes."""
    require_permission(by, EDIT)
    object_type = drafts.lock_definition(object_type)
    if object_type.is_shown_on_person != is_shown:
        object_type.is_shown_on_person = is_shown
        drafts.save_definition(object_type, "is_shown_on_person")
        audit.write_audit_entry(by, object_type, "changed", what="is_shown_on_person")


def types_linking_by(fields: Sequence[PersonField]) -> list[ObjectType]:
    """The object types whose records name their people by a value of one of these person fields."""
    existing = ObjectType.objects.existing().select_related("live", "draft")
    return list(
        existing.filter(
            approved_fields__link_to=PERSON, approved_fields__link_by__in=[field.api_name for field in fields]
        ).distinct()
    )
