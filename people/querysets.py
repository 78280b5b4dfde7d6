"""Named reads of people and what describes them."""

from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from people.datatypes.canonical import text_key

M = TypeVar("M", bound=models.Model)

SEARCHED = ("email", "first_name", "last_name", "company")  # each has an index on its lower case
MAX_WORDS = 5
MAX_ID = 2**31 - 1
# people looked at first where several words are searched for; how many of them have to be found for that to do; and
# how many are named at most otherwise
NEAREST, ENOUGH, NAMED = 20_000, 100, 10_000


def _beginning_with(rows: Any, text: str, person: str = "") -> Any:
    words = text_key(text.replace("\0", " ")).split()[:MAX_WORDS]
    if words:
        rows = rows.alias(**{f"lower_{name}": Lower(f"{person}{name}") for name in SEARCHED})
    for word in words:
        rows = rows.filter(reduce(or_, (Q(**{f"lower_{name}__startswith": word}) for name in SEARCHED)))
    return rows


def _few(found: Any, nearest: Any, column: str) -> list[int] | None:
    """The ids of all who are `found`, or None where the page finds its rows by walking to them.

    Where several words are each frequent but seldom together, PostgreSQL would walk through everybody. So the `nearest`
    are looked at first; when too few of them are found, all are named, unless they are many. Where the nearest end is a
    value, not a subquery: of that PostgreSQL would guess that a third of all are near, and read the table whole.
    """
    if len(nearest.order_by()[:ENOUGH].values_list(column)) == ENOUGH:
        return None
    sql, parameters = found.order_by().values(column).query.sql_with_params()
    with connections[found.db].cursor() as cursor:
        cursor.execute(f"with found as materialized ({sql}) select * from found limit {NAMED + 1}", parameters)
        ids = [person_id for (person_id,) in cursor.fetchall()]
    return None if len(ids) > NAMED else ids


class PersonQuerySet(models.QuerySet[M]):
    def live(self) -> Self:
        """People who are on lists and pages: neither deleted, merged nor erased."""
        return self.filter(state="live")

    def beginning_with(self, text: str) -> Self:
        """People of whom every word of `text` begins the e-mail, a name or the company; on the lower-case indexes."""
        return _beginning_with(self, text)

    def newest_beginning_with(self, text: str) -> Self:
        """The same people as `beginning_with`, for a page that begins with the newest."""
        found = self.beginning_with(text)
        if len(text.split()) < 2:
            return found
        newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
        ids = _few(found, found.filter(pk__gt=newest - NEAREST), "pk")
        return found if ids is None else self.filter(pk__in=ids)

    def with_email(self, emails: Iterable[str]) -> Self:
        """People whose e-mail is one of `emails`, compared without case."""
        return self.alias(email_lower=Lower("email")).filter(email_lower__in=[email.lower() for email in emails])


class PersonFieldQuerySet(models.QuerySet[M]):
    def custom(self) -> Self:
        return self.filter(is_standard=False)

    def shown(self) -> Self:
        return self.filter(is_hidden=False)


class StaticListQuerySet(models.QuerySet[M]):
    def shown(self) -> Self:
        """Lists that are not put away."""
        return self.filter(is_archived=False)

    def of_person(self, person_id: int) -> Self:
        return self.filter(members__person_id=person_id)


class StaticListMemberQuerySet(models.QuerySet[M]):
    def of_list(self, static_list_id: int) -> Self:
        """Who is on the list, by person id: never somebody deleted, merged or erased."""
        return self.filter(static_list_id=static_list_id).order_by("person_id")

    def beginning_with(self, text: str) -> Self:
        """Members whom `PersonQuerySet.beginning_with` would find, for a page of one list by person id."""
        found = _beginning_with(self, text, "person__")
        if len(text.split()) < 2:
            return found
        ids_in_order = self.order_by("person_id").values_list("person_id", flat=True)
        last = next(iter(ids_in_order[NEAREST : NEAREST + 1]), MAX_ID)
        # said of the person, too: the planner does not conclude it from what joins the two
        ids = _few(found, found.filter(person_id__lt=last, person__id__lt=last), "person_id")
        return found if ids is None else self.filter(person_id__in=ids)


class PersonDeletionQuerySet(models.QuerySet[M]):
    def restorable(self) -> Self:
        """Deletions that can still be taken back, the latest first."""
        since = timezone.now() - timedelta(days=settings.PEOPLE_RESTORE_DAYS)
        return self.filter(deleted_at__gt=since).order_by("-deleted_at", "-person_id")


class PersonMergeQuerySet(models.QuerySet[M]):
    def of_people(self, person_ids: Iterable[int]) -> Self:
        """Merges, undone ones included, in which one of the people took part."""
        ids = list(person_ids)
        return self.filter(Q(winner__in=ids) | Q(loser_ids__overlap=ids))

    def standing(self) -> Self:
        """Merges that were not undone, the latest first."""
        return self.filter(undone_at__isnull=True).order_by("-merged_at", "-pk")
