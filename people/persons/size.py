"""The number of people: kept by triggers, so that pages show it exactly without counting."""

from django.db import connection
from django.db.models import Sum

from people.models import Person, PersonCount


def people_count() -> int:
    """The exact number of live people, as visible to the transaction."""
    return PersonCount.objects.aggregate(people=Sum("people"))["people"] or 0


def people_count_difference() -> int:
    """The stored number minus a recount, which reads all people; 0 unless something is wrong."""
    with connection.cursor() as cursor:  # one statement: between two, other transactions may add people
        cursor.execute(
            """select coalesce((select sum(people) from person_count), 0)::bigint
            - (select count(*) from person where state = %s)""",
            [Person.State.LIVE],
        )
        return int(cursor.fetchone()[0])


def sum_up_people_counts() -> None:
    """Sum up all count rows into one; readers see the same sum before and after."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with noted as (delete from person_count returning people)
            insert into person_count (people) select sum(people) from noted having sum(people) <> 0"""
        )
