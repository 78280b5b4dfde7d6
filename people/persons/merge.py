"""Merges people into one and undoes merges.

The losers' activities, lists and whatever else is registered in `owned` go to the winner; the losers' rows
keep their values, under their ids, which mean the winner from then on. One transaction that waits for
recordings and changes under way and keeps others out until it is through.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people import events
from people.core import audit, personal_data
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, bad_value, refuse_if
from people.core.permissions import require
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.fields import catalog, unique_values
from people.fields.catalog import FieldInfo, value_of
from people.models import Person, PersonMerge
from people.persons import deletion, upsert

MAX_LOSERS = 25
MERGE = "people.merge_person"
REASON = "Merge %d:"  # how the reason of every change that the merge with this id makes begins, in the log
# who opted out of something under one address stays out, unless a value is chosen
OPT_OUTS = frozenset({"unsubscribed", "marketing_suspended", "do_not_call"})
State = Person.State

audit.describe(
    {
        "merged": (2, gettext_lazy("Merged people %(losers)s into this person")),
        "merge_undone": (2, gettext_lazy("Undid the merge with people %(losers)s")),
    }
)


@dataclass(frozen=True, slots=True)
class FieldPreview:
    """One field of the people to be merged: the value of each, and whose would be taken (None: nobody has one)."""

    info: FieldInfo
    values: Mapping[int, Any]
    taken_from: int | None

    @property
    def differs(self) -> bool:
        return len({str(value) for value in self.values.values() if value is not None}) > 1

    @property
    def result(self) -> Any:
        return None if self.taken_from is None else self.values[self.taken_from]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a merge would do: the people, winner first, every field that somebody has, and rows that move."""

    people: Sequence[Person]
    fields: Sequence[FieldPreview]
    rows: Sequence[tuple[str, int]]


def preview(winner_id: Any, loser_ids: Sequence[Any], by: Any, choices: Mapping[str, int] | None = None) -> Preview:
    """Show what `merge` would do with the same arguments; raises as it does."""
    require(by, MERGE)
    winner, losers = _people(winner_id, loser_ids)
    people = [winner, *losers]
    found = [one for one in _decide(people, choices or {}) if any(value is not None for value in one.values.values())]
    ids = [loser.pk for loser in losers]
    moving = [one for one in personal_data.tables() if one.merge is not personal_data.nothing]
    rows = [(str(one.label), count) for one in moving if (count := one.count(ids))]
    return Preview(people, found, rows)


@transaction.atomic
def merge(
    winner_id: Any,
    loser_ids: Sequence[Any],
    by: Any,
    source: Source,
    *,
    choices: Mapping[str, int] | None = None,
    values: Mapping[str, Any] | None = None,
) -> PersonMerge:
    """Merge up to 25 losers into the winner.

    Of each field the winner gets the value of the person that `choices` names, the raw value in `values`, or
    else keeps its own, or else takes that of the first loser that has one; who opted out of being addressed
    stays out. Raises `RejectedError` (`too_many_losers`, `merge_with_itself`, `unknown_person`, `person_deleted`,
    `person_merged`, `value_taken`, …) and `NotAllowedError`; nothing is changed then.
    """
    require(by, MERGE)
    locks.take([locks.key(locks.Space.PEOPLE)])
    winner, losers = _people(winner_id, loser_ids)
    chosen = {one.info.api_name: one.result for one in _decide([winner, *losers], choices or {})}
    ids = [loser.pk for loser in losers]
    families = {loser_id: deletion.merged_into([loser_id]) for loser_id in ids}
    unique_values.release(ids)
    _move(ids, State.MERGED, winner.pk)
    done = PersonMerge.objects.create(winner=winner, loser_ids=ids, channel=source.channel, user_id=source.user_id)
    done.changes = _change(winner, chosen | dict(values or {}), _of_merge(done, source))
    merging = personal_data.Merging(winner.pk, families, source, done.pk, done.changes)
    kept = {one.table: one.merge(merging) for one in personal_data.tables()}
    done.kept = {table: what for table, what in kept.items() if what is not None}
    done.save(update_fields=["changes", "kept"])
    events.announce(events.Merged(winner.pk, ids, sorted(done.changes)), source)
    audit.note(by, winner, "merged", losers=", ".join(map(str, ids)))
    return done


@transaction.atomic
def undo(merge_id: int, by: Any, source: Source) -> None:
    """Take a merge back: the losers are people again, with the activities and lists that were theirs.

    What came to the winner since stays with the winner, and so do values changed since. The changes that the merge
    left in the log leave it: they say what the losers' values were. Refused is a merge that
    was undone (`merge_undone`), that is too old (`too_late`) or covered by a later one (`merge_covered`), or
    whose winner is not there (`person_deleted`, `person_merged`), and one of whose losers' unique values
    somebody has taken (`value_taken`). Raises `NotAllowedError`.
    """
    require(by, MERGE)
    locks.take([locks.key(locks.Space.PEOPLE)])
    done = _undoable(merge_id)
    merging = personal_data.Merging(
        done.winner_id,
        {loser_id: deletion.merged_into([loser_id]) for loser_id in done.loser_ids},
        source,
        done.pk,
        done.changes,
    )
    for one in reversed(personal_data.tables()):
        one.undo(merging, done.kept.get(one.table))
    _change_back(done, source)
    _move(done.loser_ids, State.LIVE, None)
    losers = list(Person.objects.filter(pk__in=done.loser_ids).order_by("pk"))
    refuse_if(problem for problems in unique_values.claim(losers, catalog.catalogue()).values() for problem in problems)
    done.undone_at, done.undone_by, done.changes, done.kept = timezone.now(), by, {}, {}
    done.save(update_fields=["undone_at", "undone_by", "changes", "kept"])
    audit.note(by, done.winner, "merge_undone", losers=", ".join(map(str, done.loser_ids)))


def why_not_undone(done: PersonMerge) -> Problem | None:
    """What keeps a merge from being undone now, if anything."""
    return next(_hindrances(done), None)


def forget_expired() -> int:
    """Drop what only an undo needed, of merges that cannot be undone any more; return of how many."""
    since = timezone.now() - timedelta(days=settings.MERGE_UNDO_DAYS)
    expired = PersonMerge.objects.filter(merged_at__lt=since).exclude(kept={}, changes={})
    return expired.update(kept={}, changes={})


def _people(winner_id: Any, loser_ids: Sequence[Any]) -> tuple[Person, list[Person]]:
    """The winner and the losers, each once, all of them live; or `RejectedError`."""
    wanted = list(dict.fromkeys(int(one) if datatype_keys.is_id(one) else one for one in loser_ids))
    if not wanted:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Nobody to be merged is named."), ("losers",)))
    if len(wanted) > MAX_LOSERS:
        message = _("At most %(limit)s people can be merged into one at once.") % {"limit": MAX_LOSERS}
        raise RejectedError(Problem(Code.TOO_MANY_LOSERS, message, ("losers",), str(MAX_LOSERS), str(len(wanted))))
    winner_id = int(winner_id) if datatype_keys.is_id(winner_id) else winner_id
    if winner_id in wanted:
        raise RejectedError(
            Problem(Code.MERGE_WITH_ITSELF, _("A person cannot be merged with themselves."), ("losers",))
        )
    found = Person.objects.in_bulk([one for one in [winner_id, *wanted] if datatype_keys.is_id(one)])
    problems = [_hindrance(found.get(winner_id), winner_id, "winner")]
    problems += [_hindrance(found.get(one), one, "losers", index) for index, one in enumerate(wanted)]
    refuse_if(problem for problem in problems if problem)
    return found[winner_id], [found[one] for one in wanted]


def _hindrance(person: Person | None, given: Any, *path: str | int) -> Problem | None:
    """Why somebody can take no part in a merge."""
    if person is None or person.state == State.ERASED:
        return bad_value(Code.UNKNOWN_PERSON, _("the id of somebody we know"), given, *path)
    if person.state == State.DELETED:
        message = _("Person %(id)s is deleted. Restore that person first.") % {"id": person.pk}
        return Problem(Code.PERSON_DELETED, message, path)
    if person.state == State.MERGED:
        values = {"id": person.pk, "winner": person.merged_into_id}
        return Problem(Code.PERSON_MERGED, _("Person %(id)s was merged into person %(winner)s.") % values, path)
    return None


def _decide(people: Sequence[Person], choices: Mapping[str, int]) -> list[FieldPreview]:
    """Whose value each field gets; `people` has the winner first."""
    catalogue = {name: info for name, info in catalog.catalogue().items() if not info.is_read_only}
    ids = [person.pk for person in people]
    problems = [
        bad_value(Code.UNKNOWN_FIELD, _("a person field that can be changed"), name, "choices")
        for name in choices
        if name not in catalogue
    ]
    problems += [
        bad_value(Code.UNKNOWN_PERSON, _("the id of one of the people to be merged"), chosen, "choices", name)
        for name, chosen in choices.items()
        if chosen not in ids
    ]
    refuse_if(problems)
    found = []
    for name, info in catalogue.items():
        values = {person.pk: value_of(person, info) for person in people}
        holders = [pk for pk in ids if values[pk] is not None]
        opted_out = [pk for pk in holders if name in OPT_OUTS and values[pk] is True]
        found.append(FieldPreview(info, values, choices.get(name) or next(iter(opted_out or holders), None)))
    return found


def _change(winner: Person, wanted: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Give the winner the values; return {field: [before, now]} of those that changed, JSON-typed."""
    catalogue = catalog.catalogue()
    before = {name: value_of(winner, info) for name, info in catalogue.items()}
    wanted = {name: raw for name, raw in wanted.items() if name not in before or raw != before[name]}
    _write(winner.pk, wanted, source, announces=True)
    now = Person.objects.get(pk=winner.pk)
    return {
        name: [_json(before[name], info), _json(value, info)]
        for name, info in catalogue.items()
        if not info.is_read_only and (value := value_of(now, info)) != before[name]
    }


def _change_back(done: PersonMerge, source: Source) -> None:
    """Give the winner back the values that the merge took, where nobody changed them since."""
    catalogue = catalog.catalogue()
    winner = Person.objects.get(pk=done.winner_id)
    wanted = {
        name: None if before is None else catalogue[name].data_type.from_json(before)
        for name, (before, after) in done.changes.items()
        if name in catalogue and _json(value_of(winner, catalogue[name]), catalogue[name]) == after
    }
    # no entries: those of the merge have left the log, which says again what the winner had
    _write(winner.pk, wanted, source, announces=False)


def _of_merge(done: PersonMerge, source: Source) -> Source:
    """The source of the changes that a merge makes: the log says so, and an undo finds them."""
    people = ", ".join(map(str, done.loser_ids))
    return replace(source, origin_id=done.pk, is_merge=True, reason=f"{REASON % done.pk} people {people}")


def _write(person_id: int, values: Mapping[str, Any], source: Source, *, announces: bool) -> None:
    """Change the winner."""
    if not values:
        return
    (outcome,) = upsert.upsert(
        [{**values, "id": person_id}], source, "id", upsert.Action.UPDATE, zone=UTC, announces=announces
    )
    refuse_if(outcome.problems)


def _json(value: Any, info: FieldInfo) -> Any:
    return None if value is None else info.data_type.as_json(value)


def _move(person_ids: Sequence[int], state: State, winner_id: int | None) -> None:
    now = timezone.now()
    Person.objects.filter(pk__in=person_ids).update(
        state=state, merged_into=winner_id, state_changed_at=now, updated_at=now, revision=F("revision") + 1
    )


def _undoable(merge_id: int) -> PersonMerge:
    done = PersonMerge.objects.select_for_update(of=("self",)).select_related("winner").filter(pk=merge_id).first()
    if done is None:
        raise RejectedError(Problem(Code.UNKNOWN_MERGE, _("There is no such merge."), ("merge",)))
    refuse_if(list(_hindrances(done))[:1])
    return done


def _hindrances(done: PersonMerge) -> Iterator[Problem]:
    if done.undone_at is not None:
        yield Problem(Code.MERGE_UNDONE, _("This merge was undone already."), ("merge",))
    if done.merged_at < timezone.now() - timedelta(days=settings.MERGE_UNDO_DAYS):
        message = _("Merged more than %(days)s days ago: too late to undo.") % {"days": settings.MERGE_UNDO_DAYS}
        yield Problem(Code.TOO_LATE, message, ("merge",))
    if problem := _hindrance(done.winner, done.winner_id, "winner"):
        yield problem
    later = PersonMerge.objects.standing().filter(winner=done.winner_id, pk__gt=done.pk).first()
    if later is not None:
        message = _("Person %(id)s was merged with others since (people %(losers)s). Undo that merge first.")
        values = {"id": done.winner_id, "losers": ", ".join(map(str, later.loser_ids))}
        yield Problem(Code.MERGE_COVERED, message % values, ("merge",))
