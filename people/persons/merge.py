"""Merges people into one and undoes merges.

The losers' activities, lists and other data registered in `personal_data` move to the winner. The losers' rows
keep their values, under their ids, which mean the winner from then on. A merge is one transaction that waits for
running recordings and changes and blocks new ones until it ends.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people import events
from people.core import audit, personal_data
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, bad_value, refuse_if
from people.core.permissions import require_permission
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.fields import catalog, unique_values
from people.fields.catalog import FieldInfo, person_value
from people.models import Person, PersonMerge
from people.persons import deletion, objections, upsert
from people.rights import MERGE_PERSON

MAX_LOSERS = 25
MERGE = MERGE_PERSON
REASON = "Merge %d:"  # prefix of the reason of every change by the merge with this id, in the log
# an opt-out of any of the people is kept, unless another value is chosen
OPT_OUTS = frozenset({"unsubscribed", "marketing_suspended", "do_not_call"})
KEPT_OPT_OUT = "unsubscribed"  # another value is refused: only consent subscribes a person again
State = Person.State

audit.register_actions(
    {
        "merged": (2, gettext_lazy("Merged people %(losers)s into this person")),
        "merge_undone": (2, gettext_lazy("Undid the merge with people %(losers)s")),
    }
)


@dataclass(frozen=True, slots=True)
class FieldPreview:
    """One field of the people to merge: the value of each, and the person whose value wins (None: all are empty)."""

    info: FieldInfo
    values: Mapping[int, Any]
    taken_from: int | None

    @property
    def choosable_ids(self) -> Collection[int]:
        """The people whose value may be chosen: where a person has opted out of email, those who have."""
        opted_out = {pk for pk, value in self.values.items() if value is True}
        return opted_out if self.info.api_name == KEPT_OPT_OUT and opted_out else self.values.keys()

    @property
    def differs(self) -> bool:
        return len({str(value) for value in self.values.values() if value is not None}) > 1

    @property
    def result(self) -> Any:
        return None if self.taken_from is None else self.values[self.taken_from]


@dataclass(frozen=True, slots=True)
class MergePreview:
    """Preview of a merge: the people, winner first; every field with a value; the rows that move; and sentences."""

    people: Sequence[Person]
    fields: Sequence[FieldPreview]
    rows: Sequence[tuple[str, int]]
    notes: Sequence[str] = ()


def preview_merge(
    winner_id: Any, loser_ids: Sequence[Any], by: Any, choices: Mapping[str, int] | None = None
) -> MergePreview:
    """Preview of `merge_people` with the same arguments; raises the same errors."""
    require_permission(by, MERGE)
    winner, losers = _people(winner_id, loser_ids)
    people = [winner, *losers]
    fields = [
        field
        for field in _choose_values(people, choices or {})
        if any(value is not None for value in field.values.values())
    ]
    ids = [loser.pk for loser in losers]
    moving = [
        table for table in personal_data.registered_tables() if table.merge is not personal_data.leave_rows_unchanged
    ]
    rows = [(str(table.label), count) for table in moving if (count := (table.count_moved or table.count)(ids))]
    notes = [note for table in moving for note in table.merge_notes(winner.pk, ids)]
    return MergePreview(people, fields, rows, notes)


@transaction.atomic
def merge_people(
    winner_id: Any,
    loser_ids: Sequence[Any],
    by: Any,
    source: Source,
    *,
    choices: Mapping[str, int] | None = None,
    values: Mapping[str, Any] | None = None,
) -> PersonMerge:
    """Merge up to 25 losers into the winner.

    For each field the winner gets the value of the person in `choices`, or the raw value in `values`; else it
    keeps its own value, or takes the one of the first loser with a value. An opt-out of any of the people is
    kept; one from email refuses other choices and values. Raises `RejectedError` (`too_many_losers`,
    `merge_with_itself`, `unknown_person`, `person_deleted`, `person_merged`, `value_taken`, `consent_needed`, …) and
    `NotAllowedError`; nothing is changed then.
    """
    require_permission(by, MERGE)
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.PEOPLE)])
    winner, losers = _people(winner_id, loser_ids)
    chosen_values = {field.info.api_name: field.result for field in _choose_values([winner, *losers], choices or {})}
    if chosen_values[KEPT_OPT_OUT] is True and str((values or {}).get(KEPT_OPT_OUT, True)).lower() != "true":
        raise RejectedError(objections.opt_in_problem())
    ids = [loser.pk for loser in losers]
    families = deletion.merged_families(ids)
    unique_values.release_unique_values(ids)
    _set_state(ids, State.MERGED, winner.pk)
    person_merge = PersonMerge.objects.create(
        winner=winner, loser_ids=ids, channel=source.channel, user_id=source.user_id
    )
    source_of_merge = _merge_source(person_merge, source)
    person_merge.changes = _change_winner(winner, chosen_values | dict(values or {}), source_of_merge)
    merging = personal_data.Merging(winner.pk, families, source, person_merge.pk, person_merge.changes)
    undo_data = {owned.table: owned.merge(merging) for owned in personal_data.registered_tables()}
    person_merge.kept = {table: table_data for table, table_data in undo_data.items() if table_data is not None}
    person_merge.save(update_fields=["changes", "kept"])
    events.publish_event(events.PeopleMerged(winner.pk, ids, sorted(person_merge.changes)), source_of_merge)
    audit.write_audit_entry(by, winner, "merged", losers=", ".join(map(str, ids)))
    return person_merge


@transaction.atomic
def undo_merge(merge_id: int, by: Any, source: Source) -> None:
    """Undo a merge: the losers are live again, with their former activities and lists.

    Data that the winner received since stays with the winner, and so do values changed since. The merge's changes
    are removed from the log, because they contain the losers' values. Refused is a merge that is undone already
    (`merge_undone`), too old (`too_late`) or covered by a later one (`merge_covered`), whose winner is no longer
    live (`person_deleted`, `person_merged`), or with a unique value of a loser that another person has now
    (`value_taken`). Raises `NotAllowedError`.
    """
    require_permission(by, MERGE)
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.PEOPLE)])
    person_merge = _lock_undoable(merge_id)
    merging = personal_data.Merging(
        person_merge.winner_id,
        deletion.merged_families(person_merge.loser_ids),
        source,
        person_merge.pk,
        person_merge.changes,
    )
    for table in reversed(personal_data.registered_tables()):
        table.undo(merging, person_merge.kept.get(table.table))
    _restore_winner(person_merge, source)
    _set_state(person_merge.loser_ids, State.LIVE, None)
    losers = list(Person.objects.filter(pk__in=person_merge.loser_ids).order_by("pk"))
    refuse_if(
        problem
        for problems in unique_values.claim_unique_values(losers, catalog.field_catalogue()).values()
        for problem in problems
    )
    events.publish_event(events.MergeUndone(person_merge.winner_id, person_merge.loser_ids), source)
    person_merge.undone_at, person_merge.undone_by, person_merge.changes, person_merge.kept = timezone.now(), by, {}, {}
    person_merge.save(update_fields=["undone_at", "undone_by", "changes", "kept"])
    audit.write_audit_entry(by, person_merge.winner, "merge_undone", losers=", ".join(map(str, person_merge.loser_ids)))


def people_of_merges(person_ids: Collection[int], since: datetime | None, until: datetime) -> set[int]:
    """Those of the people who won or lost a merge, or its undo, in this period. `since`: None for all merges."""
    ids = set(person_ids)
    period = (since or datetime.min.replace(tzinfo=UTC), until)
    merges = PersonMerge.objects.filter(Q(winner__in=ids) | Q(loser_ids__overlap=list(ids)))
    merges = merges.filter(Q(merged_at__range=period) | Q(undone_at__range=period))
    return ids & {
        person_id
        for winner_id, loser_ids in merges.values_list("winner_id", "loser_ids")
        for person_id in (winner_id, *loser_ids)
    }


def undo_problem(person_merge: PersonMerge) -> Problem | None:
    """The problem that prevents an undo of the merge now, if any."""
    return next(_undo_problems(person_merge), None)


def drop_expired_merges() -> int:
    """Drop the undo data of merges that can no longer be undone; return the number of merges."""
    since = timezone.now() - timedelta(days=settings.MERGE_UNDO_DAYS)
    expired = PersonMerge.objects.filter(merged_at__lt=since).exclude(kept={}, changes={})
    return expired.update(kept={}, changes={})


def _people(winner_id: Any, loser_ids: Sequence[Any]) -> tuple[Person, list[Person]]:
    """Load the winner and the losers, each once. Raises `RejectedError` unless all of them are live."""
    losers = list(dict.fromkeys(int(raw_id) if datatype_keys.is_id(raw_id) else raw_id for raw_id in loser_ids))
    if not losers:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Choose at least two people to merge."), ("losers",)))
    if len(losers) > MAX_LOSERS:
        message = _("At most %(limit)s people can be merged into one at once.") % {"limit": MAX_LOSERS}
        raise RejectedError(Problem(Code.TOO_MANY_LOSERS, message, ("losers",), str(MAX_LOSERS), str(len(losers))))
    winner_id = int(winner_id) if datatype_keys.is_id(winner_id) else winner_id
    if winner_id in losers:
        raise RejectedError(
            Problem(Code.MERGE_WITH_ITSELF, _("A person cannot be merged with themselves."), ("losers",))
        )
    people = Person.objects.in_bulk([raw_id for raw_id in [winner_id, *losers] if datatype_keys.is_id(raw_id)])
    problems = [_person_problem(people.get(winner_id), winner_id, "winner")]
    problems += [_person_problem(people.get(raw_id), raw_id, "losers", index) for index, raw_id in enumerate(losers)]
    refuse_if(problem for problem in problems if problem)
    return people[winner_id], [people[raw_id] for raw_id in losers]


def _person_problem(person: Person | None, raw_id: Any, *path: str | int) -> Problem | None:
    """The problem that excludes a person from a merge, if any."""
    if person is None or person.state == State.ERASED:
        return bad_value(Code.UNKNOWN_PERSON, _("the id of an existing person"), raw_id, *path)
    if person.state == State.DELETED:
        message = _("Person %(id)s is deleted. Restore that person first.") % {"id": person.pk}
        return Problem(Code.PERSON_DELETED, message, path)
    if person.state == State.MERGED:
        values = {"id": person.pk, "winner": person.merged_into_id}
        return Problem(Code.PERSON_MERGED, _("Person %(id)s was merged into person %(winner)s.") % values, path)
    return None


def _choose_values(people: Sequence[Person], choices: Mapping[str, int]) -> list[FieldPreview]:
    """Choose the value of each field; `people` has the winner first."""
    catalogue = {name: info for name, info in catalog.field_catalogue().items() if not info.is_read_only}
    ids = [person.pk for person in people]
    problems = [
        bad_value(Code.UNKNOWN_FIELD, _("a person field that can be changed"), name, "choices")
        for name in choices
        if name not in catalogue
    ]
    problems += [
        bad_value(Code.UNKNOWN_PERSON, _("the id of one of the people to be merged"), chosen_id, "choices", name)
        for name, chosen_id in choices.items()
        if chosen_id not in ids
    ]
    refuse_if(problems)
    previews = []
    for name, info in catalogue.items():
        values = {person.pk: person_value(person, info) for person in people}
        holders = [pk for pk in ids if values[pk] is not None]
        opted_out = [pk for pk in holders if name in OPT_OUTS and values[pk] is True]
        if name == KEPT_OPT_OUT and opted_out and choices.get(name, opted_out[0]) not in opted_out:
            raise RejectedError(objections.opt_in_problem().under("choices"))
        previews.append(FieldPreview(info, values, choices.get(name) or next(iter(opted_out or holders), None)))
    return previews


def _change_winner(winner: Person, values: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Set the values of the winner; return {field: [before, now]} of those that changed, JSON-typed."""
    catalogue = catalog.field_catalogue()
    before = {name: person_value(winner, info) for name, info in catalogue.items()}
    values = {name: raw for name, raw in values.items() if name not in before or raw != before[name]}
    _write_values(winner.pk, values, source, announces=True)
    now = Person.objects.get(pk=winner.pk)
    return {
        name: [_json(before[name], info), _json(value, info)]
        for name, info in catalogue.items()
        if not info.is_read_only and (value := person_value(now, info)) != before[name]
    }


def _restore_winner(person_merge: PersonMerge, source: Source) -> None:
    """Restore the winner's values from before the merge, unless they were changed since."""
    catalogue = catalog.field_catalogue()
    winner = Person.objects.get(pk=person_merge.winner_id)
    values = {
        name: None if before is None else catalogue[name].data_type.from_json(before)
        for name, (before, after) in person_merge.changes.items()
        if name in catalogue and _json(person_value(winner, catalogue[name]), catalogue[name]) == after
    }
    # no entries: those of the merge are removed, so the log shows the winner's former values again
    _write_values(winner.pk, values, replace(source, is_consent=True), announces=False)


def _merge_source(person_merge: PersonMerge, source: Source) -> Source:
    """The source of the changes by a merge: shown in the log, and used by an undo to find them."""
    people = ", ".join(map(str, person_merge.loser_ids))
    return replace(
        source, origin_id=person_merge.pk, is_merge=True, reason=f"{REASON % person_merge.pk} people {people}"
    )


def _write_values(person_id: int, values: Mapping[str, Any], source: Source, *, announces: bool) -> None:
    """Write values of the winner."""
    if not values:
        return
    (outcome,) = upsert.upsert_people(
        [{**values, "id": person_id}], source, "id", upsert.UpsertAction.UPDATE, zone=UTC, announces=announces
    )
    refuse_if(outcome.problems)


def _json(value: Any, info: FieldInfo) -> Any:
    return None if value is None else info.data_type.as_json(value)


def _set_state(person_ids: Sequence[int], state: State, winner_id: int | None) -> None:
    now = timezone.now()
    Person.objects.filter(pk__in=person_ids).update(
        state=state, merged_into=winner_id, state_changed_at=now, updated_at=now, revision=F("revision") + 1
    )


def _lock_undoable(merge_id: int) -> PersonMerge:
    person_merge = (
        PersonMerge.objects.select_for_update(of=("self",)).select_related("winner").filter(pk=merge_id).first()
    )
    if person_merge is None:
        raise RejectedError(Problem(Code.UNKNOWN_MERGE, _("There is no such merge."), ("merge",)))
    refuse_if(list(_undo_problems(person_merge))[:1])
    return person_merge


def _undo_problems(person_merge: PersonMerge) -> Iterator[Problem]:
    if person_merge.undone_at is not None:
        yield Problem(Code.MERGE_UNDONE, _("This merge was undone already."), ("merge",))
    if person_merge.merged_at < timezone.now() - timedelta(days=settings.MERGE_UNDO_DAYS):
        message = _("Merged more than %(days)s days ago: too late to undo.") % {"days": settings.MERGE_UNDO_DAYS}
        yield Problem(Code.TOO_LATE, message, ("merge",))
    if problem := _person_problem(person_merge.winner, person_merge.winner_id, "winner"):
        yield problem
    later = PersonMerge.objects.standing().filter(winner=person_merge.winner_id, pk__gt=person_merge.pk).first()
    if later is not None:
        message = _("Person %(id)s was merged with others since (people %(losers)s). Undo that merge first.")
        values = {"id": person_merge.winner_id, "losers": ", ".join(map(str, later.loser_ids))}
        yield Problem(Code.MERGE_COVERED, message % values, ("merge",))
