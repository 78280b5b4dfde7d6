"""People who may be the same: found by a job for everybody, and at once for one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from people.core import jobs
from people.core.db import locks
from people.core.permissions import require
from people.models import DuplicateGroup, Person

SHOWN_IDS = 26  # a winner and as many losers as one merge takes
GROUPS_KEPT = 10_000  # of each kind


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to suspect: SQL that yields the key, or keys, by which people are alike."""

    label: str | Promise
    keys: str


_NAME = "regexp_replace(lower({}), '[[:space:][:punct:]]+', '', 'g')"
_DIGITS = "right(regexp_replace({}, '[^0-9]', '', 'g'), 9)"
KINDS: dict[str, Kind] = {
    "email": Kind(_("Same e-mail"), "select lower(p.email) as key"),
    # national or international, mobile or not: the last nine digits tell
    "phone": Kind(
        _("Same phone"),
        f"""select distinct n.key from (values ({_DIGITS.format("p.phone")}),
        ({_DIGITS.format("p.mobile_phone")})) as n (key) where length(n.key) >= 7""",
    ),
    "name": Kind(
        _("Same name and company"),
        f"""select {_NAME.format("p.first_name || ' ' || p.last_name")} || ' @ ' ||
        {_NAME.format("p.company")} as key""",
    ),
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Somebody who may be the same person, and by what."""

    person: Person
    kinds: Sequence[str]

    @property
    def labels(self) -> list[str]:
        return [str(KINDS[kind].label) for kind in self.kinds]


@transaction.atomic
def search() -> int:
    """Look through all live people anew; return how many groups were found. For a job: minutes at most."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists pg_temp.found")
        cursor.execute("create temporary table found (kind text, ids int[], people int) on commit drop")
        for kind, how in KINDS.items():
            cursor.execute(
                f"""insert into found select %s, (array_agg(id order by id))[1:{SHOWN_IDS}], count(*) from (
                    select p.id, k.key from person p, lateral ({how.keys}) k
                    where p.state = 'live' and k.key is not null) alike
                group by key having count(*) > 1 order by count(*) desc, min(id) limit {GROUPS_KEPT}""",
                [kind],
            )
        # from here on nobody is erased: who was so meanwhile is not written down
        locks.share([locks.key(locks.Space.PEOPLE)])
        cursor.execute("delete from duplicate_group")
        cursor.execute(
            """insert into duplicate_group (kind, person_ids, people, found_at)
            select kind, ids, people, %s from found where not exists (
                select from unnest(ids) as i (id) join person p using (id) where p.state <> 'live')""",
            [now],
        )
        return cursor.rowcount


def request_search(by: Any) -> None:
    """Queue a search for duplicates among all people. Raises `NotAllowedError`."""
    require(by, "people.merge_person")
    jobs.defer_once("people.search_duplicates", queueing_lock="people.search_duplicates")


def groups(kind: str) -> QuerySet[DuplicateGroup]:
    """What the last search found, the largest groups first; people gone since are still counted."""
    return DuplicateGroup.objects.filter(kind=kind).order_by("-people", "pk")


def of_person(person: Person) -> list[Suspicion]:
    """Live people with the same e-mail, or the same name at the same company; quick: by indexes."""
    found: dict[int, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """select id, 'email' from person where lower(email) = lower(%(email)s) and state = 'live' and id <> %(id)s
            union all select id, 'name' from person where lower(last_name) = lower(%(last)s)
                and lower(first_name) = lower(%(first)s) and lower(company) = lower(%(company)s)
                and state = 'live' and id <> %(id)s
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
            found.setdefault(pk, []).append(kind)
    people = Person.objects.in_bulk(list(found))
    return [Suspicion(people[pk], kinds) for pk, kinds in found.items() if pk in people]
