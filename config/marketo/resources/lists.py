"""Static lists and their members in the lead database (§3)."""

from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse

from config.marketo.resources.lead_names import LeadNames
from config.marketo.resources.leads import lead_row, live_person, requested_fields
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import parse_person_id
from config.marketo.wire.responses import MarketoError, success_reply, utc_timestamp
from people import lookup as people_lookup
from people.datatypes import keys as datatype_keys
from people.lists import static_lists
from people.lists.static_lists import Membership
from people.models import Person, StaticList, StaticListMember
from people.rest.answer_size import count_rows_that_fit
from people.rights import CHANGE_STATICLIST, VIEW_PERSON, VIEW_STATICLIST

WORKSPACE = "Default"  # [I] the only one

# the result for one person in the Marketo API; a row with another result is skipped with one of REASONS
WORDS = {
    Membership.ADDED: "added",
    Membership.ALREADY: "added",  # §3: adding a member again is `added` again
    Membership.REMOVED: "removed",
}
NOT_FOUND = {"code": "1004", "message": "Lead not found"}
REASONS = {Membership.ABSENT: {"code": "1015", "message": "Lead not in list"}, Membership.UNKNOWN: NOT_FOUND}


def list_static_lists(call: Call) -> HttpResponse:
    """List static lists by id or name; with a token only if there is another page."""
    call.require(VIEW_STATICLIST)
    lists = StaticList.objects.filter(pk__gt=paging.page_start_id(call)).order_by("pk")
    ids, names = call.parameters.numbers("id"), call.parameters.values("name")
    if ids:
        lists = lists.filter(pk__in=ids)
    if names:
        lists = lists.filter(name__in=names)
    if _is_elsewhere(call):
        lists = lists.none()
    size = call.parameters.batch_size()
    page = list(lists[: size + 1])
    more = str(page[size - 1].pk) if len(page) > size else None
    return success_reply([_row(static_list) for static_list in page[:size]], nextPageToken=more)


def _is_elsewhere(call: Call) -> bool:
    """Return whether the request is for lists of a program or of another workspace, which do not exist."""
    workspaces = call.parameters.values("workspaceName")
    return bool(call.parameters.values("programName")) or (bool(workspaces) and WORKSPACE not in workspaces)


def get_list(call: Call, list_id: int) -> HttpResponse:
    call.require(VIEW_STATICLIST)
    return success_reply([_row(find_list(list_id))])


def list_members(call: Call, list_id: int) -> HttpResponse:
    """Return the people on a list by id; with a token only if there are more."""
    call.require(VIEW_PERSON)
    call.require(VIEW_STATICLIST)
    static_list = find_list(list_id)
    names = LeadNames()
    fields = requested_fields(call, names)
    size = call.parameters.batch_size()
    people = Person.objects.live().filter(list_memberships__static_list=static_list, pk__gt=paging.page_start_id(call))
    page = list(people.order_by("pk")[: size + 1])
    rows = [lead_row(person, fields, names) for person in page[:size]]
    rows = rows[: count_rows_that_fit(rows)]
    more = str(page[len(rows) - 1].pk) if len(page) > len(rows) else None
    return success_reply(rows, nextPageToken=more)


def add_members(call: Call, list_id: int) -> HttpResponse:
    return _change_members(call, list_id, static_lists.add_members)


def remove_members(call: Call, list_id: int) -> HttpResponse:
    return _change_members(call, list_id, static_lists.remove_members)


def _change_members(call: Call, list_id: int, verb: Any) -> HttpResponse:
    call.require(CHANGE_STATICLIST)
    static_list = find_list(list_id)
    ids = call.parameters.ids()
    source = replace(call.source, is_backfill=call.parameters.is_backfill)
    outcomes = verb(static_list, [parse_person_id(value) for value in ids], source, follow_merges=False)
    return success_reply([_moved_row(value, outcome) for value, outcome in zip(ids, outcomes, strict=True)])


def _moved_row(value: Any, outcome: Membership) -> dict[str, Any]:
    if outcome in WORDS:
        return {"id": parse_person_id(value), "status": WORDS[outcome]}
    return skipped_row(value, REASONS[outcome])


def skipped_row(value: Any, reason: dict[str, str]) -> dict[str, Any]:
    """Return a skipped row, with its id if that is valid."""
    number = parse_person_id(value)
    return ({} if number is None else {"id": number}) | {"status": "skipped", "reasons": [reason]}


def check_membership(call: Call, list_id: int) -> HttpResponse:
    call.require(VIEW_STATICLIST)
    static_list = find_list(list_id)
    ids = call.parameters.ids()
    existing = people_lookup.person_ids_by_id(
        [number for value in ids if (number := parse_person_id(value))], follow_merges=False
    )
    on_list = set(static_list.members.filter(person__in=existing).values_list("person_id", flat=True))
    return success_reply([_membership_row(value, existing, on_list) for value in ids])


def _membership_row(value: Any, existing: dict[int, int], on_list: set[int]) -> dict[str, Any]:
    number = parse_person_id(value)
    if number not in existing:
        return skipped_row(value, NOT_FOUND)
    return {"id": number, "status": "memberof" if number in on_list else "notmemberof"}


def lists_of_lead(call: Call, lead_id: int) -> HttpResponse:
    """Return the lists that a lead is on, by the id of the list."""
    call.require(VIEW_PERSON)
    call.require(VIEW_STATICLIST)
    person = live_person(lead_id)
    size = call.parameters.batch_size()
    memberships: QuerySet[StaticListMember] = StaticListMember.objects.filter(
        person=person, static_list__gt=paging.page_start_id(call)
    )
    page = list(memberships.order_by("static_list")[: size + 1])
    rows = [
        {
            "listId": row.static_list_id,
            "createdAt": utc_timestamp(row.added_at),
            "updatedAt": utc_timestamp(row.added_at),
        }
        for row in page[:size]
    ]
    has_more = len(page) > size
    token = str(rows[-1]["listId"]) if has_more else None
    return success_reply(rows, nextPageToken=token, moreResult=has_more)


def find_list(list_id: int) -> StaticList:
    """Return the list. Raises 1013 (§3)."""
    static_list = StaticList.objects.filter(pk=min(list_id, datatype_keys.MAX_ID)).first()
    if static_list is None:
        raise MarketoError("1013", f"Object not found: list {min(list_id, datatype_keys.MAX_ID)}")
    return static_list


def _row(static_list: StaticList) -> dict[str, Any]:
    row: dict[str, Any] = {"id": static_list.pk, "name": static_list.name}
    if static_list.description:
        row["description"] = static_list.description
    return row | {
        "workspaceName": WORKSPACE,
        "createdAt": utc_timestamp(static_list.created_at),
        "updatedAt": utc_timestamp(static_list.updated_at),
    }
