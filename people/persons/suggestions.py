"""Values that a person field has, to be proposed while somebody types: quick, never complete, never counted."""

from django.db import connection

from people.core import words
from people.datatypes.canonical import text_key
from people.fields.catalog import FieldInfo
from people.models import Person, PersonField
from people.querysets import SEARCHED

LOOKED_AT = 200  # people found by words whose values are looked at
LATEST = 2_000  # people, the newest ones, whose values are looked at where no index serves
SUGGESTED = frozenset({"string", "email", "phone", "link"})  # data types whose values are worth proposing


def suggest(field: FieldInfo, beginning: str = "", limit: int = 10) -> list[str]:
    """Values of `field` that begin with `beginning`, case and accents aside; the field's own choices come first.

    Where an index serves (e-mail, names, company) all live people are looked at, else the newest ones, most
    frequent value first. Values that only contain `beginning`, or words that begin so, follow. Empty for numbers,
    dates and long texts.
    """
    if field.data_type.name not in SUGGESTED:
        return []
    beginning = beginning.replace("\0", "").strip()
    wanted = words.folded(beginning)
    choices = PersonField.objects.filter(pk=field.id).values_list("choices", flat=True).first() or []
    is_indexed = field.api_name in SEARCHED and wanted
    found = _by_index(field.api_name, beginning, limit) if is_indexed else _of_latest(field)
    keyed: dict[str, str] = {}
    for value in (*map(str, choices), *found):
        keyed.setdefault(text_key(value), value)
    asked = words.Wanted.of(beginning)
    folded = {value: words.folded(value) for value in keyed.values()}
    first = [value for value, plain in folded.items() if plain.startswith(wanted)]
    other = [
        value
        for value, plain in folded.items()
        if not plain.startswith(wanted) and (wanted in plain or (asked and asked.is_in(value)))
    ]
    return [*first, *other][:limit]


def _by_index(column: str, beginning: str, limit: int) -> list[str]:
    """Values that begin so as it is typed, then those of a few people who are found by it."""
    people = Person.objects.live().exclude(**{column: None}).newest_beginning_with(beginning)
    return [*_walked(column, text_key(beginning), limit), *people.values_list(column, flat=True)[:LOOKED_AT]]


def _walked(column: str, wanted: str, limit: int) -> list[str]:
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
