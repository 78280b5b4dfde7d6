"""People over the Marketo API, called leads there: sync and reading (§3)."""

from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.utils.translation import gettext

from activities.models import Association, Visitor
from activities.visitors import cookies, ownership
from config.marketo.resources.lead_names import LeadNames
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import MAX_BATCH, parse_person_id, restore_plus
from config.marketo.wire.responses import (
    MarketoError,
    invalid_value,
    missing_parameter,
    row_errors,
    success_reply,
    utc_timestamp,
)
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, quoted_value
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import is_blank
from people.fields import catalog
from people.fields.catalog import FieldInfo
from people.models import Person
from people.persons import upsert
from people.persons.upsert import UpsertAction, UpsertOutcome, UpsertStatus
from people.rest.answer_size import count_rows_that_fit
from people.rights import ADD_PERSON, CHANGE_PERSON, VIEW_PERSON

MAX_MATCHES = 1_000  # §3: more are refused
ACTIONS = {
    "createorupdate": UpsertAction.UPSERT,
    "createonly": UpsertAction.CREATE,
    "updateonly": UpsertAction.UPDATE,
    "createduplicate": UpsertAction.DUPLICATE,
}
DEFAULT_FIELDS = ("id", "firstName", "lastName", "email", "updatedAt", "createdAt")  # in this order, §3
PARTITION = {"id": 1, "name": "Default", "description": "Initial system lead partition"}
SEARCHABLE = frozenset({"string", "email", "integer"})  # §3: custom fields of these types can be filters
# §3: documented filters by values that no person has here, so that they match none
WITHOUT_VALUES = frozenset(
    {
        "facebookId",
        "linkedInId",
        "twitterId",
        "sfdcAccountId",
        "sfdcContactId",
        "sfdcLeadId",
        "sfdcLeadOwnerId",
        "sfdcOpptyId",
    }
)


def sync_leads(call: Call) -> HttpResponse:
    """§3: create or update leads; each row is applied or skipped separately."""
    rows, body = call.parameters.rows("leads"), call.parameters.json
    action = _action_named(body.get("action"))
    check_partition(body.get("partitionName"))
    call.require(CHANGE_PERSON)
    if action is not UpsertAction.UPDATE:
        call.require(ADD_PERSON)
    names = LeadNames()
    lookup = _lookup_field(body.get("lookupField"), names)
    objects = (row for row in rows if isinstance(row, dict))
    names.create({name for row in objects for name, value in row.items() if not is_blank(value)}, call.user)
    parts = upsert.split_rows([_values(row, names) for row in rows])
    source = replace(call.source, is_backfill=call.parameters.is_backfill)
    outcomes = [outcome for part in parts for outcome in upsert.upsert_people(part, source, lookup, action)]
    return success_reply([_result_row(outcome, names) for outcome in outcomes])


def _action_named(name: Any) -> UpsertAction:
    if name is None:
        return UpsertAction.UPSERT
    action = ACTIONS.get(name.lower()) if isinstance(name, str) else None
    if action is None:
        raise invalid_value(name, "Action")
    return action


def check_partition(name: Any) -> None:
    """Check the name of a partition. [I] §B: there is one; raises 1008 for any other."""
    if not (name is None or (isinstance(name, str) and name.strip().lower() in {"", PARTITION["name"].lower()})):  # type: ignore[attr-defined]
        raise MarketoError("1008", f"Lead partition '{quoted_value(name)}' does not exist")


def list_partitions(call: Call) -> HttpResponse:
    call.require(VIEW_PERSON)
    return success_reply([PARTITION])


def move_leads_to_partition(call: Call) -> HttpResponse:
    """Check the rows of leads to be moved; there is only one partition, so nothing changes."""
    call.require(CHANGE_PERSON)
    rows = call.parameters.rows("leads")
    person_ids = [parse_person_id(row.get("id")) if isinstance(row, dict) else None for row in rows]
    live_ids = set(Person.objects.live().filter(pk__in=[pk for pk in person_ids if pk]).values_list("pk", flat=True))
    return success_reply([_moved_row(row, pk, live_ids) for row, pk in zip(rows, person_ids, strict=True)])


def _moved_row(row: Any, pk: int | None, live_ids: set[int]) -> dict[str, Any]:
    if pk not in live_ids:
        return {"status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]}
    try:
        if row.get("partitionName") is None:
            raise missing_parameter("partitionName")
        check_partition(row["partitionName"])
    except MarketoError as error:
        return {"id": pk, "status": "skipped", "reasons": [{"code": error.code, "message": error.message}]}
    return {"id": pk, "status": "updated"}


def _lookup_field(name: Any, names: LeadNames) -> str:
    if name is None:
        return "email"
    api_name = "id" if name == "id" else names.api_names.get(name) if isinstance(name, str) else None
    if api_name is None:
        raise MarketoError("1006", f"Lookup field '{quoted_value(name)}' not found")
    if api_name not in {"id", "email"} and not names.fields[api_name].is_unique:
        raise MarketoError("1011", f"Field '{quoted_value(name)}' not supported as lookupField: it is not unique")
    return api_name


def _values(row: Any, names: LeadNames) -> dict[str, Any]:
    """Return the row in the product's names; `upsert` refuses an id except in an update by id (§3)."""
    if not isinstance(row, dict):
        return {"": row}
    # an empty value for a field that does not exist yet changes nothing
    return {names.translate(name): value for name, value in row.items() if name not in names.missing}


def _result_row(outcome: UpsertOutcome, names: LeadNames) -> dict[str, Any]:
    if outcome.status is UpsertStatus.REFUSED:
        problems = [_computed_field_problem(problem, names) for problem in outcome.problems]
        return {"status": "skipped", "reasons": row_errors(problems, names.rest_names, of_lead=True)}
    return {"id": outcome.person_id, "status": str(outcome.status)}


def _computed_field_problem(problem: Problem, names: LeadNames) -> Problem:
    """Turn `upsert`'s unknown-field problem about a computed field, which describe lists, into a read-only one."""
    info = names.fields.get(str(problem.path[-1])) if problem.code == Code.UNKNOWN_FIELD and problem.path else None
    if info is None or not info.is_read_only:
        return problem
    return Problem(Code.READ_ONLY_FIELD, gettext("is maintained by the product"), problem.path)


def get_lead(call: Call, lead_id: int) -> HttpResponse:
    call.require(VIEW_PERSON)
    names = LeadNames()
    fields = requested_fields(call, names)
    return success_reply([lead_row(live_person(lead_id), fields, names)])


def live_person(lead_id: int) -> Person:
    """Return the person. Raises 1004; [I] §3: an unknown id fails the whole request."""
    person = Person.objects.live().filter(pk=min(lead_id, datatype_keys.MAX_ID)).first()
    if person is None:
        raise MarketoError("1004", "Lead not found")
    return person


def find_leads(call: Call) -> HttpResponse:
    """§3: return leads whose field has one of up to 300 values."""
    call.require(VIEW_PERSON)
    names = LeadNames()
    fields = requested_fields(call, names)
    filter_type, values = call.parameters.needed("filterType"), call.parameters.values("filterValues")
    if not values:
        raise missing_parameter("filterValues")
    if len(values) > MAX_BATCH:
        raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} filter values")
    people = list(_matching(filter_type, values, names)[: MAX_MATCHES + 1])
    if len(people) > MAX_MATCHES:
        raise MarketoError("1003", "Too many results match the filter")
    start = paging.page_offset(call)
    rows = [lead_row(person, fields, names) for person in people[start : start + call.parameters.batch_size()]]
    rows = rows[: count_rows_that_fit(rows)]
    more = str(start + len(rows)) if start + len(rows) < len(people) else None
    return success_reply(rows, nextPageToken=more)


def _matching(filter_type: str, values: list[str], names: LeadNames) -> QuerySet[Person]:
    people = Person.objects.live().order_by("pk")
    if filter_type.lower() == "id":
        return people.filter(pk__in=[number for value in values if (number := parse_person_id(value))])
    if filter_type == "cookies":
        return people.filter(pk__in=[pk for value in values if (pk := _owner_of_cookie(value))])
    if filter_type in WITHOUT_VALUES:
        return people.none()
    if filter_type == "leadPartitionId":
        return people if str(PARTITION["id"]) in values else people.none()
    api_name = names.api_names.get(filter_type)
    if api_name == "email":
        return people.with_email([restore_plus(value) for value in values])
    info = names.fields[api_name] if api_name is not None else None
    if info is not None and info.is_unique:
        ids = [pk for matches in people_lookup.person_ids_by_field(info.api_name, values).values() for pk in matches]
        return people.filter(pk__in=ids)
    if info is not None and not info.is_standard and info.data_type.name in SEARCHABLE:
        text = Lower(KeyTextTransform(info.api_name, "fields"))
        return people.alias(value=text).filter(value__in=[datatype_keys.key_of(value) for value in values])
    raise MarketoError("1011", f"Field '{filter_type[:80]}' not supported")


def requested_fields(call: Call, names: LeadNames) -> list[str]:
    """Return the requested fields, always with the id. Raises 1006."""
    fields = call.parameters.values("fields")
    unknown = [name for name in fields if name != "id" and name not in names.api_names]
    if unknown:
        raise MarketoError("1006", f"Field '{unknown[0][:80]}' not found")
    return ["id", *(name for name in fields if name != "id")] if fields else list(DEFAULT_FIELDS)


def lead_row(person: Person, fields: list[str], names: LeadNames) -> dict[str, Any]:
    """§3: return a lead's requested fields; missing values are null."""
    return {
        name: person.pk if name == "id" else _value(person, names.fields[names.api_names[name]], names)
        for name in fields
    }


def _value(person: Person, info: FieldInfo, names: LeadNames) -> Any:
    worked_out = names.worked_out(info)
    value = worked_out[2](person) if worked_out else catalog.person_value(person, info)
    if value is None and info.data_type.name == "boolean":
        return False  # a check box never set
    if value is not None and info.data_type.name == "datetime":
        return utc_timestamp(value)
    return value


def associate_lead(call: Call, lead_id: int) -> HttpResponse:
    """§3: have the visitor with a browser's cookie be a lead; what the browser did before becomes the lead's.

    Where the cookie belongs to another lead, only new activity goes to this one. Raises 1012 for a cookie that is
    malformed, or whose token and account are both unknown.
    """
    call.require(VIEW_PERSON)
    call.require(CHANGE_PERSON)
    value = call.parameters.needed("cookie")
    person = live_person(lead_id)
    visitor = cookies.visitor_of_cookie(_cookie(value))
    if visitor is None or visitor.state == Visitor.State.BURNT:
        raise _bad_cookie(value)
    ownership.associate_visitor(visitor.pk, person.pk, Association.Evidence.SERVER, call.source, by=call.user)
    return success_reply()


def _cookie(value: str) -> cookies.Cookie:
    """The parts of a cookie. Raises 1012."""
    cookie = cookies.parse_cookie(value)
    if cookie is None:
        raise _bad_cookie(value)
    return cookie


def _bad_cookie(value: str) -> MarketoError:
    return MarketoError("1012", f"Invalid cookie value '{quoted_value(value)}'")


def _owner_of_cookie(value: str) -> int | None:
    """The id of the person whom a cookie belongs to now. Raises 1012."""
    visitor = cookies.find_visitor(_cookie(value))
    association = visitor and visitor.associations.filter(to_at=None, undone_at=None).first()
    return association.person_id if association else None
