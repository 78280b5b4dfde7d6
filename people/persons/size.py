"""How many people there are: kept by triggers, so that no page counts them and none is wrong."""

from django.db import connection
from django.db.models import Sum

from people.models import Person, PersonCount


def size() -> int:
    """How many people are live, exactly, in what the transaction sees."""
    return PersonCount.objects.aggregate(people=Sum("people"))["people"] or 0


def difference() -> int:
    """By how much what is kept differs from a recount, which reads everybody; 0 unless something is wrong."""
    with connection.cursor() as cursor:  # one statement: others add people between two
        cursor.execute(
            """select coalesce((select sum(people) from person_count), 0)::bigint
            - (select count(*) from person where state = %s)""",
            [Person.State.LIVE],
        )
        return int(cursor.fetchone()[0])


def add_up() -> None:
    """Make one row of all that was noted; readers see the same sum before and after."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with noted as (delete from person_count returning people)
            insert into person_count (people) select sum(people) from noted having sum(people) <> 0"""
        )
