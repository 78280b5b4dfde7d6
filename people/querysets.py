"""Query sets of people and of their fields, lists, objects, deletions and merges."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self, TypeVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
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
FOUND_BY = ("email", "first_name", "middle_name", "last_name", "company")  # one index of words covers all of them
# NEAREST: people read first in a search for words. ENOUGH: matches among them that make a walk worthwhile.
# NAMED: the most ids that a condition lists otherwise.
NEAREST, ENOUGH, NAMED = 500, 10, 1_000


def person_words(person: str = "", *, is_indexed: bool = True) -> Any:
    """The words of a person's names, e-mail and company: as indexed by `person_words`, or computed from each row."""
    columns = (F(f"{person}{name}") for name in FOUND_BY)
    person_vector = Func(*columns, function="person_words", output_field=SearchVectorField())
    return person_vector if is_indexed else Coalesce(person_vector, Value("", output_field=SearchVectorField()))


def _filter_for_page(rows: Any, text: str, person: str, nearest: Q, column: str) -> Any:
    """Filter `rows` to those whose `person` matches `text`, in the form that reads one page fastest.

    With many matches, a page is full after a walk past a few people. With few, the walk would compute the words of
    all people, so all matches are read from the index first. The number of matches among the `nearest` people decides:
    PostgreSQL's own estimate for two words, or for a prefix, is too inaccurate.
    """
    walked = words.filter_by_word_vector(rows, text, person_words(person, is_indexed=False))
    if len(walked.filter(nearest).order_by()[:ENOUGH].values_list(column)) == ENOUGH:
        return walked
    matches = words.filter_by_word_vector(rows, text, person_words(person)).order_by().values(column)
    try:
        sql, parameters = matches.query.sql_with_params()
    except EmptyResultSet:
        return walked
    indexed = f"with matches as materialized ({sql}) select * from matches"
    with connections[matches.db].cursor() as cursor:
        cursor.execute(f"{indexed} limit {NAMED + 1}", parameters)
        ids = [person_id for (person_id,) in cursor.fetchall()]
    return rows.filter(**{f"{column}__in": ids if len(ids) <= NAMED else RawSQL(indexed, parameters)})


class PersonQuerySet(models.QuerySet[M]):
    def live(self) -> Self:
        """People shown on lists and pages: not deleted, merged or erased."""
        return self.filter(state="live")

    def beginning_with(self, text: str) -> Self:
        """People for whom every word of `text` is a prefix of a word of the e-mail, a name or the company."""
        return words.filter_by_word_vector(self, text, person_words())

    def newest_beginning_with(self, text: str) -> Self:
        """The same people as `beginning_with`, for a page sorted by the newest first."""
        if not text.strip():
            return self
        newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
        return _filter_for_page(self, text, "", Q(pk__gt=newest - NEAREST), "pk")

    def with_email(self, emails: Iterable[str]) -> Self:
        """People whose e-mail is one of `emails`, ignoring case."""
        return self.alias(email_lower=Lower("email")).filter(email_lower__in=[email.lower() for email in emails])


class PersonFieldQuerySet(models.QuerySet[M]):
    def custom(self) -> Self:
        return self.filter(is_standard=False)

    def visible(self) -> Self:
        return self.filter(is_hidden=False)


class StaticListQuerySet(models.QuerySet[M]):
    def unarchived(self) -> Self:
        """Lists that are not archived."""
        return self.filter(is_archived=False)

    def of_person(self, person_id: int) -> Self:
        return self.filter(members__person_id=person_id)


class StaticListMemberQuerySet(models.QuerySet[M]):
    def of_list(self, static_list_id: int) -> Self:
        """Members of the list, sorted by person id; never deleted, merged or erased people."""
        return self.filter(static_list_id=static_list_id).order_by("person_id")

    def beginning_with(self, text: str) -> Self:
        """Members that `PersonQuerySet.beginning_with` matches, for a page of one list sorted by person id."""
        if not text.strip():
            return self
        ids_in_order = self.order_by("person_id").values_list("person_id", flat=True)
        last = next(iter(ids_in_order[NEAREST : NEAREST + 1]), MAX_ID)
        # repeated for the person: the planner does not derive it from the join
        return _filter_for_page(self, text, "person__", Q(person_id__lt=last, person__id__lt=last), "person_id")


class PersonDeletionQuerySet(models.QuerySet[M]):
    def restorable(self) -> Self:
        """Deletions that can still be undone, the latest first."""
        since = timezone.now() - timedelta(days=settings.PEOPLE_RESTORE_DAYS)
        return self.filter(deleted_at__gt=since).order_by("-deleted_at", "-person_id")


class PersonMergeQuerySet(models.QuerySet[M]):
    def of_people(self, person_ids: Iterable[int]) -> Self:
        """Merges, undone ones included, with one of the people as winner or loser."""
        ids = list(person_ids)
        return self.filter(Q(winner__in=ids) | Q(loser_ids__overlap=ids))

    def standing(self) -> Self:
        """Merges that are not undone, the latest first."""
        return self.filter(undone_at__isnull=True).order_by("-merged_at", "-pk")


class ObjectLinkManager(models.Manager[M]):
    """Links of types that are not deleted: a deleted one uses nothing."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().filter(object_type__deleted_at__isnull=True)


def record_words() -> Func:
    """The words of all values of an object record, as indexed by `object_record_words`."""
    return Func(F("fields"), function="object_words", output_field=SearchVectorField())


def record_date_keys() -> Func:
    """The dates among the values of an object record, as keys that `people.objects.dates` names; indexed."""
    keys = ArrayField(models.TextField())
    return Func(F("object_type"), F("fields"), function="object_date_keys", output_field=keys)


def waits_for_link() -> Q:
    """The condition on a record that is not deleted that one of its links waits; that of the index, too."""
    person = Q(person_id__isnull=True, person_key__isnull=False)
    return person | Q(linked__isnull=True, linked_key__isnull=False)


class ObjectRecordQuerySet(models.QuerySet[M]):
    def existing(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def of_person(self, person_id: int) -> Self:
        return self.filter(person_id=person_id)

    def waiting(self) -> Self:
        """Existing records with a link that has no match yet."""
        return self.existing().filter(waits_for_link())

    def beginning_with(self, text: str) -> Self:
        """Records for which every word of `text` is a prefix of a word of a value."""
        return words.filter_by_word_vector(self, text, record_words())
