"""The ids of all people in one file, so that an evaluation reads from PostgreSQL only those that came later.

Deleted, merged and erased people keep their rows, and with them their ids; which people are live is read from
PostgreSQL. An id is taken from its sequence before its row is visible, so the file ends at an id up to which no row can
appear any more.
"""

import time
from dataclasses import dataclass

from django.db import connection
from pyroaring import BitMap

from activities.log.columns import bitmaps, files
from activities.log.columns.files import DamagedFileError, IndexFile
from people.core.db.sequences import last_value

PATIENCE = 2.0  # seconds to wait for transactions that add people
_PAUSE = 0.05
_SEQUENCE = "person_id_seq"

# a transaction keeps its lock on a sequence from its first id until its rows are visible
_WRITERS = f"""select distinct virtualtransaction from pg_locks
    where locktype = 'relation' and relation = '{_SEQUENCE}'::regclass and mode = 'RowExclusiveLock' and granted
    and database = (select oid from pg_database where datname = current_database())
    and pid is distinct from pg_backend_pid()"""


@dataclass(frozen=True, slots=True)
class PeopleFile:
    """The file, and the greatest id that it covers."""

    file: IndexFile
    mark: int

    def ids(self) -> BitMap:
        """All ids of people up to the mark. Raises `DamagedFileError`."""
        return bitmaps.union_of(bitmaps.load_days(files.intact_path(self.file)).values())


def is_behind(stored: PeopleFile | None) -> bool:
    """True if there may be people after the file's mark, or the file is damaged."""
    if stored is None or last_value(_SEQUENCE) > stored.mark:
        return True
    try:
        files.intact_path(stored.file)
    except DamagedFileError:
        return True
    return False


def people_file(old: PeopleFile | None) -> PeopleFile | None:
    """The file up to the newest certain id; `old` itself without new people, or while transactions add people.

    Needs READ COMMITTED. Raises `OSError`.
    """
    stored = _stored_ids(old)
    if stored is None:
        old, stored = None, BitMap()
    after = old.mark if old else 0
    mark = _settled_mark(after)
    if mark <= after:
        return old
    with connection.cursor() as cursor:
        cursor.execute("select id from person where id > %s and id <= %s", [after, mark])
        while rows := cursor.fetchmany(100_000):
            stored.update(pk for (pk,) in rows)
    content = bitmaps.dump_days({0: stored})
    return PeopleFile(files.write_file(files.new_file_name("all", "people"), content), mark)


def _stored_ids(old: PeopleFile | None) -> BitMap | None:
    try:
        return old.ids() if old else None
    except DamagedFileError:
        return None


def _settled_mark(after: int) -> int:
    """The newest id, after the end of all transactions that may have taken an earlier one; `after` if some last."""
    until = time.monotonic() + PATIENCE
    newest = last_value(_SEQUENCE)
    if newest <= after:
        return after
    writers = _writers()
    while writers:
        if time.monotonic() > until:
            return after
        time.sleep(_PAUSE)
        writers &= _writers()
    return newest


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {transaction for (transaction,) in cursor.fetchall()}
