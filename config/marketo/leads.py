"""People over the dialect, where they are leads: sync and read (§3)."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from config.marketo.activities import timestamp
from config.marketo.dispatch import Call
from config.marketo.envelope import Failure, row_errors, success
from people import changing, fields, finding
from people.changing import Action, Outcome, Status
from people.fields import FieldInfo
from people.models import Person

MAX_ROWS = 300
MAX_MATCHES = 1_000  # §3: more is refused
ACTIONS = {
    "createorupdate": Action.UPSERT,
    "createonly": Action.CREATE,
    "updateonly": Action.UPDATE,
    "createduplicate": Action.DUPLICATE,
}
DEFAULT_FIELDS = ("id", "firstName", "lastName", "email", "updatedAt", "createdAt")  # order as recorded, §3
# standard fields whose name is not our API name in camel case
SPECIAL_NAMES = {"state_or_province": "state", "person_score": "leadScore"}


def rest_name(api_name: str) -> str:
    """What the dialect calls a standard field: first_name is firstName."""
    first, *rest = api_name.split("_")
    return SPECIAL_NAMES.get(api_name) or first + "".join(word.capitalize() for word in rest)


class Names:
    """Person fields by the names of the dialect; custom fields have the same name in both worlds."""

    def __init__(self) -> None:
        self.fields: Mapping[str, FieldInfo] = fields.catalogue()
        self.rest = {name: rest_name(name) if info.is_standard else name for name, info in self.fields.items()}
        self.ours = {rest: name for name, rest in self.rest.items()}


def sync(call: Call) -> HttpResponse:
    """§3: create or update leads; each row counts on its own."""
    body = call.json
    rows = body.get("input") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Failure("1003", "Leads not specified")
    if len(rows) > MAX_ROWS:
        raise Failure("1003", f"Invalid data: at most {MAX_ROWS} leads in one call, got {len(rows)}")  # [I]
    action = _action(body.get("action"))
    call.require("people.change_person")
    if action is not Action.UPDATE:
        call.require("people.add_person")
    names = Names()
    lookup = _lookup(body.get("lookupField"), names)
    outcomes = changing.upsert([_values(row, names) for row in rows], call.source, lookup, action)
    return success([_outcome(outcome, names) for outcome in outcomes])


def _action(given: Any) -> Action:
    if given is None:
        return Action.UPSERT
    action = ACTIONS.get(given.lower()) if isinstance(given, str) else None
    if action is None:
        raise Failure("1001", f"Invalid value '{str(given)[:80]}'. Required of type 'Action'")
    return action


def _lookup(given: Any, names: Names) -> str:
    if given is None:
        return "email"
    ours = "id" if given == "id" else names.ours.get(given) if isinstance(given, str) else None
    if ours is None or (ours not in {"id", "email"} and not names.fields[ours].is_unique):
        raise Failure("1006", f"Lookup field '{str(given)[:80]}' not found")
    return ours


def _values(row: Any, names: Names) -> dict[str, Any]:
    """The row in our names; `upsert` refuses an id elsewhere than in an update by id (§3)."""
    if not isinstance(row, dict):
        return {"": row}
    return {names.ours.get(name, name): value for name, value in row.items()}


def _outcome(outcome: Outcome, names: Names) -> dict[str, Any]:
    if outcome.status is Status.REFUSED:
        return {"status": "skipped", "reasons": row_errors(outcome.problems, names.rest)}
    return {"id": outcome.person_id, "status": str(outcome.status)}


def by_id(call: Call, person_id: int) -> HttpResponse:
    call.require("people.view_person")
    names = Names()
    wanted = _wanted(call, names)
    person = Person.objects.live().filter(pk=min(person_id, finding.MAX_ID)).first()
    if person is None:
        raise Failure("1004", "Lead not found")
    return success([_lead(person, wanted, names)])


def by_filter(call: Call) -> HttpResponse:
    """§3: leads whose field has one of up to 300 values."""
    call.require("people.view_person")
    names = Names()
    wanted = _wanted(call, names)
    filter_type, values = call.parameters.get("filterType", ""), call.values("filterValues")
    if not filter_type or not values:
        missing = "filterValues" if filter_type else "filterType"
        raise Failure("1002", f"Missing value for the required parameter '{missing}'")
    if len(values) > MAX_ROWS:
        raise Failure("1003", f"Invalid data: at most {MAX_ROWS} filter values")
    people = list(_matching(filter_type, values, names)[: MAX_MATCHES + 1])
    if len(people) > MAX_MATCHES:
        raise Failure("1003", "Too many results match the filter")
    start = _offset(call)
    page = people[start : start + call.batch_size()]
    more = str(start + len(page)) if start + len(page) < len(people) else None
    return success([_lead(person, wanted, names) for person in page], nextPageToken=more)


def _offset(call: Call) -> int:
    token = call.parameters.get("nextPageToken", "") or "0"
    if not (token.isascii() and token.isdigit() and len(token) < 6):
        raise Failure("1003", "Invalid data: the paging token is not one of ours")
    return int(token)


def _matching(filter_type: str, values: list[str], names: Names) -> Any:
    people = Person.objects.live().order_by("pk")
    if filter_type == "id":
        return people.filter(pk__in=[number for value in values if (number := _number(value))])
    ours = names.ours.get(filter_type)
    if ours == "email":
        return people.with_email(values)
    if ours is not None and names.fields[ours].is_unique:
        ids = [pk for found in finding.by_field(ours, values).values() for pk in found]
        return people.filter(pk__in=ids)
    raise Failure("1011", f"Field '{filter_type[:80]}' not supported")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= finding.MAX_ID else None


def _wanted(call: Call, names: Names) -> list[str]:
    wanted = call.values("fields")
    unknown = [name for name in wanted if name != "id" and name not in names.ours]
    if unknown:
        raise Failure("1006", f"Field '{unknown[0][:80]}' not found")
    return ["id", *(name for name in wanted if name != "id")] if wanted else list(DEFAULT_FIELDS)


def _lead(person: Person, wanted: list[str], names: Names) -> dict[str, Any]:
    """§3: what was asked for and always the id; no value is null here."""
    return {name: person.pk if name == "id" else _shown(person, names.fields[names.ours[name]]) for name in wanted}


def _shown(person: Person, info: FieldInfo) -> Any:
    value = fields.value_of(person, info)
    if value is not None and info.data_type.name == "datetime":
        return timestamp(value)
    return value
