"""Proposals of people while a name is typed into a field for a person."""

from collections.abc import Mapping

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from people import lookup as people_lookup
from people.core import words
from people.core.admin.base import parse_number, require_rights
from people.datatypes.keys import key_of
from people.models import Person
from people.rights import VIEW_PERSON

SHOWN = 8
SHORTEST = 2  # letters; ids may be shorter


@require_safe
def suggest_people(request: HttpRequest) -> JsonResponse:
    """The people whose name, email or company begins with `q`, the newest first, or who has the id `q`.

    Each with the text that names them in a form: the email, or the id where they have none or share it.
    """
    require_rights(request, VIEW_PERSON)
    text = request.GET.get("q", "").replace("\0", "").strip()[: words.MAX_LENGTH]
    live = Person.objects.live()
    people = list(live.newest_beginning_with(text).order_by("-pk")[:SHOWN]) if len(text) >= SHORTEST else []
    if (number := parse_number(text)) and (by_id := live.filter(pk=number).first()):
        people = [by_id, *(person for person in people if person.pk != by_id.pk)]
    emails = [person.email for person in people if person.email]
    ids_by_email = people_lookup.person_ids_by_field("email", emails) if emails else {}
    return JsonResponse({"people": [_proposal(person, ids_by_email) for person in people]})


def _proposal(person: Person, ids_by_email: Mapping[str, list[int]]) -> dict[str, str]:
    has_own_email = bool(person.email) and ids_by_email.get(key_of(person.email)) == [person.pk]
    more = [person.email if str(person) != person.email else "", person.company, str(person.pk)]
    return {
        "value": str(person.email if has_own_email else person.pk),
        "id": str(person.pk),
        "label": str(person),
        "more": " · ".join(part for part in more if part),
    }
