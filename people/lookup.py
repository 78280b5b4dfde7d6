"""Look-ups of people by id, e-mail or any unique field, whole batches at a time."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from django.db import connection
from django.db.models.functions import Lower

from people.core.db import locks, prepared
from people.datatypes.keys import can_be_stored, key_of
from people.models import Person, PersonField, PersonKey

LOOKUP_FIELDS = ("email",)  # besides the id and the unique fields
BUCKETS = 1024  # of locks: a large batch cannot fill the server's lock table


def value_locks(names: Iterable[tuple[str, str]]) -> set[int]:
    """The keys of the locks of values of fields: (API name of the field, `key_of` the value).

    A writer of a unique field's value or an e-mail address holds its lock, and so does the writer of a record that
    waits for a person with it.
    """
    numbers = {locks.lock_number(field, key) % BUCKETS for field, key in names}
    return {locks.lock_key(locks.LockSpace.LOOKUP, number) for number in numbers}


def person_ids_by_id(ids: Iterable[int], *, follow_merges: bool = True) -> dict[int, int]:
    """Map each of `ids` that belongs to a live person to that id; a merged loser's id to the winner's.

    Deleted and erased people are left out, and without `follow_merges` losers as well.
    """
    person_ids: dict[int, int] = {}
    merged: dict[int, int] = {}
    with prepared.prepared_cursor() as cursor:
        # one array, as text: a batch has thousands
        array = f"{{{','.join(map(str, ids))}}}"
        cursor.execute("select id, state, merged_into_id from person where id = any(%s::int[])", [array])
        rows = cursor.fetchall()
    for pk, state, winner in rows:
        if state == Person.State.LIVE:
            person_ids[pk] = pk
        elif state == Person.State.MERGED and follow_merges and winner:
            merged[pk] = winner
    if merged:  # winners may have been merged themselves
        winners = person_ids_by_id(set(merged.values()))
        person_ids.update({loser: winners[winner] for loser, winner in merged.items() if winner in winners})
    return person_ids


def person_ids_by_field(field: str, values: Iterable[str]) -> Mapping[str, list[int]]:
    """Map each key of `values` (see `key_of`) to the ids of the live people with that key, ascending.

    `field` is "email" or the api_name of a unique person field.
    """
    keys = [key for key in {key_of(value) for value in values} if can_be_stored(key)]
    ids_by_key: dict[str, list[int]] = defaultdict(list)
    if field == "email":
        rows = (
            Person.objects.live()
            .extra(where=["lower(person.email) = any(%s)"], params=[keys])
            .order_by("pk")
            .values_list(Lower("email"), "pk")
        )
    else:
        rows = PersonKey.objects.filter(
            field__api_name=field, value__in=keys, person__state=Person.State.LIVE
        ).values_list("value", "person_id")
    for value, pk in rows:
        ids_by_key[value].append(pk)
    return ids_by_key


def are_live_people(ids: Collection[int]) -> bool:
    """Return True if all of these distinct ids belong to live people; faster than `person_ids_by_id` in that case."""
    with prepared.prepared_cursor() as cursor:
        array = f"{{{','.join(map(str, ids))}}}"
        cursor.execute(
            "select count(*) from person where id = any(%s::int[]) and state = %s", [array, Person.State.LIVE]
        )
        return cursor.fetchone()[0] == len(ids)


def person_ids_by_email(keys: Iterable[str]) -> dict[str, int]:
    """Map each of `keys` (see `key_of`) that is the e-mail of exactly one live person to that person's id.

    Meant for thousands of keys. Keys that are unlikely to be an address may be left out.
    """
    keys = list(keys)
    whole = "".join(keys)
    if not (whole.isascii() and whole.isprintable()):
        keys = [key for key in keys if key.isprintable() and can_be_stored(key)]
    if not keys:
        return {}
    with connection.cursor() as cursor:
        # joined texts: arrays of thousands take longer to write and to read than the look-up itself
        cursor.execute(
            """select coalesce(string_agg(k.n::text, ' '), ''), coalesce(string_agg(p.id::text, ' '), '')
            from unnest(string_to_array(%s, %s)) with ordinality k (key, n)
            join person p on lower(p.email) = k.key where p.state = %s""",
            ["\n".join(keys), "\n", Person.State.LIVE],
        )
        places, ids = (list(map(int, text.split())) for text in cursor.fetchone())
    person_ids = {keys[place - 1]: pk for place, pk in zip(places, ids, strict=True)}
    if len(person_ids) < len(places):
        shared = [place for place, count in Counter(places).items() if count > 1]
        for place in shared:
            del person_ids[keys[place - 1]]
    return person_ids


def lookup_fields() -> list[str]:
    """The fields, besides the id, that can be used to look people up."""
    return [*LOOKUP_FIELDS, *PersonField.objects.filter(is_unique=True).values_list("api_name", flat=True)]
