"""Named reads of people and what describes them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self, TypeVar

from django.conf import settings
from django.contrib.postgres.search import SearchVectorField
from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from people.core import words
from people.datatypes.keys import MAX_ID

M = TypeVar("M", bound=models.Model)

SEARCHED = ("email", "first_name", "last_name", "company")  # each has an index on its lower case
FOUND_BY = ("email", "first_name", "middle_name", "last_name", "company")  # together they have an index of their words
# people looked at first where words are searched for; how many of them have to be found for that to do; and how many
# are named at most otherwise
NEAREST, ENOUGH, NAMED = 500, 10, 1_000


def person_words(person: str = "", *, is_indexed: bool = True) -> Any:
    """The words of a person's names, e-mail and company: as the index `person_words` has them, or cut from each row."""
    columns = (F(f"{person}{name}") for name in FOUND_BY)
    found = Func(*columns, function="person_words", output_field=SearchVectorField())
    return found if is_indexed else Coalesce(found, Value("", output_field=SearchVectorField()))


def _quickly(rows: Any, text: str, person: str, nearest: Q, column: str) -> Any:
    """Those of `rows` whose `person` is found by `text`, in the form in which a page of them is read quickly.

    Where a search finds many, a page is full after a walk past a few people; elsewhere the walk would cut the words of
    everybody, so that all who are found are read off the index first. Which it is, the `nearest` people say:
    PostgreSQL's own guess of how many have two words, or begin so, is worth little.
    """
    walked = words.with_words(rows, text, person_words(person, is_indexed=False))
    if len(walked.filter(nearest).order_by()[:ENOUGH].values_list(column)) == ENOUGH:
        return walked
    found = words.with_words(rows, text, person_words(person)).order_by().values(column)
    try:
        sql, parameters = found.query.sql_with_params()
    except EmptyResultSet:
        return walked
    indexed = f"with found as materialized ({sql}) select * from found"
    with connections[found.db].cursor() as cursor:
        cursor.execute(f"{indexed} limit {NAMED + 1}", parameters)
        ids = [person_id for (person_id,) in cursor.fetchall()]
    return rows.filter(**{f"{column}__in": ids if len(ids) <= NAMED else RawSQL(indexed, parameters)})


class PersonQuerySet(models.QuerySet[M]):
    def live(self) -> Self:
        """People who are on lists and pages: neither deleted, merged nor erased."""
        return self.filter(state="live")

    def beginning_with(self, text: str) -> Self:
        """People of whom every word of `text` begins a word of the e-mail, a name or the company."""
        return words.with_words(self, text, person_words())

    def newest_beginning_with(self, text: str) -> Self:
        """The same people as `beginning_with`, for a page that begins with the newest."""
        if not text.strip():
            return self
        newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
        return _quickly(self, text, "", Q(pk__gt=newest - NEAREST), "pk")

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
        if not text.strip():
            return self
        ids_in_order = self.order_by("person_id").values_list("person_id", flat=True)
        last = next(iter(ids_in_order[NEAREST : NEAREST + 1]), MAX_ID)
        # said of the person, too: the planner does not conclude it from what joins the two
        return _quickly(self, text, "person__", Q(person_id__lt=last, person__id__lt=last), "person_id")


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
