"""Counts what was seen and is not defined: one statement a kind of work, whatever the number of events.

A source may have so many names of each kind. For one more the least-seen name without a decision is given up
and that came a few times only: the key of a web site is public, and made-up names must not keep real ones out for
good. Names beyond that are counted together, under an empty key.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from activities.inbox.days import DayCounts, add_to_day, property_digests
from activities.inbox.decisions import is_full
from activities.inbox.names import clean_name, name_key
from activities.inbox.rotation import Exchanges, drop_oldest, replayed_now
from activities.models import Sighting
from people.core.db import prepared
from people.core.errors import quoted_value

OPEN = (Sighting.State.NEW, Sighting.State.MAPPED)  # states of names whose events wait
MAX_NAMES = {Sighting.Kind.EVENT: 1_000, Sighting.Kind.PROPERTY: 500, Sighting.Kind.TRAIT: 500}
MAX_SELDOM, MAX_GIVEN_UP = 10, 100  # the most occurrences of a name that is given up, and the most such names a commit
MAX_SOURCE_BYTES = 200_000_000  # of the events of one source that wait
MAX_SAMPLES, MAX_SAMPLE = 20, 200
MAX_VALUES = 50  # undefined properties or traits of one event that are noted
MAX_LIBRARIES, MAX_LIBRARY = 20, 100
OTHER_LIBRARIES = "…"
# a row that was made for an event that was rejected in the end has nothing to show
HAS_COME = Q(count__gt=0) | Q(kept__gt=0) | ~Q(state=Sighting.State.NEW)
Key = tuple[int, str, int, str]  # source, kind, scope, name key
Kind = Sighting.Kind


@dataclass(frozen=True, slots=True)
class Seen:
    """One occurrence of a name. `library`: name and version of the program that sent it. `sample`: its value, kept
    with the visitor whose it is. `properties`: the names of an event's properties."""

    source_id: int
    kind: str
    name: str
    scope: int = 0
    library: str = ""
    sample: Any = None
    visitor_id: int | None = None
    properties: Sequence[str] = ()

    @property
    def key(self) -> Key:
        return self.source_id, self.kind, self.scope, name_key(self.name)


def seen_values(sender: Seen, values: Mapping[str, Any]) -> list[Seen]:
    """One occurrence, with its sample, for each of the first MAX_VALUES values by name; the rest as in `sender`."""
    return [replace(sender, name=name, sample=value) for name, value in islice(values.items(), MAX_VALUES)]


def find_or_add(seen: Iterable[Seen]) -> dict[Key, Sighting]:
    """The rows of the names, made where they are missing; names beyond the limit have one row together."""
    wanted: dict[Key, Seen] = {}
    for entry in seen:  # a name is stored as it was sent first
        wanted.setdefault(entry.key, entry)
    known = _find(wanted)
    missing = [entry for key, entry in wanted.items() if key not in known]
    if missing:
        room = _room({(entry.source_id, entry.kind) for entry in missing})
        for source, number in Counter((entry.source_id, entry.kind) for entry in missing).items():
            if number > room[source]:
                room[source] += _give_up(source, number - room[source], [row.pk for row in known.values()])
        others: dict[Key, Key] = {}
        rows = []
        for entry in sorted(missing, key=lambda entry: entry.key):
            source_id, kind, scope, key = entry.key
            has_room = room[source_id, kind] > 0
            room[source_id, kind] -= 1
            if not has_room:
                others[entry.key] = (source_id, kind, 0, "")
            rows.append(
                Sighting(
                    source_id=source_id,
                    kind=kind,
                    scope=scope if has_room else 0,
                    name_key=key if has_room else "",
                    name=clean_name(entry.name) if has_room else "",
                    activity_type_id=scope if has_room and scope else None,
                )
            )
        # one order in all transactions: no deadlock
        Sighting.objects.bulk_create(sorted(rows, key=_key), ignore_conflicts=True)
        known |= _find({others.get(entry.key, entry.key): entry for entry in missing})
        known |= {key: known[other] for key, other in others.items()}
    return known


@dataclass(slots=True)
class _SightingCounts:
    """The counts and samples to add to one row."""

    times: int = 0
    kept: int = 0
    kept_bytes: int = 0
    libraries: Counter[str] = field(default_factory=Counter)
    samples: list[Any] = field(default_factory=list)
    day: DayCounts | None = None  # of an event

    def add(self, other: "_SightingCounts") -> None:
        """Add what another one holds, except samples: they may be erased by now."""
        self.times += other.times
        self.kept += other.kept
        self.kept_bytes += other.kept_bytes
        self.libraries.update(other.libraries)
        if other.day is not None:
            self.day = self.day or DayCounts()
            self.day.events += other.day.events
            self.day.properties.update(other.day.properties)


_carried: dict[int, _SightingCounts] = {}  # by row that was locked when this process counted: for its next commit


def samples_of(sighting: Sighting) -> list[tuple[int, str, Any]]:
    """(visitor, moment, value) of the samples of a property or trait; without those that have no owner."""
    return [tuple(sample) for sample in sighting.samples if isinstance(sample, list)]


def note_seen(seen: Sequence[Seen], kept: Mapping[int, Sequence[int]]) -> None:
    """Count the names; `kept`: the sizes of the events that wait now, by sighting. In the caller's transaction, late:
    the rows stay locked until it ends.

    Waits for no lock: what belongs to a row that another transaction has locked is added by the next call.
    """
    carried = dict(_carried)
    if not seen and not carried:
        return
    counts_by_row = _counts_by_row(seen, kept)
    for pk, counts in carried.items():
        counts_by_row.setdefault(pk, _SightingCounts()).add(counts)
    rows = Sighting.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=counts_by_row).order_by("pk")
    locked = [(row, counts_by_row.pop(row.pk)) for row in rows]
    for row, counts in locked:
        row.count += counts.times
        row.kept += counts.kept
        row.kept_bytes += counts.kept_bytes
        row.libraries = _added(row.libraries, counts.libraries)
        row.samples = [*row.samples, *counts.samples][:MAX_SAMPLES]
    _make_room(locked)
    _save([row for row, _counts in locked])
    add_to_day({row.pk: counts.day for row, counts in locked if counts.day is not None})
    if counts_by_row or carried:
        existing = (
            set(Sighting.objects.filter(pk__in=counts_by_row).values_list("pk", flat=True)) if counts_by_row else set()
        )
        left = {pk: counts for pk, counts in counts_by_row.items() if pk in existing}
        transaction.on_commit(lambda: _carry(carried, left))


def _make_room(locked: Sequence[tuple[Sighting, _SightingCounts]]) -> None:
    """Delete the oldest events of names that have more than they may, or whose source does, and count them as dropped.

    In a source that has too much a name that brought events gives up twice their bytes at most, so that the source
    comes back to its bound; and no more than the name had before, so that what it brought last stays.
    """
    sources = {row.source_id for row, counts in locked if counts.kept_bytes}
    used = _waiting_bytes(sources)
    for row, counts in locked:
        used[row.source_id] += counts.kept_bytes  # not saved yet
    for row, counts in locked:
        if row.state in OPEN and row.kind == Kind.EVENT:
            before = row.kept_bytes
            excess = min(used[row.source_id] - MAX_SOURCE_BYTES, 2 * counts.kept_bytes, before - counts.kept_bytes)
            row.dropped += counts.times - counts.kept + drop_oldest(row, excess)
            used[row.source_id] -= before - row.kept_bytes


def _waiting_bytes(source_ids: Collection[int]) -> Counter[int]:
    """The bytes of the events of each source that wait."""
    if not source_ids:
        return Counter()
    rows = Sighting.objects.filter(source_id__in=source_ids, kind=Kind.EVENT).order_by()
    return Counter(dict(rows.values_list("source_id").annotate(Sum("kept_bytes"))))


def _carry(before: Mapping[int, _SightingCounts], left: Mapping[int, _SightingCounts]) -> None:
    """Keep what is left for the next call, in place of what this one has added."""
    for pk in before:
        _carried.pop(pk, None)
    for pk, counts in left.items():
        _carried.setdefault(pk, _SightingCounts()).add(counts)


def _counts_by_row(seen: Sequence[Seen], kept: Mapping[int, Sequence[int]]) -> dict[int, _SightingCounts]:
    rows = find_or_add(seen) if seen else {}
    counts_by_row: dict[int, _SightingCounts] = {}
    now = timezone.now().isoformat(timespec="seconds")
    for entry in seen:
        counts = counts_by_row.setdefault(rows[entry.key].pk, _SightingCounts())
        counts.times += 1
        if entry.library:
            counts.libraries[entry.library] += 1
        if entry.kind == Kind.EVENT:
            counts.day = counts.day or DayCounts()
            counts.day.events += 1
            counts.day.properties.update(property_digests(entry.properties))
        # a sample without a visitor could not be erased with its person
        if entry.kind != Kind.EVENT and entry.visitor_id is not None and len(counts.samples) < MAX_SAMPLES:
            counts.samples.append([entry.visitor_id, now, _sample(entry.sample)])
    for counts in counts_by_row.values():
        counts.libraries = _quoted(counts.libraries)
    for pk, sizes in kept.items():
        counts = counts_by_row.setdefault(pk, _SightingCounts())
        counts.kept += len(sizes)
        counts.kept_bytes += sum(sizes)
    return counts_by_row


def _quoted(libraries: Counter[str]) -> Counter[str]:
    """The counts by the names as they are stored."""
    counts: Counter[str] = Counter()
    for name, number in libraries.items():
        counts[quoted_value(name, MAX_LIBRARY)] += number
    return counts


def count_as_kept_no_more(sighting_id: int, sizes: Sequence[int]) -> None:
    """Subtract events that left the inbox. Late in the caller's transaction: the row stays locked until it ends."""
    if sizes:
        Sighting.objects.filter(pk=sighting_id).update(
            kept=F("kept") - len(sizes), kept_bytes=F("kept_bytes") - sum(sizes)
        )


def place_events(rows: Mapping[Key, Sighting], events: Sequence[tuple[Key, int]]) -> list[int | None]:
    """The rows under which events with these names and sizes may wait, in order; each takes some of the room.

    None where it is only counted: the name is ignored or beyond the number of names; or the name or the source is full,
    and no old events of the name may be given up for it now (`rotation`).
    """
    used = _waiting_bytes({row.source_id for row in rows.values()})
    placed: Counter[int] = Counter()  # bytes by row
    new = sum(size for _key, size in events)
    is_near_bound = any(number + new > MAX_SOURCE_BYTES for number in used.values())
    replayed = replayed_now(row.pk for row in rows.values()) if is_near_bound else set()
    places: list[int | None] = []
    exchanges = Exchanges()
    for key, size in events:
        row = rows[key]
        is_source_full = used[row.source_id] + size > MAX_SOURCE_BYTES
        # in a full source an event may take as many bytes as its name had before this commit and gives up
        has_bytes = placed[row.pk] + size <= row.kept_bytes - placed[row.pk] and row.pk not in replayed
        if (
            not row.name_key
            or row.state not in OPEN
            or (is_source_full and not has_bytes)
            or ((is_source_full or is_full(row)) and not exchanges.take_room(row.pk))
        ):
            places.append(None)
            continue
        row.kept, row.kept_bytes = row.kept + 1, row.kept_bytes + size  # not saved: `note_seen` counts what is kept
        placed[row.pk] += size
        used[row.source_id] += size
        places.append(row.pk)
    exchanges.note_taken()
    return places


def _save(rows: Sequence[Sighting]) -> None:
    """Write what was counted: one statement of fixed text, which is made much more quickly than one of cases."""
    if not rows:
        return
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """update sighting s set count = w.count, kept = w.kept, kept_bytes = w.kept_bytes, dropped = w.dropped,
                libraries = w.libraries::jsonb, samples = w.samples::jsonb, last_at = statement_timestamp()
            from unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::text[],
                %s::text[]) as w (id, count, kept, kept_bytes, dropped, libraries, samples)
            where s.id = w.id""",
            [
                *([getattr(row, name) for row in rows] for name in ("pk", "count", "kept", "kept_bytes", "dropped")),
                *([json.dumps(getattr(row, name)) for row in rows] for name in ("libraries", "samples")),
            ],
        )


def _find(keys: Iterable[Key]) -> dict[Key, Sighting]:
    wanted = set(keys)
    rows = Sighting.objects.filter(source_id__in={key[0] for key in wanted}, name_key__in={key[3] for key in wanted})
    return {key: row for row in rows if (key := _key(row)) in wanted}


def _key(row: Sighting) -> Key:
    return row.source_id, row.kind, row.scope, row.name_key


def _room(sources: set[tuple[int, str]]) -> Counter[tuple[int, str]]:
    counted = (
        Sighting.objects.filter(source_id__in={source_id for source_id, _kind in sources})
        .values("source_id", "kind")
        .annotate(number=Count("pk"))
    )
    used = {(row["source_id"], row["kind"]): row["number"] for row in counted}
    return Counter({source: MAX_NAMES[Kind(source[1])] - used.get(source, 0) for source in sources})


def _give_up(source: tuple[int, str], number: int, wanted: Sequence[int]) -> int:
    """Delete rare names of a source without a decision, the least-seen first; return how many.

    Those that this transaction has made were not counted yet.
    """
    source_id, kind = source
    rows = Sighting.objects.filter(source_id=source_id, kind=kind, state=Sighting.State.NEW)
    seldom = rows.filter(count__range=(1, MAX_SELDOM)).exclude(name_key="").exclude(pk__in=wanted)
    locked = seldom.order_by("count", "last_at", "pk").select_for_update(skip_locked=True)
    ids = list(locked.values_list("pk", flat=True)[: min(number, MAX_GIVEN_UP)])
    Sighting.objects.filter(pk__in=ids).delete()
    return len(ids)


def _added(before: Mapping[str, int], new: Mapping[str, int]) -> dict[str, int]:
    """The counts together; of too many libraries the later ones count as others."""
    counts = dict(before)
    for name, number in new.items():
        known = name if name in counts or len(counts) < MAX_LIBRARIES else OTHER_LIBRARIES
        counts[known] = counts.get(known, 0) + number
    return counts


def _sample(value: Any) -> Any:
    """The value as JSON that the database takes: numbers and short text."""
    if isinstance(value, bool) or (type(value) is int and abs(value) < 2**53):
        return value
    return quoted_value(value, MAX_SAMPLE)
