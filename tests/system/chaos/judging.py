"""Afterwards: the rows, compared with the answers."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from activities.log import reader as log_reader
from activities.log import rollup, verify
from activities.models import ActivityType, ActivityVersion, ApprovedField
from people.lists import static_lists
from people.models import Person
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.models import CampaignEntry, SmartCampaign
from smartlists.rules.parsing import parse_rules
from tests.system.chaos.clients import TYPE, Tally

CAMPAIGN = "Chaos"
LARGE = 100  # amounts that the campaign answers are above it

Stored = dict[str, tuple[int, int, int, bool]]  # external id: activity, person, amount, whether it is history


def judge(tally: Tally, imported: Sequence[str]) -> Iterator[str]:
    """Every fault that is found, as a sentence; nothing when the product kept its word."""
    type_id = ActivityType.objects.get(api_name=TYPE).pk
    stored = _stored(type_id)
    yield from tally.contradictions
    yield from _of_rows(tally, stored, type_id)
    yield from (f"imported row {key} is not there" for key in imported if key not in stored)
    yield from _of_reader(tally, type_id)
    yield from _of_types(tally)
    yield from _of_counts(type_id)
    yield from _of_campaign(type_id)


def start_campaign() -> None:
    """Start a campaign that raises the score by one for each activity with an amount above LARGE."""
    large = {"field": "amount", "operator": "greater than", "values": [str(LARGE)]}
    campaign_lifecycle.activate_campaign(
        campaign_lifecycle.create_campaign(
            CAMPAIGN,
            None,
            value={
                "triggers": [{"type": TYPE, "constraints": [large]}],
                "qualification": {"how": "every time"},
                "steps": [{"do": "change_field", "field": "person_score", "by": "1"}],
                "late_after_hours": None,
            },
        ),
        None,
    )


def campaign_tally() -> dict[str, int]:
    entries = _answers().filter(campaign__name=CAMPAIGN)
    scores = Person.objects.aggregate(sum=Sum("person_score"))["sum"] or 0
    return {"activities that a campaign answered": entries.count(), "points that it gave": scores}


def _answers() -> "QuerySet[CampaignEntry]":
    """Entries except those skipped as history."""
    return CampaignEntry.objects.exclude(reason="past").order_by()


def _of_campaign(type_id: int) -> Iterator[str]:
    """Exactly one effect for each activity that qualifies: entries and points, person by person."""
    campaign = SmartCampaign.objects.filter(name=CAMPAIGN).first()
    if campaign is None:
        return
    wanted = dict(
        fetch_rows(
            """select person_id, count(*) from activity where activity_type_id = %s
        and (attributes->>'amount')::numeric > %s and flags & 1 = 0 group by 1""",
            type_id,
            LARGE,
        )
    )
    points = dict(Person.objects.filter(person_score__gt=0).values_list("pk", "person_score"))
    entered = dict(_answers().filter(campaign=campaign).values_list("person_id").annotate(Count("pk")))
    for person in sorted({*wanted, *points, *entered}):
        numbers = wanted.get(person, 0), entered.get(person, 0), points.get(person, 0)
        if len(set(numbers)) > 1:
            yield "person {}: {} activities qualify, the campaign answered {} and gave {} points".format(
                person, *numbers
            )


def _stored(type_id: int) -> Stored:
    rows = fetch_rows(
        """select k.external_id, a.id, a.person_id, (a.attributes->>'amount')::numeric::int, a.flags & 1 = 1,
            count(*) over (partition by k.external_id)
        from activity_key k join activity a on a.id = k.activity_id and a.person_id = k.person_id
        where k.activity_type_id = %s and a.primary_value = k.external_id""",
        type_id,
    )
    assert all(times == 1 for *_columns, times in rows), "an external id has several activities"
    return {key: (pk, person, amount, is_history) for key, pk, person, amount, is_history, _times in rows}


def _of_rows(tally: Tally, stored: Stored, type_id: int) -> Iterator[str]:
    for key, row in tally.sent.items():
        there = stored.get(key)
        if row.id is not None and (there is None or there[0] != row.id):
            yield f"{key} was acknowledged as {row.id} and is {'not there' if there is None else there[0]}"
        if there is not None and (not row.is_good or there[1:] != (row.person, row.amount, row.is_history)):
            yield f"{key} is there with other content: {there}"
    ((activities, keys),) = fetch_rows(
        """select (select count(*) from activity where activity_type_id = %s),
            (select count(*) from activity_key where activity_type_id = %s)""",
        type_id,
        type_id,
    )
    if not activities == keys == len(stored):
        yield f"{activities} activities, {keys} keys, {len(stored)} of them together"


def _of_reader(tally: Tally, type_id: int) -> Iterator[str]:
    if tally.read != sorted(set(tally.read)):
        yield "the reader saw an activity twice, or out of order"
    there = {pk for (pk,) in fetch_rows("select id from activity where activity_type_id = %s", type_id)}
    if there != set(tally.read):
        yield f"the reader missed {len(there - set(tally.read))} activities and saw {len(set(tally.read) - there)} others"


def _of_types(tally: Tally) -> Iterator[str]:
    """Nothing half-approved: draft or live, and a live version with all that belongs to it."""
    for found in ActivityType.objects.custom().select_related("live", "draft"):
        if found.api_name in tally.approved and found.live is None:
            yield f"{found.api_name} was approved and is not"
        if found.live is not None:
            fields = set(found.live.fields.values_list("api_name", flat=True))
            kept = set(ApprovedField.objects.filter(activity_type=found).values_list("api_name", flat=True))
            if found.live.number is None or not fields <= kept or len(fields) < 2:
                yield f"{found.api_name} is half-approved: {found.live.number}, {fields}, {kept}"
        elif found.draft is None or ActivityVersion.objects.filter(activity_type=found, number__isnull=False).exists():
            yield f"{found.api_name} is neither a draft nor live"
    missing = tally.created - set(ActivityType.objects.values_list("api_name", flat=True))
    yield from (f"type {name} was made and is not there" for name in missing)


def _of_counts(type_id: int) -> Iterator[str]:
    mark, last = log_reader.high_water_mark(), fetch_rows("select last_value from activity_id_seq")[0][0]
    if mark != last:
        yield f"readers are held back at {mark}, the log is at {last}"
    rollup.catch_up_rollup()
    yield from (f"count that is wrong: {difference}" for difference in rollup.rollup_differences())
    yield from (f"size of a static list that is wrong: {difference}" for difference in static_lists.miscounted_lists())
    ((people,),) = fetch_rows("select count(distinct person_id) from activity where activity_type_id = %s", type_id)
    listed = evaluator.evaluate_rules(parse_rules(_did(), Catalogue()))
    if listed.count != people:
        yield f"the smart list has {listed.count} people, the log {people}"
    yield from map(str, verify.verify_log())


def _did() -> dict[str, Any]:
    return {"match": "all", "filters": [{"kind": "activity", "did": True, "type": TYPE}]}


def fetch_rows(statement: str, *values: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
