"""Repeated rows of a file, found by temporary tables of the connection: memory does not grow with the file."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from django.db import connection, transaction
from psycopg.errors import UniqueViolation

_COPY = "copy import_counted (digest) from stdin"


class SeenRows:
    """The digests of the rows of one run over one file, and the number of each."""

    def __init__(self) -> None:
        self.has_repeats = False
        with connection.cursor() as cursor:
            cursor.execute("drop table if exists import_seen, import_counted")
            cursor.execute("create temporary table import_seen (key bytea primary key, content bytea)")
            cursor.execute(
                "create temporary table import_counted (digest uuid primary key, n integer not null default 1)"
            )

    def before_batch(self, contents: Sequence[tuple[str, int] | None]) -> dict[str, int]:
        """Count the digests of a batch; return the earlier count of each digest that an earlier batch has."""
        numbers = {content[0]: content[1] + 1 for content in contents if content}
        if not self.has_repeats and len(numbers) == len(contents) and self._are_new(numbers):
            return {}
        self.has_repeats = True  # a file with one repeat mostly has more: the quick way would fail again
        with connection.cursor() as cursor:
            # as text: the server parses it while the thread that reads the file continues
            cursor.execute(
                """with batch as (
                    select * from unnest(string_to_array(%s, ' ')::uuid[],
                        string_to_array(%s, ' ')::int[]) b (digest, n)
                ), counted as (
                    insert into import_counted select digest, n from batch
                    on conflict (digest) do update set n = import_counted.n + excluded.n returning digest, n
                )
                select digest, counted.n - batch.n from counted join batch using (digest) where counted.n > batch.n""",
                [" ".join(numbers), " ".join(map(str, numbers.values()))],
            )
            return {digest.hex: before for digest, before in cursor.fetchall()}

    def _are_new(self, digests: Iterable[str]) -> bool:
        """Store the digests, a third of the work of counting; False, and none is stored, where one is known already."""
        try:
            with transaction.atomic(), connection.cursor() as cursor, cursor.copy(_COPY) as copying:
                copying.write("\n".join([*digests, ""]))
        except UniqueViolation:
            return False
        return True

    def before(self, keys: dict[int, tuple[str, str]]) -> list[tuple[int, bool]]:
        """(place, is the content the same) of each key that occurred before, in this batch or earlier."""
        digests = {
            place: tuple(blake2b(part.encode("utf-8", "surrogatepass"), digest_size=16).digest() for part in parts)
            for place, parts in keys.items()
        }
        firsts: dict[bytes, bytes] = {}
        repeats: list[tuple[int, bool]] = []
        for place, (key, content) in digests.items():
            if key in firsts:
                repeats.append((place, firsts[key] == content))
            firsts.setdefault(key, content)
        with connection.cursor() as cursor:
            cursor.execute(
                """select s.key, s.content from import_seen s join unnest(%s::bytea[]) k (key) using (key)""",
                [list(firsts)],
            )
            stored_contents = {bytes(key): bytes(content) for key, content in cursor.fetchall()}
            cursor.execute(
                """insert into import_seen (key, content) select * from unnest(%s::bytea[], %s::bytea[])
                on conflict (key) do nothing""",
                [list(firsts), list(firsts.values())],
            )
        repeats = [(place, is_same) for place, is_same in repeats if digests[place][0] not in stored_contents]
        return repeats + [
            (place, stored_contents[key] == content)
            for place, (key, content) in digests.items()
            if key in stored_contents
        ]
