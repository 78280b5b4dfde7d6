"""Consents of people, derived from the activities Consent Given and Consent Withdrawn.

The latest activity for a purpose counts, by time of occurrence; of two at one moment the withdrawal. A future-dated one
counts as of the time of its recording: otherwise it would not count yet, and later outrank those that followed it.
Purposes are compared without case. The purpose `EMAIL` is bound to the person field `unsubscribed`: see `following`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from activities.models import CONSENT_TYPES
from people.datatypes.canonical import text_key

EMAIL = "email"
GIVEN, WITHDRAWN = CONSENT_TYPES
CONSENTS = frozenset(CONSENT_TYPES)  # every channel may record them
MOST_SHOWN = 200  # activities of one person
CONSENTED_AT = "least(occurred_at, recorded_at)"  # the moment of a consent, in SQL
# the order in which the first row of a person and purpose is the one that counts: WITHDRAWN is the greater id
LATEST_FIRST = f"{CONSENTED_AT} desc, activity_type_id desc, id desc"
OF_CONSENT = f"activity_type_id in ({GIVEN}, {WITHDRAWN})"


def latest_consent_sql(person: str, purpose: str) -> str:
    """SQL of the type of a person's latest activity of consent, null without any.

    `person` is the SQL of the id, `purpose` that of the purpose in lower case. An aggregate: a cluster plans no
    correlated query with a limit.
    """
    return f"""(select (array_agg(c.activity_type_id order by {LATEST_FIRST}))[1] from activity c
    where c.person_id = {person} and {OF_CONSENT} and lower(c.primary_value) = {purpose})"""


@dataclass(frozen=True, slots=True)
class Consent:
    """One activity of consent."""

    activity_id: int
    person_id: int
    purpose: str
    is_given: bool
    since: datetime
    attributes: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The text that the person agreed to, or their own words."""
        return str(self.attributes.get("text", ""))

    @property
    def text_version(self) -> str:
        return str(self.attributes.get("text_version", ""))

    @property
    def source(self) -> str:
        return str(self.attributes.get("source", ""))

    @property
    def url(self) -> str:
        return str(self.attributes.get("url", ""))


_COLUMNS = f"id, person_id, primary_value, activity_type_id, {CONSENTED_AT}, attributes"
# nothing recorded lies ahead: without a limit the clocks of this process and the database need not agree
_UNTIL = f"(%s::timestamptz is null or {CONSENTED_AT} <= %s)"


def consent_state(person_ids: Collection[int], purpose: str, at: datetime | None = None) -> dict[int, Consent]:
    """The current consent of each person for this purpose at a moment (None: now); people without any are left out."""
    rows = _rows(
        f"""select distinct on (person_id) {_COLUMNS} from activity
        where person_id = any(%s::int[]) and {OF_CONSENT} and lower(primary_value) = %s and {_UNTIL}
        order by person_id, {LATEST_FIRST}""",
        [list(person_ids), text_key(purpose), at, at],
    )
    return {consent.person_id: consent for consent in rows}


def consents_of_person(person_id: int, at: datetime | None = None) -> list[Consent]:
    """The current consent of one person for every purpose at a moment (None: now), ordered by purpose."""
    latest: dict[str, Consent] = {}
    for consent in consent_history(person_id, at):
        latest.setdefault(text_key(consent.purpose), consent)
    return [consent for _key, consent in sorted(latest.items())]


def consent_history(person_id: int, at: datetime | None = None) -> list[Consent]:
    """The consents of one person up to a moment (None: now), those that count first."""
    return _rows(
        f"""select {_COLUMNS} from activity where person_id = %s and {OF_CONSENT} and {_UNTIL}
        order by {LATEST_FIRST} limit {MOST_SHOWN}""",
        [person_id, at, at],
    )


def withdrawn_by_any(person_id: int, families: Callable[[], Sequence[Collection[int]]]) -> list[str]:
    """The purposes that one of the people merged into `person_id` had withdrawn, and that now count as given.

    `families` returns each of these people with those merged into them before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select coalesce(original_person_id, person_id), primary_value, activity_type_id from activity
            where person_id = %s and {OF_CONSENT} order by {LATEST_FIRST}""",
            [person_id],
        )
        rows = cursor.fetchall()
    if {
        type_id for _origin, _purpose, type_id in rows
    } != CONSENTS:  # all given or all withdrawn: no withdrawal to keep
        return []
    family_of = {member: number for number, family in enumerate(families()) for member in family}
    counting: dict[str, int] = {}
    withdrawn: dict[str, str] = {}
    seen: set[tuple[Any, str]] = set()
    for origin, purpose, type_id in rows:
        key = text_key(purpose)
        counting.setdefault(key, type_id)
        if (family_of.get(origin), key) not in seen and type_id == WITHDRAWN:
            withdrawn.setdefault(key, purpose)
        seen.add((family_of.get(origin), key))
    return [purpose for key, purpose in sorted(withdrawn.items()) if counting[key] == GIVEN]


def _rows(sql: str, parameters: Iterable[Any]) -> list[Consent]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return [
            Consent(pk, person_id, purpose, type_id == GIVEN, consented_at, json.loads(attributes))
            for pk, person_id, purpose, type_id, consented_at, attributes in cursor.fetchall()
        ]
