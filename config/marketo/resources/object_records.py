"""Records of custom objects over the Marketo API: sync, delete and query (§7.2)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse

from config.marketo.resources.object_names import GUID, SYSTEM_FIELDS, approved_type, dedupe_names, record_member
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import MAX_BATCH
from config.marketo.wire.responses import MarketoError, missing_parameter, row_errors, success_reply, utc_timestamp
from people.core.codes import Code
from people.core.errors import Problem, quoted_value
from people.datatypes.parsing import is_blank
from people.models import ObjectRecord
from people.objects import links, queries, records, removal
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus
from people.objects.schema import ObjectSchema, live_schema
from people.rest.answer_size import count_rows_that_fit

ACTIONS = {"createorupdate": RecordAction.UPSERT, "createonly": RecordAction.CREATE, "updateonly": RecordAction.UPDATE}
KEYS = {"dedupefields": RecordKey.DEDUPE, "idfield": RecordKey.GUID}
REASONS: Mapping[str, tuple[str, str]] = {
    Code.UNKNOWN_RECORD: ("1013", "Object not found"),
    Code.RECORD_EXISTS: ("1017", "Object already exists"),
    Code.TOO_LARGE: ("1003", "Invalid data: the values of one object take more than 65,536 bytes"),
}
NAMES = {RecordKey.GUID: GUID, **{record_member(name): name for name in (RecordKey.ID, RecordKey.GUID)}}


def sync_records(call: Call, api_name: str) -> HttpResponse:
    """Create or update records; each row is applied or skipped separately."""
    call.require(records.CHANGE)
    rows, body = call.parameters.rows("objects"), call.parameters.json
    action = _word(body, "action", "createOrUpdate", ACTIONS)
    key = _word(body, "dedupeBy", "dedupeFields", KEYS)
    if action is not RecordAction.UPDATE:
        call.require(records.ADD)
        if key is RecordKey.GUID:
            raise MarketoError("1003", "Invalid data: 'idField' identifies objects to update only")
    source = replace(call.source, is_backfill=call.parameters.is_backfill)
    values = [_values(row) for row in rows]
    outcomes = records.upsert_records(approved_type(api_name), values, source, key=key, action=action)
    return _outcomes(outcomes)


def delete_records(call: Call, api_name: str) -> HttpResponse:
    """Delete records; each is deleted or skipped separately. [I] §7.2: one object in the place of `input` is a row."""
    call.require(records.DELETE)
    rows = call.parameters.rows("objects", or_one=True)
    key = _word(call.parameters.json, "deleteBy", "dedupeFields", KEYS)
    values = [_values(row) for row in rows]
    return _outcomes(removal.delete_records(approved_type(api_name), values, call.source, key=key))


def query_records(call: Call, api_name: str) -> HttpResponse:
    """Return a page of the records that a filter finds: up to 300 values, or JSON objects with the filter's fields."""
    call.require(records.VIEW)
    schema = live_schema(approved_type(api_name))
    if call.parameters.has_json:
        call.parameters.take_json("filterType", "fields", "batchSize", "nextPageToken")
    fields = _requested_fields(call, schema)
    size, after = call.parameters.batch_size(), paging.page_start_id(call)
    found = list(_matching(call, schema).filter(pk__gt=after).order_by("pk")[: size + 1])
    rows = [{"seq": seq, **_record_row(record, schema, fields)} for seq, record in enumerate(found[:size])]
    rows = rows[: count_rows_that_fit(rows)]
    more = str(found[len(rows) - 1].pk) if len(rows) < len(found) else None
    return success_reply(rows, nextPageToken=more)


def _matching(call: Call, schema: ObjectSchema) -> QuerySet[ObjectRecord]:
    """The records that the request's filter finds. Raises 1002, 1003, 1011."""
    filter_type = call.parameters.needed("filterType")
    names = _filter_fields(filter_type, schema)
    keys = _keys(call, names)
    rows = ObjectRecord.objects.existing().filter(object_type=schema.type_id)
    if names == [GUID]:
        return rows.filter(guid__in={guid for key in keys if (guid := links.parse_guid(key[GUID])) is not None})
    checked = (schema.check(key) for key in keys)
    canonical = [values for values, problems in checked if not problems]  # no record has a value of a wrong type
    if set(names) == {field.api_name for field in schema.dedupe}:
        by_key = queries.records_by_keys(schema, canonical)
        return rows.filter(pk__in={record.pk for record in by_key.values()})
    (name,) = names
    return queries.records_by_link(schema, schema.fields[name], {values[name] for values in canonical})


def _filter_fields(filter_type: str, schema: ObjectSchema) -> list[str]:
    """The members that identify records by this filter. Raises 1011."""
    dedupe = dedupe_names(schema)
    if filter_type == "dedupeFields":
        return dedupe
    if filter_type in ("idField", GUID):
        return [GUID]
    is_link = filter_type in {link.api_name for link in (schema.person_link, schema.object_link) if link is not None}
    if is_link or [filter_type] == dedupe:
        return [filter_type]
    raise MarketoError("1011", f"Field '{filter_type[:80]}' not supported")


def _keys(call: Call, names: list[str]) -> list[dict[str, Any]]:
    """The values that the request looks for, by member: from JSON `input`, or from `filterValues`."""
    if call.parameters.has_json:
        rows = call.parameters.rows("objects")
        for row in rows:
            missing = [name for name in names if not isinstance(row, dict) or is_blank(row.get(name))]
            if missing:
                raise missing_parameter(missing[0])
        return [{name: row[name] for name in names} for row in rows]
    values = call.parameters.values("filterValues")
    if not values:
        raise missing_parameter("filterValues")
    if len(values) > MAX_BATCH:
        raise MarketoError("1003", f"Invalid data: at most {MAX_BATCH} filter values")
    if len(names) > 1:
        raise MarketoError("1003", f"Invalid data: {len(names)} dedupe fields are looked for with a JSON body")
    return [{names[0]: value} for value in values]


def _requested_fields(call: Call, schema: ObjectSchema) -> list[str]:
    """The requested fields. Raises 1006."""
    fields = call.parameters.values("fields")
    unknown = [name for name in fields if name not in schema.fields and name not in SYSTEM_FIELDS]
    if unknown:
        raise MarketoError("1006", f"Field '{quoted_value(unknown[0])}' not found")
    return fields or [*dedupe_names(schema), "createdAt", "updatedAt"]


def _record_row(record: ObjectRecord, schema: ObjectSchema, fields: list[str]) -> dict[str, Any]:
    """A record with its GUID and the requested fields; those without a value are left out."""
    values = schema.canonical(record.fields)
    values |= {"createdAt": record.created_at, "updatedAt": record.updated_at}
    shown = {name: _shown(values[name]) for name in fields if values.get(name) is not None}
    return {GUID: str(record.guid), **shown}


def _shown(value: Any) -> Any:
    return utc_timestamp(value) if isinstance(value, datetime) else value


def _word(body: dict[str, Any], member: str, default: str, words: Mapping[str, Any]) -> Any:
    """The meaning of a member with one of some words, in any case. Raises 1003."""
    name = body.get(member) if body.get(member) is not None else default
    meaning = words.get(name.lower()) if isinstance(name, str) else None
    if meaning is None:
        raise MarketoError("1003", f"Invalid data for '{member}': '{quoted_value(name)}'")
    return meaning


def _values(row: Any) -> dict[str, Any]:
    """A row in the product's names. Members that are called like an id of the product stay unknown."""
    return {record_member(name): value for name, value in row.items()} if isinstance(row, dict) else {"": row}


def _outcomes(outcomes: list[RecordOutcome]) -> HttpResponse:
    return success_reply([{"seq": seq, **_outcome_row(outcome)} for seq, outcome in enumerate(outcomes)])


def _outcome_row(outcome: RecordOutcome) -> dict[str, Any]:
    if outcome.status is RecordStatus.REFUSED:
        problems = [_system_field_problem(problem) for problem in outcome.problems]
        return {"status": "skipped", "reasons": row_errors(problems, NAMES, reasons=REASONS)}
    return {"status": str(outcome.status), GUID: str(outcome.guid)}


def _system_field_problem(problem: Problem) -> Problem:
    """The problem of a value for `createdAt` or `updatedAt`, which describe lists: not an unknown field."""
    if problem.code == Code.UNKNOWN_FIELD and problem.path and problem.path[-1] in SYSTEM_FIELDS:
        return Problem(Code.READ_ONLY_FIELD, "is maintained by the product", problem.path)
    return problem
