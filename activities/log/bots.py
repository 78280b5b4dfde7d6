"""Activities of bots: types mark them by a yes-or-no field `is_bot`. No value is a human."""

from collections.abc import Iterable, Sequence

from activities.models import Activity, ApprovedField
from activities.types.standard_shapes import IS_BOT

# over a row of the log, called `a` by reports: a value is only there if its type has the field, and is typed
IS_BOT_SQL = f"coalesce({{0}}attributes -> '{IS_BOT}' = 'true'::jsonb, false)"

LOOKED_AT = 1_000  # of a type that marks bots, by `latest_without_bots`


def marks_bots(field: ApprovedField) -> bool:
    """True for the field by which its type marks activities of bots."""
    return field.api_name == IS_BOT and field.data_type == "boolean" and not field.is_primary


def bot_fields(type_ids: Iterable[int]) -> dict[int, int]:
    """The id of the field by which a type marks bots, by type, for the types that do."""
    fields = ApprovedField.objects.filter(activity_type__in=list(type_ids), api_name=IS_BOT, is_primary=False)
    return dict(fields.filter(data_type="boolean").values_list("activity_type_id", "pk"))


def latest_without_bots(type_ids: Sequence[int], limit: int) -> list[Activity]:
    """The latest activities of any of the types by occurrence, newest first, without those of bots.

    One index scan for each type. Of a type that marks bots no more than the latest `LOOKED_AT` are looked at.
    """
    marked = bot_fields(type_ids)
    latest = "select * from activity where activity_type_id = %s order by occurred_at desc limit %s"
    human = (
        f"(select * from ({latest}) a where not {IS_BOT_SQL.format('a.')} order by occurred_at desc limit {limit:d})"
    )
    union = " union all ".join(human if pk in marked else f"({latest})" for pk in type_ids)
    sql = (
        f"select * from ({union or 'select * from activity where false'}) r order by occurred_at desc, id desc limit %s"
    )
    bounds = [part for pk in type_ids for part in (pk, LOOKED_AT if pk in marked else limit)]
    return list(Activity.objects.raw(sql, [*bounds, limit]))
