"""Activities over the Marketo API: recording (§2.6) and reading (§2.1 to §2.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone

from activities.consent.state import CONSENTS
from activities.log import reader as log_reader
from activities.log.reader import ActivityCondition, ActivityPage, ActivityRow
from activities.models import ActivityField, ActivityType, ActivityVersion
from activities.recording import column_recorder, recorder
from activities.recording.columns import ActivityColumns
from activities.recording.rows import NewActivity, RecordOutcome, RecordStatus
from activities.rights import RECORD_ACTIVITY, VIEW_ACTIVITY
from activities.types import standard as standard_types
from activities.types.marketo_history import ATTRIBUTE_NAMES
from config.marketo.resources.lead_names import LeadNames
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import parse_person_id
from config.marketo.wire.responses import (
    MarketoError,
    invalid_value,
    printable_text,
    row_errors,
    success_reply,
    utc_timestamp,
)
from people.core.errors import quoted_value
from people.core.source import Channel
from people.datatypes.parsing import BadValueError, is_blank, parse_moment
from people.models import StaticList, StaticListMember
from people.rest.answer_size import count_rows_that_fit

MAX_TYPES, MAX_PEOPLE = 10, 30
SHORT_LIST = 1_000  # up to this size the members' activities are read person by person, above it from the log
DAYS_OF_MONTH = 365.25 / 12


def record_activities(call: Call) -> HttpResponse:
    """§2.6: add custom activities, and consents; each row is added or skipped on its own."""
    call.require(RECORD_ACTIVITY)
    rows = call.parameters.rows("activities")
    warnings = _warnings(rows)
    source = replace(call.source, is_backfill=call.parameters.is_backfill)
    columns = _columns(rows) if warnings is None else None
    if columns is None:
        outcomes = recorder.record_activities(
            [_new_activity(row) for row in rows], source, may_record=CONSENTS, follow_merges=False
        )
    else:
        outcomes = column_recorder.record_columns(
            columns, source, may_record=CONSENTS, follow_merges=False, keep_refused=True
        ).outcomes()
    return success_reply([_result_row(outcome) for outcome in outcomes], warnings=warnings or None)


# [I] §2.6: members of a row; the last five are in the published model of the request, and have no effect here
_MEMBER_NAMES = frozenset(
    {
        "leadId",
        "activityDate",
        "activityTypeId",
        "primaryAttributeValue",
        "attributes",
        "externalId",
        *("id", "marketoGUID", "status", "errors", "apiName"),
    }
)
MAX_WARNINGS = 20


def _warnings(rows: Sequence[Any]) -> list[dict[str, str]] | None:
    """[I] §2.6: return warnings about unknown members; None if every row has known ones only."""
    objects = [row for row in rows if isinstance(row, dict)]
    if set().union(*objects) <= _MEMBER_NAMES:
        return None
    warnings = [
        {
            "code": "1006",
            "message": printable_text(f"Row {place}: field '{quoted_value(name)}' not found; its value is left out"),
        }
        for place, row in enumerate(rows, 1)
        if isinstance(row, dict)
        for name in row
        if name not in _MEMBER_NAMES and not _are_attributes(row[name])
    ]
    return warnings[:MAX_WARNINGS]


def _are_attributes(value: Any) -> bool:
    """Return whether the value of an unknown member can only be meant as `attributes`."""
    return isinstance(value, list) and any(isinstance(entry, dict) and "value" in entry for entry in value)


_MEMBERS = itemgetter("leadId", "activityTypeId", "activityDate", "primaryAttributeValue", "attributes")
_ATTRIBUTE = itemgetter("apiName", "value")


def _columns(rows: Sequence[Any]) -> ActivityColumns | None:
    """Return the rows as columns if all have every member, one type and the same attributes in one order; else None.

    Programs usually send such rows. Recording columns takes half as long as recording row by row.
    """
    try:
        people, types, moments, primaries, attributes = zip(*map(_MEMBERS, rows), strict=True)
        pairs = [_ATTRIBUTE(entry) for entries in attributes for entry in entries]
    except (KeyError, TypeError):
        return None
    names = [name for name, _value in pairs[: len(attributes[0])]]
    if (
        set(map(type, types)) != {int}
        or len(set(types)) > 1
        or set(map(type, attributes)) != {list}
        or set(map(len, attributes)) != {len(names)}
        or [name for name, _value in pairs] != names * len(rows)
        or not all(isinstance(name, str) and name for name in names)
        or len(set(names)) < len(names)
    ):
        return None
    values = [value for _name, value in pairs]
    fields = [(name, values[at :: len(names)]) for name, at in sorted(zip(names, range(len(names)), strict=True))]
    external_ids = [row.get("externalId") for row in rows] if any("externalId" in row for row in rows) else None
    is_plain = set(map(type, people)) == {int}
    ids = people if is_plain else [parse_person_id(person) or person for person in people]
    return ActivityColumns(
        types[0], ids, "id", False, moments, primaries, fields, external_ids, source_rows=rows, row_of=_new_activity
    )


def _new_activity(row: Any) -> NewActivity:
    if not isinstance(row, dict):
        return NewActivity(None, None, None)
    get = row.get
    lead_id = get("leadId")
    # an activity is written once and an omitted value lost, so the row is refused as one with an unknown field
    misnamed = [(name, value) for name, value in row.items() if name not in _MEMBER_NAMES and _are_attributes(value)]
    return NewActivity(
        parse_person_id(lead_id) or lead_id,
        _type_id(get("activityTypeId")),
        get("activityDate"),
        get("primaryAttributeValue"),
        [*_pairs(get("attributes")), *misnamed],
        get("externalId"),
    )


def _type_id(value: Any) -> Any:
    """[I] §2.6: accept ids as text. A blank before other text prevents reading it as an API name."""
    number = parse_person_id(value)
    return f" {value}" if number is None and isinstance(value, str) and not is_blank(value) else number or value


def _pairs(attributes: Any) -> list[tuple[str, Any]]:
    """Return (name, value) of each attribute; [I] a missing or empty array is valid. Other values get an empty name."""
    if not attributes:
        return []
    if not isinstance(attributes, list):
        return [("attributes", attributes)]
    return [
        (str(entry.get("apiName") or entry.get("name") or ""), entry.get("value"))
        if isinstance(entry, dict)
        else ("", entry)
        for entry in attributes
    ]


def _result_row(outcome: RecordOutcome) -> dict[str, Any]:
    if outcome.status is RecordStatus.REFUSED:
        return {"status": "skipped", "errors": row_errors(outcome.problems)}
    return {"id": outcome.activity_id, "marketoGUID": str(outcome.activity_id), "status": "added"}


def list_activity_types(call: Call) -> HttpResponse:
    """§2.1: return every standard type and every approved custom one; never a paging token."""
    call.require(VIEW_ACTIVITY)
    return success_reply(
        [_type_row(activity_type) for activity_type in ActivityType.objects.approved().with_versions()]
    )


# §2.1: Marketo's names of its own types, where the product's pages use others. Its primary attributes are ids;
# `primaryAttributeValue` has the names of these.
TYPE_NAMES = {
    standard_types.VISIT_WEB_PAGE: "Visit Webpage",
    standard_types.NEW_PERSON: "New Lead",
    standard_types.MERGE_PEOPLE: "Merge Leads",
    standard_types.DELETE_PERSON: "Delete Lead",
}
FILL_OUT_FORM = 2
PRIMARY_ATTRIBUTES = {
    standard_types.VISIT_WEB_PAGE: {"name": "Webpage ID", "dataType": "integer"},
    FILL_OUT_FORM: {"name": "Webform ID", "dataType": "integer"},
    standard_types.ADD_TO_LIST: {"name": "List ID", "dataType": "integer"},
    standard_types.REMOVE_FROM_LIST: {"name": "List ID", "dataType": "integer"},
    standard_types.DELETE_PERSON: {"name": "Lead ID", "dataType": "integer"},
}


def _type_row(activity_type: ActivityType) -> dict[str, Any]:
    version = activity_type.live
    assert version is not None  # approved() has a live version
    is_custom = not activity_type.is_standard
    name = version.name if is_custom else TYPE_NAMES.get(activity_type.pk, version.name)
    row: dict[str, Any] = {"id": activity_type.pk, "name": name, "description": version.description}
    if is_custom:
        row["apiName"] = activity_type.api_name
    fields = list(version.fields.all())
    primary = next((field for field in fields if field.is_primary), None)
    if primary is not None:
        own_names = PRIMARY_ATTRIBUTES.get(activity_type.pk, {})
        row["primaryAttribute"] = _field_row(activity_type, primary) | own_names
    return row | {"attributes": [_field_row(activity_type, field) for field in fields if not field.is_primary]}


def _field_row(activity_type: ActivityType, field: ActivityField) -> dict[str, str]:
    name = ATTRIBUTE_NAMES.get((activity_type.pk, field.api_name), field.name)
    api_name = {} if activity_type.is_standard else {"apiName": field.api_name}
    return {"name": name, "dataType": field.data_type, **api_name}


def paging_token(call: Call) -> HttpResponse:
    """§2.2: return the position in the log of a date."""
    call.require(VIEW_ACTIVITY)
    text = call.parameters.needed("sinceDatetime")
    try:
        since = parse_moment(text)
    except BadValueError:
        raise invalid_value(text, "Datetime") from None  # [I] §2.2
    return success_reply(nextPageToken=paging.encode_position(log_reader.start_position(since)))


def read_activities(call: Call) -> HttpResponse:
    """§2.3: return activities after a token, each exactly once, ascending by id."""
    call.require(VIEW_ACTIVITY)
    type_ids = call.parameters.numbers("activityTypeIds")
    if not type_ids:
        call.parameters.needed("activityTypeIds")
    if len(set(type_ids)) > MAX_TYPES:
        raise MarketoError("1003", f"Invalid data: at most {MAX_TYPES} activity types")  # [I] §2.3
    formatter = ActivityFormatter(type_ids)
    unknown = set(type_ids) - formatter.types
    if unknown:
        raise MarketoError("1003", f"Invalid data: there is no activity type {min(unknown)}")  # [I] §2.3
    page = read_page(call, type_ids, [*_asset_conditions(call, type_ids), *_age_conditions(formatter.standard)])
    return activities_reply(page, map(formatter.row, page.activities))


def read_page(
    call: Call, type_ids: Sequence[int], conditions: Sequence[ActivityCondition]
) -> ActivityPage[ActivityRow]:
    """Read the next page of these types after the request's token, limited by `leadIds` or `listId`."""
    position = paging.token_position(call)
    people = call.parameters.numbers("leadIds") or None
    list_id = call.parameters.id("listId")
    if people is not None and len(people) > MAX_PEOPLE:
        raise MarketoError("1003", f"Invalid data: at most {MAX_PEOPLE} leads")  # [I] §2.3
    if list_id is not None and people is None:
        people, on_list = _members(list_id)
        conditions = [*conditions, *on_list]
    return log_reader.read_activities(position, type_ids, people, call.parameters.batch_size(), conditions)


def activities_reply(page: ActivityPage[ActivityRow], rows: Iterable[dict[str, Any]]) -> HttpResponse:
    """§2.3: return a page with token and `moreResult`; the last page and an empty one have them, too."""
    formatted = list(rows)
    position, has_more = page.position, page.has_more
    if (fitting := count_rows_that_fit(formatted)) < len(formatted):
        position, has_more = replace(position, last_id=page.activities[fitting - 1].pk), True
    return success_reply(formatted[:fitting], nextPageToken=paging.encode_position(position), moreResult=has_more)


def _members(list_id: int) -> tuple[list[int] | None, list[ActivityCondition]]:
    """Return the members of a short list as ids, those of a long one as a condition."""
    if not StaticList.objects.filter(pk=list_id).exists():
        raise MarketoError("1013", f"Object not found: list {list_id}")  # [I] §2.3
    members = StaticListMember.objects.filter(static_list=list_id).values_list("person_id", flat=True)
    ids = list(members[: SHORT_LIST + 1])
    return (ids, []) if len(ids) <= SHORT_LIST else (None, [log_reader.static_list_condition(list_id)])


def _asset_conditions(call: Call, type_ids: Sequence[int]) -> list[ActivityCondition]:
    """§2.3: return the condition of `assetIds`, primary assets of exactly one type: the list of a list activity."""
    ids = call.parameters.numbers("assetIds")
    if not ids:
        return []
    if len(set(type_ids)) != 1:
        raise MarketoError("1003", "Invalid data: assetIds needs exactly one activity type")
    return [
        ActivityCondition(
            ASSET_SQL.get(type_ids[0], "false"), {"assets": ids, "texts": [str(number) for number in ids]}
        )
    ]


def _age_conditions(standard_ids: set[int]) -> list[ActivityCondition]:
    """§2.3: Marketo returns custom activities of the last 25 months; here a setting, off by default."""
    if settings.DIALECT_ACTIVITY_MONTHS is None:
        return []
    oldest = timezone.now() - timedelta(days=settings.DIALECT_ACTIVITY_MONTHS * DAYS_OF_MONTH)
    condition = "(a.occurred_at >= %(oldest)s or a.activity_type_id = any(%(standard)s::int[]))"
    return [ActivityCondition(condition, {"oldest": oldest, "standard": list(standard_ids)})]


# [I] §2.3: standard activities whose object has an id, and the SQL of that id
_LIST_TYPES = (standard_types.ADD_TO_LIST, standard_types.REMOVE_FROM_LIST)
ASSET_SQL = {
    **dict.fromkeys(_LIST_TYPES, "a.attributes->>'list_id' = any(%(texts)s)"),
    standard_types.DELETE_PERSON: "a.person_id = any(%(assets)s)",
}


def activity_asset_id(row: ActivityRow) -> int | None:
    """Return the id of the activity's object; None if it has none."""
    if row.activity_type_id in _LIST_TYPES:
        return row.attributes.get("list_id")
    return row.person_id if row.activity_type_id == standard_types.DELETE_PERSON else None


class ActivityFormatter:
    """Formats rows of some types for a reply. Fields have the names of the newest version, as in types.json."""

    def __init__(self, type_ids: Iterable[int]) -> None:
        versions = ActivityVersion.objects.filter(activity_type__in=set(type_ids), number__isnull=False)
        rows = versions.order_by("number").values_list(
            "activity_type_id", "activity_type__is_standard", "fields__api_name", "fields__name"
        )
        self.types: set[int] = set()
        self.standard: set[int] = set()
        self.names: dict[tuple[int, str], str] = {}
        for type_id, is_standard, api_name, name in rows:
            self.types.add(type_id)
            self.names[(type_id, api_name)] = ATTRIBUTE_NAMES.get((type_id, api_name), name)
            if is_standard:
                self.standard.add(type_id)

    def row(self, row: ActivityRow) -> dict[str, Any]:
        result = activity_head(row)
        object_id = activity_asset_id(row)
        if object_id is not None:
            result["primaryAttributeValueId"] = object_id
        if row.primary_value is not None:
            result["primaryAttributeValue"] = self._primary(row)
        result["attributes"] = [
            self._attribute(row.activity_type_id, api_name, value) for api_name, value in row.attributes.items()
        ]
        return result

    def _primary(self, row: ActivityRow) -> str:
        """[I] §2.3: return the value with person fields named as in describe.json, like in lead changes."""
        if row.activity_type_id in (standard_types.CHANGE_DATA_VALUE, standard_types.CHANGE_SCORE):
            return ", ".join(LeadNames.of_standard(name) for name in str(row.primary_value).split(", "))
        return str(row.primary_value)

    def _attribute(self, type_id: int, api_name: str, value: Any) -> dict[str, Any]:
        name = self.names.get((type_id, api_name), api_name)
        if type_id in self.standard:
            return {"name": name, "value": value}
        return {"name": name, "apiName": api_name, "value": value}


def activity_head(row: ActivityRow) -> dict[str, Any]:
    """Return the first members of every activity's row; the campaign only if one recorded it (§2.3)."""
    campaign = {"campaignId": row.origin_id} if row.channel == Channel.CAMPAIGN and row.origin_id else {}
    return {
        "id": row.pk,
        "marketoGUID": str(row.pk),
        "leadId": row.person_id,
        "activityDate": utc_timestamp(row.occurred_at),
        "activityTypeId": row.activity_type_id,
        **campaign,
    }
