"""The person field that has the user ids of programs, made when the first program is added."""

from people.fields import editing as field_editing
from people.fields.catalog import field_catalogue

FIELD, LABEL = "userId", "User ID"


def find_or_make_field() -> str:
    """The API name of the field; made as a unique text where nothing is called so. Empty where the name is taken by a
    field that is not unique: the source then has none until somebody chooses one."""
    known = field_catalogue().get(FIELD)
    if known is not None:
        return FIELD if known.is_unique else ""
    field_editing.create_person_field(LABEL, "string", None, api_name=FIELD, is_unique=True)
    return FIELD
