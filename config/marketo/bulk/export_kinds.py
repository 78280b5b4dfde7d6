"""The contents of the bulk API's files (§5.1): validation of requests, and their SQL."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.models import ActivityType, ActivityVersion
from activities.rights import VIEW_ACTIVITY
from activities.types.standard import ADD_TO_LIST, REMOVE_FROM_LIST
from config.marketo.resources.lead_names import LeadNames
from config.marketo.wire.responses import MarketoError, invalid_value
from people.core.errors import quoted_value
from people.datatypes.keys import MAX_BIG_ID
from people.datatypes.parsing import BadValueError, parse_moment
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement
from people.models import StaticList
from people.persons.export_kind import field_column
from people.rights import EXPORT_PERSON, VIEW_PERSON
from smartlists.evaluation import stored as stored_evaluations
from smartlists.models import SmartList

MAX_RANGE = timedelta(days=31)
MAX_VALUES = 50
DELETE_LEAD = 37
# types whose activities can be filtered by their primary value
WITH_VALUES = frozenset({2, 13, 22, 24, 25, 104})
_WHOLE = """to_char(({0}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _one_line(sql: str) -> str:
    """SQL of a text on one line: clients split files at line ends before they parse them."""
    return f"regexp_replace({sql}, '[\\n\\r]+', ' ', 'g')"


_ATTRIBUTES = """(select coalesce(jsonb_object_agg(
    coalesce(%(names)s::jsonb -> a.activity_type_id::text ->> e.key, e.key), e.value), '{}')
    from jsonb_each(a.attributes) e)"""
# the id of an activity's object: activities of static lists have one, as in replies
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


def activities_statement(request: Mapping[str, Any]) -> ExportStatement:
    """§5.1: the statement for activities that occurred in a range of at most 31 days."""
    filters = _filters(request, {"createdAt", "activityTypeIds", "primaryAttributeValues", "primaryAttributeValueIds"})
    start, end = _range(filters, "createdAt")
    parameters: dict[str, Any] = {
        "start": start,
        "end": end,
        "left_out": DELETE_LEAD,
        "names": json.dumps(_display_names()),
    }
    conditions = ["a.occurred_at >= %(start)s", "a.occurred_at < %(end)s", "a.activity_type_id <> %(left_out)s"]
    types = _type_ids(filters)
    if types:
        conditions.append("a.activity_type_id = any(%(types)s)")
        parameters["types"] = types
    for name, column in (("primaryAttributeValues", "a.primary_value"), ("primaryAttributeValueIds", f"({_ASSET})")):
        if values := _primary_values(filters, name, types):
            conditions.append(f"{column} = any(%(values)s)")
            parameters["values"] = values
    names = _requested_fields(request, ACTIVITY_COLUMNS) or list(DEFAULT_COLUMNS)
    headers = _headers(request)
    columns = [ExportColumn(headers.get(name, name), ACTIVITY_COLUMNS[name]) for name in names]
    return ExportStatement(columns, f"activity a where {' and '.join(conditions)}", parameters)


def _display_names() -> dict[str, dict[str, str]]:
    """Return the name of each type's fields as in types.json; the newest version's name wins."""
    rows = ActivityVersion.objects.filter(number__isnull=False).order_by("number")
    by_type: dict[str, dict[str, str]] = {}
    for type_id, api_name, name in rows.values_list("activity_type_id", "fields__api_name", "fields__name"):
        by_type.setdefault(str(type_id), {})[api_name] = name
    return by_type


def _type_ids(filters: Mapping[str, Any]) -> list[int]:
    values = filters.get("activityTypeIds") or []
    if not isinstance(values, list):
        raise invalid_value(values, "List")
    type_ids = []
    for value in values:
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
            raise invalid_value(value, "Integer")
        type_ids.append(int(text))
    if DELETE_LEAD in type_ids:
        raise MarketoError("1003", f"Invalid data: activity type {DELETE_LEAD} cannot be exported")
    if unknown := set(type_ids) - set(ActivityType.objects.filter(pk__in=type_ids).values_list("pk", flat=True)):
        raise MarketoError(
            "1003", f"Invalid data: there is no activity type {min(unknown)}"
        )  # [I] §2.3 has this rule for reading
    return type_ids


def _primary_values(filters: Mapping[str, Any], name: str, types: Sequence[int]) -> list[str]:
    values = filters.get(name)
    if not values:
        return []
    if filters.get("primaryAttributeValues") and filters.get("primaryAttributeValueIds"):
        raise MarketoError("1003", "Invalid data: only one of primaryAttributeValues and primaryAttributeValueIds")
    if not isinstance(values, list) or len(values) > MAX_VALUES or not all(_IS_VALUE[name](value) for value in values):
        raise MarketoError("1003", f"Invalid data: at most {MAX_VALUES} {name}")
    if not types or set(types) - WITH_VALUES:
        raise MarketoError("1003", f"Invalid data: {name} need activity types that have them")
    return [str(value) for value in values]


_IS_VALUE: Mapping[str, Callable[[Any], bool]] = {
    "primaryAttributeValues": lambda value: isinstance(value, str) and "\0" not in value,
    "primaryAttributeValueIds": lambda value: type(value) is int and abs(value) <= MAX_BIG_ID,
}


def leads_statement(request: Mapping[str, Any]) -> ExportStatement:
    """§5.1: the statement for leads of one filter: created or updated in a range, or on a list."""
    return _leads(request, is_check=False)


def check_leads_request(request: Mapping[str, Any]) -> None:
    """Raise the errors of `leads_statement` without evaluating a smart list."""
    _leads(request, is_check=True)


def _leads(request: Mapping[str, Any], is_check: bool) -> ExportStatement:
    filter_names = {"createdAt", "updatedAt", "staticListId", "staticListName", "smartListId", "smartListName"}
    filters = _filters(request, filter_names)
    if len(filters) != 1:
        raise MarketoError("1003", f"Invalid data: exactly one filter of {', '.join(sorted(filter_names))}")
    names = LeadNames()
    fields = _requested_fields(request, {"id": "", **names.api_names})
    if not fields:
        raise MarketoError("1003", "Invalid data: fields are needed")
    headers = _headers(request)
    columns = [_lead_column(name, headers.get(name, name), names) for name in fields]
    ((name, value),) = filters.items()
    if name in ("createdAt", "updatedAt"):
        start, end = _range(filters, name)
        column = {"createdAt": "created_at", "updatedAt": "updated_at"}[name]
        source = f"person p where p.state = 'live' and p.{column} >= %(start)s and p.{column} < %(end)s order by p.id"
        return ExportStatement(columns, source, {"start": start, "end": end})
    return ExportStatement(columns, *_on_list(name, value, is_check))


def _lead_column(name: str, header: str, names: LeadNames) -> ExportColumn:
    if name == "id":
        return ExportColumn(header, "p.id")
    info = names.fields[names.api_names[name]]
    if worked_out := names.worked_out(info):
        return ExportColumn(header, worked_out[3], worked_out[1] == "string")
    column = field_column(info, header)
    if info.data_type.name == "datetime":
        moment = f"p.{info.api_name}" if info.is_standard else f"{column.sql}::timestamptz"
        return ExportColumn(header, _WHOLE.format(moment))
    if info.data_type.name == "boolean":  # null: never set
        return ExportColumn(header, f"coalesce({column.sql}, 'false')")
    return ExportColumn(header, _one_line(column.sql)) if column.is_text else column


def _on_list(name: str, value: Any, is_check: bool) -> tuple[str, dict[str, Any]]:
    model = StaticList if name.startswith("static") else SmartList
    is_id = name.endswith("Id")
    text = str(value)
    if is_id and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid_value(value, "Integer")
    if not is_id and (not isinstance(value, str) or "\0" in value):
        raise invalid_value(value, "String")
    target = model.objects.filter(**({"pk": int(text)} if is_id else {"name__iexact": text})).first()
    if target is None:
        raise MarketoError("1003", f"Invalid data: there is no list '{quoted_value(value)}'")
    if isinstance(target, SmartList):
        ids = [] if is_check else list(stored_evaluations.current_or_new_evaluation(target, None).person_ids)
        return "person p join unnest(%(ids)s::int[]) as w (id) using (id) where p.state = 'live' order by p.id", {
            "ids": ids
        }
    return (
        """person p where p.state = 'live' and p.id in
        (select m.person_id from static_list_member m where m.static_list_id = %(list)s) order by p.id""",
        {"list": target.pk},
    )


def _filters(request: Mapping[str, Any], filter_names: set[str]) -> dict[str, Any]:
    filters = request.get("filter")
    if not isinstance(filters, dict) or not filters:
        raise MarketoError("1003", "Invalid data: a filter is needed")
    unknown = sorted(set(filters) - filter_names)
    if unknown:
        raise MarketoError("1035", f"Unsupported filter type for target subscription: {quoted_value(unknown[0])}")
    return filters


def _range(filters: Mapping[str, Any], name: str) -> tuple[datetime, datetime]:
    """Return [start, end). A whole second as the end belongs to the range: the Marketo API has no fractions."""
    limits = filters.get(name)
    if not isinstance(limits, dict):
        raise MarketoError("1003", f"Invalid data: the filter {name} is needed")
    start, end = (_moment(limits.get(part), part) for part in ("startAt", "endAt"))
    if end < start or end - start > MAX_RANGE:
        raise MarketoError("1003", "Invalid data: a range of at most 31 days is needed, its start before its end")
    return start, end + (timedelta(seconds=1) if not end.microsecond else timedelta(microseconds=1))


def _moment(value: Any, name: str) -> datetime:
    try:
        return parse_moment(re.sub(r"\s", "", value) if isinstance(value, str) else value, UTC)
    except BadValueError:
        raise MarketoError("1003", f"Invalid data: {name} must be a date and time") from None


def _requested_fields(request: Mapping[str, Any], columns: Mapping[str, Any]) -> list[str]:
    """Return the requested columns, each once; missing, null and [] all mean the default (§5.1)."""
    fields = request.get("fields") or []
    if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        raise invalid_value(fields, "List")
    unknown = [name for name in fields if name not in columns]
    if unknown:
        raise MarketoError("1003", f"Invalid data: unknown field '{quoted_value(unknown[0])}'")
    return list(dict.fromkeys(fields))


def _headers(request: Mapping[str, Any]) -> dict[str, str]:
    headers = request.get("columnHeaderNames") or {}
    if not isinstance(headers, dict) or not all(isinstance(name, str) for name in headers.values()):
        raise invalid_value(headers, "Object")
    return {name: quoted_value(header) for name, header in headers.items()}


export_kinds.register_export_kind(
    ExportKind(
        "bulk_activities",
        "Activities",
        (EXPORT_PERSON, VIEW_ACTIVITY),
        activities_statement,
        null="null",
        check=activities_statement,
        is_exact=True,
    )
)
export_kinds.register_export_kind(
    ExportKind(
        "bulk_leads",
        "Leads",
        (EXPORT_PERSON, VIEW_PERSON),
        leads_statement,
        null="null",
        check=check_leads_request,
        is_exact=True,
    )
)
