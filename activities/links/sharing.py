"""People's own links: the short address with a token of the person, for e-mail tools and letters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.links.addresses import short_address
from activities.links.editing import CHANGE
from activities.links.tokens import ANY_LINK, MAX_DAYS, new_token
from activities.models import TrackedLink
from people import lookup as people_lookup
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.permissions import require_permission
from people.models import Person, StaticList, StaticListMember
from people.rights import EXPORT_PERSON, VIEW_PERSON

EXPORTS = EXPORT_PERSON
MAX_PEOPLE = 1_000  # of one call
MAX_ROWS = 100_000  # of one file
_STEP = 2_000

audit.register_actions({"link_people": (2, gettext_lazy("Made personal links for %(count)s people"))})


@dataclass(frozen=True, slots=True)
class PersonLink:
    """A person's own link. `person_id`: as it was requested; `problem`: the reason that there is none."""

    person_id: int
    url: str = ""
    token: str = ""
    problem: Problem | None = None


def last_day(days: int | None = None) -> date:
    """The day (UTC) until whose end a token of today works."""
    return datetime.now(UTC).date() + timedelta(days=days or settings.LINK_TOKEN_DAYS)


def make_person_links(
    link: TrackedLink, person_ids: Sequence[int], by: Any, *, days: int | None = None, for_all_links: bool = False
) -> list[PersonLink]:
    """The own link of each person, in order; a merged person's is the winner's. Audited as one entry.

    `for_all_links`: the token works with every link, for a tool that merges one value into a whole message.
    Raises `RejectedError` (`too_many`, `out_of_range`) and `NotAllowedError`.
    """
    require_permission(by, CHANGE)
    require_permission(by, VIEW_PERSON)
    if len(person_ids) > MAX_PEOPLE:
        message = _("at most %(count)s people in one call") % {"count": MAX_PEOPLE}
        raise RejectedError(Problem(Code.TOO_MANY, message, ("people",)))
    if days is not None and not 1 <= days <= MAX_DAYS:
        expected = _("a whole number from %(smallest)s to %(largest)s") % {"smallest": 1, "largest": MAX_DAYS}
        raise RejectedError(bad_value(Code.OUT_OF_RANGE, expected, days, "days"))
    owner_ids = people_lookup.person_ids_by_id(list(dict.fromkeys(person_ids)))
    links = []
    for place, person_id in enumerate(person_ids):
        owner_id = owner_ids.get(person_id)
        if owner_id is None:
            problem = bad_value(Code.UNKNOWN_PERSON, _("the id of an existing person"), person_id, "people", place)
            links.append(PersonLink(person_id, problem=problem))
            continue
        token = new_token(owner_id, ANY_LINK if for_all_links else link.pk, days=days)
        links.append(PersonLink(person_id, short_address(link, token), token))
    audit.write_audit_entry(by, link, "link_people", count=sum(not row.problem for row in links))
    return links


def file_of_links(link: TrackedLink, static_list: StaticList, by: Any) -> Iterator[tuple[int, str, str, str, str]]:
    """(id, email, name, own link, token for all links) of each member of a list, at most `MAX_ROWS`, in order of id.

    Raises `NotAllowedError` at the call, before any row.
    """
    for right in (CHANGE, VIEW_PERSON, EXPORTS):
        require_permission(by, right)
    members = StaticListMember.objects.filter(static_list=static_list).order_by("person_id")[:MAX_ROWS]
    ids = list(members.values_list("person_id", flat=True))
    audit.write_audit_entry(by, link, "link_people", count=len(ids))
    return _rows(link, ids)


def _rows(link: TrackedLink, ids: Sequence[int]) -> Iterator[tuple[int, str, str, str, str]]:
    for start in range(0, len(ids), _STEP):
        people = Person.objects.live().in_bulk(ids[start : start + _STEP])
        for person_id in ids[start : start + _STEP]:
            if (person := people.get(person_id)) is not None:
                own, every = new_token(person_id, link.pk), new_token(person_id)
                yield person_id, person.email or "", str(person), short_address(link, own), every
