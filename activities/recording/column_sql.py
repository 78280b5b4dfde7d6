"""The SQL of recording columns; `recording.sql` has that of rows."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from django.db import connection
from psycopg.errors import UniqueViolation

from activities.recording.sql import COPY, escape_for_copy, source_columns, text_array
from people.core.db import prepared
from people.core.source import Source

CHUNK = 500  # rows that the server reads while the next ones are made
LARGE = 2_000  # rows
PROBED, PROBED_OF_LARGE = 20, 200  # keys of a batch that are searched before all are written
SPECIAL = "\\\t\n\r"  # to COPY
_COPY_KEYS = "copy activity_key (person_id, activity_type_id, external_id, activity_id, digest) from stdin"


class KnownKeyError(Exception):
    """An external id of the batch is stored already, or was stored at the same time: the transaction is broken."""


def claim_all_keys(
    type_id: int, people: Sequence[int], external_ids: Sequence[str], ids: Sequence[int], digests: Sequence[str]
) -> bool:
    """Store the keys of a batch, or none of them where one is found to be stored already.

    `digests` are those of the rows, in hexadecimal. Waits for a concurrent transaction that stores one of the keys.
    A batch that is sent again, or most of it, is noticed by a search for some of its keys. Raises KnownKeyError where a
    known key is noticed only when it is written: a savepoint around each batch would cost more than recording such a
    batch again.
    """
    # one order in all transactions: no deadlock
    rows = sorted(zip(people, external_ids, ids, digests, strict=True))
    probed = PROBED_OF_LARGE if len(rows) >= LARGE else PROBED
    if _is_any_known(type_id, rows[:: max(1, len(rows) // probed)]):
        return False
    whole = "".join(external_ids)
    if any(mark in whole for mark in SPECIAL):
        rows = [(person, escape_for_copy(key), pk, digest) for person, key, pk, digest in rows]
    try:
        # COPY takes half as long as INSERT … ON CONFLICT, which it cannot do
        with connection.cursor() as cursor, cursor.copy(_COPY_KEYS) as copying:
            for start in range(0, len(rows), CHUNK):
                part = rows[start : start + CHUNK]
                copying.write(
                    "".join([f"{who}\t{type_id}\t{key}\t{pk}\t\\\\x{digest}\n" for who, key, pk, digest in part])
                )
    except UniqueViolation:
        raise KnownKeyError from None
    return True


def _is_any_known(type_id: int, rows: Sequence[tuple[int, str, int, str]]) -> bool:
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select exists(select from unnest(%s::int[], %s::text[]) as w (person_id, external_id)
            join activity_key k on k.person_id = w.person_id and k.activity_type_id = %s::int
            and k.external_id = w.external_id)""",
            [text_array([str(row[0]) for row in rows]), text_array([row[1] for row in rows]), type_id],
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
