"""Values that a person field has, to be proposed while somebody types: quick, never complete, never counted."""

from django.db import connection

from people.datatypes.canonical import text_key
from people.fields.catalog import FieldInfo
from people.models import PersonField
from people.querysets import SEARCHED

LATEST = 2_000  # people, the newest ones, whose values are looked at where no index serves
SUGGESTED = frozenset({"string", "email", "phone", "link"})  # data types whose values are worth proposing


def suggest(field: FieldInfo, beginning: str = "", limit: int = 10) -> list[str]:
    """Values of `field` that begin with `beginning`, case aside; the field's own choices come first.

    Where an index serves (e-mail, names, company) all live people are looked at, else the newest ones, most
    frequent value first, and values that only contain `beginning` follow. Empty for numbers, dates and long texts.
    """
    if field.data_type.name not in SUGGESTED:
        return []
    wanted = text_key(beginning.replace("\0", "").strip())
    choices = PersonField.objects.filter(pk=field.id).values_list("choices", flat=True).first() or []
    is_indexed = field.api_name in SEARCHED and wanted
    found = _by_index(field.api_name, wanted, limit) if is_indexed else _of_latest(field)
    keyed: dict[str, str] = {}
    for value in (*map(str, choices), *found):
        keyed.setdefault(text_key(value), value)
    first = [value for key, value in keyed.items() if key.startswith(wanted)]
    other = [value for key, value in keyed.items() if wanted in key and not key.startswith(wanted)]
    return [*first, *other][:limit]


def _by_index(column: str, wanted: str, limit: int) -> list[str]:
    """Different values, one step through the index each, however many people share them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with recursive found (key) as (
                (select lower(p.{column}) from person p where lower(p.{column}) ~>=~ %(wanted)s and p.state = 'live'
                 order by lower(p.{column}) using ~<~ limit 1)
                union all
                select (select lower(p.{column}) from person p where lower(p.{column}) ~>~ f.key and p.state = 'live'
                        order by lower(p.{column}) using ~<~ limit 1)
                from found f where left(f.key, length(%(wanted)s)) = %(wanted)s)
            select p.{column} from (select key from found where left(key, length(%(wanted)s)) = %(wanted)s
                                    limit %(limit)s) f,
            lateral (select p.{column} from person p where lower(p.{column}) = f.key and p.state = 'live' limit 1) p""",
            {"wanted": wanted, "limit": limit},
        )
        return [value for (value,) in cursor.fetchall()]


def _of_latest(field: FieldInfo) -> list[str]:
    column = f"p.{field.api_name}" if field.is_standard else f"p.fields ->> '{field.api_name}'"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select min(value) from (select {column} as value from person p where p.state = 'live'
                                   order by p.id desc limit %s) latest
            where value is not null and length(value) <= 255 group by lower(value)
            order by count(*) desc, 1""",
            [LATEST],
        )
        return [value for (value,) in cursor.fetchall()]
