"""Erases people for good: all their data is deleted, only a row with the id stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from people.core import personal_data
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, refuse_if
from people.core.permissions import require_permission
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.fields.catalog import READ_ONLY, STANDARD
from people.models import Person
from people.persons import objections
from people.persons.deletion import State, lock_people, merged_family, record_removal, valid_ids
from people.privacy import search as privacy_search
from people.rights import ERASE_PERSON


@dataclass(frozen=True, slots=True)
class ErasePreview:
    """The preview of an erasure: the people with all people merged into them, and rows by kind."""

    person_ids: Sequence[int]
    rows: Sequence[tuple[str, int]]
    shared: int  # other people with one of the e-mail addresses; they stay


def preview_erase(person_ids: Sequence[Any], by: Any) -> ErasePreview:
    """Preview of `erase_people`. Raises `RejectedError` for the same input."""
    require_permission(by, ERASE_PERSON)
    people = {person.pk: person for person in Person.objects.filter(pk__in=valid_ids(person_ids))}
    _refuse_unless_erasable(person_ids, people)
    family = merged_family(list(people))
    emails = [email for email in Person.objects.filter(pk__in=family).values_list("email", flat=True) if email]
    return ErasePreview(
        family,
        [(str(table.label), count) for table in personal_data.registered_tables() if (count := table.count(family))],
        Person.objects.live().with_email(emails).exclude(pk__in=family).count() if emails else 0,
    )


@transaction.atomic
def erase_people(
    person_ids: Sequence[Any], by: Any, source: Source, *, keeps_objections: bool = True
) -> privacy_search.PeopleIdentity:
    """Delete all data of the people, and of those merged into them, in all tables and files, for good.

    Only a row with the id stays for each, so that the id is never reused, and with `keeps_objections` a keyed hash of
    the addresses of those who had unsubscribed. Returns the identity for
    `people.privacy.search`, which proves that nothing is left. Raises `RejectedError` (`unknown_person`,
    `person_merged`), in which case no person is erased, `NotAllowedError`, and ValueError over 10,000 ids.
    """
    require_permission(by, ERASE_PERSON)
    people = lock_people(person_ids)
    _refuse_unless_erasable(person_ids, people)
    family = merged_family(list(people))
    identity = privacy_search.people_identity(family)
    erasing = personal_data.Erasing(family, identity.texts, source)
    if keeps_objections:
        objections.suppress_addresses(Person.objects.filter(pk__in=family))
    for table in reversed(
        personal_data.registered_tables()
    ):  # people last: functions registered later may look them up
        table.erase(erasing)
    for files in personal_data.registered_files():
        files.erase(erasing)
    for step in erasing.last_steps:
        step()
    record_removal(by, sorted(people), "erased", "people_erased")
    return identity


def clear_person_rows(erasing: personal_data.Erasing) -> None:
    """Clear everything in the rows of the people except their ids."""
    values: dict[str, Any] = dict.fromkeys(name for name in STANDARD if name not in READ_ONLY)
    Person.objects.filter(pk__in=erasing.person_ids).update(
        **values,
        fields={},
        merged_into=None,
        state=State.ERASED,
        state_changed_at=timezone.now(),
        revision=F("revision") + 1,
    )


def _refuse_unless_erasable(person_ids: Sequence[Any], people: Mapping[int, Person]) -> None:
    problems = []
    for index, raw_id in enumerate(person_ids):
        person = people.get(int(raw_id)) if datatype_keys.is_id(raw_id) else None
        if person is None or person.state == State.ERASED:
            problems.append(Problem(Code.UNKNOWN_PERSON, _("There is no such person."), (index,)))
        elif person.state == State.MERGED:
            message = _(
                "Person %(loser)s was merged into person %(winner)s. Erase that person, or undo the merge first."
            )
            values = {"loser": person.pk, "winner": person.merged_into_id}
            problems.append(Problem(Code.PERSON_MERGED, message % values, (index,)))
    if not person_ids:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Nobody is named."), ("people",)))
    refuse_if(problems)
