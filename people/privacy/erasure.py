"""Erases people for good: everything about them goes, a nameless row stays."""

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
from people.core.permissions import require
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.fields.catalog import READ_ONLY, STANDARD
from people.models import Person
from people.persons.deletion import State, lock_for_removal, merged_into, note_removal, valid_ids
from people.privacy import search as privacy_search


@dataclass(frozen=True, slots=True)
class ErasePreview:
    """What an erase takes: the people with everybody merged into them, and rows by what they are."""

    person_ids: Sequence[int]
    rows: Sequence[tuple[str, int]]
    shared: int  # other people with one of the e-mail addresses; they stay


def preview_erase(person_ids: Sequence[Any], by: Any) -> ErasePreview:
    """What `erase` would take. Raises `RejectedError` as it does."""
    require(by, "people.erase_person")
    found = {person.pk: person for person in Person.objects.filter(pk__in=valid_ids(person_ids))}
    _refuse_unless_erasable(person_ids, found)
    family = merged_into(list(found))
    emails = [email for email in Person.objects.filter(pk__in=family).values_list("email", flat=True) if email]
    return ErasePreview(
        family,
        [(str(one.label), count) for one in personal_data.tables() if (count := one.count(family))],
        Person.objects.live().with_email(emails).exclude(pk__in=family).count() if emails else 0,
    )


@transaction.atomic
def erase(person_ids: Sequence[Any], by: Any, source: Source) -> privacy_search.Identity:
    """Remove everything about the people, and about those merged into them, everywhere and for good.

    Of each a row with its id and nothing else stays, so that the id is never used again. Returns what
    `traces.find` needs to prove that nothing is left. Raises `RejectedError` (`unknown_person`, `person_merged`),
    in which case nobody is erased, `NotAllowedError`, and ValueError over 10,000 ids.
    """
    require(by, "people.erase_person")
    people = lock_for_removal(person_ids)
    _refuse_unless_erasable(person_ids, people)
    family = merged_into(list(people))
    identity = privacy_search.identity(family)
    erasing = personal_data.Erasing(family, identity.texts, source)
    for one in reversed(personal_data.tables()):  # people last: what was registered later may look them up
        one.erase(erasing)
    for files in personal_data.files():
        files.erase(erasing)
    note_removal(by, sorted(people), "erased", "people_erased")
    return identity


def make_nameless(erasing: personal_data.Erasing) -> None:
    """Leave of the people nothing but their ids."""
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
    for index, one in enumerate(person_ids):
        person = people.get(int(one)) if datatype_keys.is_id(one) else None
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
