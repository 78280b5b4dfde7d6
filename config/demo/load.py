"""Loads the demo data."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import ActivityType
from activities.recording import recorder
from activities.recording import rows as recording_rows
from activities.recording.rows import NewActivity
from activities.types.definition import ACTIVITY_TYPES
from config.demo import files
from config.demo import manifest as demo_manifest
from config.demo.activities import LISTS, TYPES, DemoType, demo_activities
from config.demo.cars import LIST as CARS
from config.demo.cars import make_cars
from config.demo.people import IN_FILE, arrival, demo_people
from config.demo.story import Story, owner_for, tell_story
from people.core import audit, installation
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.source import Channel, Source
from people.definitions import drafts, lifecycle
from people.files.models import Import
from people.persons import upsert
from smartlists.catalog import Catalogue
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from smartlists.rules.text import language

audit.register_actions(
    {"demo_loaded": (1, gettext_lazy("Loaded the demo: %(people)s people, %(activities)s activities"))}
)

WEEKS_AGO = (12, 9, 6, 4, 3, 2, 1)  # the moments in each list's history
KEY = "demo-{number}"  # external ids, which identify the demo's activities


@dataclass(frozen=True, slots=True)
class Loaded:
    person_ids: Sequence[int]
    type_ids: Sequence[int]
    list_ids: Sequence[int]
    activities: int
    story: Story


@transaction.atomic
def load_demo(by: Any) -> Loaded:
    """Load all of the demo or nothing. Raises `RejectedError` (`demo_is_there`) if it is loaded already."""
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.PEOPLE)])
    if demo_manifest.current_manifest() is not None:
        raise RejectedError(Problem(Code.DEMO_IS_THERE, _("The demo is there already.")))
    language_code = installation.current_installation().language
    source = Source(Channel.COMMAND, by.pk if by else None)
    person_ids, visitors = _make_people(language_code, source, by)
    types: dict[str, ActivityType] = {}
    count = 0
    numbers = itertools.count(1)
    for api_name, demo_type in TYPES.items():
        types[api_name] = activity_type = _make_type(api_name, demo_type, language_code, by)
        count += _record(activity_type, demo_type, person_ids, numbers, source)
        if demo_type.in_next_version:
            drafts.add_draft_fields(
                activity_type, [field.spec(language_code) for field in demo_type.in_next_version], by
            )
    car, record_ids = make_cars(person_ids, language_code, source, by)
    names = {name: row.api_name for name, row in types.items()} | {"car": car.api_name}
    lists = [_make_list(name[language_code], text, names, by) for name, text in (*LISTS, CARS)]
    story = tell_story(person_ids, types, lists, language_code, source, by)
    count += sum(Import.objects.filter(pk__in=story.import_ids).values_list("added", flat=True))
    story = replace(story, object_type_ids=[car.pk], record_ids=record_ids, import_ids=[visitors.pk, *story.import_ids])
    loaded = Loaded(person_ids, [row.pk for row in types.values()], [row.pk for row in lists], count, story)
    demo_manifest.note_demo_loaded(by, loaded)
    return loaded


def _make_people(language_code: str, source: Source, by: Any) -> tuple[list[int], Import]:
    """Create the people, who came over more than a year, the last of them by an import; return ids and import."""
    people, now = list(demo_people()), installation.to_local_time(timezone.now())
    came_at = {place: arrival(place, now) for place in range(len(people) - IN_FILE)}
    outcomes = upsert.upsert_people(people[:-IN_FILE], source, action=upsert.UpsertAction.DUPLICATE, came_at=came_at)
    job, imported = files.import_people(people[-IN_FILE:], language_code, owner_for(by))
    return [*(outcome.person_id for outcome in outcomes if outcome.person_id), *imported], job


def _make_type(api_name: str, demo_type: DemoType, language_code: str, by: Any) -> ActivityType:
    """Create a type with that API name, or with the first free number after it where it is taken."""
    existing = set(ActivityType.objects.filter(api_name__startswith=api_name).values_list("api_name", flat=True))
    free = next(
        name for number in itertools.count(1) if (name := f"{api_name}{number if number > 1 else ''}") not in existing
    )
    activity_type = lifecycle.create_definition(
        ACTIVITY_TYPES, demo_type.names(free, language_code), demo_type.specs(language_code), by
    )
    if demo_type.number:
        lifecycle.approve_draft(activity_type, by)
    return activity_type


def _make_list(name: str, text: str, names: Mapping[str, str], by: Any) -> SmartList:
    """Create a smart list with that name or a numbered one, and with a history; the worker evaluates it as of now."""
    candidates = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    free = next(name for name in candidates if not SmartList.objects.filter(name__iexact=name).exists())
    rules = language.parse_rules_text(text.format(**names), Catalogue())
    smart_list = list_editing.create_smart_list(free, rules, by)
    for weeks in WEEKS_AGO:
        stored_evaluations.evaluate_list(smart_list, by, now=timezone.now() - timedelta(weeks=weeks))
    stored_evaluations.request_evaluation(smart_list, by)
    return smart_list


def _record(
    activity_type: ActivityType,
    demo_type: DemoType,
    person_ids: Sequence[int],
    numbers: "itertools.count[int]",
    source: Source,
) -> int:
    now = installation.to_local_time(timezone.now())
    names = [field.api_name for field in demo_type.fields]
    rows = [
        NewActivity(
            person_ids[activity.person],
            activity_type.pk,
            activity.occurred_at,
            activity.values[0],
            list(zip(names[1:], activity.values[1:], strict=True)),
            KEY.format(number=next(numbers)),
        )
        for activity in demo_activities(demo_type, len(person_ids), now)
    ]
    outcomes = recorder.record_activities(rows, source)
    refused = next((outcome for outcome in outcomes if outcome.status is recording_rows.RecordStatus.REFUSED), None)
    if refused is not None:
        raise RejectedError(*refused.problems)
    return len(outcomes)
