"""The SQL of recording columns; `recording.sql` has that of rows."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from django.db import connection, transaction
from psycopg.errors import UniqueViolation

from activities.recording.sql import COPY, escape_for_copy, source_columns
from people.core.source import Source

CHUNK = 500  # rows that the server reads while the next ones are made
PROBED = 200  # keys of a batch that are searched before all are written
SPECIAL = "\\\t\n\r"  # to COPY
Digests = Callable[[Sequence[int]], Sequence[str]]
_COPY_KEYS = "copy activity_key (person_id, activity_type_id, external_id, activity_id, digest) from stdin"


def claim_all_keys(
    type_id: int, people: Sequence[int], external_ids: Sequence[str], ids: Sequence[int], digests: Digests
) -> bool:
    """Store the keys of a batch, or none of them where one is stored already or occurs twice.

    `digests` returns the digests of the rows at some places, in hexadecimal. Waits for a concurrent transaction that
    stores one of the keys.
    """
    # one order in all transactions: no deadlock
    rows = sorted(zip(people, external_ids, ids, range(len(ids)), strict=True))
    if _is_any_known(type_id, rows[:: max(1, len(rows) // PROBED)]):
        return False
    template = f"%s\t{type_id}\t%s\t%s\t\\\\x%s\n"
    whole = "".join(external_ids)
    is_special = any(mark in whole for mark in SPECIAL)
    try:
        # COPY takes half as long as INSERT … ON CONFLICT, which it cannot do
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(_COPY_KEYS) as copying:
            for start in range(0, len(rows), CHUNK):
                keyed, keys, pks, places = zip(*rows[start : start + CHUNK], strict=True)
                if is_special:
                    keys = tuple(map(escape_for_copy, keys))
                lines = zip(keyed, keys, pks, digests(places), strict=True)
                copying.write("".join(map(template.__mod__, lines)))
    except UniqueViolation:
        return False
    return True


def _is_any_known(type_id: int, rows: Sequence[tuple[int, str, int, int]]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """select exists(select from unnest(%s::int[], %s::text[]) as w (person_id, external_id)
            join activity_key k on k.person_id = w.person_id and k.activity_type_id = %s
            and k.external_id = w.external_id)""",
            [[row[0] for row in rows], [row[1] for row in rows], type_id],
        )
        return cursor.fetchone()[0]


def copy_columns(
    type_id: int,
    version: int,
    ids: Sequence[int],
    people: Sequence[int],
    occurred_at: Sequence[str],
    primary_values: Sequence[str],
    attributes: Sequence[str],
    source: Source,
    moment: datetime,
) -> None:
    """Write the activities, recorded at `moment`."""
    middle, recorded_at = f"\t{type_id}\t{version}\t", moment.isoformat()
    tail = f"\t{source_columns(source)}"
    texts = [_all_escaped(primary_values), _all_escaped(attributes)]
    rows = zip(ids, people, occurred_at, *texts, strict=True)
    with connection.cursor() as cursor, cursor.copy(COPY) as copying:
        while lines := [
            f"{pk}\t{person}{middle}{moment}\t{recorded_at}\t{primary}\t{values}{tail}"
            for pk, person, moment, primary, values in islice(rows, CHUNK)
        ]:
            copying.write("".join(lines))


def _all_escaped(texts: Sequence[str]) -> Sequence[str]:
    whole = "".join(texts)
    if any(mark in whole for mark in SPECIAL):
        return [escape_for_copy(text) for text in texts]
    return texts
