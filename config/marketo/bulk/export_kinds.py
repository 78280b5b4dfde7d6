"""What the files of the bulk API hold (§5.1): checked requests, and the SQL that answers them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.models import ActivityType, ActivityVersion
from activities.types.standard import ADD_TO_LIST, REMOVE_FROM_LIST
from config.marketo.resources.lead_names import Names
from config.marketo.wire.responses import MarketoError, invalid
from people.core.errors import show
from people.datatypes.keys import MAX_BIG_ID
from people.datatypes.parsing import BadValueError, parse_moment
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import Column, Kind, Statement
from people.models import StaticList
from people.persons.export_kind import column_of
from smartlists.evaluation import stored as stored_evaluations
from smartlists.models import SmartList

MAX_RANGE = timedelta(days=31)
MAX_VALUES = 50
DELETE_LEAD = 37
# types whose activities can be asked for by their primary value
WITH_VALUES = frozenset({2, 13, 22, 24, 25, 104})
_WHOLE = """to_char(({0}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _one_line(sql: str) -> str:
    """Clients split files at line ends before they parse them."""
    return f"regexp_replace({sql}, '[\\n\\r]+', ' ', 'g')"


_ATTRIBUTES = """(select coalesce(jsonb_object_agg(
    coalesce(%(names)s::jsonb -> a.activity_type_id::text ->> e.key, e.key), e.value), '{}')
    from jsonb_each(a.attributes) e)"""
# the id of what an activity is about: activities of static lists have one, as in replies
_ASSET = f"case when a.activity_type_id in ({ADD_TO_LIST}, {REMOVE_FROM_LIST}) then a.attributes ->> 'list_id' end"
ACTIVITY_COLUMNS: Mapping[str, str] = {
    "marketoGUID": "a.id",
    "leadId": "a.person_id",
    "activityDate": _WHOLE.format("a.occurred_at"),
    "activityTypeId": "a.activity_type_id",
    "campaignId": "case when a.door = 5 then a.origin_id end",
    "primaryAttributeValueId": _ASSET,
    "primaryAttributeValue": _one_line("a.primary_value"),
    "attributes": _ATTRIBUTES,
    "actionResult": "'succeeded'",
}
DEFAULT_COLUMNS = tuple(name for name in ACTIVITY_COLUMNS if name != "actionResult")


def activities(asked: Mapping[str, Any]) -> Statement:
    """§5.1: activities that occurred in a range of at most 31 days."""
    filters = _filters(asked, {"createdAt", "activityTypeIds", "primaryAttributeValues", "primaryAttributeValueIds"})
    start, end = _range(filters, "createdAt")
    given: dict[str, Any] = {"start": start, "end": end, "gone": DELETE_LEAD, "names": json.dumps(_display_names())}
    conditions = ["a.occurred_at >= %(start)s", "a.occurred_at < %(end)s", "a.activity_type_id <> %(gone)s"]
    types = _type_ids(filters)
    if types:
        conditions.append("a.activity_type_id = any(%(types)s)")
        given["types"] = types
    for name, column in (("primaryAttributeValues", "a.primary_value"), ("primaryAttributeValueIds", f"({_ASSET})")):
        if values := _primary_values(filters, name, types):
            conditions.append(f"{column} = any(%(values)s)")
            given["values"] = values
    names = _wanted(asked, ACTIVITY_COLUMNS) or list(DEFAULT_COLUMNS)
    headers = _headers(asked)
    columns = [Column(headers.get(name, name), ACTIVITY_COLUMNS[name]) for name in names]
    return Statement(columns, f"activity a where {' and '.join(conditions)}", given)


def _display_names() -> dict[str, dict[str, str]]:
    """What types.json calls each field of each type; the newest version's name wins."""
    rows = ActivityVersion.objects.filter(number__isnull=False).order_by("number")
    found: dict[str, dict[str, str]] = {}
    for type_id, api_name, name in rows.values_list("activity_type_id", "fields__api_name", "fields__name"):
        found.setdefault(str(type_id), {})[api_name] = name
    return found


def _type_ids(filters: Mapping[str, Any]) -> list[int]:
    given = filters.get("activityTypeIds") or []
    if not isinstance(given, list):
        raise invalid(given, "List")
    found = []
    for one in given:
        text = str(one)
        if isinstance(one, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
            raise invalid(one, "Integer")
        found.append(int(text))
    if DELETE_LEAD in found:
        raise MarketoError("1003", f"Invalid data: activity type {DELETE_LEAD} cannot be exported")
    if unknown := set(found) - set(ActivityType.objects.filter(pk__in=found).values_list("pk", flat=True)):
        raise MarketoError(
            "1003", f"Invalid data: there is no activity type {min(unknown)}"
        )  # [I] §2.3 says so of reading
    return found


def _primary_values(filters: Mapping[str, Any], name: str, types: Sequence[int]) -> list[str]:
    values = filters.get(name)
    if not values:
        return []
    if filters.get("primaryAttributeValues") and filters.get("primaryAttributeValueIds"):
        raise MarketoError("1003", "Invalid data: only one of primaryAttributeValues and primaryAttributeValueIds")
    if not isinstance(values, list) or len(values) > MAX_VALUES or not all(_IS_VALUE[name](one) for one in values):
        raise MarketoError("1003", f"Invalid data: at most {MAX_VALUES} {name}")
    if not types or set(types) - WITH_VALUES:
        raise MarketoError("1003", f"Invalid data: {name} need activity types that have them")
    return [str(one) for one in values]


_IS_VALUE: Mapping[str, Callable[[Any], bool]] = {
    "primaryAttributeValues": lambda one: isinstance(one, str) and "\0" not in one,
    "primaryAttributeValueIds": lambda one: type(one) is int and abs(one) <= MAX_BIG_ID,
}


def leads(asked: Mapping[str, Any]) -> Statement:
    """§5.1: leads of one filter: created or updated in a range, or on a list."""
    return _leads(asked, is_check=False)


def check_leads(asked: Mapping[str, Any]) -> None:
    """Refuse what `leads` would refuse, without finding out who is on a smart list."""
    _leads(asked, is_check=True)


def _leads(asked: Mapping[str, Any], is_check: bool) -> Statement:
    known = {"createdAt", "updatedAt", "staticListId", "staticListName", "smartListId", "smartListName"}
    filters = _filters(asked, known)
    if len(filters) != 1:
        raise MarketoError("1003", f"Invalid data: exactly one filter of {', '.join(sorted(known))}")
    names = Names()
    wanted = _wanted(asked, {"id": "", **names.ours})
    if not wanted:
        raise MarketoError("1003", "Invalid data: fields are needed")
    headers = _headers(asked)
    columns = [_lead_column(name, headers.get(name, name), names) for name in wanted]
    ((name, value),) = filters.items()
    if name in ("createdAt", "updatedAt"):
        start, end = _range(filters, name)
        column = {"createdAt": "created_at", "updatedAt": "updated_at"}[name]
        source = f"person p where p.state = 'live' and p.{column} >= %(start)s and p.{column} < %(end)s order by p.id"
        return Statement(columns, source, {"start": start, "end": end})
    return Statement(columns, *_on_list(name, value, is_check))


def _lead_column(name: str, header: str, names: Names) -> Column:
    if name == "id":
        return Column(header, "p.id")
    info = names.fields[names.ours[name]]
    if worked_out := names.worked_out(info):
        return Column(header, worked_out[3], worked_out[1] == "string")
    column = column_of(info, header)
    if info.data_type.name == "datetime":
        moment = f"p.{info.api_name}" if info.is_standard else f"{column.sql}::timestamptz"
        return Column(header, _WHOLE.format(moment))
    if info.data_type.name == "boolean":  # a box that was never ticked
        return Column(header, f"coalesce({column.sql}, 'false')")
    return Column(header, _one_line(column.sql)) if column.is_text else column


def _on_list(name: str, value: Any, is_check: bool) -> tuple[str, dict[str, Any]]:
    model = StaticList if name.startswith("static") else SmartList
    is_id = name.endswith("Id")
    text = str(value)
    if is_id and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid(value, "Integer")
    if not is_id and (not isinstance(value, str) or "\0" in value):
        raise invalid(value, "String")
    found = model.objects.filter(**({"pk": int(text)} if is_id else {"name__iexact": text})).first()
    if found is None:
        raise MarketoError("1003", f"Invalid data: there is no list '{show(value)}'")
    if isinstance(found, SmartList):
        ids = [] if is_check else list(stored_evaluations.shown(found, None).person_ids)
        return "person p join unnest(%(ids)s::int[]) as w (id) using (id) where p.state = 'live' order by p.id", {
            "ids": ids
        }
    return (
        """person p where p.state = 'live' and p.id in
        (select m.person_id from static_list_member m where m.static_list_id = %(list)s) order by p.id""",
        {"list": found.pk},
    )


def _filters(asked: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    filters = asked.get("filter")
    if not isinstance(filters, dict) or not filters:
        raise MarketoError("1003", "Invalid data: a filter is needed")
    unknown = sorted(set(filters) - known)
    if unknown:
        raise MarketoError("1035", f"Unsupported filter type for target subscription: {show(unknown[0])}")
    return filters


def _range(filters: Mapping[str, Any], name: str) -> tuple[datetime, datetime]:
    """[start, end): a whole second named as the end belongs to the range, as the Marketo API knows no fractions."""
    given = filters.get(name)
    if not isinstance(given, dict):
        raise MarketoError("1003", f"Invalid data: the filter {name} is needed")
    start, end = (_moment(given.get(part), part) for part in ("startAt", "endAt"))
    if end < start or end - start > MAX_RANGE:
        raise MarketoError("1003", "Invalid data: a range of at most 31 days is needed, its start before its end")
    return start, end + (timedelta(seconds=1) if not end.microsecond else timedelta(microseconds=1))


def _moment(value: Any, name: str) -> datetime:
    try:
        return parse_moment(re.sub(r"\s", "", value) if isinstance(value, str) else value, UTC)
    except BadValueError:
        raise MarketoError("1003", f"Invalid data: {name} must be a date and time") from None


def _wanted(asked: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """The columns asked for, each once; missing, null and [] all mean the default (§5.1)."""
    wanted = asked.get("fields") or []
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise invalid(wanted, "List")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise MarketoError("1003", f"Invalid data: unknown field '{show(unknown[0])}'")
    return list(dict.fromkeys(wanted))


def _headers(asked: Mapping[str, Any]) -> dict[str, str]:
    headers = asked.get("columnHeaderNames") or {}
    if not isinstance(headers, dict) or not all(isinstance(name, str) for name in headers.values()):
        raise invalid(headers, "Object")
    return {name: show(header) for name, header in headers.items()}


export_kinds.register(
    Kind(
        "bulk_activities",
        "Activities",
        ("activities.view_activity",),
        activities,
        null="null",
        check=activities,
        is_exact=True,
    )
)
export_kinds.register(
    Kind("bulk_leads", "Leads", ("people.view_person",), leads, null="null", check=check_leads, is_exact=True)
)
