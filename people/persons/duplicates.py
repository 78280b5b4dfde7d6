"""Duplicate candidates: a job searches all people, and one person is searched at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.models import DifferentPeople, DuplicateGroup, DuplicateSearch, Person, SuggestedPair
from people.persons.suggested_pairs import forget_pairs_among, forget_settled_pairs
from people.rights import MERGE_PERSON

SHOWN_IDS = 26  # a winner and as many losers as one merge takes
GROUPS_KEPT = 10_000  # of each kind
STALE = timedelta(hours=25)  # people are searched every night
LOST = timedelta(minutes=15)  # a search requested longer ago than this is requested again

audit.register_actions({"told_apart": (2, gettext_lazy("Marked as not the same as people %(others)s"))})


@dataclass(frozen=True, slots=True)
class DuplicateKind:
    """One criterion of likeness: SQL that yields `id` and `key` of live people; alike people share a key."""

    label: str | Promise
    rows: str


def _by_values(keys: str) -> str:
    """The rows of a criterion by a person's own values: `keys` yields the keys of the person `p`."""
    return f"select p.id, k.key from person p, lateral ({keys}) k where p.state = 'live'"


_NAME = "regexp_replace(lower({}), '[[:space:][:punct:]]+', '', 'g')"
_DIGITS = "right(regexp_replace({}, '[^0-9]', '', 'g'), 9)"
KINDS: dict[str, DuplicateKind] = {
    "email": DuplicateKind(gettext_lazy("Same email"), _by_values("select lower(p.email) as key")),
    # national or international, mobile or not: the last nine digits are compared
    "phone": DuplicateKind(
        gettext_lazy("Same phone"),
        _by_values(
            f"""select distinct n.key from (values ({_DIGITS.format("p.phone")}),
            ({_DIGITS.format("p.mobile_phone")})) as n (key) where length(n.key) >= 7"""
        ),
    ),
    "name": DuplicateKind(
        gettext_lazy("Same name and company"),
        _by_values(
            f"""select {_NAME.format("p.first_name || ' ' || p.last_name")} || ' @ ' ||
            {_NAME.format("p.company")} as key"""
        ),
    ),
    "program": DuplicateKind(
        gettext_lazy("Same, says a program"),
        # from the pairs, which are few: nothing is looked up for people without one
        """select p.id, s.id::text as key from suggested_pair s, lateral (values (s.person_id), (s.other_id)) as o (id)
        join person p using (id) where p.state = 'live'""",
    ),
}


@dataclass(frozen=True, slots=True)
class PossibleDuplicate:
    """A possible duplicate of a person, and the criteria."""

    person: Person
    kinds: Sequence[str]

    @property
    def labels(self) -> list[str]:
        return [str(KINDS[kind].label) for kind in self.kinds]


# a group with all pairs marked as different people; never true for groups too large to be stored whole
_ALL_DIFFERENT = """(select count(*) from different_people d where d.person_id = any({ids}) and d.other_id = any({ids}))
    >= {people}::bigint * ({people} - 1) / 2"""


@transaction.atomic
def search_duplicates() -> int:
    """Search all live people; return the number of groups. For a job: takes minutes at most.

    Groups of people who are all marked as different are left out.
    """
    now = timezone.now()
    forget_settled_pairs()
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists pg_temp.candidates")
        cursor.execute("create temporary table candidates (kind text, ids int[], people int) on commit drop")
        for kind, how in KINDS.items():
            cursor.execute(
                f"""insert into candidates select %s, (array_agg(id order by id))[1:{SHOWN_IDS}], count(*) from (
                    select r.id, r.key from ({how.rows}) r where r.key is not null) alike
                group by key having count(*) > 1 order by count(*) desc, min(id) limit {GROUPS_KEPT}""",
                [kind],
            )
        # no person is erased from here on; people erased meanwhile are left out
        locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
        cursor.execute("delete from duplicate_group")
        cursor.execute(
            f"""insert into duplicate_group (kind, person_ids, people, found_at)
            select kind, ids, people, %s from candidates where not exists (
                select from unnest(ids) as i (id) join person p using (id) where p.state <> 'live')
                and not ({_ALL_DIFFERENT.format(ids="ids", people="people")})""",
            [now],
        )
        group_count = cursor.rowcount
    DuplicateSearch.objects.update_or_create(pk=1, defaults={"done_at": timezone.now(), "asked_at": None})
    return group_count


def request_duplicate_search(by: Any) -> None:
    """Queue a search for duplicates among all people. Raises `NotAllowedError`."""
    require_permission(by, MERGE_PERSON)
    DuplicateSearch.objects.update_or_create(pk=1, defaults={"asked_at": timezone.now()})
    jobs.defer_job_once("people.search_duplicates", queueing_lock="people.search_duplicates")


def last_duplicate_search(by: Any) -> DuplicateSearch:
    """The times of the last search; a new one is queued if it is older than `STALE`.

    Raises `NotAllowedError`.
    """
    last = DuplicateSearch.objects.filter(pk=1).first() or DuplicateSearch()
    now = timezone.now()
    is_old = last.done_at is None or last.done_at < now - STALE
    if is_old and (last.asked_at is None or last.asked_at < now - LOST):
        request_duplicate_search(by)
        last.asked_at = now
    return last


def duplicate_group_counts() -> dict[str, int]:
    """The number of groups of each kind in the last search."""
    group_counts = dict(DuplicateGroup.objects.values_list("kind").annotate(Count("pk")).order_by())
    return {kind: group_counts.get(kind, 0) for kind in KINDS}


@transaction.atomic
def mark_as_different(person_ids: Sequence[int], by: Any) -> int:
    """Mark the people as different from each other; return the number of pairs.

    No search reports these pairs again, whatever values they share. Raises `NotAllowedError`, and `RejectedError` for
    fewer than two live people (`missing_value`) or more than a group shows (`out_of_range`).
    """
    require_permission(by, MERGE_PERSON)
    if len(person_ids) > SHOWN_IDS:
        message = _("At most %(limit)s people can be marked as different at once.") % {"limit": SHOWN_IDS}
        raise RejectedError(Problem(Code.OUT_OF_RANGE, message, ("people",), str(SHOWN_IDS), str(len(person_ids))))
    locks.acquire_shared(
        [locks.lock_key(locks.LockSpace.PEOPLE)]
    )  # none of them is merged, deleted or erased from here on
    people = list(Person.objects.live().filter(pk__in=person_ids).order_by("pk"))
    if len(people) < 2:
        raise RejectedError(
            Problem(Code.MISSING_VALUE, _("Enter two or more people who are not the same."), ("people",))
        )
    pairs = [DifferentPeople(person=first, other=second, user=by) for first, second in combinations(people, 2)]
    DifferentPeople.objects.bulk_create(pairs, ignore_conflicts=True)
    forget_pairs_among([person.pk for person in people])
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from duplicate_group g
            where g.person_ids && %(ids)s::int[] and g.people <= %(most)s and not exists (
                select from unnest(g.person_ids) as i (id) join person p using (id)
                where p.state = 'live' and p.id <> all(%(ids)s::int[]))""",
            {"ids": [person.pk for person in people], "most": SHOWN_IDS},
        )
    for person in people:
        others = ", ".join(str(other.pk) for other in people if other != person)
        audit.write_audit_entry(by, person, "told_apart", others=others)
    return len(pairs)


@transaction.atomic
def suggest_pair(person_id: int, other_id: int) -> bool:
    """Propose two people whom a program called the same, at once and after each search; return True if that is new.

    No people are merged. Not for people who were marked as different, and not while `GROUPS_KEPT` pairs wait for a
    decision: a pair goes when its people are merged or marked as different.
    """
    first, second = sorted((person_id, other_id))
    apart = DifferentPeople.objects.filter(person=first, other=second).exists()
    if first == second or apart or SuggestedPair.objects.all()[: GROUPS_KEPT + 1].count() >= GROUPS_KEPT:
        return False
    _pair, is_new = SuggestedPair.objects.get_or_create(person_id=first, other_id=second)
    if is_new:
        group = {"person_ids": [first, second], "people": 2, "found_at": timezone.now()}
        DuplicateGroup.objects.create(kind="program", **group)
    return is_new


def duplicate_groups(kind: str) -> QuerySet[DuplicateGroup]:
    """The groups of the last search, the largest first; people deleted since are still counted."""
    return DuplicateGroup.objects.filter(kind=kind).order_by("-people", "pk")


def duplicates_of_person(person: Person) -> list[PossibleDuplicate]:
    """Live people with the same e-mail, or the same name and company, or called the same; fast, by indexes."""
    kinds_by_id: dict[int, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """select id, kind from (
                select id, 'email' as kind from person
                where lower(email) = lower(%(email)s) and state = 'live' and id <> %(id)s
                union all select id, 'name' from person where lower(last_name) = lower(%(last)s)
                    and lower(first_name) = lower(%(first)s) and lower(company) = lower(%(company)s)
                    and state = 'live' and id <> %(id)s
                union all select p.id, 'program' from suggested_pair s
                    join person p on p.id in (s.person_id, s.other_id) and p.id <> %(id)s and p.state = 'live'
                    where %(id)s in (s.person_id, s.other_id)) alike
            where not exists (select from different_people d where d.person_id = least(alike.id, %(id)s)
                              and d.other_id = greatest(alike.id, %(id)s))
            order by 1 limit 50""",
            {
                "email": person.email,
                "first": person.first_name,
                "last": person.last_name,
                "company": person.company,
                "id": person.pk,
            },
        )
        for pk, kind in cursor.fetchall():
            kinds_by_id.setdefault(pk, []).append(kind)
    people = Person.objects.in_bulk(list(kinds_by_id))
    return [PossibleDuplicate(people[pk], kinds) for pk, kinds in kinds_by_id.items() if pk in people]
