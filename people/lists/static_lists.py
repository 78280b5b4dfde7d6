"""Static lists: creates, changes, archives and deletes lists; adds and removes people.

Verbs on a list take the acting user and check the right. `add_members` and `remove_members` take a source, as
recording does: their channels check the right to change lists once a call.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people import events
from people import lookup as people_lookup
from people.core import audit, references
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, bad_value
from people.core.models import Folder
from people.core.permissions import MAKER, owner_of, require_permission
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.datatypes import naming
from people.definitions.switches import Switch
from people.models import StaticList, StaticListCount
from people.rights import ADD_STATICLIST, CHANGE_STATICLIST, DELETE_STATICLIST

MAX_BATCH = 10_000
MAX_PASTED = 10_000
CHANGE = CHANGE_STATICLIST

audit.register_actions(
    {
        "archived": (2, gettext_lazy("Archived")),
        "unarchived": (2, gettext_lazy("Unarchived")),
        "members_added": (2, gettext_lazy("Added %(count)s people")),
        "members_removed": (2, gettext_lazy("Removed %(count)s people")),
    }
)


class Membership(StrEnum):
    """The outcome for one person."""

    ADDED = "added"
    ALREADY = "already"  # was on the list before, or is repeated in this call
    REMOVED = "removed"
    ABSENT = "absent"  # was not on the list
    UNKNOWN = "unknown"  # no such person, or a deleted one


@dataclass(frozen=True, slots=True)
class PastedPeople:
    """People found in pasted text, each once, and entries without exactly one person (path: number of the entry)."""

    person_ids: Sequence[int]
    problems: Sequence[Problem]


@transaction.atomic
def create_static_list(
    name: Any, by: Any, *, description: Any = "", folder: Folder | None = None, owner: Any = MAKER
) -> StaticList:
    """Create an empty list. Without an `owner` its creator owns it; with None it has no owner.

    Raises `RejectedError` (`missing_value`, `name_taken`, …), `NotAllowedError`.
    """
    require_permission(by, ADD_STATICLIST)
    static_list = StaticList(
        name=naming.parse_name(name),
        description=naming.parse_description(description),
        folder=folder,
        created_by=by,
        owner=owner_of(by, owner),
    )
    _save(static_list)
    audit.write_audit_entry(by, static_list, "created")
    return static_list


@transaction.atomic
def change_static_list(static_list: StaticList, by: Any, **changes: Any) -> StaticList:
    """Change `name`, `description`, `folder` or `owner`; rules and programs keep using the list.

    Raises `RejectedError` (`unknown_list`, `name_taken`, …), `NotAllowedError`, TypeError for anything else.
    """
    require_permission(by, CHANGE)
    static_list = _lock(static_list)
    checks = {
        "name": naming.parse_name,
        "description": naming.parse_description,
        "folder": lambda folder: folder,
        "owner": lambda owner: owner,
    }
    if unknown := changes.keys() - checks.keys():
        raise TypeError(f"a static list has no {', '.join(unknown)} to change")
    changed = {
        field: new for field, raw in changes.items() if (new := checks[field](raw)) != getattr(static_list, field)
    }
    if changed:
        for field, new in changed.items():
            setattr(static_list, field, new)
        _save(static_list, update_fields=[*changed, "updated_at"])
        audit.write_audit_entry(by, static_list, "changed", what=", ".join(sorted(changed)))
    return static_list


def archive_static_list(static_list: StaticList, by: Any) -> StaticList:
    """Archive the list: hidden from pickers and from the page of lists; its members and uses stay."""
    return _ARCHIVED.set_to(static_list, by, True)


def unarchive_static_list(static_list: StaticList, by: Any) -> StaticList:
    """Unarchive the list."""
    return _ARCHIVED.set_to(static_list, by, False)


@transaction.atomic
def delete_static_list(static_list: StaticList, by: Any) -> None:
    """Delete the list; its people stay. Raises `RejectedError` (`in_use`, naming the users), `NotAllowedError`."""
    require_permission(by, DELETE_STATICLIST)
    static_list = _lock(static_list)
    references.refuse_if_used(static_list)
    audit.write_audit_entry(by, static_list, "deleted")
    static_list.delete()


@transaction.atomic
def add_members(
    static_list: StaticList, person_ids: Sequence[Any], source: Source, *, follow_merges: bool = True
) -> list[Membership]:
    """Add people to the list; one outcome an id, in order. Adding a member again changes nothing.

    A merged person's id means the winner unless `follow_merges` is false. New members are published as an event.
    Raises `RejectedError` (`unknown_list`) and ValueError over 10,000 ids.
    """
    resolved_ids = _lock_people(person_ids, follow_merges)
    name = _lock_shared(static_list)
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into static_list_member (static_list_id, person_id, door, user_id, origin_id)
            select %s, id, %s, %s, %s from unnest(%s::int[]) as p (id) order by id
            on conflict do nothing returning person_id""",
            [static_list.pk, int(source.channel), source.user_id, source.origin_id, sorted(set(resolved_ids.values()))],
        )
        added_ids = [person_id for (person_id,) in cursor.fetchall()]
    if added_ids:
        events.publish_event(events.JoinedList(static_list.pk, name, added_ids), source)
    return _outcomes(person_ids, resolved_ids, set(added_ids), Membership.ADDED, Membership.ALREADY)


@transaction.atomic
def remove_members(
    static_list: StaticList, person_ids: Sequence[Any], source: Source, *, follow_merges: bool = True
) -> list[Membership]:
    """Remove people from the list, like `add_members`; one outcome an id, in order. Removed members are published."""
    resolved_ids = _lock_people(person_ids, follow_merges)
    name = _lock_shared(static_list)
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from static_list_member where static_list_id = %s and person_id = any(%s) returning person_id",
            [static_list.pk, sorted(set(resolved_ids.values()))],
        )
        removed_ids = [person_id for (person_id,) in cursor.fetchall()]
    if removed_ids:
        events.publish_event(events.LeftList(static_list.pk, name, removed_ids), source)
    return _outcomes(person_ids, resolved_ids, set(removed_ids), Membership.REMOVED, Membership.ABSENT)


def add_all_members(static_list: StaticList, person_ids: Iterable[int], source: Source) -> int:
    """Add any number of people to the list, one transaction for each 10,000; return the number added."""
    return sum(add_members(static_list, batch, source).count(Membership.ADDED) for batch in _batches(person_ids))


def remove_all_members(static_list: StaticList, person_ids: Iterable[int], source: Source) -> int:
    """Remove any number of people from the list, like `add_all_members`; return the number removed."""
    return sum(remove_members(static_list, batch, source).count(Membership.REMOVED) for batch in _batches(person_ids))


def static_list_size(static_list: StaticList) -> int:
    """The exact number of people on the list, from its stored counts."""
    counts = StaticListCount.objects.filter(static_list_id=static_list.pk)
    return counts.aggregate(people=Sum("people"))["people"] or 0


def miscounted_lists() -> list[tuple[int, int, int]]:
    """Lists with a wrong stored count: (id, stored, recounted). Reads every membership."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select l.id, coalesce(k.people, 0)::bigint, coalesce(m.people, 0) from static_list l
            left join (select static_list_id, sum(people) as people from static_list_count group by 1) k
                on k.static_list_id = l.id
            left join (select static_list_id, count(*) as people from static_list_member group by 1) m
                on m.static_list_id = l.id
            where coalesce(k.people, 0) <> coalesce(m.people, 0) order by 1"""
        )
        return cursor.fetchall()


def sum_up_list_counts() -> None:
    """Sum up the count rows of each list into one; readers see the same sum before and after."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with noted as (delete from static_list_count returning static_list_id, people)
            insert into static_list_count (static_list_id, people)
            select static_list_id, sum(people) from noted
            where static_list_id in (select id from static_list) group by 1 having sum(people) <> 0"""
        )


def find_pasted_people(text: str) -> PastedPeople:
    """Find people in pasted text by id or e-mail address, with any separators.

    `Ann <ann@example.com>` is understood. Raises `RejectedError` (`too_many`) beyond 10,000 entries.
    """
    entries = list(islice(_entries(text), MAX_PASTED + 1))
    if len(entries) > MAX_PASTED:
        raise RejectedError(Problem(Code.TOO_MANY, _("At most 10,000 people can be pasted at once."), ("people",)))
    ids = people_lookup.person_ids_by_id({int(entry) for entry in entries if datatype_keys.is_id(entry)})
    emails = people_lookup.person_ids_by_field("email", [entry for entry in entries if "@" in entry])
    person_ids: dict[int, None] = {}
    problems = []
    for number, entry in enumerate(entries):
        matches = emails.get(datatype_keys.key_of(entry), []) if "@" in entry else _by_number(entry, ids)
        if len(matches) == 1:
            person_ids[matches[0]] = None
        else:
            problems.append(_match_problem(entry, matches, number))
    return PastedPeople(list(person_ids), problems)


_FIELDS = re.compile(r"[,;\t\r\n\x0b\x0c\x85\u2028\u2029]+")
_WORDS = re.compile(r"[\s<>\"()\0]+")


def _entries(text: str) -> Iterator[str]:
    """Yield ids and e-mail addresses. Other words beside an e-mail address are a name and are skipped."""
    for field in _FIELDS.split(text):
        words = [word for word in _WORDS.split(field) if word]
        is_named = any("@" in word for word in words) and not all(
            "@" in word or datatype_keys.is_id(word) for word in words
        )
        yield from [word for word in words if "@" in word] if is_named else words


def _by_number(entry: str, ids: dict[int, int]) -> list[int]:
    person_id = ids.get(int(entry)) if datatype_keys.is_id(entry) else None
    return [] if person_id is None else [person_id]


def _match_problem(entry: str, matches: Sequence[int], number: int) -> Problem:
    if matches:
        message = _("%(count)s people share “%(value)s”; choose by id") % {"count": len(matches), "value": entry[:80]}
        return Problem(Code.AMBIGUOUS_PERSON, message, (number,))
    return bad_value(Code.UNKNOWN_PERSON, _("the id or email address of an existing person"), entry, number)


def _batches(person_ids: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(person_ids)
    return iter(lambda: list(islice(remaining, MAX_BATCH)), [])


def _save(static_list: StaticList, **options: Any) -> None:
    message = _("There is already a static list “%(name)s”.") % {"name": static_list.name}
    with naming.refuse_taken_name("static_list_name_is_unique", message):
        static_list.save(**options)


def _lock(static_list: StaticList) -> StaticList:
    locked = StaticList.objects.select_for_update().filter(pk=static_list.pk).first()
    if locked is None:
        raise _unknown_list()
    return locked


_ARCHIVED = Switch(CHANGE, _lock, ("archived", "unarchived"), "is_archived", is_revised=False)


def _lock_shared(static_list: StaticList) -> str:
    """Lock the list against deletion until the transaction ends, and return its name."""
    with connection.cursor() as cursor:
        cursor.execute("select name from static_list where id = %s for key share", [static_list.pk])
        row = cursor.fetchone()
    if row is None:
        raise _unknown_list()
    return row[0]


def _unknown_list() -> RejectedError:
    return RejectedError(Problem(Code.UNKNOWN_LIST, _("This static list does not exist any more."), ("static_list",)))


def _lock_people(person_ids: Sequence[Any], follow_merges: bool) -> dict[int, int]:
    """Look up the ids; none of the people can be deleted or merged until the transaction ends."""
    if len(person_ids) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} people in one transaction")
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    return people_lookup.person_ids_by_id(
        {int(person_id) for person_id in person_ids if datatype_keys.is_id(person_id)}, follow_merges=follow_merges
    )


def _outcomes(
    person_ids: Sequence[Any], resolved_ids: dict[int, int], moved: set[int], changed: Membership, unchanged: Membership
) -> list[Membership]:
    outcomes = []
    for raw_id in person_ids:
        person_id = resolved_ids.get(int(raw_id)) if datatype_keys.is_id(raw_id) else None
        if person_id is None:
            outcomes.append(Membership.UNKNOWN)
        else:
            outcomes.append(changed if person_id in moved else unchanged)
            moved.discard(person_id)
    return outcomes
