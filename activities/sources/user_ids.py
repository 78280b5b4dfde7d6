"""The person field that has the user ids of programs, made when the first program is added."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from activities.models import EventSource
from people.core.errors import RejectedError
from people.fields import editing as field_editing
from people.fields.catalog import FieldInfo, field_catalogue

FIELD = "userId"
LABELS = ("User ID", "User ID (programs)", FIELD)  # the first one that no other field has
Catalogue = Mapping[str, FieldInfo]


def find_or_make_field() -> str:
    """The API name of the field; made as a unique text where nothing is called so.

    Empty where the name is taken by a field that is not unique, or by one whose values are still being cleared: the
    source then has none until a user chooses one.
    """
    catalogue = field_catalogue()
    if (own_field := _field_named_user_id(catalogue)) is not None:
        return own_field.api_name if own_field.is_unique else ""
    used = {field.label.lower() for field in catalogue.values()}
    label = next((label for label in LABELS if label.lower() not in used), FIELD)
    try:
        return field_editing.create_person_field(label, "string", None, api_name=FIELD, is_unique=True).api_name
    except RejectedError:
        return ""


def lacks_field(source: EventSource) -> bool:
    """True for a program whose user ids identify no person."""
    return source.kind == EventSource.Kind.SERVER and not source.user_id_field


def why_unidentified(source: EventSource, catalogue: Catalogue) -> str:
    """The reason that a program's user ids identify no person, with the remedy; empty where they do."""
    if not lacks_field(source):
        return ""
    field = _field_named_user_id(catalogue)
    if field is None or field.is_unique:
        return _("User IDs from this program identify nobody yet: no person field is set for them.")
    text = _(
        "User IDs from this program identify nobody: the person field “%(field)s” is not unique. Make it unique, or "
        "choose another unique field."
    )
    return text % {"field": field.shown_label}


def _field_named_user_id(catalogue: Catalogue) -> FieldInfo | None:
    """The field with the name, however its case is."""
    return next((field for name, field in catalogue.items() if name.lower() == FIELD.lower()), None)
