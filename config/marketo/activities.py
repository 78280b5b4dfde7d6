"""Activities over the dialect: record them (§2.6), read them (§2.1 to §2.3)."""

import base64
import binascii
import struct
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse

from activities import reading, recording
from activities.models import Activity, ActivityField, ActivityType, ActivityVersion
from activities.reading import Position
from activities.recording import NewActivity, Outcome, Status
from config.marketo.dispatch import Call
from config.marketo.envelope import Failure, row_errors, success
from people import datatypes

MAX_ROWS = 300
MAX_TYPES, MAX_PEOPLE = 10, 30
_TOKEN = struct.Struct(">Bqqq")  # form of the token, since (ms, or NEVER), mark when issued, last id
_TOKEN_FORM = 1
_NEVER = -(2**62)


def record(call: Call) -> HttpResponse:
    """§2.6: add custom activities; each row is added or skipped on its own."""
    call.require("activities.record_activity")
    body = call.json
    rows = body.get("input") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Failure("1003", "Activities not specified")  # [I]
    if len(rows) > MAX_ROWS:
        raise Failure("1003", f"Invalid data: at most {MAX_ROWS} activities in one call, got {len(rows)}")  # [I]
    outcomes = recording.record([_new(row) for row in rows], call.source, follow_merges=False)
    return success([_outcome(outcome) for outcome in outcomes])


def _new(row: Any) -> NewActivity:
    if not isinstance(row, dict):
        return NewActivity(None, None, None)
    return NewActivity(
        person=row.get("leadId"),
        activity_type=row.get("activityTypeId") if isinstance(row.get("activityTypeId"), int) else None,
        occurred_at=row.get("activityDate"),
        primary_value=row.get("primaryAttributeValue"),
        attributes=_pairs(row.get("attributes")),
        external_id=row.get("externalId"),
    )


def _pairs(attributes: Any) -> list[tuple[str, Any]]:
    """(name, value) of each attribute; [I] a missing or empty array is fine. What is no attribute has no name."""
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


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if outcome.status is Status.REFUSED:
        return {"status": "skipped", "errors": row_errors(outcome.problems)}
    return {"id": outcome.activity_id, "marketoGUID": str(outcome.activity_id), "status": "added"}


def types(call: Call) -> HttpResponse:
    """§2.1: every standard type and every approved custom one; never a paging token."""
    call.require("activities.view_activity")
    return success([_type(found) for found in ActivityType.objects.approved().with_versions()])


def _type(activity_type: ActivityType) -> dict[str, Any]:
    version = activity_type.live
    assert version is not None  # approved() has a live version
    is_custom = not activity_type.is_standard
    row: dict[str, Any] = {"id": activity_type.pk, "name": version.name, "description": version.description}
    if is_custom:
        row["apiName"] = activity_type.api_name
    fields = list(version.fields.all())
    primary = next((field for field in fields if field.is_primary), None)
    if primary is not None:
        row["primaryAttribute"] = _field(primary, is_custom)
    return row | {"attributes": [_field(field, is_custom) for field in fields if not field.is_primary]}


def _field(field: ActivityField, is_custom: bool) -> dict[str, str]:
    return {"name": field.name, "dataType": field.data_type} | ({"apiName": field.api_name} if is_custom else {})


def paging_token(call: Call) -> HttpResponse:
    """§2.2: a position in the log from a date on."""
    call.require("activities.view_activity")
    text = call.parameters.get("sinceDatetime", "")
    if not text:
        raise Failure("1002", "Missing value for the required parameter 'sinceDatetime'")  # [I]
    try:
        since = datatypes.parse_moment(text.strip())
    except datatypes.BadValue:
        raise Failure("1001", f"Invalid value '{text[:80]}'. Required of type 'Datetime'") from None  # [I]
    return success(nextPageToken=encode(reading.start(since)))


def read(call: Call) -> HttpResponse:
    """§2.3: activities after a token, each exactly once, ascending by id."""
    call.require("activities.view_activity")
    position = _position(call)
    type_ids, people = call.numbers("activityTypeIds"), call.numbers("leadIds")
    if not type_ids:
        raise Failure("1002", "Missing value for the required parameter 'activityTypeIds'")
    if len(type_ids) > MAX_TYPES or len(people) > MAX_PEOPLE:  # [I]
        raise Failure("1003", f"Invalid data: at most {MAX_TYPES} activity types and {MAX_PEOPLE} leads")
    page = reading.read(position, type_ids, people or None, call.batch_size())
    names = _Names({row.activity_type_id for row in page.activities})
    return success(
        [_activity(row, names) for row in page.activities],
        nextPageToken=encode(page.position),
        moreResult=page.has_more,
    )


class _Names:
    """Display names of the fields that rows of some types may have, whatever their version."""

    def __init__(self, type_ids: set[int]) -> None:
        versions = ActivityVersion.objects.filter(activity_type__in=type_ids, number__isnull=False)
        rows = versions.order_by("number").values_list(
            "activity_type_id", "activity_type__is_standard", "fields__api_name", "fields__name"
        )
        # the newest version's name of a field wins: clients match it with the one that types.json gives
        self.names = {(type_id, api_name): name for type_id, _standard, api_name, name in rows}
        self.standard = {type_id for type_id, is_standard, _api_name, _name in rows if is_standard}

    def attribute(self, type_id: int, api_name: str, value: Any) -> dict[str, Any]:
        row = {"name": self.names.get((type_id, api_name), api_name), "value": value}
        return row if type_id in self.standard else {"name": row["name"], "apiName": api_name, "value": row["value"]}


def _activity(row: Activity, names: _Names) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": row.pk,
        "marketoGUID": str(row.pk),
        "leadId": row.person_id,
        "activityDate": timestamp(row.occurred_at),
        "activityTypeId": row.activity_type_id,
    }
    if row.primary_value is not None:
        found["primaryAttributeValue"] = row.primary_value
    found["attributes"] = [
        names.attribute(row.activity_type_id, api_name, value) for api_name, value in row.attributes.items()
    ]
    return found


def timestamp(moment: datetime) -> str:
    """§A4: UTC, whole seconds; clients parse exactly this."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _position(call: Call) -> Position:
    token = call.parameters.get("nextPageToken", "").strip()
    if not token:
        raise Failure("1002", "Missing value for the required parameter 'nextPageToken'")
    position = decode(token)
    if position is None:
        raise Failure("1003", "Invalid data: the paging token is not one of ours")  # [I]
    return position


def encode(position: Position) -> str:
    """§2.2: opaque base32; the token is the whole state and never expires."""
    since = _NEVER if position.since is None else int(position.since.timestamp() * 1000)
    packed = _TOKEN.pack(_TOKEN_FORM, since, position.issued_at_mark, position.last_id)
    return base64.b32encode(packed).decode()


def decode(token: str) -> Position | None:
    try:
        form, since, mark, last_id = _TOKEN.unpack(base64.b32decode(token))
        moment = None if since == _NEVER else datetime.fromtimestamp(since / 1000, UTC)
    except (binascii.Error, struct.error, ValueError, OverflowError, OSError):
        return None
    return Position(moment, mark, last_id) if form == _TOKEN_FORM and mark >= 0 and last_id >= 0 else None
