"""Suggestions of existing values of a person field while a user types: fast, not complete, not counted."""

from django.db import connection

from people.core import words
from people.datatypes.canonical import text_key
from people.fields.catalog import FieldInfo
from people.models import Person, PersonField
from people.querysets import SEARCHED

LOOKED_AT = 200  # people matched by words whose values are read
LATEST = 2_000  # the newest people whose values are read where no index helps
SUGGESTED = frozenset({"string", "email", "phone", "link"})  # data types with suggestions


def suggest_values(field: FieldInfo, beginning: str = "", limit: int = 10) -> list[str]:
    """Values of `field` that begin with `beginning`, ignoring case and accents; the field's own choices come first.

    With an index (e-mail, names, company) the values of all live people are read, else those of the newest, most
    frequent value first. Values that only contain `beginning`, or words with that prefix, follow. Empty for numbers,
    dates and long texts.
    """
    if field.data_type.name not in SUGGESTED:
        return []
    beginning = beginning.replace("\0", "").strip()
    prefix = words.fold_text(beginning)
    choices = PersonField.objects.filter(pk=field.id).values_list("choices", flat=True).first() or []
    is_indexed = field.api_name in SEARCHED and prefix
    values = _indexed_values(field.api_name, beginning, limit) if is_indexed else _latest_values(field)
    keyed: dict[str, str] = {}
    for value in (*map(str, choices), *values):
        keyed.setdefault(text_key(value), value)
    terms = words.SearchTerms.of(beginning)
    folded = {value: words.fold_text(value) for value in keyed.values()}
    first = [value for value, plain in folded.items() if plain.startswith(prefix)]
    other = [
        value
        for value, plain in folded.items()
        if not plain.startswith(prefix) and (prefix in plain or (terms and terms.is_in(value)))
    ]
    return [*first, *other][:limit]


def _indexed_values(column: str, beginning: str, limit: int) -> list[str]:
    """Values with the typed prefix, then those of a few people matched by its words."""
    people = Person.objects.live().exclude(**{column: None}).newest_beginning_with(beginning)
    return [*_distinct_values(column, text_key(beginning), limit), *people.values_list(column, flat=True)[:LOOKED_AT]]


def _distinct_values(column: str, prefix: str, limit: int) -> list[str]:
    """Distinct values: one index step for each, however many people share it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with recursive keys (key) as (
                (select lower(p.{column}) from person p where lower(p.{column}) ~>=~ %(prefix)s and p.state = 'live'
                 order by lower(p.{column}) using ~<~ limit 1)
                union all
                select (select lower(p.{column}) from person p where lower(p.{column}) ~>~ f.key and p.state = 'live'
                        order by lower(p.{column}) using ~<~ limit 1)
                from keys f where left(f.key, length(%(prefix)s)) = %(prefix)s)
            select p.{column} from (select key from keys where left(key, length(%(prefix)s)) = %(prefix)s
                                    limit %(limit)s) f,
            lateral (select p.{column} from person p where lower(p.{column}) = f.key and p.state = 'live' limit 1) p""",
            {"prefix": prefix, "limit": limit},
        )
        return [value for (value,) in cursor.fetchall()]


def _latest_values(field: FieldInfo) -> list[str]:
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
