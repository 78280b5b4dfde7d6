"""Activities of bots: types mark them by a yes-or-no field `is_bot`. No value is a human."""

from collections.abc import Iterable

from activities.models import ApprovedField
from activities.types.standard_shapes import IS_BOT

# over a row of the log, called `a` by reports: a value is only there if its type has the field, and is typed
IS_BOT_SQL = f"coalesce({{0}}attributes -> '{IS_BOT}' = 'true'::jsonb, false)"


def marks_bots(field: ApprovedField) -> bool:
    """True for the field by which its type marks activities of bots."""
    return field.api_name == IS_BOT and field.data_type == "boolean" and not field.is_primary


def bot_fields(type_ids: Iterable[int]) -> dict[int, int]:
    """The id of the field by which a type marks bots, by type, for the types that do."""
    fields = ApprovedField.objects.filter(activity_type__in=list(type_ids), api_name=IS_BOT, is_primary=False)
    return dict(fields.filter(data_type="boolean").values_list("activity_type_id", "pk"))
